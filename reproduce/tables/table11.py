"""Table 11: FreqCNN and other proposals on the eNTERFACE, over ten folds of speakers."""

from __future__ import annotations

from ..paper import published
from .table import ALL, Cell, Profile, System, Table

FOLDS = tuple(str(number) for number in range(1, 11))
# Ten networks of Table 10's width have a quarter of an hour on two cores.
QUICK = Profile(size=32, batch_size=8, epochs=3)

FREQCNN = System(11, "FreqCNN", "table10")


def _cells() -> list[Cell]:
    cells = []
    for entry in published("table11_enterface_methods").reset_index().itertuples(index=False):
        ours = entry.method == "FreqCNN"
        system = FREQCNN if ours else System(11, f"{entry.method} {entry.reference}")
        row = (entry.input if ours else f"{entry.input} {entry.reference}", entry.method)
        cells.append(Cell(row, "ACC", system, ALL, "ACC", entry.ACC))
    return cells


TABLE = Table(
    number=11,
    title="FreqCNN and other proposals in the audio modality on the eNTERFACE",
    corpus="enterface",
    architecture="table10",
    folds=FOLDS,
    heads=("Input", "Methods"),
    cells=tuple(_cells()),
    quick=QUICK,
    claim=FREQCNN,
)
