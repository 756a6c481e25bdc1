"""From a voice to its file, the same for all stand-ins: microphone, level and noise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import ArrayLike
from scipy import signal


def equalised(speech: np.ndarray, bands: ArrayLike, gains: ArrayLike, rate: int) -> np.ndarray:
    """Filter speech.

    Args:
        speech: Samples (n,).
        bands: Frequencies in Hz, from 0 to rate / 2.
        gains: The gain in dB at each of the frequencies.
        rate: The sampling rate in Hz.

    Returns:
        Samples (n,).
    """
    response = signal.firwin2(129, bands, 10 ** (np.asarray(gains) / 20), fs=rate)
    return signal.oaconvolve(speech, response, mode="same")


def recorded(rng: np.random.Generator, speech: np.ndarray, rate: int) -> np.ndarray:
    """Bring ``speech`` (n,) to a random level (-30 to -16 dB), and add noise 18 to 36 dB below it.

    The result is scaled down where it would exceed 0.99.
    """
    speech = speech / np.sqrt(np.mean(speech**2))
    level, snr = rng.uniform(-30, -16), rng.uniform(18, 36)  # dB below full scale, dB
    clip = 10 ** (level / 20) * (speech + 10 ** (-snr / 20) * _noise(rng, len(speech), rate))
    return clip * min(1, 0.99 / np.abs(clip).max())


def write_wav(path: Path, clip: np.ndarray, rate: int) -> None:
    """Write ``clip`` (n,) at ``rate`` Hz as a mono PCM16 WAV file.

    Raises:
        OSError: The file cannot be written.
    """
    wav = io.BytesIO()  # libsndfile itself may not report a full disk
    soundfile.write(wav, clip, rate, "PCM_16", format="WAV")
    path.write_bytes(wav.getvalue())


def _noise(rng: np.random.Generator, length: int, rate: int) -> np.ndarray:
    """Draw noise of unit power whose power falls as 1/f^a, with a from 0 (white) to 2 (brown)."""
    frequency = np.maximum(np.fft.rfftfreq(length, 1 / rate), 50)
    white = np.fft.rfft(rng.standard_normal(length))
    noise = np.fft.irfft(white * frequency ** (-rng.uniform(0, 2) / 2), length)
    return noise / noise.std()
