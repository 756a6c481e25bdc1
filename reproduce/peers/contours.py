"""Contours of prosody and cepstrum every 10 ms, and their statistics over a clip, as in openSMILE."""

from __future__ import annotations

import kaldi_native_fbank as kaldi
import numpy as np
from scipy import stats

from reproduce.peers.mfcc import FULL_SCALE, cepstra, deltas

__all__ = ["contours", "functionals"]

FRAME, HOP = 0.025, 0.010  # s


def contours(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the sixteen contours of the Interspeech 2009 emotion challenge.

    Two of them are Kaldi's: its pitch, which continues through unvoiced speech, and its voicing feature
    in place of the harmonics-to-noise ratio.

    Args:
        samples: (n,) mono samples, full scale 1.
        rate: Sample rate in Hz.

    Returns:
        (frames, 16) float32: log-energy, zero crossings per sample, log-pitch, voicing feature (low where
        the speech is voiced), MFCC 1 to 12.
    """
    static = cepstra(samples, rate, 13)
    pitch = _pitch(samples, rate)
    length, hop = round(FRAME * rate), round(HOP * rate)
    crossed = np.concatenate([[0], np.abs(np.diff(np.signbit(samples).astype(float))).cumsum()])
    first = np.minimum(np.arange(len(static)) * hop, len(samples) - 1)
    last = np.minimum(first + length, len(samples) - 1)
    crossings = (crossed[last] - crossed[first]) / length
    count = min(len(static), len(pitch))
    return np.column_stack(
        [static[:count, 0], crossings[:count], pitch[:count, 1], pitch[:count, 0], static[:count, 1:]]
    ).astype(np.float32)


def _pitch(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return Kaldi's voicing feature and log-pitch (frames, 2) (Ghahremani et al. 2014)."""
    options, post = kaldi.PitchExtractionOptions(), kaldi.ProcessPitchOptions()
    options.samp_freq, options.snip_edges = rate, False
    post.add_normalized_log_pitch = post.add_delta_pitch = False
    post.add_raw_log_pitch = True
    scaled = (samples * FULL_SCALE).astype(np.float32)
    return kaldi.compute_and_process_kaldi_pitch(options, post, scaled)


def functionals(contours: np.ndarray) -> np.ndarray:
    """Compute twelve statistics of the contours (frames, d) and of their deltas.

    Returns:
        (24 d,) float64, ordered by statistic; within a statistic, all contours, then all deltas. The
        statistics are: mean, standard deviation, skewness, kurtosis, minimum, maximum, position of the
        minimum (0..1), position of the maximum (0..1), range, and of the regression line its slope (per
        frame), offset and mean squared error.
    """
    values = deltas(contours, 1).astype(np.float64)
    frames = len(values)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(invalid="ignore"):
        shape = [stats.skew(values, axis=0), stats.kurtosis(values, axis=0)]
    last = max(1, frames - 1)
    positions = [values.argmin(axis=0) / last, values.argmax(axis=0) / last]
    time = np.arange(frames) - (frames - 1) / 2
    slope = time @ values / max(1e-12, float(time @ time))
    error = ((values - mean - time[:, None] * slope) ** 2).mean(axis=0)
    offset = mean + time[0] * slope
    statistics = [mean, deviation, *shape, low, high, *positions, high - low, slope, offset, error]
    return np.nan_to_num(np.concatenate(statistics))
