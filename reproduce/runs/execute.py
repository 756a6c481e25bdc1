"""One run: from its configuration to ``results``/<source>/tableNN/<row>/<fold>-s<seed>-<hash>/report.json.

A run that diverges, or a peer that cannot be trained on the clips, leaves failed.json instead. It holds the
``run``, the ``fault`` in a sentence, and the ``commit``, ``versions`` and ``device``. The run is not tried
again as long as these three are the same.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.base.files import locked, whole
from freqcnn_gluon.training import workers
from reproduce.corpora import Corpus
from reproduce.peers import PEERS
from reproduce.runs.provenance import Meter, commit, now
from reproduce.runs.report import as_json, done, recorded
from reproduce.runs.run import Run
from reproduce.runs.systems import predictions, recognised, speakers, trained

__all__ = ["execute"]

POSTPONED, DONE, TRAINING = range(3)  # the first worker broadcasts one of these stages to the others


def execute(
    run: Run,
    corpus: Corpus,
    results: Path,
    device: str = "auto",
    title: str = "",
    jobs: int | None = None,
    wait: bool = True,
) -> dict[str, Any] | None:
    """Return the run's report. If there is none yet, train and evaluate the system, and write the report.

    Rank 0 of several workers (see ``training.workers``) owns the run. The other ranks only help to train a
    network.

    Args:
        run: The run.
        corpus: Its corpus.
        results: The folder of all results.
        device: As ``devices.choose`` takes it.
        title: Text of the progress bar; by default the run's row.
        jobs: Processes that compute a peer's features; None starts one per core.
        wait: Whether to wait while another process has the run.

    Returns:
        The content of report.json. The content of failed.json if the run diverges, or did so before with
        the same code and versions on the same device. None if another process has the run and ``wait`` is
        False. Other ranks than 0 return {} in place of a report.
    """
    from freqcnn_gluon.training.divergence import Diverged

    group, title = workers.join(), title or run.row
    if not group.rank:
        report = _executed(run, corpus, results, device, title, jobs, wait)
        group.broadcast(POSTPONED if report is None else DONE)
        return report
    while (stage := group.broadcast(0)) == TRAINING:
        with contextlib.suppress(Diverged):  # rank 0 writes failed.json
            trained(run, corpus, run.folder(results), device, title)
    return None if stage == POSTPONED else {}


def _executed(
    run: Run, corpus: Corpus, results: Path, device: str, title: str, jobs: int | None, wait: bool
) -> dict[str, Any] | None:
    """Execute the run on rank 0, with a lock that lets only one process have it."""
    if report := done(run, results):
        return report
    folder = run.folder(results)
    with locked(folder, "has this run", wait) as acquired:
        if not acquired:
            return None
        if report := done(run, results):  # another process has finished it since
            return report
        return _new(run, corpus, folder, device, title, jobs)


def _new(run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None) -> dict[str, Any]:
    """Execute a run that has no report, unless it failed before under the same circumstances."""
    # These imports do not load MXNet.
    from freqcnn_gluon import runtime
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.training.divergence import Diverged

    kind, numbers = choose(device)
    circumstances: dict[str, Any] = {
        "commit": commit(),
        "versions": runtime.versions(),
        "device": [f"{kind}({number})" for number in numbers],
    }
    failed = folder / "failed.json"
    if (failure := recorded(run, failed)) and _same(failure, circumstances):
        print(
            f"{title}: failed before and is not tried again, see {failed}; delete it to try again",
            file=sys.stderr,
        )
        return failure
    if failure:  # the checkpoint is of the training that diverged, and would lead there again
        for state in folder.rglob("checkpoint.json"):  # a peer's networks have theirs in subfolders
            state.unlink(missing_ok=True)
    meter = Meter()
    identity = {"run": asdict(run), "labels": list(corpus.split.labels)}
    try:
        if run.system in PEERS:
            measured, scores = recognised(run, corpus, folder, title, jobs)
        else:
            workers.join().broadcast(TRAINING)
            measured, scores = trained(run, corpus, folder, device, title)
        if not np.isfinite(scores).all():
            raise Diverged("its scores are not finite")
    except Diverged as fault:
        print(f"{title}: failed: {fault}", file=sys.stderr)
        failure = {**identity, "fault": str(fault), **circumstances}
        _write(failed, failure | {"finished": now()})
        return failure
    used = ("cpu", [0]) if run.system in PEERS else (kind, numbers)  # peers compute on the CPU
    compute = meter.spent(*used, circumstances["versions"])
    report = {
        **identity,
        **measured,
        "predictions": predictions(corpus.split, run.fold, scores),
        "speakers": speakers(corpus.split, run.fold),
        "remarks": corpus.split.remarks(),
        "commit": circumstances["commit"],
        "versions": circumstances["versions"],
        "finished": now(),
        "seconds": compute["wall_seconds"],
        "compute": compute,
    }
    _write(folder / "report.json", report)
    failed.unlink(missing_ok=True)
    return report


def _same(failure: Mapping[str, Any], circumstances: Mapping[str, Any]) -> bool:
    """Whether a failure has the same circumstances; an older failed.json does not state the commit."""
    return all(failure.get(name, value) == value for name, value in circumstances.items())


def _write(path: Path, content: dict[str, Any]) -> None:
    with whole(path) as aside:
        aside.write_text(as_json(content), encoding="utf-8")
