"""Speaker verification for Table 8: enrolment, trials and Kaldi's equal error rate."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["enrolment", "equal_error_rate"]


def enrolment(labels: np.ndarray, per_speaker: int, seed: int) -> np.ndarray:
    """Draw the clips that enrol their speakers. All other clips are trials against every speaker.

    This follows Kaldi's aishell recipe. A speaker with ``per_speaker`` clips or fewer is not enrolled; all
    clips of that speaker are trials against the other speakers.

    Args:
        labels: Speaker (n,) of each clip.
        per_speaker: Number of clips that enrol a speaker.
        seed: Seed of the draw.

    Returns:
        Mask (n,) of the enrolling clips, bool.
    """
    chosen, random = np.zeros(len(labels), bool), np.random.default_rng(seed)
    for speaker in np.unique(labels):
        (clips,) = np.nonzero(labels == speaker)
        if len(clips) > per_speaker:
            chosen[random.choice(clips, per_speaker, replace=False)] = True
    return chosen


def equal_error_rate(target: np.ndarray, nontarget: np.ndarray) -> tuple[float, float]:
    """Return the equal error rate (0..1) and its threshold, as Kaldi's compute-eer does.

    The threshold is the first sorted target score i that exceeds the (1 - i/n) quantile of the non-target
    scores. It rejects i/n of the targets and accepts about the same share of the non-targets.

    Args:
        target: Scores (n,) of trials of the same speaker.
        nontarget: Scores (m,) of trials of different speakers.
    """
    target, nontarget = np.sort(target), np.sort(nontarget)
    n, m = len(target), len(nontarget)
    for i in range(n):
        if nontarget[max(0, m - 1 - math.floor(m * i / n))] < target[i]:
            break
    return i / n, float(target[i])
