"""From a corpus folder, or none, to what the networks read: manifest, store and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import splits, store
from data_prep.corpora import ut_podcast
from data_prep.spectrogram import ImageSettings
from data_prep.standin import ut_podcast as standin

__all__ = ["PAPER", "STANDIN", "Corpus", "prepare"]

PAPER, STANDIN = "paper", "standin"


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus. ``source``: 'paper' (the paper's counts), 'standin', or the folder's name when
    it has the layout but not the counts. ``labels``: the class names, in the order of their numbers.
    """

    source: str
    root: Path
    manifest: pd.DataFrame
    store: store.Store
    labels: tuple[str, ...]

    def part(self, partition: str) -> tuple[np.ndarray, np.ndarray]:
        """Store rows (n,) and class numbers (n,) of 'train' (over-sampled) or 'test' clips."""
        chosen = self.manifest[self.manifest["partition"] == partition]
        if partition == "train":
            chosen = chosen.loc[chosen.index.repeat(chosen["copies"])]
        numbers = {label: number for number, label in enumerate(self.labels)}
        return self.store.rows(chosen["clip"]), chosen["label"].map(numbers).to_numpy()

    def remarks(self) -> list[str]:
        """What a reader of the results should know of the split."""
        crossing = splits.crossing_speakers(self.manifest)
        return [f"{len(crossing)} speakers are in both parts: {', '.join(crossing)}."] if crossing else []


def prepare(
    root: Path | None,
    data: Path,
    image: ImageSettings,
    over_sampling: str = "each",
    check_counts: bool = True,
    jobs: int | None = None,
) -> Corpus:
    """UT-Podcast in ``root``, or its stand-in, as manifest and store below ``data``/<source>/ut_podcast.

    Raises Faults with everything that is wrong with the corpus.
    """
    if root is None:
        root = data / STANDIN / "UT-Podcast"
        standin.write(root, jobs=jobs)
    found = ut_podcast.scan(root)
    source, check_counts = _source(found, check_counts)
    frame, images = ut_podcast.prepare(
        found, data / source / "ut_podcast", image, over_sampling, check_counts, jobs=jobs
    )
    return Corpus(source, root, frame, images, ut_podcast.LABELS)


def _source(found: ut_podcast.Scan, check_counts: bool) -> tuple[str, bool]:
    """Where the clips come from, and whether their counts have to be the paper's."""
    if standin.is_standin(found.root):
        return STANDIN, False
    if check_counts or not ut_podcast.count_faults(found.manifest):
        return PAPER, True
    name = found.root.resolve().name
    return (f"own-{name}" if name in (PAPER, STANDIN) else name), False
