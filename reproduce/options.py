"""The options of a command that runs tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

__all__ = [
    "COMPARABLE",
    "COMPARE",
    "FREQCNN",
    "OWN",
    "PROFILES",
    "STEPS",
    "SYSTEMS",
    "VARIANTS",
    "Comparison",
    "Options",
]

PROFILES = ("paper", "quick")
OWN = "own"
"""The name of anybody's labelled recordings among the corpora, and the profile of their comparison."""
COMPARE = 0
"""The number that stands for the table of ``compare``, which the paper does not have."""
STEPS = 400
"""Fewest training steps of a network in ``compare``, unless the number of epochs is given."""
FREQCNN = "freqcnn"
VARIANTS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "freqcnn-plain": ("FreqCNN-plain", {"attention_blocks": 0}),
    # Attention weighs the local parts, so a network without them has none. Its counterpart is the plain one.
    "freqcnn-global": ("FreqCNN-global", {"attention_blocks": 0, "segments": 0}),
    "freqcnn-time": ("FreqCNN-time", {"axis": "time"}),
}
"""FreqCNN with one part left out or changed, for the paper's claims about its parts.

Name on the command line -> row of the table and keyword arguments of FreqCNN.
"""
SYSTEMS = {
    FREQCNN: ("FreqCNN", ""),  # its architecture is an option
    "fnn": ("FNN", "fnn"),
    "cnn": ("CNN", "cnn"),
    "alexnet": ("AlexNet", "alexnet"),
    "vgg11": ("VGG-11", "vgg11"),
    "resnet18": ("ResNet-18", "resnet18"),
    "resnet34": ("ResNet-34", "resnet34"),
    "resnet50": ("ResNet-50", "resnet50"),
    "ivector": ("i-Vector", "ivector"),
    "gmm": ("VQ-GMM", "gmm"),
    "svm": ("SVM", "functionals_svm"),
    "rbf": ("RBF", "bdpca_rbf"),
    "dnn": ("DNN", "spectrogram_dnn"),
    "dbn": ("CNN-DBN", "mel_dbn"),
}
"""The paper's systems in ``compare``: name on the command line -> row of the table and name of the system."""
COMPARABLE = (FREQCNN, *VARIANTS, *(name for name in SYSTEMS if name != FREQCNN))
"""The names that ``compare`` takes, in the order of its rows. It runs SYSTEMS unless some are named."""


@dataclass(frozen=True)
class Options:
    """The options that all tables share; ``runs.resolve`` resolves them for one table.

    Attributes:
        roots: Name of a corpus -> its folder; None uses its stand-in.
        profile: 'paper', 'quick' or OWN; None chooses 'paper' with a corpus folder and 'quick' without.
        seeds: Number of trainings of each system, with the seeds 0, 1, ...
        device: As ``devices.choose`` takes it: 'auto', 'cpu', 'gpu', 'gpu:0,1', ...
        dtype: The number format of the networks' arithmetic, see ``runtime.mixed_precision``.
        jobs: Parallel processes. None prepares audio with one process per core, and executes as many runs
            at a time as ``runs.sharing.at_once`` returns.
        scheduler: Address of a Dask cluster that executes the runs; None executes them on this machine.
        check_counts: Whether other counts than the paper's are an error.
        assume: Choices among the assumptions, each as 'id=value'.
        data: The folder for prepared data.
        results: The folder for reports and tables.
    """

    roots: Mapping[str, Path | None]
    profile: str | None = None
    seeds: int = 1
    device: str = "auto"
    dtype: str = "float32"
    jobs: int | None = None
    scheduler: str | None = None
    check_counts: bool = True
    assume: Sequence[str] = ()
    data: Path = Path("data")
    results: Path = Path("results")


@dataclass(frozen=True)
class Comparison:
    """The options of ``compare`` alone.

    Attributes:
        systems: Names from COMPARABLE, in any order.
        hold_out: A member of ``own_folds.HOLD_OUT``; None chooses by what the clips name.
        folds: The number of folds, unless the clips state them.
        architecture: The architecture of FreqCNN and its variants.
        size: Side of the networks' spectrograms in pixels.
        batch_size: Clips for each training step of the networks.
        epochs: Epochs of the networks; None takes LEAST_EPOCHS, or more if STEPS steps need more.
    """

    LEAST_EPOCHS: ClassVar[int] = 7

    systems: Sequence[str] = tuple(SYSTEMS)
    hold_out: str | None = None
    folds: int = 5
    architecture: str = "table7"  # as for ``freqcnn fit``
    size: int = 64
    batch_size: int = 16
    epochs: int | None = None
