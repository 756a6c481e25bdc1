"""A run: all settings that a result depends on, and the folder that is named after their hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from reproduce.assumptions import Choices
from reproduce.tables import stem

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """All settings that a result depends on. A hash of all fields names the folder, so no field may change.

    Attributes:
        source: Where the clips come from, see ``reproduce.sources``.
        table: The home of the ``System``, 0 for the comparison on anybody's speech.
        row: The name of the ``System``.
        system: A network of ``network.zoo`` or one of ``reproduce.peers``.
        fold: 'test' or the number of a fold.
        seed: The seed of the training.
        profile: 'paper', 'quick' or 'own'.
        size: Side of the spectrograms in pixels; None for a peer, which does not use the networks' images.
        batch_size: Samples in a batch; None for a peer.
        data: The fingerprint of the manifest and the images.
        choices: The choices among the assumptions, see ``assumptions.choices``. They include the arguments
            of FreqCNN ('network') or of the peer ('peer').
    """

    source: str
    table: int
    row: str
    system: str
    fold: str
    seed: int
    profile: str
    size: int | None
    batch_size: int | None
    data: str
    choices: Choices

    def network_sizes(self) -> tuple[int, int]:
        """Return a network's size and batch size. Raises ValueError for a peer, which has neither."""
        if self.size is None or self.batch_size is None:
            raise ValueError(f"{self.row} is a peer, which has no size and no batch size")
        return self.size, self.batch_size

    def folder(self, results: Path) -> Path:
        """Return the folder of the run's report and checkpoint below ``results``."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        row = self.row.lower().replace(" ", "-")
        return results / self.source / stem(self.table) / row / f"{self.fold}-s{self.seed}-{digest}"
