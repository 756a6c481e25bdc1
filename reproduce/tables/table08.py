"""Table 8: ACC and UAR (%) of FreqCNN and typical DNNs on three folds of the CHAINS."""

from __future__ import annotations

from collections.abc import Mapping

from reproduce.paper.published import published
from reproduce.tables.table import AVERAGE, Cell, Sizes, System, Table

FOLDS = ("1", "2", "3")
# VGG-11, which has no BatchNorm, needs a thousand steps to learn 36 classes.
QUICK = Sizes(size=32, batch_size=16, epochs=26)

SYSTEMS = {
    "FreqCNN": System(8, "FreqCNN", "table7"),
    "VGG-11": System(8, "VGG-11", "vgg11"),
    "ResNet-18": System(8, "ResNet-18", "resnet18"),
    "ResNet-34": System(8, "ResNet-34", "resnet34"),
    "ResNet-50": System(8, "ResNet-50", "resnet50"),
}
IVECTOR = System(8, "i-Vector", "ivector", {"enrolled": 3})
GMM = System(8, "VQ-GMM", "gmm")
_IVECTOR = published("table08_chains_ivector")


def fold_cells(row: tuple[str, ...], system: System, paper: Mapping[str, float]) -> list[Cell]:
    """List ACC and UAR of each fold and of the folds' average: one line of Table 8 or 9.

    ``paper`` maps 'fold1_ACC' and the like to the printed numbers; the paper has none for a missing key.
    """
    columns = {f"#{fold}": (fold, f"fold{fold}") for fold in FOLDS} | {"Average": (AVERAGE, "average")}
    places = [
        (f"{head} {measure}", fold, measure, f"{prefix}_{measure}")
        for head, (fold, prefix) in columns.items()
        for measure in ("ACC", "UAR")
    ]
    return [
        Cell(row, column, system, fold, measure, paper.get(key), printed=key in paper)
        for column, fold, measure, key in places
    ]


def _cells() -> list[Cell]:
    paper = published("table08_chains_models")
    cells = [cell for name in SYSTEMS for cell in fold_cells((name,), SYSTEMS[name], paper.loc[name])]
    for fold in FOLDS:
        for row, measure, printed in (
            ("i-Vector (1-EER)", "1-EER", _IVECTOR.loc[int(fold), "one_minus_EER"]),
            ("i-Vector, threshold", "threshold", _IVECTOR.loc[int(fold), "threshold"]),
        ):
            cells.append(Cell((row,), f"#{fold} ACC", IVECTOR, fold, measure, printed))
    cells += fold_cells(("i-Vector, identification",), IVECTOR, {})
    cited = "MFCC, VQ, GMM [17]"  # in Sec. 5.2
    return cells + fold_cells((cited,), GMM, published("table08_chains_cited").loc[cited])


TABLE = Table(
    number=8,
    title="ACC and UAR (%) of the proposed model and typical DNNs on the CHAINS",
    corpus="chains",
    architecture="table7",
    folds=FOLDS,
    heads=("Methods",),
    cells=tuple(_cells()),
    quick=QUICK,
    claim=SYSTEMS["FreqCNN"],
    notes=(
        "i-Vector (1-EER) is speaker verification: 3 test clips enrol each speaker, and the interval is from "
        "the number of trials of the same speaker. 'Identification' is the task of the other rows. The "
        "paper's figure for VQ, GMM is from its text.",
        "In the quick profile, ResNet-50 has too few steps to learn its training clips.",
    ),
)
