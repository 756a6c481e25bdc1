"""What speech does over time, 10 ms by 10 ms, and each clip's statistics of it, as openSMILE has them."""

from __future__ import annotations

import kaldi_native_fbank as kaldi
import numpy as np
from scipy import stats

from reproduce.peers.mfcc import FULL_SCALE, cepstra, deltas

__all__ = ["FUNCTIONALS", "contours", "functionals"]

FUNCTIONALS = 12
FRAME, HOP = 0.025, 0.010  # s


def contours(samples: np.ndarray, rate: int) -> np.ndarray:
    """(frames, 16) float32: log-energy, zero crossings a sample, log-pitch, Kaldi's voicing feature (low
    where voiced), MFCC 1 to 12. The sixteen of the Interspeech 2009 challenge, with Kaldi's pitch (which
    goes on through unvoiced speech) and its voicing in place of the harmonics-to-noise ratio.
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
    """Voicing feature and log-pitch (frames, 2), by Kaldi (Ghahremani et al. 2014)."""
    options, post = kaldi.PitchExtractionOptions(), kaldi.ProcessPitchOptions()
    options.samp_freq, options.snip_edges = rate, False
    post.add_normalized_log_pitch = post.add_delta_pitch = False
    post.add_raw_log_pitch = True
    scaled = (samples * FULL_SCALE).astype(np.float32)
    return kaldi.compute_and_process_kaldi_pitch(options, post, scaled)


def functionals(contours: np.ndarray) -> np.ndarray:
    """Twelve statistics of each of the contours (frames, d), and of their deltas: (24 d,) float64.

    Statistic by statistic, all contours and then all deltas in each: mean, standard deviation, skewness,
    kurtosis, minimum, maximum, their places (0..1), range, and of the straight line through it the slope (a
    frame), the offset and the mean squared error.
    """
    values = deltas(contours, 1).astype(np.float64)
    frames = len(values)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(invalid="ignore"):
        shape = [stats.skew(values, axis=0), stats.kurtosis(values, axis=0)]
    place = max(1, frames - 1)
    time = np.arange(frames) - (frames - 1) / 2
    slope = time @ values / max(1e-12, time @ time)
    error = ((values - mean - time[:, None] * slope) ** 2).mean(axis=0)
    offset = mean + time[0] * slope
    found = [mean, deviation, *shape, low, high, values.argmin(axis=0) / place, values.argmax(axis=0) / place]
    return np.nan_to_num(np.concatenate([*found, high - low, slope, offset, error]))
