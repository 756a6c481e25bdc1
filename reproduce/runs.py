"""One run: a configuration in, ``results/<source>/tableNN/<row>/<fold>-s<seed>-<hash>/report.json`` out."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from data_prep.files import whole

from .corpora import Corpus

__all__ = ["Run", "done", "execute"]

MEMORY = 16e9  # bytes that a training may take; micro-batches are cut to fit, the same on every machine


@dataclass(frozen=True)
class Run:
    """Everything that decides a result. ``table``, ``row``: a ``System``'s home and name; ``system``: an
    architecture or a peer. ``fold``: 'test' or a fold's number. ``data``: the fingerprint of manifest and
    images. ``choices``: the assumptions' (see ``assumptions.choices``), FreqCNN's arguments among them.
    """

    source: str
    table: int
    row: str
    system: str
    fold: str
    seed: int
    profile: str
    size: int
    batch_size: int
    data: str
    choices: dict[str, dict[str, object]]

    def folder(self, results: Path) -> Path:
        """Where this run's report and checkpoint are; the hash keeps other configurations apart."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        row = self.row.lower().replace(" ", "-")
        return results / self.source / f"table{self.table:02}" / row / f"{self.fold}-s{self.seed}-{digest}"


def done(run: Run, results: Path) -> dict | None:
    """The report of a run that is done, else None."""
    path = run.folder(results) / "report.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def execute(run: Run, corpus: Corpus, results: Path, device: str = "auto", title: str = "") -> dict:
    """The run's report: read if it is done, otherwise trained, evaluated and written."""
    if report := done(run, results):
        return report
    # MXNet takes seconds to import, which a table that is done need not wait for.
    from freqcnn_gluon import runtime
    from freqcnn_gluon.describe import parameter_count
    from freqcnn_gluon.systems import build, micro_batch
    from freqcnn_gluon.training import Examples, Settings, train

    started = time.time()
    devices = runtime.contexts(device)
    net = build(run.system, len(corpus.labels), run.size, **run.choices["network"])
    share = micro_batch(net, run.size, -(-run.batch_size // len(devices)), MEMORY)
    settings = Settings(
        batch_size=run.batch_size, micro_batch=share, seed=run.seed, **run.choices["training"]
    )
    parts = {name: Examples(corpus.store.images, *corpus.part(run.fold, name)) for name in ("train", "test")}
    folder = run.folder(results)
    outcome = train(
        net,
        settings,
        parts["train"],
        {"test": parts["test"]},
        len(corpus.labels),
        devices,
        folder,
        title or run.row,
    )
    report = {
        "run": asdict(run),
        "labels": list(corpus.labels),
        "metrics": outcome.history[-1]["test"],
        "best_epoch_on_test": max(outcome.history, key=lambda entry: entry["test"]["uar"])["epoch"],
        "history": outcome.history,
        "predictions": _predictions(corpus, run.fold, outcome.probabilities["test"]),
        "settings": asdict(settings),
        "parameters": parameter_count(net),
        "clips": {name: len(examples) for name, examples in parts.items()},
        "remarks": corpus.remarks(),
        "device": [str(device) for device in devices],
        "versions": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "training_seconds": round(sum(entry["seconds"] for entry in outcome.history), 1),
        "seconds": round(time.time() - started, 1),
    }
    with whole(folder / "report.json") as path:
        path.write_text(_json(report), encoding="utf-8")
    return report


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
