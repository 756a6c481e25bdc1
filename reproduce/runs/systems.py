"""How a run is done, by its kind of system: a network is trained, a peer recognises."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from freqcnn_gluon.training import workers as cluster
from reproduce.corpora import Corpus
from reproduce.peers import peer
from reproduce.peers.features import extract
from reproduce.peers.peer import Task, softmax
from reproduce.runs.run import Run


def trained(
    run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None
) -> tuple[dict, np.ndarray]:
    """A network: what its report says, and the probabilities (n, classes) of the test clips."""
    from freqcnn_gluon import runtime
    from freqcnn_gluon.network.describe import parameter_count
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.examples import Examples
    from freqcnn_gluon.training.loop import train
    from freqcnn_gluon.training.memory import micro_batch
    from freqcnn_gluon.training.settings import Settings

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


def recognised(
    run: Run, corpus: Corpus, folder: Path, device: str, title: str, jobs: int | None
) -> tuple[dict, np.ndarray]:
    """A system of ``reproduce.peers``: what its report says, and its scores as probabilities."""
    from freqcnn_gluon.training.metrics import metrics

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


def predictions(corpus: Corpus, fold: str, probabilities: np.ndarray) -> dict[str, dict]:
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
