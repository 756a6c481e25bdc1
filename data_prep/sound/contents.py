"""Hash sound files, to recognise the same file and the same sound in another file."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile

from data_prep.base.faults import Faults
from data_prep.base.files import checksum
from data_prep.base.processes import pool
from data_prep.sound import counting, reader

BLOCK = 2**18  # values decoded at a time


class Content(NamedTuple):
    """The hashes of a file.

    Attributes:
        file: The SHA-256 (hex) of the file, None if it cannot be read.
        sound: The SHA-256 (hex) of its decoded samples, None if it cannot be decoded. Copies in other
            lossless formats have the same hash.
    """

    file: str | None
    sound: str | None


def contents(paths: Sequence[Path], jobs: int | None = None) -> list[Content]:
    """Return the hashes of each file. ``jobs`` is the number of processes; None for one per processor."""
    distinct = list(dict.fromkeys(paths))
    with pool(jobs, len(distinct)) as stream:
        by_path = dict(zip(distinct, stream(_content, distinct)))
    return [by_path[path] for path in paths]


def _content(path: Path) -> Content:
    try:
        file = checksum(path)
    except OSError:
        return Content(None, None)
    try:
        return Content(file, _sound(path))
    except Faults:
        return Content(file, None)


def _sound(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's rate, its number of channels and all its decoded samples.

    A lossless copy has the same hash in any container and any sample format.

    Raises:
        Faults: The file cannot be read.
    """
    with reader.opened(path) as file:
        digest = hashlib.sha256(struct.pack("<II", file.samplerate, file.channels))
        try:
            while len(block := file.read(BLOCK // file.channels, always_2d=True)):
                digest.update((block + 0.0).astype("<f8").tobytes())  # -0.0 and 0.0 are the same sample
        except soundfile.LibsndfileError:
            raise counting.damaged(path) from None
        return digest.hexdigest()
