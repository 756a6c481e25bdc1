"""Open OGG files, also several recordings in a row ('chained', RFC 3533, section 4), as Icecast writes them.

libsndfile reads only the first recording of such a file.
"""

from __future__ import annotations

import functools
import io
import mmap
import os
from pathlib import Path

import soundfile

from data_prep.base.faults import Faults
from data_prep.sound import ffmpeg
from data_prep.sound.counting import damaged

BEGINS = 2  # the flag of a page that begins a stream
BLOCK = 2**18  # values decoded at a time


def opened(path: Path) -> soundfile.SoundFile:
    """Open the OGG file at ``path``: all recordings in it, one after the other.

    Raises:
        Faults: Neither libsndfile nor FFmpeg knows a codec, or the recordings differ in codec, rate or
            channels.
    """
    status = path.stat()
    starts = _starts(path, status.st_size, status.st_mtime_ns)
    if len(starts) == 1:
        try:
            return soundfile.SoundFile(os.fsencode(path))
        except soundfile.LibsndfileError:
            with open(path, "rb") as file:
                if sound := ffmpeg.other(path, file, "OGG"):
                    return sound
            raise
    content, joined = path.read_bytes(), io.BytesIO()
    links = [content[start:stop] for start, stop in zip(starts, [*starts[1:], len(content)])]
    with _recording(path, links[0]) as first:
        rate, channels, subtype = first.samplerate, first.channels, first.subtype
    with soundfile.SoundFile(joined, "w", rate, channels, "FLOAT", format="WAV") as wav:
        for link in links:
            with _recording(path, link) as recording:
                if (recording.samplerate, recording.channels, recording.subtype) != (rate, channels, subtype):
                    raise Faults(
                        f"{path}: is {len(links)} recordings in a row, which differ in codec, rate or "
                        "channels; write each into its own file"
                    )
                _append(path, recording, wav)
    joined.seek(0)
    return soundfile.SoundFile(joined)


def _recording(path: Path, content: bytes) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(io.BytesIO(content))
    except soundfile.LibsndfileError:
        if sound := ffmpeg.other(path, io.BytesIO(content), "OGG"):
            return sound
        raise


def _append(path: Path, recording: soundfile.SoundFile, wav: soundfile.SoundFile) -> None:
    try:
        while len(block := recording.read(BLOCK // recording.channels, always_2d=True)):
            wav.write(block)
    except soundfile.LibsndfileError:
        raise damaged(path) from None


@functools.lru_cache(64)  # a long file is opened again for each group of its windows
def _starts(path: Path, size: int, changed: int) -> list[int]:
    """Return the position in bytes at which each recording begins.

    A recording begins at a page that begins a stream and follows a page that does not. The streams of one
    recording, such as pictures and sound, begin on consecutive pages.
    """
    starts, began, at = [0], True, 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while (at := content.find(b"OggS\0", at)) >= 0 and at + 27 <= size:
            begins = bool(content[at + 5] & BEGINS)
            if begins and not began:
                starts.append(at)
            began = begins
            segments = content[at + 26]
            at += 27 + segments + sum(content[at + 27 : at + 27 + segments])
    return starts
