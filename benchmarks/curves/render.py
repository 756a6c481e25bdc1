"""Render the JSON files of learning curves and gradients into the marked blocks of docs/learning.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from curves.experiments import Experiment, Run, results

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from reproduce.markdown import table

MARK = re.compile(r"(<!-- ([\w-]+), from \S+ -->\n).*?(<!-- end -->)", re.S)
CORPORA = {
    "standin": "the stand-in for UT-Podcast",
    "standin_full": "the stand-in for UT-Podcast with as many clips as Table 1 counts",
    "fsdd": "spoken digits (Free Spoken Digit Dataset)",
    "emodb": "acted emotions (Berlin Database of Emotional Speech)",
}
NAMED = ("mxnet", "numpy")

Results = Mapping[Run, Mapping[str, Any]]


def render(listed: Mapping[str, Experiment], folder: Path, page: Path) -> None:
    """Fill the blocks of a page.

    Args:
        listed: The experiments by name.
        folder: The folder of the speed benchmark's JSON files and of gradients.json. The results of the
            experiments are in its folder 'learning'.
        page: The page to write again.

    Raises:
        Faults: A block has the name of no experiment, or an experiment has no block.
    """
    text = page.read_text(encoding="utf-8")
    done = {name: results(experiment, folder / "learning") for name, experiment in listed.items()}
    hours = {name: _hours(experiment, folder) for name, experiment in listed.items()}
    blocks = {name: _experiment(listed[name], done[name], hours[name]) for name in listed}
    blocks["overview"] = _overview(listed, done, hours)
    blocks["gradients"] = _gradients(folder / "gradients.json")
    marked = [match[2] for match in MARK.finditer(text)]
    if faults := sorted(set(marked) ^ set(blocks)):
        raise Faults(
            f"{page}: the block '{name}' belongs to no experiment. Remove it."
            if name in marked
            else f"{page}: it has no block '{name}'. Add one."
            for name in faults
        )
    with whole(page) as path:
        path.write_text(
            MARK.sub(lambda match: f"{match[1]}{blocks[match[2]]}\n{match[3]}", text), encoding="utf-8"
        )


def _hours(experiment: Experiment, folder: Path) -> float | None:
    """Estimate the hours of one training from the speed benchmark; None if it has no such network.

    A sample's time is proportional to the number of pixels.
    """
    path = folder / f"step-{experiment.architecture}.json"
    if not path.exists():
        return None
    step = json.loads(path.read_text(encoding="utf-8"))["values"]
    a_sample = step["seconds"]["MXNet"]["median"] / step["batch"] * (experiment.size / step["size"]) ** 2
    return experiment.steps * experiment.batch_size * a_sample / 3600


def _overview(
    listed: Mapping[str, Experiment], done: Mapping[str, Results], hours: Mapping[str, float | None]
) -> str:
    rows = []
    for name, experiment in listed.items():
        runs = list(experiment.runs())
        missing = len(runs) - len(done[name])
        state = f"{len(done[name])} of {len(runs)}" if done[name] else "not run"
        rows.append([f"`{name}`", experiment.question, state, _time(missing, hours[name])])
    head = ["experiment", "question", "trainings with a result", "estimated hours for the others"]
    of_paper = [name for name in listed if name.startswith("paper-")]
    count = sum(len(done[name]) for name in of_paper)
    total = sum(len(list(listed[name].runs())) for name in of_paper)
    lines = [f"**At the paper's size and batch, {count} of {total} trainings have a result.**", ""]
    return "\n".join((lines if of_paper else []) + table(head, rows))


def _time(count: int, hours: float | None) -> str:
    if not count:
        return ""
    return "not estimated" if hours is None else f"{count * hours:.2g}"


def _experiment(experiment: Experiment, done: Results, hours: float | None) -> str:
    """Return the block of one experiment: its setting, its curves, and what has not been run."""
    parts = [_setting(experiment)]
    if done:
        parts += [_curves(done), _means(done), _machines(done.values())]
    if missing := [run for run in experiment.runs() if run not in done]:
        folder = "" if experiment.corpus not in ("fsdd", "emodb") else f" --{experiment.corpus} FOLDER"
        command = f"`python benchmarks/learning.py run {experiment.name}{folder}`"
        time = _time(len(missing), hours)
        named = ", ".join(f"{_choices(variant)} (seed {seed})" for variant, seed in missing)
        parts.append(
            f"**Not run**: {named}. {command} runs {'it' if len(missing) == 1 else 'them'}."
            + (f" We estimate {time} hours on the machine of docs/speed.md." if hours else "")
        )
    return "\n\n".join(part for part in parts if part)


def _setting(experiment: Experiment) -> str:
    end = f"{experiment.steps} steps"
    if experiment.accuracy:
        end += f", or a training accuracy of {experiment.accuracy:g}"
    return (
        f"Network `{experiment.architecture}` at {experiment.size} × {experiment.size}, on "
        f"{CORPORA[experiment.corpus]}; batch {experiment.batch_size}; a training ends with the epoch that "
        f"reaches {end}. Held out for validation: {_condition(experiment.validation)}. Test part, not used: "
        f"{_condition(experiment.unused)}."
    )


def _condition(condition: str) -> str:
    column, _, values = condition.partition("=")
    listed = values.split(",")
    return f"{len(listed)} {column}s" if len(listed) > 10 else f"{column} {', '.join(listed)}"


def _choices(variant: Sequence[str]) -> str:
    return ", ".join(f"`{choice}`" for choice in variant) or "defaults"


def _curves(done: Results) -> str:
    rows = []
    for (variant, seed), result in done.items():
        clips = f"{result['clips']['training']} / {result['clips']['validation']}"
        rows.append([_choices(variant), str(seed), clips, *_curve(result)])
    head = ["choice", "seed", "clips: training / validation", "steps", "training loss, first → last epoch"]
    head += ["training accuracy by epoch", "validation UAR by epoch", "samples per second"]
    return "\n".join(table(head, rows))


def _curve(result: Mapping[str, Any]) -> list[str]:
    """Return the steps, the losses, the accuracies, the recalls and the speed of one training."""
    curve = result["curve"]
    if result.get("diverged"):  # results of before do not state it, and did not diverge
        return [str(curve[-1]["steps"]) if curve else "–", f"diverged: {result['diverged']}", "–", "–", "–"]
    return [
        str(curve[-1]["steps"]),
        f"{curve[0]['loss']:.2f} → {curve[-1]['loss']:.2f}",
        " ".join(f"{entry['accuracy']:.2f}" for entry in curve),
        " ".join(f"{entry['validation']['uar']:.2f}" for entry in curve),
        f"{result['samples_per_second']:.1f}",
    ]


def _means(done: Results) -> str:
    """Return a line for each choice that several seeds were trained with."""
    lines = []
    for variant in dict.fromkeys(variant for variant, _ in done):
        last = [
            result["curve"][-1]
            for (choice, _), result in done.items()
            if choice == variant and not result.get("diverged")
        ]
        if len(last) > 1:
            accuracy = mean(entry["accuracy"] for entry in last)
            recall = mean(entry["validation"]["uar"] for entry in last)
            lines.append(
                f"- {_choices(variant)}, last epoch, mean of {len(last)} seeds: training accuracy "
                f"{accuracy:.2f}, validation UAR {recall:.2f}"
            )
    return "\n".join(lines)


def _machines(found: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each combination of machine, number format, versions and date."""
    loads: dict[str, list[float]] = {}
    for result in found:
        machine = result["machine"]
        named = ", ".join(f"{name} {machine[name]}" for name in NAMED if name in machine)
        threads = f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
        line = f"{result['dtype']}; {threads} on {machine['cpu']}; {named}; {result['finished'][:10]}"
        loads.setdefault(line, []).extend(result["load"])
    return "\n".join(f"{line}; load {min(load):.1f} to {max(load):.1f}." for line, load in loads.items())


def _gradients(path: Path) -> str:
    if not path.exists():
        return "**Not run**: `python benchmarks/gradients.py` measures it in a few minutes."
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        [gamma, str(line["step"]), f"{line['loss']:.2f}", *(f"{norm:.3f}" for norm in line["norms"])]
        for gamma, lines in content["values"].items()
        for line in lines
    ]
    blocks = [f"block {number + 1}" for number in range(len(rows[0]) - 3)]
    setting = content["setting"]
    measured = (
        f"`python benchmarks/gradients.py --size {setting['size']} --batch-size {setting['batch_size']}`, "
        f"{content['machine']['cpu']}, {content['finished'][:10]}:"
    )
    return f"{measured}\n\n" + "\n".join(table(["gamma", "step", "loss", *blocks], rows))
