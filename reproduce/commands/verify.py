"""Committed results run again: the same bytes where nothing is different, and a word on what is where it is.

What can change the bytes of a result stands in its report: the versions of Python and of the packages, the
platform, the processor, the number of threads, the device. Where one of them is another here, sums are
rounded otherwise in their last bits, which grows from epoch to epoch: such a difference is no fault. What an
older report does not state is not known, and excuses nothing.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from reproduce import markdown as text
from reproduce.assumptions import choices
from reproduce.corpora import Corpus, prepare
from reproduce.runs.execute import execute
from reproduce.runs.report import Report, reports_in
from reproduce.runs.resolve import sizes
from reproduce.runs.run import Run
from reproduce.sources import STANDIN
from reproduce.tables import trained

__all__ = ["QUICK", "Verified", "compared", "drawn", "markdown", "verify"]

QUICK = 60  # seconds of training; what took longer is only run again on demand
SINCE = {"dtype": "float32"}  # what was always so, and stated in settings only from some version on
RESULTS = ("labels", "clips", "parameters", "settings", "measures", "metrics", "history", "predictions")


@dataclass(frozen=True)
class Verified:
    """A report and its run made again: which of RESULTS ``differ``, how ``far`` in words, what is other in
    the ``environment``, in words too, and what of it is ``unknown``, since the report does not state it.
    """

    report: Report
    differ: Sequence[str]
    far: str
    environment: Sequence[str]
    unknown: Sequence[str]

    @property
    def fault(self) -> bool:
        """Whether the results differ though nothing else is known to."""
        return bool(self.differ) and not self.environment

    def __str__(self) -> str:
        if not self.differ:
            return "the same bytes"
        return f"{', '.join(self.differ)} differ{self.far}"

    @property
    def circumstances(self) -> str:
        """What is other here, and what is not known."""
        missing = f"not known: {', '.join(self.unknown)}" if self.unknown else ""
        return "; ".join(filter(None, [*self.environment, missing])) or "nothing"


def verify(
    results: Path,
    roots: Mapping[str, Path | None],
    data: Path,
    sample: int | None = 3,
    seed: int = 0,
    jobs: int | None = None,
) -> Iterator[Verified]:
    """Run ``drawn`` reports of ``results`` again, each on its own device, in a folder aside.

    ``roots``: the corpora's folders, for results that are not the stand-ins'. Raises Faults where a corpus is
    missing or there is nothing to verify.
    """
    from freqcnn_gluon.runtime import versions

    corpora: dict[str, Corpus] = {}
    for report in drawn(results, sample, seed):
        run = Run(**report.content["run"])
        if run.data not in corpora:
            corpora[run.data] = _corpus(run, roots, data, jobs)
        corpus = corpora[run.data]
        if (fingerprint := corpus.fingerprint()) != run.data:
            here = {"versions": versions(), "device": report.content["device"], "data": fingerprint}
            yield compared(report, here)
            continue
        with tempfile.TemporaryDirectory(prefix="verify-") as aside:
            device = _device(report.content["device"])
            again = execute(run, corpus, Path(aside), device, f"again: {run.row}", jobs)
        yield compared(report, json.loads(json.dumps(again)))


def _device(contexts: Sequence[str]) -> str:
    """['cpu(0)', 'cpu(1)'] as ``devices.choose`` takes it: 'cpu:0,1'."""
    kinds, numbers = zip(*(re.fullmatch(r"(\w+)\((\d+)\)", each).groups() for each in contexts))
    return f"{kinds[0]}:{','.join(numbers)}"


def drawn(results: Path, sample: int | None, seed: int) -> list[Report]:
    """``sample`` reports that the tables in ``results`` name, drawn by ``seed`` from those that trained no
    longer than QUICK; all of any length for None. Raises Faults where there is none.
    """
    found: dict[tuple[Path, str], Report] = {}
    for listed in sorted(results.glob("*/table??.json")):
        for report in reports_in(listed.parent, int(listed.stem[-2:])):
            if not report.fault:
                found[listed.parent, report.link] = report
    if not found:
        raise Faults(f"{results}: has no reports; `make tables` makes them, results/reference holds some")
    if sample is None:
        return list(found.values())
    quick = [report for report in found.values() if report.content["training_seconds"] <= QUICK]
    return random.Random(seed).sample(quick, min(sample, len(quick)))


def _corpus(run: Run, roots: Mapping[str, Path | None], data: Path, jobs: int | None) -> Corpus:
    """What the run was made from."""
    table = trained(run.table)
    root = None if run.source == STANDIN else roots.get(table.corpus)
    if root is None and run.source != STANDIN:
        raise Faults(f"{run.row} was run on '{run.source}': say where {table.corpus}'s folder is")
    size = run.size or sizes(table, run.profile).size
    images = run.choices.get("image") or choices(run.table, [])["image"]  # a peer looks at none
    return prepare(
        table.corpus,
        root,
        data,
        ImageSettings(size=size, **images),
        run.choices["data"],
        run.source == "paper",
        jobs,
    )


def compared(report: Report, again: Mapping) -> Verified:
    """The report beside the content of the same run's new one."""
    old, new, far = report.content, again, ""
    if "data" in new:
        differ, far = ["the data"], f": {old['run']['data'][:12]} then, {new['data'][:12]} now"
    elif "fault" in new:
        differ, far = ["all results"], f": the run failed, {new['fault']}"
    else:
        first, second = ({**each, "settings": SINCE | each["settings"]} for each in (old, new))
        differ = [name for name in RESULTS if _timeless(first.get(name)) != _timeless(second.get(name))]
        far = _far(old, new) if "predictions" in differ else ""
    made = {**old["versions"], "device": old["device"]}
    here = {**new["versions"], "device": new["device"]}
    other = [name for name in sorted(made | here) if made.get(name) != here.get(name)]
    unknown = [name for name in other if name not in made]
    environment = [f"{name} ({made[name]}, here {here.get(name, 'none')})" for name in other if name in made]
    return Verified(report, differ, far, environment, unknown)


def _timeless(told):
    """Without the seconds that the epochs took."""
    if isinstance(told, list):
        return [_timeless(each) for each in told]
    if isinstance(told, dict):
        return {name: _timeless(each) for name, each in told.items() if name != "seconds"}
    return told


def _far(old: Mapping, new: Mapping) -> str:
    first, second = old["predictions"], new["predictions"]
    both = [(first[clip], second[clip]) for clip in first if clip in second]
    others = sum(one["predicted"] != other["predicted"] for one, other in both)
    apart = [abs(p - q) for one, other in both for p, q in zip(one["probability"], other["probability"])]
    uar = new["metrics"]["uar"] - old["metrics"]["uar"]
    return (
        f": {others} of {len(both)} clips are taken for another class, the largest difference of a "
        f"probability is {max(apart, default=0):.5f}, UAR changes by {100 * uar:+.2f}"
    )


def markdown(found: Sequence[Verified]) -> str:
    """A line a run, and what was other here."""
    body = []
    for each in found:
        run = each.report.content["run"]
        row = f"Table {run['table']}, {run['row']}, fold {run['fold']}, seed {run['seed']}"
        body.append([row, str(each), each.circumstances])
    return "\n".join(text.table(["Run", "Run again", "Other than when it was made"], body)) + "\n"
