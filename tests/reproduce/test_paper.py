"""The typed tables agree with the constants of the corpora."""

from reproduce.paper.published import published


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
