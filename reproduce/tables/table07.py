"""Table 7: FreqCNN's layers in speaker identification on CHAINS."""

from __future__ import annotations

from reproduce.tables.architecture import ArchitectureTable

TABLE = ArchitectureTable(
    number=7,
    title="Best parameters of the FreqCNN model in speaker identification on the CHAINS",
    architecture="table7",
)
