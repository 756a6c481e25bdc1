"""Read the sizes that sound files state in their headers. libsndfile accepts truncated files silently."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from data_prep.base.faults import Faults

# Sizes from this one on mean 'unknown'. GStreamer writes this size, SoX 0x7FFFF000, other programs -1 or 0.
STREAMED = 0x7FFF0000
LARGEST = 2**62  # bytes; 64-bit sizes from this one on mean 'unknown'
PAGE = 27 + 255 + 255 * 255  # bytes, the longest page of an OGG file


def truncated(path: Path, missing: int) -> Faults:
    """Describe a file that lacks bytes at its end."""
    return Faults(
        f"{path}: is truncated: it holds {missing} bytes fewer than its header states; copy it again"
    )


def in_a_row(path: Path) -> Faults:
    """Describe a file that consists of several files in a row."""
    return Faults(
        f"{path}: is several files in a row, and only the first could be read; write each into its own file"
    )


def stated_size(file: BinaryIO, kind: str) -> int:
    """Return the size in bytes that the header implies for a file of this kind; 0 if it states none."""
    file.seek(0)
    head = file.read(28).ljust(28, b"\0")
    if kind == "WAV":
        _, start, size = wav_sizes(file)
        return start + size if size < STREAMED else 0
    if kind == "AIFF":
        size = struct.unpack(">I", head[4:8])[0]
        return size + 8 if size < 0x7F000000 else 0  # SoX adds the bytes written so far to 0x7F000000
    if kind == "AU":
        start, size = au_sizes(head)
        return start + size if size < STREAMED else 0
    size = 0
    if kind == "RF64" and head[12:16] == b"ds64":
        size = struct.unpack("<Q", head[20:28])[0] + 8
    elif kind == "W64":
        size = struct.unpack("<Q", head[16:24])[0]
    elif kind == "CAF":
        size = next((start + size for name, start, size in caf_chunks(file) if name == b"data"), 0)
    return size if size < LARGEST else 0


def ends(file: BinaryIO, kind: str, stated: int) -> set[int]:
    """Return the positions at which a file of this kind and ``stated_size`` may end and another one begin."""
    riff = wav_sizes(file)[0] + 8 if kind == "WAV" else stated
    return {stated, stated + stated % 2, riff, riff + riff % 2}


def breaks_off(file: BinaryIO) -> bool:
    """Return whether the last page of an OGG file (Vorbis, Opus, ...) is incomplete.

    The flag that marks a last page is not checked, because voice messages of phones lack it.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * PAGE))
    content = file.read()
    page = content[content.rfind(b"OggS\0") :]
    sizes = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(page) < 27 + page[26] + sum(sizes)


def wav_sizes(file: BinaryIO) -> tuple[int, int, int]:
    """Read the header of a WAV file.

    Returns:
        The stated size of the file, the position of the samples and their stated size, all in bytes.
        (0, 0, STREAMED) if the file has no samples.
    """
    file.seek(0)
    head = file.read(12)
    while len(chunk := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", chunk)
        if name == b"data":
            return struct.unpack("<I", head[4:8])[0], file.tell(), length
        file.seek(length + length % 2, os.SEEK_CUR)
    return 0, 0, STREAMED


def au_sizes(head: bytes) -> tuple[int, int]:
    """Return the position of the samples of an AU file and their stated size, both in bytes."""
    start, size = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
    return start, size


def caf_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk of a CAF file, the position of its content and its size in bytes.

    A size of -1, which the format allows for samples at the end, appears as 2**64 - 1.
    """
    at, length = 8, file.seek(0, os.SEEK_END)
    file.seek(at)
    while len(chunk := file.read(12)) == 12:
        name, size = struct.unpack(">4sQ", chunk)
        at += 12
        yield name, at, size
        at += size
        if at >= length:
            return
        file.seek(at)
