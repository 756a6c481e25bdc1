"""Resolve a table and the options of a command to runs: profile, sizes and choices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reproduce.assumptions import Choices, assumptions, choices
from reproduce.options import Options
from reproduce.peers import NETWORKS, PEERS
from reproduce.runs.run import Run
from reproduce.sources import PAPER, QUICK
from reproduce.tables import Sizes, System, Table

__all__ = ["Job", "resolve", "runs_of", "sizes"]


@dataclass(frozen=True)
class Job:
    """A table with everything that its runs need; made by ``resolve``.

    Attributes:
        table: The table of results.
        profile: 'paper', 'quick' or 'own'.
        sizes: Size, batch size and epochs in this profile and with these choices.
        choices: The values of the assumptions, see ``assumptions.choices``; ``training`` has the epochs and,
            unless it is float32, the dtype.
        root: The corpus's folder, or None for its stand-in.
        check_counts: Whether other counts than the paper's are an error.
        seeds: Number of trainings of each system.
        device, dtype, scheduler, data, results: As in ``Options``.
        processes: Parallel processes, ``Options.jobs``.
    """

    table: Table
    profile: str
    sizes: Sizes
    choices: Choices
    root: Path | None
    check_counts: bool
    seeds: int
    device: str
    dtype: str
    processes: int | None
    scheduler: str | None
    data: Path
    results: Path


def resolve(table: Table, options: Options) -> Job:
    """Resolve the options of a command for one table.

    Raises:
        Faults: An override in ``options.assume`` is not valid for the table.
    """
    chosen, root = choices(table.number, options.assume), options.roots.get(table.corpus)
    profile = options.profile or ("paper" if root else "quick")
    settled = sizes(table, profile)
    if any(override.startswith("epochs=") for override in options.assume):
        settled = replace(settled, epochs=chosen["training"]["epochs"])
    chosen["training"]["epochs"] = settled.epochs
    chosen["data"] |= table.data
    if options.dtype != "float32":  # runs do not name float32, so that older runs keep their hashes
        chosen["training"]["dtype"] = options.dtype
    return Job(
        table=table,
        profile=profile,
        sizes=settled,
        choices=chosen,
        root=root,
        check_counts=options.check_counts,
        seeds=options.seeds,
        device=options.device,
        dtype=options.dtype,
        processes=options.jobs,
        scheduler=options.scheduler,
        data=options.data,
        results=options.results,
    )


def sizes(table: Table, profile: str) -> Sizes:
    """Return the table's sizes in a profile."""
    from freqcnn_gluon.network.architectures import architecture

    if profile != "paper":
        return table.quick
    paper = architecture(table.architecture)
    return Sizes(paper.size, paper.batch_size, assumptions()["epochs"].choice)


def runs_of(job: Job, systems: Sequence[System], source: str, data: str) -> list[Run]:
    """List the runs of some systems, ordered by system, fold and seed.

    In the quick profile the paper's corpora have the source QUICK, which keeps their results apart.

    Args:
        job: The resolved table.
        systems: Systems of the table.
        source: The corpus's source.
        data: The corpus's fingerprint.
    """
    if source == PAPER and job.profile == "quick":
        source = QUICK
    return [
        _run(job, system, fold, seed, source, data)
        for system in systems
        for fold in job.table.folds
        for seed in range(job.seeds)
    ]


def _run(job: Job, system: System, fold: str, seed: int, source: str, data: str) -> Run:
    """Build one run; a peer has no size, no batch size and none of the networks' choices."""
    is_peer = system.system in PEERS
    return Run(
        source=source,
        table=system.home,
        row=system.name,
        system=system.system,
        fold=fold,
        seed=seed,
        profile=job.profile,
        size=None if is_peer else job.sizes.size,
        batch_size=None if is_peer else job.sizes.batch_size,
        data=data,
        choices=_peer_choices(system, job.choices) if is_peer else _network_choices(system, job),
    )


def _peer_choices(system: System, chosen: Choices) -> Choices:
    peer = {**chosen.get(system.system, {}), **system.options}
    if system.system in NETWORKS and "dtype" in chosen["training"]:
        peer["dtype"] = chosen["training"]["dtype"]
    return {"data": chosen["data"], "peer": peer}


def _network_choices(system: System, job: Job) -> Choices:
    kept = {where: values for where, values in job.choices.items() if where not in PEERS}
    return kept | {"network": _network(system, job.table, job.choices["network"], job.sizes.size)}


def _network(system: System, table: Table, chosen: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return FreqCNN's keyword arguments; another network keeps its defaults and takes the same images."""
    if system.system != table.architecture:
        return {"rendering": chosen["rendering"]}
    network = {**chosen, **system.options}
    if segments := network.get("segments"):
        blocks = [size >> block for block in range(5)]
        if any(side % segments for side in blocks):  # a small spectrogram has too few rows in later blocks
            network["segments"] = [math.gcd(segments, side) for side in blocks]
    return network
