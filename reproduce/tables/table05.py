"""Table 5: frequency or time splits, 0 to 3 attention blocks, feature-based or spatial-based attention."""

from __future__ import annotations

from reproduce.paper.published import published
from reproduce.tables.table import Cell, System, Table
from reproduce.tables.table03 import RATE_NOTE
from reproduce.tables.table03 import SYSTEMS as _TABLE_3
from reproduce.tables.table04 import QUICK
from reproduce.tables.table04 import SYSTEMS as _TABLE_4

_PAPER = published("table05_attention").set_index("attention_blocks", append=True)


def _system(axis: str, blocks: int, attention: str) -> System:
    if (axis, blocks) == ("frequency", 0):
        return _TABLE_4["global+local", 2]
    if (axis, blocks, attention) == ("frequency", 2, "feature"):
        return _TABLE_3["FreqCNN"]
    options = {"axis": axis, "attention_blocks": blocks}
    if not blocks:  # without attention the feature-based and the spatial-based network are the same
        return System(5, f"{axis} All BC", "table2", options)
    return System(5, f"{axis} {blocks} AC {attention}", "table2", options | {"attention": attention})


SYSTEMS = {
    (axis, blocks, attention): _system(axis, blocks, attention)
    for axis in ("frequency", "time")
    for blocks in range(4)
    for attention in ("feature", "spatial")
}


def _cell(axis: str, blocks: int, attention: str, measure: str) -> Cell:
    printed = _PAPER.loc[(axis, f"{blocks}" if blocks else "0 (All BC)"), f"{attention}_{measure}"]
    row = (f"{axis.capitalize()}-distributed", f"{blocks} AC" if blocks else "All BC")
    system = SYSTEMS[axis, blocks, attention]
    return Cell(row, f"{attention}-based {measure}", system, "test", measure, printed)


TABLE = Table(
    number=5,
    title="Two ways of attention methods in CNNs and different numbers of attention-based blocks",
    corpus="ut_podcast",
    architecture="table2",
    folds=("test",),
    heads=("Split", "Blocks"),
    cells=tuple(_cell(*key, measure) for key in SYSTEMS for measure in ("ACC", "UAR")),
    quick=QUICK,
    claim=SYSTEMS["frequency", 2, "feature"],
    notes=(
        "'All BC' has no attention. With the split along frequency, 'All BC' is Table 4's network with "
        "global and local frequency and 2 segments, and '2 AC' with feature-based attention is Table 3's "
        "FreqCNN. "
        "The tables share these runs if their sizes and epochs are the same.",
        RATE_NOTE,
    ),
)
