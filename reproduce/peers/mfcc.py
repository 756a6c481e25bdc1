"""Kaldi's MFCCs, as its speaker recognition recipes have them: deltas, sliding mean, energy VAD."""

from __future__ import annotations

import kaldi_native_fbank as kaldi
import numpy as np

from reproduce.peers.features import Kind

__all__ = ["MFCC", "PLAIN_MFCC", "all_frames", "cepstra", "deltas", "sliding_mean_normalised", "voiced"]

FULL_SCALE = 32768  # Kaldi's samples are 16-bit whole numbers
WINDOW = 300  # frames of the sliding mean
THRESHOLD, MEAN_SCALE = 5.5, 0.5  # of the VAD


def cepstra(samples: np.ndarray, rate: int, number: int = 20) -> np.ndarray:
    """MFCCs (frames, number) float32 of ``samples`` (n,) at ``rate`` Hz: 25 ms every 10 ms, the log-energy
    first, filters from 20 Hz to 300 Hz below half the rate, no dither.
    """
    options = kaldi.MfccOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False  # as many frames as there are 10 ms
    options.mel_opts.high_freq = -300
    options.num_ceps = number
    return all_frames(kaldi.OnlineMfcc(options), samples, rate)


def all_frames(computer, samples: np.ndarray, rate: int) -> np.ndarray:
    """Everything that a Kaldi feature computer gives for ``samples`` of full scale 1."""
    computer.accept_waveform(rate, (samples * FULL_SCALE).astype(np.float32))
    computer.input_finished()
    return np.stack([computer.get_frame(frame) for frame in range(computer.num_frames_ready)])


def deltas(features: np.ndarray, order: int = 2) -> np.ndarray:
    """``features`` (frames, d) with their deltas up to ``order``: (frames, (order + 1) d)."""
    options = kaldi.DeltaOptions()
    options.order, options.window = order, 2
    return kaldi.compute_deltas(options, features)


def sliding_mean_normalised(features: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """``features`` (frames, d) less their mean over ``window`` frames around each, which at either end of
    the clip stay within it (Kaldi's apply-cmvn-sliding --center=true).
    """
    frames = len(features)
    first = np.clip(np.arange(frames) - window // 2, 0, max(0, frames - window))
    last = np.minimum(first + window, frames)
    sums = np.concatenate([np.zeros((1, features.shape[1])), features.cumsum(axis=0, dtype=np.float64)])
    return features - (sums[last] - sums[first]) / (last - first)[:, None]


def voiced(log_energy: np.ndarray) -> np.ndarray:
    """Which frames (n,) bool are speech: log-energy above 5.5 plus half its mean (Kaldi's compute-vad)."""
    return log_energy > THRESHOLD + MEAN_SCALE * log_energy.mean(dtype=np.float64)


def _spoken(static: np.ndarray) -> np.ndarray | slice:
    """Which frames to take of a clip: those with speech, or all if none has any."""
    speech = voiced(static[:, 0])
    return speech if speech.any() else slice(None)


def _plain(samples: np.ndarray, rate: int) -> np.ndarray:
    """20 MFCCs of the frames with speech, (frames, 20)."""
    static = cepstra(samples, rate)
    return static[_spoken(static)]


def _normalised(samples: np.ndarray, rate: int) -> np.ndarray:
    """20 MFCCs with two deltas, mean normalised, of the frames with speech, (frames, 60)."""
    static = cepstra(samples, rate)
    return sliding_mean_normalised(deltas(static))[_spoken(static)]


PLAIN_MFCC = Kind("mfcc", _plain)
MFCC = Kind("mfcc-deltas-normalised", _normalised)
