"""Table 8: ACC and UAR (%) of FreqCNN and typical DNNs on three folds of the CHAINS."""

from __future__ import annotations

from ..paper import published
from .table import AVERAGE, Cell, Profile, System, Table

FOLDS = ("1", "2", "3")
# For Tables 8 and 9, whose twenty-one networks have half an hour on two cores. Smaller spectrograms give
# more steps in that time, but FreqCNN then stays at chance in some folds for most of them.
QUICK = Profile(size=64, batch_size=16, epochs=3)

SYSTEMS = {
    "FreqCNN": System(8, "FreqCNN", "table7"),
    "VGG-11": System(8, "VGG-11", "vgg11"),
    "ResNet-18": System(8, "ResNet-18", "resnet18"),
    "ResNet-34": System(8, "ResNet-34", "resnet34"),
    "ResNet-50": System(8, "ResNet-50", "resnet50"),
}
_IVECTOR = published("table08_chains_ivector")


def fold_cells(row: tuple[str, ...], system: System, printed) -> list[Cell]:
    """ACC and UAR of each fold and of their average, as Tables 8 and 9 print them in one line."""
    columns = {f"#{fold}": (fold, f"fold{fold}") for fold in FOLDS} | {"Average": (AVERAGE, "average")}
    return [
        Cell(row, f"{head} {measure}", system, fold, measure, printed[f"{prefix}_{measure}"])
        for head, (fold, prefix) in columns.items()
        for measure in ("ACC", "UAR")
    ]


def _cells() -> list[Cell]:
    paper = published("table08_chains_models")
    cells = [cell for name, each in SYSTEMS.items() for cell in fold_cells((name,), each, paper.loc[name])]
    ivector = System(8, "i-Vector")
    return cells + [
        Cell(("i-Vector*",), f"#{fold} ACC", ivector, str(fold), "1-EER", value)
        for fold, value in _IVECTOR["one_minus_EER"].items()
    ]


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
        "* (1-EER), with the thresholds "
        + ", ".join(f"{threshold:g} (#{fold})" for fold, threshold in _IVECTOR["threshold"].items())
        + " in the paper.",
    ),
)
