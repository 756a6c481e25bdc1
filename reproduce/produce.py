"""A table from beginning to end: corpus, runs, rendering; whatever is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep.spectrogram import ImageSettings

from .assumptions import choices
from .corpora import prepare
from .render import write
from .runs import PROFILES, Run, execute
from .tables import Table

__all__ = ["produce"]


def produce(
    table: Table,
    root: Path | None,
    profile: str,
    seeds: int,
    device: str,
    jobs: int | None,
    check_counts: bool,
    assume: Sequence[str],
    data: Path,
    results: Path,
) -> str:
    """Run every row of ``table`` with seeds 0 .. ``seeds`` - 1 and return the table as Markdown.

    It is written too, as ``results``/<source>/tableNN.md and .csv. Raises Faults for bad input.
    """
    chosen = choices(assume)
    # Neither of these imports MXNet, which a table that is done need not wait for.
    from freqcnn_gluon.architectures import architecture
    from freqcnn_gluon.runtime import choose

    choose(device)  # its faults are told before anything is prepared
    paper, sizes = architecture(table.architecture), PROFILES[profile]
    size = sizes.size or paper.size
    corpus = prepare(
        root,
        data,
        ImageSettings(size=size, **chosen["image"]),
        check_counts=check_counts,
        jobs=jobs,
        **chosen["data"],
    )
    fingerprint = corpus.store.fingerprint(corpus.manifest)
    if sizes.epochs and not any(each.startswith("epochs=") for each in assume):
        chosen["training"]["epochs"] = sizes.epochs
    runs = [
        Run(
            source=corpus.source,
            table=table.number,
            row=row.name,
            system=row.system,
            fold="test",
            seed=seed,
            profile=profile,
            size=size,
            batch_size=sizes.batch_size or paper.batch_size,
            data=fingerprint,
            choices=chosen if row.system == table.architecture else chosen | {"network": {}},
        )
        for row in table.rows
        if row.system
        for seed in range(seeds)
    ]
    reports: dict[str, list[dict]] = {}
    links: dict[str, list[str]] = {}
    for number, run in enumerate(runs, 1):
        title = f"[{number}/{len(runs)}] {run.row}" + (f" seed {run.seed}" if seeds > 1 else "")
        reports.setdefault(run.row, []).append(execute(run, corpus, results, device, title))
        folder = run.folder(results).relative_to(results / corpus.source)
        links.setdefault(run.row, []).append(f"{folder.as_posix()}/report.json")
    return write(table, reports, links, results / corpus.source / f"table{table.number:02}")
