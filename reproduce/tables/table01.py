"""Table 1: the number of training and testing clips per accent in UT-Podcast."""

from __future__ import annotations

import pandas as pd

from data_prep.corpora import ut_podcast
from reproduce.paper.published import published
from reproduce.tables.comparison import CountTable

_HEADS = {"UK_oversampled": "UK2", "total": "Original", "total_oversampled": "Over-sampled"}


def _count(clips: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the clips per accent; 'UK2' and 'Over-sampled' count each clip as often as it is used."""
    printed = published("table01_ut_podcast_counts")
    counts = clips.groupby(["partition", "label"])["copies"].agg(["size", "sum"])
    lines: dict[str, list[int]] = {}
    for row, partition in (("training", "train"), ("testing", "test")):
        accents = counts.reindex([(partition, label) for label in ut_podcast.LABELS], fill_value=0)
        sizes, used = accents["size"].tolist(), accents["sum"].tolist()
        lines[row] = [*sizes, used[-1], sum(sizes), sum(used)]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    tables = [frame.rename(columns=_HEADS).astype(str) for frame in (printed, ours)]
    for frame in tables:
        frame.insert(0, "#Samples", frame.index.str.capitalize())
    return tables[0], tables[1]


TABLE = CountTable(
    number=1,
    title="The number of training and testing records per accent",
    corpus="ut_podcast",
    count=_count,
)
