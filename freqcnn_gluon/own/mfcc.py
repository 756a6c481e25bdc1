"""Statistics of a clip's mel-frequency cepstral coefficients (MFCCs), which the baseline recognises."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct, rfft
from scipy.signal.windows import hamming

from data_prep.sound.mel import filters

__all__ = ["cepstra", "statistics"]

FRAME, HOP = 0.025, 0.01  # s
FILTERS, COEFFICIENTS = 40, 20
FLOOR = float(np.finfo(np.float32).eps)  # least energy of a filter, as in Kaldi


def cepstra(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute MFCCs of frames of 25 ms every 10 ms: power, mel filters, logarithm, DCT.

    Args:
        samples: Mono samples (n,). Shorter clips than two frames are continued with zeros.
        rate: The sampling rate in Hz.

    Returns:
        The coefficients (frames, 20).
    """
    width, hop = round(FRAME * rate), round(HOP * rate)
    padded = np.pad(samples, (0, max(0, width + hop - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    points = 1 << (width - 1).bit_length()
    power = np.abs(rfft(frames * hamming(width), points, axis=1)) ** 2
    energies = np.maximum(power @ filters(points, rate, FILTERS).T, FLOOR)
    return dct(np.log(energies), norm="ortho", axis=1)[:, :COEFFICIENTS]


def statistics(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return mean and standard deviation over time of the MFCCs and of their slopes (80,).

    Args:
        samples: Mono samples (n,).
        rate: The sampling rate in Hz.
    """
    static = cepstra(np.asarray(samples, np.float64), rate)
    slopes = np.gradient(static, axis=0)
    return np.concatenate([values for track in (static, slopes) for values in (track.mean(0), track.std(0))])
