"""Table 11: FreqCNN and other proposals on the eNTERFACE, over ten folds of speakers."""

from __future__ import annotations

from reproduce.paper.published import published
from reproduce.tables.table import ALL, Cell, Profile, System, Table

FOLDS = tuple(str(number) for number in range(1, 11))
# Ten networks of Table 10's width have a quarter of an hour on two cores.
QUICK = Profile(size=32, batch_size=8, epochs=3)

FREQCNN = System(11, "FreqCNN", "table10")


# What each label of the paper stands for here is in assumptions.toml.
SYSTEMS = {
    "[5]": System(11, "RBF", "bdpca_rbf"),
    "[34]": System(11, "DNNs", "spectrogram_dnn"),
    "[6]": System(11, "SVM", "functionals_svm"),
    "[35]": System(11, "CNN-DBN", "mel_dbn"),
    "this paper": FREQCNN,
}


def _cells() -> list[Cell]:
    cells = []
    for entry in published("table11_enterface_methods").reset_index().itertuples(index=False):
        system = SYSTEMS[entry.reference]
        row = (entry.input if system is FREQCNN else f"{entry.input} {entry.reference}", entry.method)
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
    notes=("[35]'s three-dimensional network is for video; its network for sound has two, as here.",),
)
