"""Hand-made reports in the form that reproduce.runs.execute writes."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from freqcnn_gluon.training.metrics import metrics
from reproduce.runs.report import Report
from reproduce.runs.run import Run

LABELS = {3: ["AU", "UK", "US"], 12: ["Angry", "Disgust", "Sadness", "Surprise", "Fear", "Happiness"]}


def report(
    name="FreqCNN",
    source="paper",
    confusion=((270, 30, 32), (10, 60, 19), (30, 30, 180)),
    seed=0,
    home=3,
    fold="test",
    network=None,
    fault=None,
    speakers=0,
) -> Report:
    """Make a report, or a failed.json with ``fault``; ``confusion`` has the classes in LABELS' order.

    The clips have ``speakers`` speakers in turn; none are stated for 0, as in older reports.
    """
    order = np.array(confusion)
    labels = LABELS[home if home in LABELS else 12 if len(order) == 6 else 3]
    true, predicted = (
        axis.repeat(order.ravel()) for axis in (index.ravel() for index in np.indices(order.shape))
    )
    worth = metrics(true, predicted, len(labels))
    run = Run(
        source=source,
        table=home,
        row=name,
        system="table2",
        fold=fold,
        seed=seed,
        profile="quick" if source == "quick" else "paper",
        size=256,
        batch_size=48,
        data="0" * 64,
        choices={
            "network": network or {},
            "training": {"schedule": "step"},
            "image": {"floor_db": 80.0, "version": "1.8.2"},
        },
    )
    content = {
        "run": asdict(run),
        "labels": labels,
        "metrics": worth,
        "predictions": {
            f"{fold}-{i}": {
                "true": labels[t],
                "predicted": labels[p],
                "probability": np.eye(len(labels))[p].tolist(),
            }
            for i, (t, p) in enumerate(zip(true, predicted))
        },
        "best_epoch_on_test": 1,
        "history": [{"epoch": 1, "loss": 0.5, "accuracy": 0.8, "seconds": 1.0, "test": worth}],
        "parameters": 12345,
        "clips": {"train": 1347, "test": int(order.sum())},
        "settings": {
            "learning_rate": 0.01,
            "schedule": "step",
            "momentum": 0.9,
            "weight_decay": 1e-8,
            "micro_batch": 24,
        },
        "remarks": ["2 speakers are in both parts."],
        "device": ["cpu(0)"],
        "versions": {},
        "finished": "2020-01-01T00:00:00+00:00",
        "training_seconds": 60,
    }
    if speakers:
        clips = list(content["predictions"])
        content["speakers"] = {f"s{number}": clips[number::speakers] for number in range(speakers)}
    if fault:
        kept = ("run", "labels", "device", "versions", "finished")
        content = {"fault": fault, **{name: content[name] for name in kept}}
    folder = run.folder(Path("results")).relative_to(Path("results") / source)
    return Report(f"{folder.as_posix()}/{'failed' if fault else 'report'}.json", content)
