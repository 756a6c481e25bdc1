"""One run: a configuration in, ``results/<source>/tableNN/<row>/<fold>-s<seed>-<hash>/report.json`` out.

A run that diverges leaves failed.json instead: the ``run``, the ``fault`` in a sentence, and the ``commit``,
``versions`` and ``device`` with which it is not tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from data_prep.faults import Faults
from data_prep.files import locked, whole
from freqcnn_gluon import cluster

from .corpora import Corpus
from .peers import PEERS, Task, peer, softmax
from .peers.features import extract
from .reports import read

__all__ = ["Run", "commit", "done", "execute"]

ROOT = Path(__file__).resolve().parents[1]
LEFT, DONE, TRAINING = range(3)  # what the first of several workers tells the others of a run


@dataclass(frozen=True)
class Run:
    """Everything that decides a result. ``table``, ``row``: a ``System``'s home and name; ``system``: a
    network of ``freqcnn_gluon.systems``, or one of ``peers``, which has no ``size`` and ``batch_size``.
    ``fold``: 'test' or a fold's number. ``data``: the fingerprint of manifest and images. ``choices``: the
    assumptions' (see ``assumptions.choices``), FreqCNN's or the peer's arguments among them.
    """

    source: str
    table: int
    row: str
    system: str
    fold: str
    seed: int
    profile: str
    size: int | None
    batch_size: int | None
    data: str
    choices: dict[str, dict[str, object]]

    def folder(self, results: Path) -> Path:
        """Where this run's report and checkpoint are; the hash keeps other configurations apart."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        row = self.row.lower().replace(" ", "-")
        return results / self.source / f"table{self.table:02}" / row / f"{self.fold}-s{self.seed}-{digest}"


def done(run: Run, results: Path) -> dict | None:
    """The report of a run that is done, else None. Raises Faults for one that is damaged or another run's."""
    return _told(run, run.folder(results) / "report.json")


def _told(run: Run, path: Path) -> dict | None:
    if not path.exists():
        return None
    content = read(path)
    if content["run"] != json.loads(json.dumps(asdict(run))):
        raise Faults(f"{path}: is of another run than its folder is named for; put it back, or delete it")
    return content


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

    Among several workers (see ``freqcnn_gluon.cluster``) the first does it all; the others help to train the
    network, if one is to be trained, and return None where the first does, else nothing of a report.
    """
    from freqcnn_gluon.numerics import Diverged

    workers, title = cluster.join(), title or run.row
    if not workers.rank:
        found = _executed(run, corpus, results, device, title, jobs, wait)
        workers.told(LEFT if found is None else DONE)
        return found
    while (told := workers.told(0)) == TRAINING:
        with contextlib.suppress(Diverged):  # the first worker writes it down
            _trained(run, corpus, run.folder(results), device, title, jobs)
    return None if told == LEFT else {}


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
    from freqcnn_gluon.numerics import Diverged

    kind, numbers = runtime.choose(device)
    made_by = {
        "commit": commit(),
        "versions": runtime.versions(),
        "device": [f"{kind}({number})" for number in numbers],
    }
    failed = folder / "failed.json"
    told = _told(run, failed)
    # an older record has no commit
    if told and all(told.get(name, value) == value for name, value in made_by.items()):
        print(
            f"{title}: failed before and is not tried again, see {failed}; delete it to try again",
            file=sys.stderr,
        )
        return told
    started = time.time()
    way = _recognised if run.system in PEERS else _trained
    try:
        if way is _trained:
            cluster.join().told(TRAINING)
        found, scores = way(run, corpus, folder, device, title, jobs)
        if not np.isfinite(scores).all():
            raise Diverged("its scores are not finite")
    except Diverged as fault:
        print(f"{title}: failed: {fault}", file=sys.stderr)
        told = {"run": asdict(run), "labels": list(corpus.labels), "fault": str(fault), **made_by}
        with whole(failed) as path:
            path.write_text(_json(told | {"finished": _now()}), encoding="utf-8")
        return told
    report = {
        "run": asdict(run),
        "labels": list(corpus.labels),
        **found,
        "predictions": _predictions(corpus, run.fold, scores),
        "remarks": corpus.remarks(),
        "commit": made_by["commit"],
        "versions": made_by["versions"],
        "finished": _now(),
        "seconds": round(time.time() - started, 1),
    }
    with whole(folder / "report.json") as path:
        path.write_text(_json(report), encoding="utf-8")
    failed.unlink(missing_ok=True)
    return report


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def commit(root: Path = ROOT) -> str | None:
    """The commit of the code in ``root``, with '-dirty' where tracked files differ from it.

    None where ``root`` is not the top of a git checkout, or there is no git.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], text=True, capture_output=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None  # unpacked inside somebody else's repository, whose commits say nothing of it
        dirty = "-dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + dirty
    except (OSError, subprocess.CalledProcessError):
        return None


def _trained(
    run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None
) -> tuple[dict, np.ndarray]:
    """A network: what its report says, and the probabilities (n, classes) of the test clips."""
    from freqcnn_gluon import runtime
    from freqcnn_gluon.describe import parameter_count
    from freqcnn_gluon.systems import build, micro_batch
    from freqcnn_gluon.training import Examples, Settings, train

    devices, workers = runtime.contexts(device), cluster.join()
    net = build(run.system, len(corpus.labels), run.size, **run.choices["network"])
    share = micro_batch(net, run.size, -(-run.batch_size // (len(devices) * workers.count)))
    settings = Settings(
        batch_size=run.batch_size, micro_batch=share, seed=run.seed, **run.choices["training"]
    )
    parts = {name: Examples(corpus.store.images, *corpus.part(run.fold, name)) for name in ("train", "test")}
    outcome = train(
        net,
        settings,
        parts["train"],
        {"test": parts["test"]},
        len(corpus.labels),
        devices,
        folder,
        title,
        workers=workers,
    )
    return {
        "metrics": outcome.history[-1]["test"],
        "best_epoch_on_test": max(outcome.history, key=lambda entry: entry["test"]["uar"])["epoch"],
        "history": outcome.history,
        "settings": asdict(settings),
        "parameters": parameter_count(net),
        "clips": {name: len(examples) for name, examples in parts.items()},
        "device": [str(device) for device in devices],
        "workers": workers.count,
        "training_seconds": round(sum(entry["seconds"] for entry in outcome.history), 1),
    }, outcome.probabilities["test"]


def _recognised(
    run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None
) -> tuple[dict, np.ndarray]:
    """A system of ``reproduce.peers``: what its report says, and its scores as probabilities."""
    from freqcnn_gluon.metrics import metrics

    system = peer(run.system)
    features = extract(system.features, corpus, jobs)
    started = time.time()
    (train, train_labels), (test, test_labels) = (
        corpus.numbers(run.fold, part) for part in ("train", "test")
    )
    train, first = np.unique(train, return_index=True)  # over-sampled clips once
    answer = system.recognise(
        Task(
            features,
            train,
            train_labels[first],
            test,
            test_labels,
            classes=len(corpus.labels),
            seed=run.seed,
            title=title,
            folder=folder,
        ),
        **run.choices["peer"],
    )
    return {
        "metrics": metrics(test_labels, answer.scores.argmax(axis=1), len(corpus.labels)),
        "measures": answer.measures,
        "history": [],
        "settings": answer.sizes,
        "clips": {"train": len(train), "test": len(test)},
        "device": ["cpu(0)"],
        "training_seconds": round(time.time() - started, 1),
    }, softmax(answer.scores)


def _json(report: dict) -> str:
    """Indented, but a list of numbers or names stays on one line."""
    text = json.dumps(report, indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda leaf: f"[{' '.join(leaf[0][1:-1].split())}]", text)


def _predictions(corpus: Corpus, fold: str, probabilities: np.ndarray) -> dict[str, dict]:
    """clip -> its true and predicted label and the probability of each class, in the labels' order."""
    tested = corpus.clips(fold, "test")
    return {
        clip: {
            "true": label,
            "predicted": corpus.labels[row.argmax()],
            "probability": np.round(row, 5).tolist(),
        }
        for clip, label, row in zip(tested["clip"], tested["label"], probabilities.astype(float))
    }
