"""MFCCs as in Kaldi's speaker recognition recipes: deltas, sliding mean normalisation, energy VAD."""

from __future__ import annotations

import kaldi_native_fbank as kaldi
import numpy as np

from reproduce.peers.features import Kind

__all__ = ["MFCC", "PLAIN_MFCC", "all_frames", "cepstra", "deltas", "sliding_mean_normalised", "voiced"]

FULL_SCALE = 32768  # Kaldi's samples are 16-bit integers.
WINDOW = 300  # frames of the sliding mean
THRESHOLD, MEAN_SCALE = 5.5, 0.5  # of the VAD


def cepstra(samples: np.ndarray, rate: int, number: int = 20) -> np.ndarray:
    """Compute MFCCs of frames of 25 ms every 10 ms. The first coefficient is the log-energy.

    The mel filters reach from 20 Hz to 300 Hz below half the rate. There is no dither.

    Args:
        samples: (n,) mono samples, full scale 1.
        rate: Sample rate in Hz.
        number: Number of coefficients.

    Returns:
        (frames, number) float32.
    """
    options = kaldi.MfccOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False  # One frame for every 10 ms, including at the edges.
    options.mel_opts.high_freq = -300
    options.num_ceps = number
    return all_frames(kaldi.OnlineMfcc(options), samples, rate)


def all_frames(computer: kaldi.OnlineMfcc | kaldi.OnlineFbank, samples: np.ndarray, rate: int) -> np.ndarray:
    """Return all frames (frames, d) that a Kaldi feature computer makes of ``samples`` (full scale 1)."""
    computer.accept_waveform(rate, (samples * FULL_SCALE).astype(np.float32))
    computer.input_finished()
    return np.stack([computer.get_frame(frame) for frame in range(computer.num_frames_ready)])


def deltas(features: np.ndarray, order: int = 2) -> np.ndarray:
    """Append to ``features`` (frames, d) their deltas up to ``order``: (frames, (order + 1) d)."""
    options = kaldi.DeltaOptions()
    options.order, options.window = order, 2
    return kaldi.compute_deltas(options, features)


def sliding_mean_normalised(features: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """Subtract from ``features`` (frames, d) their mean over ``window`` frames around each frame.

    At both ends of the clip the window is moved, not shortened (Kaldi's apply-cmvn-sliding --center=true).
    """
    frames = len(features)
    first = np.clip(np.arange(frames) - window // 2, 0, max(0, frames - window))
    last = np.minimum(first + window, frames)
    sums = np.concatenate([np.zeros((1, features.shape[1])), features.cumsum(axis=0, dtype=np.float64)])
    return features - (sums[last] - sums[first]) / (last - first)[:, None]


def voiced(log_energy: np.ndarray) -> np.ndarray:
    """Detect speech: a mask (n,) of frames with a log-energy above 5.5 plus half its mean (compute-vad)."""
    return log_energy > THRESHOLD + MEAN_SCALE * log_energy.mean(dtype=np.float64)


def _speech_frames(static: np.ndarray) -> np.ndarray | slice:
    """Select the frames with speech, or all frames if none has speech."""
    speech = voiced(static[:, 0])
    return speech if speech.any() else slice(None)


def _plain(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return 20 MFCCs of the frames with speech, (frames, 20)."""
    static = cepstra(samples, rate)
    return static[_speech_frames(static)]


def _normalised(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return 20 MFCCs and two deltas of the frames with speech, mean normalised, (frames, 60)."""
    static = cepstra(samples, rate)
    return sliding_mean_normalised(deltas(static))[_speech_frames(static)]


PLAIN_MFCC = Kind("mfcc", _plain)
MFCC = Kind("mfcc-deltas-normalised", _normalised)
