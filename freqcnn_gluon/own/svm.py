"""The baseline: a support vector machine on statistics of MFCCs. Neither training nor prediction needs MXNet.

Its folder has the same files as a network's: model.json describes it, and model.safetensors holds the support
vectors, so that nothing in the folder is run as code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.special import softmax

from data_prep.base.faults import Faults
from data_prep.base.files import checksum, whole
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.manifest import Clip
from data_prep.sound import audio
from freqcnn_gluon.own.about import ABOUT, SVM, WEIGHTS, About
from freqcnn_gluon.own.mfcc import statistics

__all__ = ["Svm", "train_svm"]

LARGEST = 2**28  # most bytes of the support vectors


class Svm:
    """A trained support vector machine, used like ``model.Model``.

    Attributes:
        about: The description. Its ``architecture`` is 'svm'.
        arrays: ``mean`` and ``scale`` (d,) standardise the statistics; ``support`` (m, d) are the support
            vectors, class after class, ``counts`` (classes,) of each class; ``dual`` (classes - 1, m),
            ``intercept`` (pairs,) and ``gamma`` (1,) are scikit-learn's.
        takes: What ``probabilities`` takes, always 'waveform'.
    """

    takes = "waveform"

    def __init__(self, about: About, arrays: Mapping[str, np.ndarray]):
        self.about, self.arrays = about, arrays

    @classmethod
    def load(cls, folder: Path | str) -> Svm:
        """Load the folder that ``save`` wrote. It need not be trusted.

        Raises:
            Faults: The folder is missing or damaged.
        """
        about, path = About.of_folder(folder), Path(folder) / WEIGHTS
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"it has {path.stat().st_size} bytes, more than such a file ever has")
            if checksum(path) != about.weights:
                raise ValueError("its checksum is not the one in model.json")
            arrays = load(path.read_bytes())
            _check(arrays, len(about.labels))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise Faults(f"{path}: the model is damaged ({error}); copy it again") from None
        return cls(about, arrays)

    def save(self, folder: Path | str) -> None:
        """Write the support vectors, then model.json, which makes the folder loadable."""
        folder = Path(folder)
        with whole(folder / WEIGHTS) as path:
            path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in self.arrays.items()}))
        about = replace(self.about, weights=checksum(folder / WEIGHTS))
        with whole(folder / ABOUT) as path:
            path.write_text(about.text(), encoding="utf-8")

    def probabilities(self, inputs: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Compute scores (n, classes) of n waveforms (samples,). They add up to 1, but are not calibrated."""
        rate = self.about.images.rate
        return softmax(self.decisions(np.stack([statistics(samples, rate) for samples in inputs])), axis=1)

    def decisions(self, values: np.ndarray) -> np.ndarray:
        """Compute the decision values (n, classes) of statistics (n, d), as scikit-learn's ``SVC`` does.

        A class's value is the number of pairwise decisions that it wins, and below 1/3 of their sum. For two
        classes, it is 0 and the one decision.
        """
        pairs = self._pairs((values - self.arrays["mean"]) / self.arrays["scale"])
        classes = len(self.about.labels)
        if classes == 2:
            return np.column_stack([np.zeros(len(values)), pairs])
        votes, sums = np.zeros((2, len(values), classes))
        for pair, (i, j) in zip(pairs.T, combinations(range(classes), 2)):
            votes[:, i] += pair >= 0
            votes[:, j] += pair < 0
            sums[:, i] += pair
            sums[:, j] -= pair
        return votes + sums / (3 * (np.abs(sums) + 1))

    def _pairs(self, standardised: np.ndarray) -> np.ndarray:
        """Return the decision (n, pairs) between each pair of classes.

        It is positive for the first class of a pair, but for the second one if there are only two classes.
        """
        support, dual, counts = (self.arrays[name] for name in ("support", "dual", "counts"))
        squares = (
            (standardised**2).sum(axis=1)[:, None] + (support**2).sum(axis=1) - 2 * standardised @ support.T
        )
        kernel = np.exp(-self.arrays["gamma"] * np.maximum(squares, 0))
        ends = np.cumsum(counts)
        spans = [slice(end - count, end) for end, count in zip(ends, counts)]
        sums = [
            kernel[:, spans[i]] @ dual[j - 1, spans[i]] + kernel[:, spans[j]] @ dual[i, spans[j]]
            for i, j in combinations(range(len(counts)), 2)
        ]
        return np.column_stack(sums) + self.arrays["intercept"]


def train_svm(about: About, clips: Sequence[Clip], numbers: np.ndarray, jobs: int | None = None) -> Svm:
    """Train a support vector machine with scikit-learn's default kernel and penalty.

    Args:
        about: The description; its architecture is replaced.
        clips: The training clips (n,).
        numbers: Their class numbers (n,). Each class has a clip.
        jobs: The number of processes that read audio, None for one per core.

    Raises:
        Faults: A clip cannot be read.
    """
    from sklearn.preprocessing import StandardScaler  # imported here because predictions do not need it
    from sklearn.svm import SVC

    with pool(jobs, len(clips)) as stream:
        items = stream(partial(_statistics, about.images.rate), clips)
        values = np.stack(list(Bar(items, "baseline", len(clips), unit="clip")))
    scaler = StandardScaler().fit(values)
    machine = SVC(class_weight="balanced").fit(scaler.transform(values), numbers)
    arrays = {
        "mean": scaler.mean_,
        "scale": scaler.scale_,
        "support": machine.support_vectors_,
        "counts": machine.n_support_.astype(np.int64),
        "dual": machine.dual_coef_,
        "intercept": machine.intercept_,
        "gamma": np.array([machine._gamma]),  # 1 / (d * variance); there is no public name
    }
    return Svm(replace(about, architecture=SVM), arrays)


def _statistics(rate: int, clip: Clip) -> np.ndarray:
    """Return the statistics (d,) of a clip; a process of the pool runs it."""
    path, start, stop = clip
    return statistics(audio.read(path, rate, start, stop), rate)


def _check(arrays: Mapping[str, np.ndarray], classes: int) -> None:
    """Raise ValueError or KeyError for arrays that are not those of an SVM for ``classes`` classes."""
    width, count, pairs = len(arrays["mean"]), len(arrays["support"]), classes * (classes - 1) // 2
    shapes = {
        "mean": (width,),
        "scale": (width,),
        "support": (count, width),
        "counts": (classes,),
        "dual": (classes - 1, count),
        "intercept": (pairs,),
        "gamma": (1,),
    }
    if {name: array.shape for name, array in arrays.items()} != shapes or arrays["counts"].sum() != count:
        raise ValueError("its support vectors do not match its description")
