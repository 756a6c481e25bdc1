"""How to run a table, whatever the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROFILES", "Options"]

PROFILES = ("paper", "quick")


@dataclass(frozen=True)
class Options:
    """How to run, whatever the table. ``roots``: corpus -> its folder; without one its stand-in is used.
    ``profile``: None is 'paper' with a corpus and 'quick' without. ``dtype``: what networks compute in, see
    ``runtime.mixed_precision``. ``assume``: 'id=value' each. ``jobs``: processes at a time, to prepare
    audio (None: one a core) and to run (None: one, with all cores); ``scheduler``: the address of a Dask
    cluster that runs instead.
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
