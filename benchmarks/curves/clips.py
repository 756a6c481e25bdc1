"""The labelled recordings that a learning curve is measured on, as spectrograms and divided into parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from data_prep.standin import ut_podcast
from reproduce.corpora import prepare
from reproduce.paper.published import published

STANDINS = ("standin", "standin_full")


@dataclass(frozen=True)
class Clips:
    """Labelled spectrograms.

    Attributes:
        frame: One row for each clip. ``copies``, if it exists, says how often a clip is trained on.
        images: All spectrograms (rows, size, size).
        rows: The row in ``images`` of each clip (n,).
        numbers: The class number of each clip (n,).
        labels: The class names.
    """

    frame: pd.DataFrame
    images: np.ndarray
    rows: np.ndarray
    numbers: np.ndarray
    labels: tuple[str, ...]

    def part(self, chosen: np.ndarray, over_sampled: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows in ``images`` and the class numbers of the clips with the numbers ``chosen``."""
        if over_sampled and "copies" in self.frame:
            chosen = chosen.repeat(self.frame["copies"].to_numpy()[chosen])
        return self.rows[chosen], self.numbers[chosen]


def held_out(frame: pd.DataFrame, condition: str) -> np.ndarray:
    """Return for each row whether it meets ``condition``, which reads 'column=value,value'.

    Raises:
        Faults: There is no such column, or no row has one of the values.
    """
    column, _, text = condition.partition("=")
    values = text.split(",")
    if column not in frame:
        raise Faults(
            f"there is no column '{column}' to hold out by; choose one of {', '.join(frame.columns)}"
        )
    known = set(frame[column])
    if missing := sorted(set(values) - known):
        wrong = ", ".join(missing)
        raise Faults(f"there is no {column} {wrong} to hold out; the column has values such as {min(known)}")
    return frame[column].isin(values).to_numpy()


def of_standin(name: str, data: Path, image: ImageSettings, choices: Mapping[str, Any]) -> Clips:
    """Return the clips of UT-Podcast's stand-in, which is synthesised if necessary.

    Args:
        name: 'standin', or 'standin_full' for as many clips as Table 1 counts.
        data: The folder for prepared data.
        image: How spectrograms are computed.
        choices: The assumptions about data.
    """
    root = None
    if name == "standin_full":
        data = data / "full"
        root = data / "UT-Podcast"
        table = published("table01_ut_podcast_counts").loc[["training", "testing"], ["AU", "US", "UK"]]
        counts = {part: row.astype(int).to_dict() for part, row in zip(("train", "test"), table.iloc)}
        ut_podcast.write(root, counts)
    corpus = prepare("ut_podcast", root, data, image, choices)
    frame, labels = corpus.split.manifest, corpus.split.labels
    numbers = frame["label"].map({label: number for number, label in enumerate(labels)}).to_numpy()
    return Clips(frame, corpus.store.images, corpus.store.rows(frame["clip"]), numbers, labels)


def of_table(csv: Path, root: Path, out: Path, image: ImageSettings) -> Clips:
    """Return the clips that a CSV file lists.

    Args:
        csv: A file with the columns path, label, speaker and text.
        root: The folder that its paths are relative to.
        out: The folder for spectrograms.
        image: How spectrograms are computed.
    """
    frame = pd.read_csv(csv, dtype=str, keep_default_na=False)
    if missing := sorted({"path", "label", "speaker", "text"} - set(frame)):
        raise Faults(f"{csv}: it has no column {', '.join(missing)}. Add it.")
    listed = frame.assign(clip=frame["path"], start=np.nan, stop=np.nan, partition="")
    images = store.build(listed[list(manifest.COLUMNS)], root, store.store_folder(out, image), image)
    numbers, labels = pd.factorize(frame["label"], sort=True)
    return Clips(frame, images.images, images.rows(listed["clip"]), numbers, tuple(labels))
