"""A corpus in UT-Podcast's layout that a network tells apart in seconds."""

from pathlib import Path

import numpy as np
import soundfile


def write_tones(root: Path) -> Path:
    """Half a second of noise over a tone whose pitch is the accent."""
    random, time = np.random.default_rng(0), np.arange(4000) / 8000
    for partition, first in (("train", 1), ("test", 50)):
        for label, pitch in (("AU", 500), ("UK", 1200), ("US", 2500)):
            folder = root / "audio" / partition / label
            folder.mkdir(parents=True)
            for speaker in range(first, first + 6):
                tone = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.05 * random.standard_normal(4000)
                soundfile.write(folder / f"{label}-{speaker}__1.wav", tone, 8000)
    return root
