"""One run: a configuration in, ``results/<source>/tableNN/<row>/<fold>-s<seed>-<hash>/report.json`` out.

A run that diverges leaves failed.json instead: the ``run``, the ``fault`` in a sentence, and the ``commit``,
``versions`` and ``device`` with which it is not tried again.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from data_prep.base.files import locked, whole
from freqcnn_gluon.training import workers as cluster
from reproduce.corpora import Corpus
from reproduce.peers import PEERS
from reproduce.runs.provenance import commit, now
from reproduce.runs.report import as_json, done, recorded
from reproduce.runs.run import Run
from reproduce.runs.systems import predictions, recognised, trained

__all__ = ["execute"]

LEFT, DONE, TRAINING = range(3)  # what the first of several workers tells the others of a run


def execute(
    run: Run,
    corpus: Corpus,
    results: Path,
    device: str = "auto",
    title: str = "",
    jobs: int | None = None,
    wait: bool = True,
) -> dict | None:
    """The run's report: read if it is done, otherwise trained, evaluated and written.

    The content of failed.json if the run diverges, or did with the same code and versions on the same device.
    While another process has the run, it is waited for or, without ``wait``, None is returned.

    Among several workers (see ``training.workers``) the first does it all; the others help to train the
    network, if one is to be trained, and return None where the first does, else nothing of a report.
    """
    from freqcnn_gluon.training.divergence import Diverged

    workers, title = cluster.join(), title or run.row
    if not workers.rank:
        found = _executed(run, corpus, results, device, title, jobs, wait)
        workers.broadcast(LEFT if found is None else DONE)
        return found
    while (stage := workers.broadcast(0)) == TRAINING:
        with contextlib.suppress(Diverged):  # the first worker writes it down
            trained(run, corpus, run.folder(results), device, title, jobs)
    return None if stage == LEFT else {}


def _executed(
    run: Run, corpus: Corpus, results: Path, device: str, title: str, jobs: int | None, wait: bool
) -> dict | None:
    """What ``execute`` returns of a run, which one process has at a time."""
    if report := done(run, results):
        return report
    folder = run.folder(results)
    with locked(folder, "has this run", wait) as held:
        if not held:
            return None
        if report := done(run, results):  # meanwhile
            return report
        return _made(run, corpus, folder, device, title, jobs)


def _made(run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None) -> dict:
    # Neither of these imports MXNet.
    from freqcnn_gluon import runtime
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.training.divergence import Diverged

    kind, numbers = choose(device)
    made_by = {
        "commit": commit(),
        "versions": runtime.versions(),
        "device": [f"{kind}({number})" for number in numbers],
    }
    failed = folder / "failed.json"
    told = recorded(run, failed)
    # an older record has no commit
    if told and all(told.get(name, value) == value for name, value in made_by.items()):
        print(
            f"{title}: failed before and is not tried again, see {failed}; delete it to try again",
            file=sys.stderr,
        )
        return told
    started = time.time()
    way = recognised if run.system in PEERS else trained
    try:
        if way is trained:
            cluster.join().broadcast(TRAINING)
        found, scores = way(run, corpus, folder, device, title, jobs)
        if not np.isfinite(scores).all():
            raise Diverged("its scores are not finite")
    except Diverged as fault:
        print(f"{title}: failed: {fault}", file=sys.stderr)
        told = {"run": asdict(run), "labels": list(corpus.labels), "fault": str(fault), **made_by}
        with whole(failed) as path:
            path.write_text(as_json(told | {"finished": now()}), encoding="utf-8")
        return told
    report = {
        "run": asdict(run),
        "labels": list(corpus.labels),
        **found,
        "predictions": predictions(corpus, run.fold, scores),
        "remarks": corpus.remarks(),
        "commit": made_by["commit"],
        "versions": made_by["versions"],
        "finished": now(),
        "seconds": round(time.time() - started, 1),
    }
    with whole(folder / "report.json") as path:
        path.write_text(as_json(report), encoding="utf-8")
    failed.unlink(missing_ok=True)
    return report
