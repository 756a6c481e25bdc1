"""The typed tables against the sentences and tables of the paper that say the same."""

import pytest

from freqcnn_gluon.architectures import architecture
from reproduce.paper import published
from reproduce.tables import TABLES, table


def test_table_3_is_the_papers():
    cells = {row.name: row.paper for row in table(3).rows}
    assert list(cells) == ["i-Vector", "FreqCNN", "FNN", "CNN", "AlexNet", "VGG-11", "ResNet-18"]
    assert cells["FreqCNN"] == {"AU": 88.55, "UK": 71.91, "US": 77.5, "UAR": 79.32}
    # Each UAR is the mean of its recalls, but AlexNet's, which is its accuracy.
    for name, paper in cells.items():
        mean = (paper["AU"] + paper["UK"] + paper["US"]) / 3
        assert (paper["UAR"] == pytest.approx(mean, abs=0.05)) == (name != "AlexNet")


def test_counts_are_table_1s():
    from data_prep.corpora import ut_podcast

    counts = published("table01_ut_podcast_counts")
    for partition, row in (("train", "training"), ("test", "testing")):
        for label in ut_podcast.LABELS:
            assert ut_podcast.EXPECTED[partition, label] == counts.loc[row, label]
    assert (
        counts.loc["training", "UK"] * ut_podcast.OVERSAMPLED["UK"]
        == counts.loc["training", "UK_oversampled"]
    )


def test_every_row_runs_a_system_that_exists():
    from freqcnn_gluon.systems import build

    for each in TABLES.values():
        for row in each.rows:
            assert row.system is None or build(row.system, 3, architecture(each.architecture).size)
            assert set(row.paper) >= set(each.measures)
