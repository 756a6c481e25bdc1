"""``python -m reproduce claims``: check the paper's claims on the results that exist; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep.base.faults import Faults
from reproduce.render.claims import write
from reproduce.runs.report import reports_by_table
from reproduce.sources import order

__all__ = ["claims"]


def claims(results: Path, sources: Sequence[str] = ()) -> str:
    """Write claims.md and claims.csv to each source's folder, and return the Markdown of all of them.

    Args:
        results: Folder of results.
        sources: Names of sources; by default all that have results.

    Raises:
        Faults: There are no results, a source has none, or a report is damaged.
    """
    folders = {path.parent.name: path.parent for path in results.glob("*/table??.json")}
    if not folders:
        raise Faults(
            f"{results}: has no result of a table of the paper yet; run `make table3`, or look at the "
            "committed ones with `make claims RESULTS=results/reference`"
        )
    if unknown := [source for source in sources if source not in folders]:
        names = ", ".join(sorted(folders))
        raise Faults(f"{results / source}: has no results; choose from {names}" for source in unknown)
    chosen = [folders[source] for source in sources] or sorted(folders.values(), key=order)
    return "\n".join(write(reports_by_table(folder), folder) for folder in chosen)
