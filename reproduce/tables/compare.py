"""The systems of Tables 3, 8 and 11 on anybody's recordings: a table that the paper does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data_prep.base.faults import Faults
from reproduce.options import COMPARABLE, COMPARE, FREQCNN, OWN, SYSTEMS, VARIANTS, Comparison
from reproduce.tables import TRAINED, trained
from reproduce.tables.table import ALL, Cell, Sizes, System, Table

__all__ = ["PairClaim", "claims", "comparison", "system"]

SIZES = Sizes(Comparison.size, Comparison.batch_size, Comparison.LEAST_EPOCHS)
NOTE = (
    "Every score is over the test clips of all folds. Training accuracy (of the last epoch) and seconds "
    "(without those for images and features) are means over the runs. Systems without epochs have no "
    "training accuracy. The tests compare each system with {} on the same clips."
)


class PairClaim(NamedTuple):
    """A claim of the paper about two systems of the comparison: the first one has the higher UAR.

    Attributes:
        words: The claim in a sentence.
        tables: The numbers of the paper's tables that show it.
        first, second: Names of rows.
    """

    words: str
    tables: tuple[int, ...]
    first: str
    second: str


_FREQCNN = SYSTEMS[FREQCNN][0]
_PLAIN, _GLOBAL, _TIME = (VARIANTS[f"{FREQCNN}-{part}"][0] for part in ("plain", "global", "time"))
PARTS = (
    PairClaim(f"Local paths along frequency help: {_PLAIN} above {_GLOBAL}.", (4,), _PLAIN, _GLOBAL),
    PairClaim(f"Frequency is better than time: {_FREQCNN} above {_TIME}.", (5,), _FREQCNN, _TIME),
    PairClaim(f"Attention helps: {_FREQCNN} above {_PLAIN}.", (5,), _FREQCNN, _PLAIN),
)
UNITS = {
    "speaker": "whole speakers held out",
    "text": "whole texts held out",
    "clip": "clips held out",
    "fold": "the folds that the data states",
}


def system(name: str, architecture: str) -> System:
    """Return the system with a name in ``options.COMPARABLE``.

    Args:
        name: The name.
        architecture: FreqCNN's name in ``network.architectures``.

    Raises:
        Faults: There is no such system; the message lists all.
    """
    if name not in COMPARABLE:
        raise Faults(f"there is no system '{name}': choose among {', '.join(COMPARABLE)}")
    if name in VARIANTS:
        row, options = VARIANTS[name]
        return System(COMPARE, row, architecture, options)
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


def claims(table: Table) -> list[PairClaim]:
    """List the paper's claims about two systems that are both in a comparison.

    They are PARTS, and that FreqCNN is above each other system of the paper's tables.
    """
    rows, listed = {system.name for system in table.systems()}, list(PARTS)
    shown = {number: {system.system for system in trained(number).systems()} for number in TRAINED}
    for row, name in SYSTEMS.values():
        tables = tuple(number for number in TRAINED if name in shown[number])
        if row != _FREQCNN:
            listed.append(PairClaim(f"{_FREQCNN} is above {row}.", tables, _FREQCNN, row))
    return [claim for claim in listed if {claim.first, claim.second} <= rows]
