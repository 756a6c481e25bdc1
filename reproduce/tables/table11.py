"""Table 11: accuracy (%) of FreqCNN and other proposals on the eNTERFACE, pooled over ten speaker folds."""

from __future__ import annotations

from reproduce.paper.published import published
from reproduce.tables.table import ALL, Cell, Sizes, System, Table

FOLDS = tuple(str(number) for number in range(1, 11))
# Small enough to train ten networks of Table 10's width in a quarter of an hour on two cores.
QUICK = Sizes(size=32, batch_size=8, epochs=3)

FREQCNN = System(11, "FreqCNN", "table10")
# assumptions.toml says how each of the paper's proposals is read here.
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
    notes=("[35]'s 3-D network is for video; its network for sound is 2-D, as here.",),
)
