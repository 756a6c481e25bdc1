"""Join a corpus's clips into long recordings, to try how `fit` learns from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from curves.clips import held_out

from data_prep.sound import audio

RATE = 16000


def join(root: Path, out: Path, unused: str) -> Path:
    """Write a recording for each speaker and label, which has all clips of both, one after the other.

    Args:
        root: The corpus's folder, with a manifest.csv.
        out: The folder for the recordings and their manifest.csv.
        unused: The clips to leave out, as column=value,value.

    Returns:
        ``out``.
    """
    if not (out / "manifest.csv").exists():
        frame = pd.read_csv(root / "manifest.csv", dtype=str, keep_default_na=False)
        out.mkdir(parents=True, exist_ok=True)
        lines = []
        for (speaker, label), clips in frame[~held_out(frame, unused)].groupby(["speaker", "label"]):
            path = f"{speaker}-{label}.wav"
            sound = np.concatenate([audio.read(root / clip, RATE) for clip in clips["path"]])
            soundfile.write(out / path, sound, RATE)
            lines.append({"path": path, "label": label, "speaker": speaker})
        pd.DataFrame(lines).to_csv(out / "manifest.csv", index=False)
    return out
