"""Table 10: FreqCNN's layers in emotion recognition on eNTERFACE."""

from __future__ import annotations

from reproduce.tables.architecture import ArchitectureTable

TABLE = ArchitectureTable(
    number=10,
    title="Best parameters of the FreqCNN model in speech emotion recognition on the eNTERFACE",
    architecture="table10",
)
