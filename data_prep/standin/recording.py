"""What lies between a voice and its file, alike in all stand-ins: microphone, level and noise."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal


def equalised(speech: np.ndarray, bands: Sequence[float], gains: Sequence[float], rate: int) -> np.ndarray:
    """``speech`` (n,) at ``rate`` Hz with ``gains`` in dB at the frequencies ``bands``, 0 to rate / 2 Hz."""
    response = signal.firwin2(129, bands, 10 ** (np.asarray(gains) / 20), fs=rate)
    return signal.oaconvolve(speech, response, mode="same")


def recorded(rng: np.random.Generator, speech: np.ndarray, rate: int) -> np.ndarray:
    """``speech`` (n,) at a random level (-30 to -16 dB) over noise 18 to 36 dB below it; at most 0.99."""
    speech = speech / np.sqrt(np.mean(speech**2))
    level, snr = rng.uniform(-30, -16), rng.uniform(18, 36)  # dB below full scale, dB
    clip = 10 ** (level / 20) * (speech + 10 ** (-snr / 20) * _noise(rng, len(speech), rate))
    return clip * min(1, 0.99 / np.abs(clip).max())


def write_wav(path: Path, clip: np.ndarray, rate: int) -> None:
    """``clip`` (n,) at ``rate`` Hz as a mono PCM16 WAV file; OSError if it cannot be written."""
    wav = io.BytesIO()  # libsndfile itself tells of a full disk in its own words, if at all
    soundfile.write(wav, clip, rate, "PCM_16", format="WAV")
    path.write_bytes(wav.getvalue())


def _noise(rng: np.random.Generator, length: int, rate: int) -> np.ndarray:
    """Noise of unit power whose power falls as 1/f^a, with a drawn from 0 (white) to 2 (brown)."""
    frequency = np.maximum(np.fft.rfftfreq(length, 1 / rate), 50)
    white = np.fft.rfft(rng.standard_normal(length))
    noise = np.fft.irfft(white * frequency ** (-rng.uniform(0, 2) / 2), length)
    return noise / noise.std()
