"""Prepare labelled recordings for a training: spectrograms, lengths, sampling rates and checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import note
from data_prep.sound import audio
from data_prep.sound.contents import contents
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.own.cutting import cut, windows_of
from freqcnn_gluon.own.division import check_disjoint
from freqcnn_gluon.training.examples import Examples

__all__ = ["Data", "prepare"]

# All spectrograms have the same width, for clips of any length. Speech has four or five syllables per second,
# and a column that is longer than a second averages several syllables. In a clip ten times as long as the
# others, the same word is a tenth as wide, but the filters keep their width.
COLUMN = 1.0  # longest column of a spectrogram in s
MANY = 10  # largest ratio of the longest clip to the median


@dataclass(frozen=True)
class Data:
    """The clips of a training with their spectrograms.

    Attributes:
        frame: The manifest with the columns ``key``, ``file`` and ``sound``, see ``about.trained_on``.
        clips: The clips of ``data_prep.manifest.clips`` (n,).
        seconds: The clips' lengths (n,) in s.
        rates: The sampling rates (n,) of the clips' files in Hz.
        labels: The distinct labels, sorted.
        numbers: The clips' labels (n,) as numbers.
        images: The spectrograms (rows, size, size).
        rows: The row (n,) of each clip's spectrogram in ``images``.
        fingerprint: The fingerprint of all the data.
    """

    frame: pd.DataFrame
    clips: list[manifest.Clip]
    seconds: np.ndarray
    rates: np.ndarray
    labels: tuple[str, ...]
    numbers: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    fingerprint: str

    def part(self, name: str) -> np.ndarray:
        """Return the mask (n,) of the clips of a part: 'train', 'validation' or 'test'."""
        return (self.frame["partition"] == name).to_numpy()

    def examples(self, part: np.ndarray) -> Examples:
        """Select the examples of a part, a mask (n,)."""
        return Examples(self.images, self.rows[part], self.numbers[part])

    def clips_of(self, part: np.ndarray) -> list[manifest.Clip]:
        """Select the clips of a part, a mask (n,)."""
        return [self.clips[place] for place in np.flatnonzero(part)]


def prepare(
    frame: pd.DataFrame,
    root: Path,
    folder: Path,
    settings: ImageSettings,
    window: float,
    jobs: int | None = None,
) -> Data:
    """Cut long clips, compute the spectrograms of divided clips, and check that the parts are disjoint.

    Args:
        frame: The manifest with the partitions 'train', 'test' and, possibly, 'validation'.
        root: The folder that contains the manifest's paths.
        folder: The folder for the store of spectrograms, which may hold one of the same clips.
        settings: The settings of the spectrograms.
        window: The longest clip in s that is not cut into windows, see ``cutting.cut``; 0 to cut none.
        jobs: The number of processes that read audio, None for one per core.

    Raises:
        Faults: Clips cannot be read, or the same sound is in two parts.
    """
    windows = windows_of(frame, root, window, settings.rate, jobs)
    # All folds of a cross-validation share a store, so it has every clip both whole and cut. The store knows
    # no part named validation.
    stored = pd.concat([frame, windows]).assign(partition="")
    spectrograms = store.build(stored, root, store.store_folder(folder, settings), settings, jobs)
    _note_cut(frame, windows, window)
    frame = cut(frame, windows)
    frame = frame.assign(key=spectrograms.keys(frame["clip"]))
    labels, fingerprint = tuple(sorted(set(frame["label"]))), spectrograms.fingerprint(frame)
    clips = manifest.clips(frame, root)
    frame[["file", "sound"]] = contents([path for path, *_ in clips], jobs)
    check_disjoint(frame, root)
    seconds, rates = np.transpose([audio.seconds_and_rate(*clip) for clip in clips])
    _note_lengths(seconds[(frame["partition"] == "train").to_numpy()], settings.size)
    return Data(
        frame,
        clips,
        seconds,
        rates,
        labels,
        np.searchsorted(labels, frame["label"]),
        spectrograms.images,
        spectrograms.rows(frame["clip"]),
        fingerprint,
    )


def _note_cut(frame: pd.DataFrame, windows: pd.DataFrame, window: float) -> None:
    """Report how many clips ``cut`` will cut."""
    learned = frame[frame["partition"] != "test"]
    if count := int(learned.index.isin(windows.index).sum()):
        pieces = int(windows.index.isin(learned.index).sum())
        note(f"Clips longer than {window:g} s: {count}. The training has their {pieces} windows instead.")


def _note_lengths(seconds: np.ndarray, size: int) -> None:
    """Report the training clips' lengths (n,), and warn if some are too long for ``size`` columns."""
    median, longest = float(np.median(seconds)), float(seconds.max())
    note(f"{len(seconds)} training clips: the median lasts {median:.1f} s, the longest {longest:.1f} s.")
    if longest > MANY * median or longest > COLUMN * size:
        note(
            f"note: the longest clip lasts {longest / median:.0f} times the median, and one column of its "
            f"spectrogram {longest / size:.2f} s. Cut long clips into windows: --window {2 * median:.2g}."
        )
