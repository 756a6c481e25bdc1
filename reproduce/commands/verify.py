"""``python -m reproduce verify``: rerun committed results and compare.

Identical environments must match byte for byte. A report states what can change the bytes of its results:
the versions of Python and of the packages, the platform, the processor, the number of threads, the device.
If one of them differs here, floating-point sums are rounded differently, and the difference grows from epoch
to epoch: this is not a fault. A part of the environment that an older report does not state is unknown, and
does not excuse a difference.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from reproduce import markdown as text
from reproduce.assumptions import choices, not_accepted
from reproduce.corpora import Corpus, prepare
from reproduce.runs.execute import execute
from reproduce.runs.report import Report, reports_in
from reproduce.runs.resolve import sizes
from reproduce.runs.run import Run
from reproduce.sources import STANDIN
from reproduce.tables import heading, trained

__all__ = ["SAMPLE_SECONDS", "Verified", "compare", "draw", "markdown", "verify"]

SAMPLE_SECONDS = 120  # Longest training time of a run in a sample; longer runs need --all.
OLD_SETTINGS = {"dtype": "float32", "memory": 16.0}  # the settings of older reports, which do not state them
RESULTS = ("labels", "clips", "parameters", "settings", "measures", "metrics", "history", "predictions")


@dataclass(frozen=True)
class Verified:
    """A report compared with a new run of it.

    Attributes:
        report: The committed report.
        differences: Parts of the results that differ.
        details: Size of the differences in words.
        environment: Parts of the environment that differ, in words.
        unknown: Parts of the environment that the report does not state.
        earlier: Choices of the run that the code no longer accepts, in words; then it was not run again.
    """

    report: Report
    differences: Sequence[str]
    details: str
    environment: Sequence[str]
    unknown: Sequence[str]
    earlier: str = ""

    @property
    def fault(self) -> bool:
        """Whether the results differ although no known part of the environment does."""
        return bool(self.differences) and not self.environment

    def __str__(self) -> str:
        if self.earlier:
            return f"made with an earlier choice ({self.earlier}): cannot be rerun"
        if not self.differences:
            return "identical"
        details = f" ({self.details})" if self.details else ""
        return f"different: {', '.join(self.differences)}{details}"

    @property
    def circumstances(self) -> str:
        """The differences of the environment and its unknown parts, in words."""
        unknown = f"unknown: {', '.join(self.unknown)}" if self.unknown else ""
        return "; ".join(filter(None, [*self.environment, unknown])) or "none"


def verify(
    results: Path,
    roots: Mapping[str, Path | None],
    data: Path,
    sample: int | None = 3,
    seed: int = 0,
    jobs: int | None = None,
) -> Iterator[Verified]:
    """Rerun reports in a temporary folder, each on the device that it states, and compare the results.

    Args:
        results: Folder of results.
        roots: Corpus -> its folder, for results that are not the stand-in's.
        data: Folder for prepared data.
        sample: Number of runs, as in ``draw``.
        seed: Seed of the draw.
        jobs: Processes that prepare audio; None is one for each core.

    Raises:
        Faults: the folder of a corpus is missing, or there are no reports.
    """
    from freqcnn_gluon.runtime import versions

    corpora: dict[str, Corpus] = {}
    for report in draw(results, sample, seed):
        run = Run(**report.content["run"])
        if earlier := ", ".join(not_accepted(run.choices)):
            yield Verified(report, [], "", [], [], earlier)
            continue
        if run.data not in corpora:
            corpora[run.data] = _corpus(run, roots, data, jobs)
        corpus = corpora[run.data]
        if (fingerprint := corpus.fingerprint()) != run.data:
            here = {"versions": versions(), "device": report.content["device"], "data": fingerprint}
            yield compare(report, here)
            continue
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            device = _device(report.content["device"])
            again = execute(run, corpus, Path(folder), device, f"again: {run.row}", jobs)
        yield compare(report, json.loads(json.dumps(again)))


def _device(contexts: Sequence[str]) -> str:
    """Convert ['cpu(0)', 'cpu(1)'] to the option 'cpu:0,1'."""
    kinds, numbers = zip(*re.findall(r"(\w+)\((\d+)\)", " ".join(contexts)))
    return f"{kinds[0]}:{','.join(numbers)}"


def draw(results: Path, sample: int | None, seed: int) -> list[Report]:
    """Draw reports of the tables in ``results``.

    Args:
        results: Folder of results.
        sample: Number of reports that trained for at most SAMPLE_SECONDS; None draws all of any length.
        seed: Seed of the draw.

    Raises:
        Faults: there are no reports.
    """
    reports: dict[tuple[Path, str], Report] = {}
    for listed in sorted(results.glob("*/table??.json")):
        for report in reports_in(listed.parent, int(listed.stem[-2:])):
            if not report.fault:
                reports[listed.parent, report.link] = report
    if not reports:
        raise Faults(f"{results}: has no reports; run `make tables`, or name results/reference")
    if sample is None:
        return list(reports.values())
    short = [report for report in reports.values() if report.content["training_seconds"] <= SAMPLE_SECONDS]
    return random.Random(seed).sample(short, min(sample, len(short)))


def _corpus(run: Run, roots: Mapping[str, Path | None], data: Path, jobs: int | None) -> Corpus:
    """Prepare the corpus of a run."""
    table = trained(run.table)
    root = None if run.source == STANDIN else roots.get(table.corpus)
    if root is None and run.source != STANDIN:
        option = f"--{table.corpus.replace('_', '-')}"
        raise Faults(f"{run.row} was run on '{run.source}'; give the corpus's folder with {option}")
    size = run.size or sizes(table, run.profile).size
    # Peers do not use images, so their runs have no choices for them.
    images: Mapping[str, Any] = run.choices.get("image") or choices(run.table, [])["image"]
    return prepare(
        table.corpus,
        root,
        data,
        ImageSettings(size=size, **images),
        run.choices["data"],
        run.source == "paper",
        jobs,
    )


def compare(report: Report, again: Mapping) -> Verified:
    """Compare a report with the content of a new run of it.

    Args:
        report: The committed report.
        again: Content of the new report.json or failed.json; or, if the data differ and nothing was run,
            'versions', 'device' and 'data' (the fingerprint).
    """
    old, details = report.content, ""
    if "data" in again:
        differences = ["data"]
        details = f"fingerprint {old['run']['data'][:12]} in the report, {again['data'][:12]} here"
    elif "fault" in again:
        differences, details = ["all results"], f"the run failed: {again['fault']}"
    else:
        first, second = (
            {**content, "settings": OLD_SETTINGS | content["settings"]} for content in (old, again)
        )
        differences = [
            name for name in RESULTS if _without_times(first.get(name)) != _without_times(second.get(name))
        ]
        details = _distance(old, again) if "predictions" in differences else ""
    stated = {**old["versions"], "device": old["device"]}
    here = {**again["versions"], "device": again["device"]}
    different = [name for name in sorted(stated | here) if stated.get(name) != here.get(name)]
    environment = [
        f"{name}: {stated[name]} in the report, {here.get(name, 'none')} here"
        for name in different
        if name in stated
    ]
    unknown = [name for name in different if name not in stated]
    return Verified(report, differences, details, environment, unknown)


def _without_times(value: object) -> object:
    """Remove the seconds of each epoch from a part of a report."""
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_times(item) for name, item in value.items() if name != "seconds"}
    return value


def _distance(old: Mapping, new: Mapping) -> str:
    """Describe how much the predictions and the UAR differ."""
    first, second = old["predictions"], new["predictions"]
    pairs = [(first[clip], second[clip]) for clip in first if clip in second]
    changed = sum(before["predicted"] != after["predicted"] for before, after in pairs)
    distances = [
        abs(p - q) for before, after in pairs for p, q in zip(before["probability"], after["probability"])
    ]
    uar = new["metrics"]["uar"] - old["metrics"]["uar"]
    return (
        f"predicted class changed: {changed} of {len(pairs)} clips; largest change of a probability: "
        f"{max(distances, default=0):.5f}; change of UAR: {100 * uar:+.2f} points"
    )


def markdown(verified: Sequence[Verified]) -> str:
    """Render one line for each run: its result and the differences of the environment."""
    body = []
    for item in verified:
        run = item.report.content["run"]
        row = f"{heading(run['table'])}, {run['row']}, fold {run['fold']}, seed {run['seed']}"
        body.append([row, str(item), item.circumstances])
    return "\n".join(text.table(["Run", "Result", "Differences of the environment"], body)) + "\n"
