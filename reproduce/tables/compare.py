"""The systems of Tables 3, 8 and 11 on anybody's recordings: a table that the paper does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_prep.base.faults import Faults
from reproduce.options import COMPARE
from reproduce.tables.table import ALL, Cell, Sizes, System, Table

__all__ = ["ARCHITECTURE", "NAMES", "SIZES", "STEPS", "comparison", "system"]

ARCHITECTURE = "table7"  # as for ``freqcnn fit``
SIZES = Sizes(size=64, batch_size=16, epochs=7)
STEPS = 400  # fewest training steps of a network, unless the number of epochs is given
FREQCNN = "freqcnn"
_SYSTEMS = {
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
NAMES = (FREQCNN, *_SYSTEMS)
"""The names of the systems on the command line, in the order of the rows."""
NOTE = (
    "Every score is over the test clips of all folds. Training accuracy (of the last epoch) and seconds "
    "(without those for images and features) are means over the runs. Systems without epochs have no "
    "training accuracy. The tests compare each system with {} on the same clips."
)
UNITS = {
    "speaker": "whole speakers held out",
    "text": "whole texts held out",
    "clip": "clips held out",
    "fold": "the folds that the data states",
}


def system(name: str, architecture: str = ARCHITECTURE) -> System:
    """Return the system with one of the NAMES.

    Args:
        name: The name.
        architecture: FreqCNN's name in ``network.architectures``.

    Raises:
        Faults: There is no such system; the message lists all.
    """
    if name == FREQCNN:
        return System(COMPARE, "FreqCNN", architecture)
    if name not in _SYSTEMS:
        raise Faults(f"there is no system '{name}': choose among {', '.join(NAMES)}")
    return System(COMPARE, *_SYSTEMS[name])


def comparison(
    systems: Sequence[System],
    folds: Sequence[str],
    data: Mapping[str, object],
    architecture: str = ARCHITECTURE,
    sizes: Sizes = SIZES,
) -> Table:
    """Return the table that compares some systems on the clips of all folds.

    Args:
        systems: The systems, one or more. The others are tested against the first.
        folds: The names of the folds.
        data: How the clips are divided: ``hold_out`` and ``folds``, see ``data_prep.corpora.own_folds``.
        architecture: FreqCNN's name in ``network.architectures``.
        sizes: Size, batch size and epochs of the networks.
    """
    return Table(
        number=COMPARE,
        title=f"Systems on the same recordings, {UNITS.get(str(data['hold_out']))}",
        corpus="own",
        architecture=architecture,
        folds=tuple(folds),
        heads=("System",),
        cells=tuple(
            Cell((system.name,), measure, system, ALL, measure, None, printed=False)
            for system in systems
            for measure in ("UAR", "ACC")
        ),
        quick=sizes,
        claim=systems[0],
        notes=(NOTE.format(systems[0].name),),
        data=data,
    )
