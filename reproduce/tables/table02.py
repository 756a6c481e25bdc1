"""Table 2: FreqCNN's layers in accent classification on UT-Podcast."""

from __future__ import annotations

from reproduce.tables.architecture import ArchitectureTable

TABLE = ArchitectureTable(
    number=2,
    title="Best parameters of the FreqCNN model in accent classification on the UT-Podcast",
    architecture="table2",
)
