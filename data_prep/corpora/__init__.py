"""Corpus folders in, manifests out: a module a corpus, each with the counts that the paper states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings

__all__ = ["Scan", "build", "listing", "repeated"]


@dataclass(frozen=True)
class Scan:
    """What is in the folder ``root``: the ``manifest`` of its clips, the ``faults`` of its layout,
    ``notes`` on what a reader of the results should know, and as ``counts`` what numbers otherwise than in
    the paper: a corpus of which nothing does is the paper's.
    """

    root: Path
    manifest: pd.DataFrame
    faults: list[str]
    notes: tuple[str, ...] = ()
    counts: Sequence[str] = ()


def build(
    found: Scan,
    out: Path,
    settings: ImageSettings,
    protocol: Callable[[pd.DataFrame], pd.DataFrame],
    counts: Sequence[str] = (),
    jobs: int | None = None,
) -> tuple[pd.DataFrame, store.Store]:
    """Write ``out``/manifest.csv, as the corpus's ``protocol`` completes it, and the store of its images.

    ``counts``: those of ``found``, or none to go on with any. Raises Faults with all that is
    wrong, layout, counts and clips; nothing has been written then.
    """
    faults = [*found.faults, *counts]
    try:
        frame = protocol(found.manifest)
    except Faults as impossible:
        faults += impossible.faults
    images = store.build(
        found.manifest, found.root, store.store_folder(out, settings), settings, jobs, faults
    )
    manifest.write(frame, out / "manifest.csv")
    return frame, images


def repeated(frame: pd.DataFrame, images: store.Store, most: int = 8) -> tuple[str, ...]:
    """A note on the clips that are the same recording under two names, if there are any."""
    keyed = frame.assign(key=images.keys(frame["clip"]))
    groups = [group for _, group in keyed[keyed["key"].duplicated(keep=False)].groupby("key", sort=False)]
    if not groups:
        return ()
    told = [
        " and ".join(f"{each.clip} ({each.label}{each.partition and f', {each.partition}'})" for each in rows)
        for rows in (group.itertuples() for group in groups[:most])
    ]
    more = f"; and {len(groups) - most} more" if len(groups) > most else ""
    return (f"clips that are the same recording: {'; '.join(told)}{more}.",)


def listing(folder: Path, most: int = 8) -> str:
    """The first names in ``folder``, for a message that says what is there instead."""
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    return (", ".join(names[:most]) + (", ..." if len(names) > most else "")) or "nothing"
