"""A run: everything that decides a result, and the folder that it names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """Everything that decides a result. ``table``, ``row``: a ``System``'s home and name; ``system``: a
    network of ``network.zoo``, or one of ``peers``, which has no ``size`` and ``batch_size``.
    ``fold``: 'test' or a fold's number. ``data``: the fingerprint of manifest and images. ``choices``: the
    assumptions' (see ``assumptions.choices``), FreqCNN's or the peer's arguments among them.
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
    choices: dict[str, dict[str, object]]

    def folder(self, results: Path) -> Path:
        """Where this run's report and checkpoint are; the hash keeps other configurations apart."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        row = self.row.lower().replace(" ", "-")
        return results / self.source / f"table{self.table:02}" / row / f"{self.fold}-s{self.seed}-{digest}"
