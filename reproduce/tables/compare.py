"""The systems of Tables 3, 8 and 11 on anybody's recordings: a table that the paper does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_prep.base.faults import Faults
from reproduce.options import COMPARE, FREQCNN, OWN, SYSTEMS, Comparison
from reproduce.tables.table import ALL, Cell, Sizes, System, Table

__all__ = ["comparison", "system"]

SIZES = Sizes(Comparison.size, Comparison.batch_size, Comparison.LEAST_EPOCHS)
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


def system(name: str, architecture: str) -> System:
    """Return the system with a name in ``options.SYSTEMS``.

    Args:
        name: The name.
        architecture: FreqCNN's name in ``network.architectures``.

    Raises:
        Faults: There is no such system; the message lists all.
    """
    if name not in SYSTEMS:
        raise Faults(f"there is no system '{name}': choose among {', '.join(SYSTEMS)}")
    row, of_others = SYSTEMS[name]
    return System(COMPARE, row, architecture if name == FREQCNN else of_others)


def comparison(
    systems: Sequence[System],
    folds: Sequence[str],
    data: Mapping[str, object],
    architecture: str = Comparison.architecture,
    sizes: Sizes = SIZES,
) -> Table:
    """Return the table that compares some systems on the clips of all folds.

    Args:
        systems: The systems, one or more. The others are tested against the first.
        folds: The names of the folds.
        data: How the clips are divided: ``hold_out`` and ``folds``, see ``data_prep.corpora.own_folds``.
        architecture: FreqCNN's name in ``network.architectures``.
        sizes: Size, batch size and epochs of the networks. What is shown of finished runs does not depend on
            these two.
    """
    return Table(
        number=COMPARE,
        title=f"Systems on the same recordings, {UNITS.get(str(data['hold_out']))}",
        corpus=OWN,
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
