"""The model card and the settings on the report page."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

import pandas as pd

from freqcnn_gluon.own.report.html import Child, facts, name, number, section, tag
from freqcnn_gluon.own.scores import absent

__all__ = ["card", "settings"]

ELSEWHERE = (
    "labels",
    "metrics",
    "intervals",
    "history",
    "baselines",
    "split",
    "folds",
)  # parts of a report in other sections


def card(report: Mapping, tested: pd.DataFrame, training: pd.DataFrame) -> Element:
    """Return the model card: data, split, intended use and limits.

    Args:
        report: The content of report.json.
        tested: The evaluated clips of the manifest.
        training: The clips that were trained on, none if they are not known.
    """
    labels: list[Child] = []
    for label in report["labels"]:
        labels += [", ", name(label)]
    data: list[tuple[str, Child]] = [("labels", tag("span", *labels[1:]))]
    data += [("training clips", _amount(training))] if len(training) else []
    if len(tested):
        data.append(("clips, each tested once" if "folds" in report else "test clips", _amount(tested)))
    return section(
        "card",
        "Model card",
        tag("h3", "Data"),
        facts(data),
        tag("h3", "Split"),
        tag("p", name(report["split"])),
        tag("h3", "Intended use"),
        tag(
            "p",
            "Telling these labels apart in recordings that resemble the training clips: the same language, "
            "kind of speech, microphones and rooms. Measure it with `freqcnn evaluate` on recordings of your "
            "own use first.",
        ),
        tag("h3", "Limits"),
        tag("ul", *(tag("li", limit) for limit in _limits(report, tested, training))),
    )


def _amount(clips: pd.DataFrame) -> str:
    """Describe the number of clips and speakers."""
    speakers = clips.loc[clips["speaker"] != "", "speaker"].nunique()
    return f"{len(clips)}, of {speakers} speakers" if speakers else f"{len(clips)}; speakers are not named"


def _limits(report: Mapping, tested: pd.DataFrame, training: pd.DataFrame) -> list[str]:
    """List what the figures do not show."""
    limits = [
        "It always gives one of its labels, also for music, noise, or a label that it was never trained on.",
        "Its probabilities are those of a softmax and were not calibrated: 90 % does not mean that nine of "
        "ten such clips are right.",
    ]
    if folds := report.get("folds"):
        limits.append(
            f"These are the results of {len(folds)} models, each trained without one fold. The model that "
            "you will use is another one: train it with `freqcnn fit --test-share 0`."
        )
        counts = tested.groupby("speaker")["fold"].nunique()
        crossing = set(counts.index[counts > 1]) - {""}
    else:
        crossing = (set(tested["speaker"]) & set(training["speaker"])) - {""}
    if (tested["speaker"] == "").any():
        limits.append(
            "Not all speakers are named. A speaker in training and in test makes the figures too good for "
            "new speakers."
        )
    if crossing:
        limits.append(f"{len(crossing)} test speakers were also trained on: new speakers may do worse.")
    if "metrics" not in report:
        limits.append(
            "Nobody has measured it: every clip was trained on. `freqcnn cross-validate` tells what to "
            "expect of such a model, and `freqcnn evaluate` measures it on other recordings."
        )
    elif missing := absent(report["labels"], report["metrics"]):
        limits.append(f"No test clip has the label {', '.join(missing)}, so its recall is not known.")
    return [
        *limits,
        "Do not use it alone to decide about a person. A voice, an accent or an expressed emotion is not "
        "proof of an identity, an origin or a feeling.",
    ]


def settings(report: Mapping) -> Element:
    """Return the section with all settings and versions of a report that no other section shows."""
    single: list[tuple[str, Child]] = []
    groups: list[Element] = []
    for key, value in report.items():
        if key in ELSEWHERE:
            continue
        title = key.replace("_", " ")
        if isinstance(value, Mapping):
            groups += [tag("h3", title), facts((str(item), _shown(inner)) for item, inner in value.items())]
        else:
            single.append((title, _shown(value)))
    return section("settings", "Settings and versions", facts(single), *groups)


def _shown(value: object) -> Element:
    if isinstance(value, (list, tuple)):
        return name(", ".join(map(number, value)))
    return name(number(value))
