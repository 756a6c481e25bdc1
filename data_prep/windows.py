"""Recordings of any length as what a network was trained on: whole, or in windows of a clip's length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.base.faults import Faults
from data_prep.manifest import Clip
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image

__all__ = ["Window", "spans", "windows"]

TOGETHER = 64  # windows that a process computes at a time: what bounds the memory of a long recording


@dataclass(frozen=True)
class Window:
    """From ``start`` to ``stop`` (s) of a recording; ``image`` (size, size), or None where it is silent."""

    start: float
    stop: float
    image: np.ndarray | None


def spans(seconds: float, median: float, longest: float) -> list[tuple[float, float]]:
    """Where the windows of a recording of so many ``seconds`` start and stop, in s.

    ``median``, ``longest``: length of the clips that a network was trained on. What is no longer than the
    longest is one window. Else each has the median's length and starts half of it after the one before; the
    last ends where the recording does.
    """
    if seconds <= longest:
        return [(0.0, seconds)]
    hop, last = median / 2, seconds - median
    before = math.ceil(last / hop - 0.5)  # so that the last is not one that was there already, bar a moment
    return [(hop * number, hop * number + median) for number in range(max(1, before))] + [(last, seconds)]


def windows(
    clips: Iterable[Clip],
    settings: ImageSettings,
    median: float,
    longest: float,
    stream: Callable[[Callable, Iterable], Iterator],
) -> Iterator[tuple[int, Window | Faults]]:
    """The windows of each of the ``clips`` (see ``spans``), with its number, in their order; a clip that
    cannot be read has Faults instead, or behind the windows before its fault.

    ``stream``: of ``pool``. Memory stays flat however many and however long the clips are.
    """

    def parts() -> Iterator[tuple[int, Path, list[Span] | Faults]]:
        for number, (path, start, stop) in enumerate(clips):
            try:
                times = spans(audio.seconds(path, start, stop), median, longest)
            except Faults as faults:
                yield number, path, faults
                continue
            begin = start or 0.0
            inside = [(begin + first, begin + last) for first, last in times]
            # Where the clip itself starts and stops, so that no rounding leads past its end.
            inside[0] = (start, inside[0][1])
            inside[-1] = (inside[-1][0], stop)
            pairs = list(zip(times, inside))
            for first in range(0, len(pairs), TOGETHER):
                yield number, path, pairs[first : first + TOGETHER]

    for number, found in stream(partial(_computed, settings), parts()):
        yield from ((number, each) for each in found)


Span = tuple[tuple[float, float], tuple[float | None, float | None]]  # in the clip, and in the file


def _computed(
    settings: ImageSettings, part: tuple[int, Path, list[Span] | Faults]
) -> tuple[int, list[Window | Faults]]:
    number, path, pairs = part
    if isinstance(pairs, Faults):
        return number, [pairs]
    found: list[Window | Faults] = []
    try:
        heard = audio.parts(path, settings.rate, [inside for _, inside in pairs])
        for ((start, stop), _), samples in zip(pairs, heard):
            found.append(Window(start, stop, None if samples is None else image(samples, settings)))
    except Faults as faults:
        found.append(faults)
    return number, found
