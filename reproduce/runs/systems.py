"""Execute the two kinds of runs: the training of a network, and the recognition by a peer."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.base.faults import note
from freqcnn_gluon.training import workers
from reproduce.corpora import Corpus, Split
from reproduce.peers import peer
from reproduce.peers.features import extract
from reproduce.peers.peer import Task, softmax
from reproduce.runs.run import Run

__all__ = ["predictions", "recognised", "speakers", "trained"]


def trained(
    run: Run, corpus: Corpus, folder: Path, device: str, title: str
) -> tuple[dict[str, Any], np.ndarray]:
    """Train the run's network.

    Args:
        run: The run.
        corpus: Its corpus.
        folder: The folder for checkpoints and weights.
        device: As ``devices.choose`` takes it.
        title: Text of the progress bar.

    Returns:
        The results for report.json and the probabilities (n, classes) of the n test clips.
    """
    from freqcnn_gluon import runtime
    from freqcnn_gluon.network.describe import parameter_count
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.examples import Examples
    from freqcnn_gluon.training.loop import train
    from freqcnn_gluon.training.memory import MEMORY, micro_batch
    from freqcnn_gluon.training.settings import Settings

    devices, group, (size, batch_size) = runtime.contexts(device), workers.join(), run.network_sizes()
    classes = len(corpus.split.labels)
    net = build(run.system, classes, size, **run.choices["network"])
    memory = run.choices["training"].get("memory", MEMORY)  # older runs do not state it
    fitting = micro_batch(net, size, -(-batch_size // (len(devices) * group.count)), memory, devices)
    share = _smallest(fitting, group)
    settings = Settings(batch_size=batch_size, micro_batch=share, seed=run.seed, **run.choices["training"])
    parts = {name: Examples(corpus.store.images, *corpus.part(run.fold, name)) for name in ("train", "test")}
    held_out = {"test": parts["test"]}
    outcome = train(net, settings, parts["train"], held_out, classes, devices, folder, title, workers=group)
    return {
        "metrics": outcome.history[-1]["test"],
        "best_epoch_on_test": max(outcome.history, key=lambda entry: entry["test"]["uar"])["epoch"],
        "history": outcome.history,
        "settings": asdict(settings),
        "parameters": parameter_count(net),
        "clips": {name: len(examples.clip_labels()) for name, examples in parts.items()},
        "images": {name: len(examples) for name, examples in parts.items()},
        "device": [str(device) for device in devices],
        "workers": group.count,
        "training_seconds": round(sum(entry["seconds"] for entry in outcome.history), 1),
    }, outcome.probabilities["test"]


def _smallest(samples: int, group: workers.Workers) -> int:
    """Return the smallest number of ``samples`` that fit into a device of any worker, on all workers.

    BatchNorm sees the samples that train at a time, so all workers must train equally many.
    """
    numbers = list(map(int, group.gather(samples)))
    if len(set(numbers)) > 1 and not group.rank:
        smallest = numbers.index(min(numbers)) + 1
        note(
            f"note: the workers' devices have different memory: {max(numbers)} samples would fit at a time "
            f"on some, and all train {min(numbers)}, because no more fit on worker {smallest}."
        )
    return min(numbers)


def recognised(
    run: Run, corpus: Corpus, folder: Path, title: str, jobs: int | None
) -> tuple[dict[str, Any], np.ndarray]:
    """Train the run's peer, and recognise the test clips, on the CPU. Over-sampled clips are used once.

    Args:
        run: The run.
        corpus: Its corpus.
        folder: The folder for checkpoints.
        title: Text of the progress bar.
        jobs: Processes that compute features; None starts one per core.

    Returns:
        The results for report.json and the scores (n, classes) of the n test clips as probabilities.

    Raises:
        Diverged: The peer cannot be trained on these clips.
    """
    from freqcnn_gluon.training.divergence import Diverged
    from freqcnn_gluon.training.metrics import metrics

    system = peer(run.system)
    features = extract(system.features, corpus, jobs)
    started = time.time()
    classes = len(corpus.split.labels)
    train, train_labels = corpus.split.numbers(run.fold, "train")
    test, test_labels = corpus.split.numbers(run.fold, "test")
    train, first = np.unique(train, return_index=True)
    task = Task(
        features,
        train,
        train_labels[first],
        test,
        test_labels,
        classes=classes,
        seed=run.seed,
        title=title,
        folder=folder,
    )
    try:
        answer = system.recognise(task, **run.choices["peer"])
    except (ValueError, np.linalg.LinAlgError) as error:  # as with too few clips, or with equal ones
        raise Diverged(f"it cannot be trained on these clips ({error})") from error
    return {
        "metrics": metrics(test_labels, answer.scores.argmax(axis=1), classes),
        "measures": answer.measures,
        "history": [],
        "settings": answer.sizes,
        "clips": {"train": len(train), "test": len(test)},
        "device": ["cpu(0)"],
        "training_seconds": round(time.time() - started, 1),
    }, softmax(answer.scores)


def predictions(split: Split, fold: str, probabilities: np.ndarray) -> dict[str, dict[str, Any]]:
    """Return, for each test clip, its true and predicted label and the probability of each class.

    Args:
        split: The clips and folds.
        fold: The fold that was tested.
        probabilities: (n, classes), in the order of ``split.clips(fold, "test")`` and ``split.labels``.
    """
    tested = split.clips(fold, "test")
    return {
        clip: {
            "true": label,
            "predicted": split.labels[row.argmax()],
            "probability": np.round(row, 5).tolist(),
        }
        for clip, label, row in zip(tested["clip"], tested["label"], probabilities.astype(float))
    }


def speakers(split: Split, fold: str) -> dict[str, list[str]]:
    """Return the test clips of each speaker, in the order of ``split.clips(fold, "test")``."""
    return split.clips(fold, "test").groupby("speaker", sort=False)["clip"].apply(list).to_dict()
