"""Labelled recordings so plain that a small network tells them apart in seconds."""

import numpy as np
import soundfile

from freqcnn_gluon.__main__ import main

PITCHES = {"high": 4000, "low": 300, "middle": 1500}


def tone(pitch, seconds, random, rate=16000):
    """A tone at about ``pitch`` Hz in noise, (samples,)."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * pitch * random.uniform(0.9, 1.1) * time + random.uniform(0, 6))
    return 0.3 * wave + 0.03 * random.standard_normal(len(time))


def write(root, each=8, seconds=0.4, seed=0, suffix=".wav"):
    """A folder for each label of PITCHES with ``each`` recordings."""
    random = np.random.default_rng(seed)
    for label, pitch in PITCHES.items():
        (root / label).mkdir(parents=True)
        for number in range(each):
            soundfile.write(root / label / f"{number}{suffix}", tone(pitch, seconds, random), 16000)
    return root


def run_command(capsys, *words):
    """Run a command; return its output and its exit code."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    return capsys.readouterr(), code
