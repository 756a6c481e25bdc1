"""Table 9: ACC and UAR (%) of different activation functions g (global path) and f (local path)."""

from __future__ import annotations

from reproduce.paper.published import published
from reproduce.tables.table import System, Table
from reproduce.tables.table08 import FOLDS, QUICK, fold_cells
from reproduce.tables.table08 import SYSTEMS as _TABLE_8

_PAPER = published("table09_activations").set_index("local_f", append=True)


def _system(g: str, f: str) -> System:
    if (g, f) == ("sigmoid", "sigmoid"):  # Table 7's network
        return _TABLE_8["FreqCNN"]
    return System(9, f"{g} {f}", "table7", {"global_activation": g, "local_activation": f})


SYSTEMS = {(g, f): _system(g, f) for g, f in _PAPER.index}

TABLE = Table(
    number=9,
    title="ACC and UAR (%) of different activation functions on the CHAINS",
    corpus="chains",
    architecture="table7",
    folds=FOLDS,
    heads=("g( · )", "f( · )"),
    cells=tuple(cell for key, system in SYSTEMS.items() for cell in fold_cells(key, system, _PAPER.loc[key])),
    quick=QUICK,
    claim=SYSTEMS["sigmoid", "sigmoid"],
    notes=("Sigmoid with sigmoid is Table 8's FreqCNN. The tables share its runs.",),
)
