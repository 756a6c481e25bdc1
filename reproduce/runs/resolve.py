"""From a table and the options to its runs: sizes, choices and seeds, settled once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reproduce.assumptions import choices
from reproduce.options import Options
from reproduce.peers import NETWORKS, PEERS
from reproduce.runs.run import Run
from reproduce.sources import PAPER, QUICK
from reproduce.tables import Profile, System, Table

__all__ = ["profile", "runs_of", "sizes"]


def profile(table: Table, options: Options) -> str:
    """'paper' or 'quick', as asked or by whether the corpus is there."""
    return options.profile or ("paper" if options.roots.get(table.corpus) else "quick")


def sizes(table: Table, options: Options) -> Profile:
    """The table's sizes in the profile; its epochs are None where they are the assumptions'."""
    from freqcnn_gluon.network.architectures import architecture

    paper = architecture(table.architecture)
    own = table.quick if profile(table, options) == "quick" else Profile()
    return Profile(own.size or paper.size, own.batch_size or paper.batch_size, own.epochs)


def runs_of(table: Table, systems: Sequence[System], options: Options, source: str, data: str) -> list[Run]:
    """The runs of ``systems`` on a corpus's ``source`` with the fingerprint ``data``, by fold and seed.

    In the quick profile the paper's corpora are the source QUICK, whose files are its own.
    """
    if source == PAPER and profile(table, options) == "quick":
        source = QUICK
    chosen, own = choices(table.number, options.assume), sizes(table, options)
    if own.epochs and not any(each.startswith("epochs=") for each in options.assume):
        chosen["training"]["epochs"] = own.epochs
    if options.dtype != "float32":  # float32 has no name in a run, so that its hash is what it always was
        chosen["training"]["dtype"] = options.dtype
    return [
        Run(
            source=source,
            table=system.home,
            row=system.name,
            system=system.system,
            fold=fold,
            seed=seed,
            profile=profile(table, options),
            data=data,
            **_settings(system, table, chosen, own.size, own.batch_size),
        )
        for system in systems
        if system.system
        for fold in table.folds
        for seed in range(options.seeds)
    ]


def _settings(
    system: System, table: Table, chosen: Mapping[str, dict], size: int, batch_size: int
) -> dict[str, object]:
    """A run's size, batch size and choices: those that its kind of system has."""
    if system.system in PEERS:
        peer = {**chosen.get(system.system, {}), **system.options}
        if system.system in NETWORKS and "dtype" in chosen["training"]:
            peer["dtype"] = chosen["training"]["dtype"]
        return {"size": None, "batch_size": None, "choices": {"data": chosen["data"], "peer": peer}}
    kept = {where: each for where, each in chosen.items() if where not in PEERS}
    network = _network(system, table, chosen["network"], size)
    return {"size": size, "batch_size": batch_size, "choices": kept | {"network": network}}


def _network(system: System, table: Table, chosen: Mapping[str, object], size: int) -> dict[str, object]:
    """FreqCNN's keyword arguments; a peer takes none, its defaults are not the list's to change."""
    if system.system != table.architecture:
        return {}
    network = {**chosen, **system.options}
    if segments := network.get("segments"):
        blocks = [size >> block for block in range(5)]
        if any(side % segments for side in blocks):  # small spectrograms: as many as the block has rows for
            network["segments"] = [math.gcd(segments, side) for side in blocks]
    return network
