"""Recordings of any length, whole or cut into windows as long as the clips of a network's training.

Also the windows of a fixed number of frames into which ``ImageSettings.time_axis`` 'windows' cuts a clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.base.faults import Faults
from data_prep.manifest import Clip
from data_prep.sound import audio, remarks
from data_prep.sound.spectrogram import TIME_AXES, ImageSettings, frame_count, image, resized, scaled

__all__ = ["Window", "image_count", "images", "spans", "windows"]

TOGETHER = 64  # windows that a process computes in one task, which limits the memory of a long recording

Times = tuple[float | None, float | None]  # start and stop in s; None is the file's beginning or end


@dataclass(frozen=True)
class Window:
    """A part of a recording.

    Attributes:
        start: Where it starts, in s from the recording's start.
        stop: Where it stops, in s.
        input: The network's input, an image (size, size) or samples (n,); None if the window is silent.
    """

    start: float
    stop: float
    input: np.ndarray | None


@dataclass(frozen=True)
class Part:
    """Several windows of one clip, which one task computes.

    Attributes:
        path: The clip's file.
        rate: The file's own sampling rate in Hz.
        spans: Start and stop of each window, in s from the clip's start.
        times: Start and stop of each window in the file.
    """

    path: Path
    rate: int
    spans: list[tuple[float, float]]
    times: list[Times]


def spans(seconds: float, median: float, longest: float) -> list[tuple[float, float]]:
    """Divide a recording into windows.

    A recording up to the longest clip's length is one window. A longer recording has windows of the median
    length. Each starts half a median length after its predecessor, and the last ends with the recording.

    Args:
        seconds: The length of the recording in s.
        median: The median length of the clips that the network was trained on, in s.
        longest: The length of the longest of them, in s.

    Returns:
        Start and stop of each window, in s.
    """
    if seconds <= longest:
        return [(0.0, seconds)]
    hop, last = median / 2, seconds - median
    before = math.ceil(last / hop - 0.5)  # a window that nearly equals the last one is left out
    return [(hop * number, hop * number + median) for number in range(max(1, before))] + [(last, seconds)]


def images(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Compute the image of a whole clip, or one image for each of its windows, see ``settings.time_axis``.

    A window has ``size`` frames and starts ``size`` / 2 frames after its predecessor; the last one ends with
    the clip. Values are relative to the maximum of the whole clip. A shorter clip is one window with zeros
    after its end, so that a column is one frame in every image.

    Args:
        samples: (n,) at ``settings.rate``.
        settings: The images' settings.

    Returns:
        float32 (images, size, size) in 0..1, as (image, freq, time).

    Raises:
        ValueError: The time axis or the scale is unknown.
    """
    if settings.time_axis not in TIME_AXES:
        raise ValueError(f"time_axis is {settings.time_axis!r}; give one of {', '.join(TIME_AXES)}")
    if settings.time_axis == "whole":
        return image(samples, settings)[None]
    frames, size = scaled(samples, settings), settings.size
    missing = max(0, size - len(frames))
    frames = np.pad(frames, ((0, missing), (0, 0)))
    return np.stack([resized(frames[start : start + size], size) for start in _starts(len(frames), size)])


def image_count(samples: int, rate: int, settings: ImageSettings) -> int:
    """Return the number of ``images`` of a clip of ``samples`` samples at its own ``rate`` in Hz."""
    if settings.time_axis == "whole":
        return 1
    resampled = -(-samples * settings.rate // rate)  # rounded up, as scipy's resample_poly does
    return len(_starts(frame_count(resampled, settings), settings.size))


def _starts(frames: int, size: int) -> list[int]:
    """Return the first frame of each window of ``size`` frames."""
    return [round(start) for start, _ in spans(frames, size, size)]


def windows(
    clips: Iterable[Clip],
    settings: ImageSettings,
    median: float,
    longest: float,
    stream: Callable[[Callable, Iterable], Iterator],
    lowest_rate: int = 0,
    convert: Callable[[np.ndarray, ImageSettings], np.ndarray] = image,
) -> Iterator[tuple[int, Window | Faults]]:
    """Compute the windows of each clip. Memory stays flat for any number and length of clips.

    Args:
        clips: The clips.
        settings: The images' settings.
        median: As for ``spans``.
        longest: As for ``spans``.
        stream: The function that ``base.processes.pool`` yields.
        lowest_rate: The lowest sampling rate in Hz of the clips that the network was trained on, 0 if it is
            not known. Notes at the end name the recordings with a lower rate, and others whose images may
            mislead.
        convert: The function from a window's samples (n,) at ``settings.rate`` to the network's input. It
            must be picklable.

    Yields:
        The number of the clip and one of its windows, in order. If a clip cannot be read, its Faults follow
        the windows before the fault.
    """
    lowest_rate = min(settings.rate, lowest_rate)
    files: dict[str, list[Path]] = {}
    for number, path, computed, new_remarks in stream(
        partial(_compute, settings, lowest_rate, convert), _parts(clips, median, longest)
    ):
        for remark in new_remarks:
            files.setdefault(remark, []).append(path)
        yield from ((number, window) for window in computed)
    remarks.report(files)


def whole_image(settings: ImageSettings, path: Path | str) -> np.ndarray | Faults:
    """Compute the image (size, size) of a whole recording, or return its faults."""
    try:
        return image(audio.read(path, settings.rate), settings)
    except Faults as faults:
        return faults


def _parts(clips: Iterable[Clip], median: float, longest: float) -> Iterator[tuple[int, Path, Part | Faults]]:
    """Yield the number and file of each clip with up to TOGETHER of its windows, or with its Faults."""
    for number, (path, start, stop) in enumerate(clips):
        try:
            seconds, rate = audio.seconds_and_rate(path, start, stop)
        except Faults as faults:
            yield number, path, faults
            continue
        pieces, begin = spans(seconds, median, longest), start or 0.0
        times: list[Times] = [(begin + first, begin + last) for first, last in pieces]
        # The clip's own start and stop, so that rounding cannot lead beyond the file's end.
        times[0] = (start, times[0][1])
        times[-1] = (times[-1][0], stop)
        for i in range(0, len(pieces), TOGETHER):
            yield number, path, Part(path, rate, pieces[i : i + TOGETHER], times[i : i + TOGETHER])


def _compute(
    settings: ImageSettings,
    lowest_rate: int,
    convert: Callable[[np.ndarray, ImageSettings], np.ndarray],
    item: tuple[int, Path, Part | Faults],
) -> tuple[int, Path, list[Window | Faults], set[str]]:
    """Return the clip's number and file, its windows or faults, and the remarks on its sound."""
    number, path, part = item
    if isinstance(part, Faults):
        return number, path, [part], set()
    computed: list[Window | Faults] = []
    sound_remarks: set[str] = set()
    try:
        sounds = audio.parts(part.path, settings.rate, part.times, sound_remarks)
        for (start, stop), samples in zip(part.spans, sounds):
            computed.append(Window(start, stop, None if samples is None else convert(samples, settings)))
    except Faults as faults:
        computed.append(faults)
    if part.rate < lowest_rate:
        sound_remarks.add(remarks.narrow(part.rate, lowest_rate))
    return number, path, computed, sound_remarks
