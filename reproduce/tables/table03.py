"""Table 3: recall and UAR (%) of different models on the UT-Podcast."""

from __future__ import annotations

from reproduce.paper.published import published
from reproduce.tables.table import Cell, Sizes, System, Table

# AlexNet and VGG-11, which have no BatchNorm, need a thousand steps to learn.
QUICK = Sizes(size=32, batch_size=16, epochs=24)

_SYSTEMS = {
    "i-Vector": "ivector",
    "FreqCNN": "table2",
    "FNN": "fnn",
    "CNN": "cnn",
    "AlexNet": "alexnet",
    "VGG-11": "vgg11",
    "ResNet-18": "resnet18",
}
_PAPER = published("table03_ut_podcast_models")

RATE_NOTE = (
    "UT-Podcast's files have a sampling rate of 8 kHz, and the paper sets it to 16 kHz. The upper half of a "
    "spectrogram's rows then holds only the residue of resampling, so that with two segments (n = 2) one of "
    'the two local paths sees almost nothing. `ASSUME="rate=8000"` computes spectrograms at 8 kHz instead.'
)

SYSTEMS = {name: System(3, name, system) for name, system in _SYSTEMS.items()}

TABLE = Table(
    number=3,
    title="Recall and UAR (%) of different models on the UT-Podcast",
    corpus="ut_podcast",
    architecture="table2",
    folds=("test",),
    heads=("Recall",),
    cells=tuple(
        Cell((measure,), name, system, "test", measure, _PAPER.loc[measure, name])
        for measure in ("AU", "UK", "US", "UAR")
        for name, system in SYSTEMS.items()
    ),
    quick=QUICK,
    claim=SYSTEMS["FreqCNN"],
    notes=(RATE_NOTE,),
)
