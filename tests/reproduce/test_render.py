import numpy as np
import pytest

from reproduce.render import cells, markdown
from reproduce.tables import table


def report(source="paper", confusion=((270, 30, 32), (10, 60, 19), (30, 30, 180)), seed=0) -> dict:
    """A report as runs.execute writes it; classes in the order AU, US, UK."""
    order = np.array(confusion)
    entry = {"epoch": 1, "loss": 0.5, "accuracy": 0.8, "seconds": 1.0, "test": {"uar": 0.7}}
    accuracy = order.trace() / order.sum()
    recalls = order.diagonal() / order.sum(axis=1)
    return {
        "run": {
            "source": source,
            "seed": seed,
            "profile": "paper",
            "size": 256,
            "batch_size": 48,
            "data": "0" * 64,
            "choices": {"training": {"schedule": "step"}},
        },
        "labels": ["AU", "UK", "US"],
        "metrics": {"accuracy": accuracy, "uar": recalls.mean(), "confusion": order.tolist()},
        "best_epoch_on_test": 1,
        "history": [entry],
        "parameters": 12345,
        "clips": {"train": 1347, "test": 661},
        "settings": {
            "learning_rate": 0.01,
            "schedule": "step",
            "momentum": 0.9,
            "weight_decay": 1e-8,
            "micro_batch": 24,
        },
        "remarks": ["2 speakers are in both parts."],
        "device": ["cpu(0)"],
        "finished": "2020-01-01T00:00:00+00:00",
        "training_seconds": 60,
    }


def row(frame, system, measure):
    return frame.set_index(["system", "measure"]).loc[(system, measure)]


def test_cells_by_hand():
    frame = cells(table(3), {"FreqCNN": [report()]})
    assert len(frame) == 7 * 4
    uk = row(frame, "FreqCNN", "UK")
    assert uk["ours"] == pytest.approx(100 * 60 / 89) and uk["paper"] == 71.91
    assert uk["low"] < uk["ours"] < uk["high"] and uk["verdict"] == "within"
    uar = row(frame, "FreqCNN", "UAR")
    assert uar["ours"] == pytest.approx(100 * (270 / 332 + 60 / 89 + 180 / 240) / 3)
    assert row(frame, "FreqCNN", "AU")["verdict"] == "outside"  # 88.55 against 81.3
    other = row(frame, "VGG-11", "AU")
    assert other["verdict"] == "not run" and np.isnan(other["ours"])


def test_seeds_are_averaged():
    frame = cells(
        table(3), {"FNN": [report(), report(confusion=((332, 0, 0), (0, 89, 0), (0, 0, 240)), seed=1)]}
    )
    us = row(frame, "FNN", "US")
    assert us["ours"] == pytest.approx((75 + 100) / 2) and us["seeds"] == 2
    assert us["sd"] == pytest.approx(np.std([75, 100], ddof=1))


@pytest.mark.parametrize("source, banner", [("standin", "STAND-IN"), ("accents", "NOT THE PAPER'S CORPUS")])
def test_other_corpora_carry_a_banner_and_no_verdict(source, banner):
    text = markdown(table(3), {"FreqCNN": [report(source)]}, {"FreqCNN": ["report.json"]})
    assert banner in text.splitlines()[2]
    assert "within" not in text and "outside" not in text
    assert (cells(table(3), {"FreqCNN": [report(source)]})["verdict"].isin(["", "not run"])).all()


def test_markdown_of_the_papers_corpus():
    text = markdown(table(3), {"FreqCNN": [report()]}, {"FreqCNN": ["table03/freqcnn/x/report.json"]})
    assert "STAND-IN" not in text and "NOT THE PAPER" not in text
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")
    ]
    assert lines[0] == ["Recall", "", "i-Vector", "FreqCNN", "FNN", "CNN", "AlexNet", "VGG-11", "ResNet-18"]
    assert lines[2][:4] == ["AU", "paper", "78.00", "88.55"]
    assert lines[3][1:4] == ["ours", "not run", "81.33"]
    assert lines[5][1:4] == ["verdict", "not run", "outside"]
    assert "Not run yet: i-Vector, FNN" in text
    assert "[FreqCNN](table03/freqcnn/x/report.json)" in text
    assert "2 speakers are in both parts." in text
    assert "`schedule`: How does the learning rate fall? Here: step." in text  # what was run, not the default
    assert "`attention_rows`" not in text  # touches Table 5 only
