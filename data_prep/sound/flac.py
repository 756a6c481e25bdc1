"""Open FLAC files, also those that state no length, and refuse several files in a row.

A FLAC file that was written into a pipe states no length (RFC 9639, section 8.2), and libsndfile cannot seek
in it. So its samples are counted once, and their number is written into a copy of the file in memory.
"""

from __future__ import annotations

import functools
import io
import mmap
import os
from pathlib import Path

import soundfile

from data_prep.sound import headers
from data_prep.sound.counting import Unseekable, count

UNKNOWN = (0, 2**36 - 1)  # stated numbers of samples that mean 'unknown'
BEGINNINGS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")


def opened(path: Path, start: int) -> soundfile.SoundFile:
    """Open the FLAC file at ``path`` whose tags end at ``start``.

    Raises:
        Faults: The file consists of several files in a row, or is damaged.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if any(content.find(beginning, start + 4) > 0 for beginning in BEGINNINGS):
            raise headers.in_a_row(path)
        place = start + 18  # 28 bits of rate, channels and sample size, then 36 of the number of samples
        field = int.from_bytes(content[place : place + 8], "big")
    if field % 2**36 not in UNKNOWN:
        return soundfile.SoundFile(os.fsencode(path))
    status, copy = path.stat(), _content(path)
    samples = _count(path, status.st_size, status.st_mtime_ns)
    copy[place : place + 8] = (field >> 36 << 36 | samples).to_bytes(8, "big")
    return soundfile.SoundFile(io.BytesIO(copy))


@functools.lru_cache(64)  # a long file is opened again for each group of its windows
def _count(path: Path, size: int, changed: int) -> int:
    """Count the samples. The file's size and time of change make the cache forget a changed file."""
    with Unseekable(io.BytesIO(_content(path))) as file:
        return count(path, file)


def _content(path: Path) -> bytearray:
    """Read a file without its ID3v1 tag, which libFLAC would take for a damaged frame."""
    content = bytearray(path.read_bytes())
    return content[:-128] if content[-128:-125] == b"TAG" else content
