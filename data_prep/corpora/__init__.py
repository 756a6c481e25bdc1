"""Turn corpus folders into manifests: one module for each corpus, with the counts that the paper states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings

__all__ = ["ACCEPT", "Scan", "build", "check_folder", "listing", "repeated"]

ACCEPT = "Complete the corpus, or accept these counts with CHECK_COUNTS=no (command line: --no-check-counts)."
"""The remedy for counts that differ from the paper's."""


@dataclass(frozen=True)
class Scan:
    """The content of a corpus folder.

    Attributes:
        root: The folder.
        manifest: The manifest of its clips, with paths below ``root``.
        faults: The faults of its layout.
        notes: Facts that a reader of the results should know.
        counts: Mismatches with the paper's counts. Empty means the paper's corpus.
    """

    root: Path
    manifest: pd.DataFrame
    faults: list[str]
    notes: tuple[str, ...] = ()
    counts: Sequence[str] = ()


def build(
    scan: Scan,
    out: Path,
    settings: ImageSettings,
    protocol: Callable[[pd.DataFrame], pd.DataFrame],
    counts: Sequence[str] = (),
    jobs: int | None = None,
) -> tuple[pd.DataFrame, store.Store]:
    """Write a corpus's manifest and the store of its images.

    Args:
        scan: The content of the corpus folder.
        out: The folder that gets manifest.csv and the store.
        settings: The images' settings.
        protocol: The function that adds the columns of the paper's protocol to the manifest.
        counts: The count mismatches to report as faults: those of ``scan``, or none to accept any counts.
        jobs: The number of processes; None for one per processor.

    Returns:
        The manifest and the store.

    Raises:
        Faults: Everything that is wrong: layout, counts and clips. Nothing has been written then.
    """
    faults = [*scan.faults, *counts]
    try:
        frame = protocol(scan.manifest)
    except Faults as impossible:
        faults += impossible.faults
    images = store.build(scan.manifest, scan.root, store.store_folder(out, settings), settings, jobs, faults)
    manifest.write(frame, out / "manifest.csv")
    return frame, images


def repeated(frame: pd.DataFrame, images: store.Store, most: int = 8) -> tuple[str, ...]:
    """Return a note on clips with different names and the same recording, or nothing if there are none."""
    keyed = frame.assign(key=images.keys(frame["clip"]))
    groups = [group for _, group in keyed[keyed["key"].duplicated(keep=False)].groupby("key", sort=False)]
    if not groups:
        return ()
    names = [
        " and ".join(
            f"{clip.clip} ({clip.label}{clip.partition and f', {clip.partition}'})" for clip in clips
        )
        for clips in (group.itertuples() for group in groups[:most])
    ]
    more = f"; and {len(groups) - most} more" if len(groups) > most else ""
    return (f"clips that are the same recording: {'; '.join(names)}{more}.",)


def check_folder(root: Path, remedy: str) -> None:
    """Raise Faults with a ``remedy``, such as 'give the folder of CHAINS', unless ``root`` is a folder."""
    if not root.is_dir():
        raise Faults(f"{root}: {'is not a folder' if root.exists() else 'does not exist'}; {remedy}")


def listing(folder: Path, most: int = 8) -> str:
    """Return the first names in ``folder``, for a message about its content."""
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    return (", ".join(names[:most]) + (", ..." if len(names) > most else "")) or "nothing"
