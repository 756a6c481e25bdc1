"""The options of a command that runs tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COMPARE", "OWN_SIZES", "PROFILES", "Options"]

PROFILES = ("paper", "quick")
OWN_SIZES = "own"
"""The profile of ``compare``, whose sizes are given on the command line."""
COMPARE = 0
"""The number that stands for the table of ``compare``, which the paper does not have."""


@dataclass(frozen=True)
class Options:
    """The options that all tables share; ``runs.resolve`` resolves them for one table.

    Attributes:
        roots: Name of a corpus -> its folder; None uses its stand-in.
        profile: 'paper', 'quick' or OWN_SIZES; None chooses 'paper' with a corpus folder and 'quick' without.
        seeds: Number of trainings of each system, with the seeds 0, 1, ...
        device: As ``devices.choose`` takes it: 'auto', 'cpu', 'gpu', 'gpu:0,1', ...
        dtype: The number format of the networks' arithmetic, see ``runtime.mixed_precision``.
        jobs: Parallel processes. None prepares audio with one process per core, and runs one training at a
            time with all cores.
        scheduler: Address of a Dask cluster that executes the runs; None executes them on this machine.
        check_counts: Whether other counts than the paper's are an error.
        assume: Choices among the assumptions, each as 'id=value'.
        data: The folder for prepared data.
        results: The folder for reports and tables.
    """

    roots: Mapping[str, Path | None]
    profile: str | None = None
    seeds: int = 1
    device: str = "auto"
    dtype: str = "float32"
    jobs: int | None = None
    scheduler: str | None = None
    check_counts: bool = True
    assume: Sequence[str] = ()
    data: Path = Path("data")
    results: Path = Path("results")
