"""Table 3: recall and UAR (%) of different models on the UT-Podcast."""

from __future__ import annotations

from ..paper import published
from .table import Row, Table

_SYSTEMS = {
    "i-Vector": None,
    "FreqCNN": "table2",
    "FNN": "fnn",
    "CNN": "cnn",
    "AlexNet": "alexnet",
    "VGG-11": "vgg11",
    "ResNet-18": "resnet18",
}
_PAPER = published("table03_ut_podcast_models")

TABLE = Table(
    number=3,
    title="Recall and UAR (%) of different models on the UT-Podcast",
    architecture="table2",
    measures=("AU", "UK", "US", "UAR"),
    rows=tuple(Row(name, system, _PAPER[name].to_dict()) for name, system in _SYSTEMS.items()),
)
