"""The sentences below a table: its interval, missing and failed runs, training, sizes and assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from reproduce.assumptions import Assumption, assumptions
from reproduce.cells import NOT_JUDGED
from reproduce.corpora import CORPORA
from reproduce.paper.audit import audit
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER
from reproduce.tables import Table
from reproduce.verdict import LEAST_SEEDS, by_chance

__all__ = ["CLIPS", "PREDICTION", "assumption_notes", "run_notes", "source_of", "table_notes"]

CLIPS, PREDICTION = "95 % (clips)", "95 % (prediction)"
OF_CLIPS = (
    f"'{CLIPS}' is the confidence interval from the number of test clips. It does not include the variation "
    "between trainings."
)
PREDICTIONS = {
    "shared": f"'{PREDICTION}' is the prediction interval for another training that is tested on the same "
    "clips, from the variation between the seeds (reproduce/verdict.py).",
    "redrawn": f"'{PREDICTION}' is the prediction interval for another training that is tested on other "
    "clips of other speakers, from the variation between the seeds and between the speakers "
    "(reproduce/verdict.py).",
}
TOO_FEW = "A number with fewer than three seeds has no prediction interval."


def table_notes(table: Table, frame: pd.DataFrame, reports: Sequence[Report]) -> list[str]:
    """Return the sentences directly below a table.

    Args:
        table: The table.
        frame: Its cells, from ``cells``.
        reports: The reports that the cells come from.
    """
    lines = [OF_CLIPS]
    if frame["prediction_low"].notna().any():
        lines.append(PREDICTIONS[CORPORA[table.corpus].test_clips])
    if (frame["seeds"] < LEAST_SEEDS).any():
        lines.append(TOO_FEW)
    if source_of(reports) == PAPER:
        lines += _counts(frame["verdict"].value_counts())
    for report in reports:
        if report.fault:
            run = report.content["run"]
            lines.append(f"Failed: {run['row']}, fold {run['fold']}, seed {run['seed']}: {report.fault}.")
    if missing := [system.name for system in table.systems() if not reports_of(system, reports)]:
        lines.append(
            f"Not run yet: {', '.join(missing)}. Only the paper's numbers are shown for them. "
            f"`make table{table.number}` runs them and keeps the finished runs."
        )
    return [*lines, *_impossible_uars(table), *table.notes, *_small_segments(reports)]


def _counts(verdicts: Mapping[str, int]) -> list[str]:
    """Count the verdicts, and say how many numbers would be outside by chance."""
    within, outside = verdicts.get("within", 0), verdicts.get("outside", 0)
    lines = []
    if judged := within + outside:
        expected, low, high = by_chance(judged)
        lines.append(
            f"Of {judged} judged numbers of the paper, {within} are within our prediction interval and "
            f"{outside} outside. If all {judged} agreed, {expected:.1f} would be outside by chance, and "
            f"{low} to {high} with a probability of 95 % if they were independent."
        )
    if unjudged := {text: verdicts[text] for text in NOT_JUDGED if text in verdicts}:
        reasons = ", ".join(f"{count} ({text.partition(':')[0]})" for text, count in unjudged.items())
        lines.append(f"Not judged: {reasons}.")
    return lines


def _impossible_uars(table: Table) -> list[str]:
    """Return, for each reason, one sentence that lists the paper's UARs that contradict its other numbers."""
    reasons: dict[str, list[str]] = {}
    for finding in audit():
        place, _, cell = finding.where.partition(", ")
        if finding.check == "UAR" and not finding.agrees and place == f"Table {table.number}":
            reason, _, instead = finding.result.partition(": ")
            reasons.setdefault(reason, []).append(f"{cell} {finding.claim} ({instead})")
    return [
        f"Contradiction in the paper (`make audit`): {'; '.join(cells)}. Reason: {reason}."
        for reason, cells in reasons.items()
    ]


def _small_segments(reports: Sequence[Report]) -> list[str]:
    """Report rows whose spectrograms are too small for the paper's number of segments."""
    by_row: dict[str, str] = {}
    size = None
    for report in reports:
        run = report.content["run"]
        segments = run["choices"].get("network", {}).get("segments")
        if isinstance(segments, list):
            by_row[run["row"]] = ", ".join(map(str, segments))
            size = run["size"]
    if not by_row:
        return []
    rows = "; ".join(f"{row}: {segments}" for row, segments in by_row.items())
    return [
        f"Spectrograms of {size} × {size} are too small for the paper's number of segments in the last "
        f"blocks. Segments in blocks 1 to 5: {rows}."
    ]


def run_notes(table: Table, reports: Sequence[Report]) -> list[str]:
    """Describe the training of the networks and the sizes of the other systems.

    An entry that is an item of a list begins with '- '. An empty entry ends a list.
    """
    done = [report.content for report in reports if not report.fault]
    trained = [content for content in done if content["history"]]
    training, sizes = _training(table, trained) if trained else [], _peer_sizes(done)
    return [*training, "", *sizes] if training and sizes else [*training, *sizes]


def _training(table: Table, contents: Sequence[Mapping]) -> list[str]:
    """Describe the data, settings and device of the networks, and the remarks on the corpus."""
    first = contents[0]
    run, settings = first["run"], first["settings"]
    micro_batches = sorted({content["settings"]["micro_batch"] for content in contents})
    dtype = run["choices"]["training"].get("dtype")

    def count(part: str, of: str = "clips") -> str:
        # Reports of earlier versions have no 'images': each clip was one.
        counts = sorted({content.get(of, content["clips"])[part] for content in contents})
        return " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))

    images = f"{count('train', 'images')} and {count('test', 'images')}"
    windows = f" (cut into {images} windows)" if run["choices"]["image"].get("time_axis") == "windows" else ""
    over_sampled = " (with over-sampling)" if table.corpus == "ut_podcast" else ""
    return [
        f"Profile '{run['profile']}': spectrograms of {run['size']} × {run['size']} pixels, "
        f"{count('train')} training clips{over_sampled}, {count('test')} test clips{windows}. "
        f"SGD: learning rate {settings['learning_rate']:g} (schedule '{settings['schedule']}'), "
        f"momentum {settings['momentum']:g}, weight decay {settings['weight_decay']:g}, "
        f"batch size {run['batch_size']} in micro-batches of {' or '.join(map(str, micro_batches))}"
        + (f", convolutions in {dtype}." if dtype else "."),
        f"Device: {', '.join(first['device'])}. Data fingerprint: {run['data'][:12]}. First run finished: "
        f"{first['finished']}.",
        *(f"- {remark}" for remark in first["remarks"]),
    ]


def _peer_sizes(contents: Sequence[Mapping]) -> list[str]:
    """List the sizes of the systems that are not Gluon networks, by fold if the folds differ."""
    by_row: dict[str, dict[str, list[str]]] = {}
    for content in contents:
        if not content["history"]:
            sizes = ", ".join(
                f"{name.replace('_', ' ')} {size}" for name, size in content["settings"].items()
            )
            run = content["run"]
            by_row.setdefault(run["row"], {}).setdefault(sizes, []).append(run["fold"])
    if not by_row:
        return []
    lines = ["Sizes of the other systems, with the sample rate in Hz:"]
    for row, by_sizes in by_row.items():
        for sizes, folds in by_sizes.items():
            where = f", fold {', '.join(dict.fromkeys(folds))}" if len(by_sizes) > 1 else ""
            lines.append(f"- {row}{where}: {sizes}.")
    return lines


def assumption_notes(table: Table, reports: Sequence[Report]) -> list[tuple[Assumption, str]]:
    """Return the assumptions that concern a table, each with its choice and alternatives in words."""
    concerned = [assumption for assumption in assumptions().values() if assumption.concerns(table.number)]
    return [(assumption, _choice(assumption, reports)) for assumption in concerned]


def _choice(assumption: Assumption, reports: Sequence[Report]) -> str:
    """State the choice of the runs and the alternatives in the code."""
    used = {
        str(choices[assumption.id])
        for report in reports
        for choices in report.content["run"]["choices"].values()
        if assumption.id in choices
    }
    sentence = f"Choice: {' or '.join(sorted(used)) if used else assumption.choice}."
    if isinstance(assumption.alternatives, list) and assumption.alternatives:
        sentence += f" Alternatives: {', '.join(map(str, assumption.alternatives))}."
    return sentence


def source_of(reports: Sequence[Report]) -> str:
    """Return the source of the reports."""
    return reports[0].content["run"]["source"]
