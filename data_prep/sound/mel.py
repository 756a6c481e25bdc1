"""Triangular filters on the mel scale."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["LOWEST", "band_edges", "filters"]

LOWEST = 20.0  # Hz


@functools.cache
def filters(points: int, rate: int, count: int) -> np.ndarray:
    """Compute triangular filters from LOWEST to half the rate, evenly spaced in mel, as in Kaldi.

    Args:
        points: The length of the DFT.
        rate: The sampling rate in Hz.
        count: The number of filters.

    Returns:
        The weights (count, points / 2 + 1) of the bins of the power spectrum, 0 to 1.
    """
    mel = _mel(np.arange(points // 2 + 1) * rate / points)
    edges = np.linspace(_mel(LOWEST), _mel(rate / 2), count + 2)
    left, centre, right = (edges[shift : count + shift, None] for shift in range(3))
    return np.maximum(0, np.minimum((mel - left) / (centre - left), (right - mel) / (right - centre)))


def band_edges(rate: int, count: int) -> np.ndarray:
    """Return the frequencies in Hz where neighbouring filters are equal, and the ends (count + 1,)."""
    low, high = _mel(LOWEST), _mel(rate / 2)
    between = np.linspace(low, high, 2 * count + 3)[3:-3:2]  # halfway between two centres
    return 700 * np.expm1(np.array([low, *between, high]) / 1127)


def _mel(hertz: np.ndarray | float) -> np.ndarray | float:
    """Return frequencies in Hz on Kaldi's mel scale."""
    return 1127 * np.log1p(np.asarray(hertz) / 700)
