"""Table 4: 0, 2, 4 or 8 frequency segments, with and without the global path, all without attention.

The paper does not say that these networks have no attention. Table 5 shows it: its 'All BC', which has none,
repeats this table's n = 2 digit by digit.
"""

from __future__ import annotations

from itertools import product

from reproduce.paper.published import published
from reproduce.tables.table import Cell, Sizes, System, Table
from reproduce.tables.table03 import RATE_NOTE

# FreqCNN learns in a third of Table 3's epochs, and Tables 4 and 5 train nineteen networks.
QUICK = Sizes(size=32, batch_size=16, epochs=8)

_PAPER = published("table04_segments").set_index("measure", append=True)
_PATHS = {"local": "Local frequency only", "global+local": "Global and local frequency"}


def _system(path: str, segments: int) -> System:
    options = {"segments": segments, "attention_blocks": 0} | (
        {"local_only": True} if path == "local" else {}
    )
    return System(4, f"{_PATHS[path]} {segments}", "table2", options)


SYSTEMS = {(path, n): _system(path, n) for path in _PATHS for n in (0, 2, 4, 8) if (path, n) != ("local", 0)}

TABLE = Table(
    number=4,
    title="Local frequency segments and global-local frequency with different numbers of local segments",
    corpus="ut_podcast",
    architecture="table2",
    folds=("test",),
    heads=("Evaluation", "Measure"),
    cells=tuple(
        Cell((_PATHS[path], measure), str(n), system, "test", measure, _PAPER.loc[(path, measure), str(n)])
        for wanted, measure in product(_PATHS, ("UAR", "ACC"))
        for (path, n), system in SYSTEMS.items()
        if path == wanted
    ),
    quick=QUICK,
    claim=SYSTEMS["global+local", 4],
    notes=("'0' segments means the global path alone. None of these networks has attention.", RATE_NOTE),
)
