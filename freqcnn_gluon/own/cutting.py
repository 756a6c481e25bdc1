"""Cut the long recordings of a training into windows, because all spectrograms have the same width."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.manifest import Clip
from data_prep.sound import audio

__all__ = ["cut", "windows_of"]


def windows_of(
    frame: pd.DataFrame, root: Path, longest: float, rate: int, jobs: int | None = None
) -> pd.DataFrame:
    """Divide every clip that is too long into windows of equal length.

    Args:
        frame: The manifest.
        root: The folder that contains the manifest's paths.
        longest: The longest window in s, 0 if no clip is to be divided.
        rate: The sampling rate in Hz at which the clips are read.
        jobs: The number of processes that read audio, None for one per core.

    Returns:
        A manifest with a row for each window that is not silent. Its index is that of the clip's row, which
        differs in ``clip``, ``start`` and ``stop`` only. A clip that cannot be read, or is silent, has none.
    """
    if not longest:
        return frame.iloc[:0]
    clips = manifest.clips(frame, root)
    with pool(jobs, len(clips)) as stream:
        times = list(stream(partial(_audible, longest, rate), clips))
    windows = frame.loc[np.repeat(frame.index, [len(each) for each in times])]
    starts, stops = np.array([time for each in times for time in each]).reshape(-1, 2).T
    names = [f"{clip} {start}-{stop}" for clip, start, stop in zip(windows["clip"], starts, stops)]
    return windows.assign(clip=names, start=starts, stop=stops)


def cut(frame: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """Replace the clips of the training and of the validation by their windows.

    Clips of the test part stay whole: they are predicted as in ``predict``, one label for each recording.

    Args:
        frame: The divided manifest.
        windows: Its ``windows_of``.
    """
    replaced = frame.index.isin(windows.index) & (frame["partition"] != "test")
    parts = [frame[~replaced], windows[windows["partition"] != "test"]]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _audible(longest: float, rate: int, clip: Clip) -> list[tuple[float, float]]:
    """Return the times of a long clip's windows that are not silent."""
    path, start, stop = clip
    try:
        seconds, _ = audio.seconds_and_rate(*clip)
        if seconds <= longest:
            return []
        edges = (start or 0.0) + np.linspace(0, seconds, math.ceil(seconds / longest) + 1)
        edges = np.round(edges, 3)  # for short names; a stop may be half a millisecond after a file's end
        edges[0] = start or 0.0  # but a clip may begin or end where another one ends or begins
        edges[-1] = edges[-1] if stop is None else stop
        times = [(float(first), float(last)) for first, last in zip(edges, edges[1:])]
        sounds = audio.parts(path, rate, times)
        return [time for time, samples in zip(times, sounds) if samples is not None]
    except Faults:
        return []  # the store of spectrograms reports the faults of all clips
