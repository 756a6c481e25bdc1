"""Count the samples in a file by decoding them, because a header may state too many, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from data_prep.base.faults import Faults

BLOCK = 2**18  # values decoded at a time


class Unseekable(soundfile.SoundFile):
    """A file that is only read from start to end. In seekable files, soundfile seeks after each block."""

    def seekable(self) -> bool:
        return False


def count(path: Path, file: soundfile.SoundFile) -> int:
    """Decode ``file`` from its present position, and return the number of samples per channel.

    Raises:
        Faults: The file is damaged. The message names ``path``.
    """
    buffer, samples = np.empty((max(1, BLOCK // file.channels), file.channels), np.float32), 0
    try:
        while len(block := file.read(out=buffer)):
            samples += len(block)
    except soundfile.LibsndfileError:
        raise damaged(path) from None
    return samples


def damaged(path: Path) -> Faults:
    """Describe a file in which decoding fails."""
    return Faults(f"{path}: breaks off or is damaged; copy it again")


def breaks_off(path: Path, missing: int) -> Faults:
    """Describe a file that lacks ``missing`` samples at its end."""
    return Faults(f"{path}: breaks off {missing} samples early; copy it again")
