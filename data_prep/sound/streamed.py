"""Repair headers without a length, which programs write into a pipe and which libsndfile does not read.

The functions return the bytes to write into a copy of the file in memory, by position; {} if the header is
good.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from data_prep.sound import headers

ALL = b"\xff" * 4  # in WAV and AU, libsndfile reads this size as 'to the end of the file'


def repairs(file: BinaryIO, kind: str) -> dict[int, bytes]:
    """Return the bytes to write over the header of a WAV, RF64, AU or CAF, by their positions."""
    length = file.seek(0, os.SEEK_END)
    function = {"WAV": _wav, "RF64": _rf64, "AU": _au, "CAF": _caf}.get(kind)
    return function(file, length) if function else {}


def _wav(file: BinaryIO, length: int) -> dict[int, bytes]:
    _, start, size = headers.wav_sizes(file)
    if size or start == length or _chunks_follow(file, start, length):
        return {}
    return {4: ALL, start - 4: ALL}


def _chunks_follow(file: BinaryIO, at: int, length: int) -> bool:
    """Return whether the bytes from ``at`` to the end of the file are chunks, and not samples."""
    while at < length:
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8 or not all(0x20 <= byte < 0x7F for byte in chunk[:4]):
            return False
        size = struct.unpack("<I", chunk[4:])[0]
        at += 8 + size + size % 2
    return at <= length + 1  # the last chunk may lack its padding


def _rf64(file: BinaryIO, length: int) -> dict[int, bytes]:
    """Repair the chunk 'ds64': the size of RIFF at byte 20, that of the samples at 28, their number at 36."""
    file.seek(12)
    head = file.read(24)
    if head[:4] != b"ds64":
        return {}
    size = struct.unpack("<Q", head[16:24])[0]
    _, start, _ = headers.wav_sizes(file)
    if not start or 0 < size < headers.LARGEST or start == length:
        return {}
    return {20: struct.pack("<QQQ", length - 8, length - start, 0)}


def _au(file: BinaryIO, length: int) -> dict[int, bytes]:
    file.seek(0)
    start, size = headers.au_sizes(file.read(24).ljust(24, b"\0"))
    unknown = headers.STREAMED <= size < 0xFFFFFFFF or not size
    return {8: ALL} if unknown and start < length else {}


def _caf(file: BinaryIO, length: int) -> dict[int, bytes]:
    for name, start, size in headers.caf_chunks(file):
        if name == b"data" and (size >= headers.LARGEST or not size):
            return {start - 8: struct.pack(">Q", length - start)}
    return {}
