"""UT-Podcast: accents of English, in ``audio/{train,test}/{AU,UK,US}/*.wav`` (Section 5.1, Table 1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, splits
from data_prep.base.faults import Faults, Lines
from data_prep.corpora import ACCEPT, Scan, check_folder, listing

PARTITIONS = ("train", "test")
LABELS = ("AU", "US", "UK")
EXPECTED = {
    ("train", "AU"): 449,
    ("train", "US"): 406,
    ("train", "UK"): 246,
    ("test", "AU"): 332,
    ("test", "US"): 240,
    ("test", "UK"): 89,
}
OVERSAMPLED = {"UK": 2.0}  # Table 1: 246 -> 492
SCAN_OPTIONS: tuple[str, ...] = ()  # assumptions that ``scan`` takes
PROTOCOL_OPTIONS: tuple[str, ...] = ("over_sampling",)  # assumptions that ``protocol`` takes


def scan(root: Path | str) -> Scan:
    """Read the layout of the corpus.

    A clip has the name of its file without the suffix, preceded by its partition if both partitions have
    that file. The folder is the label, and the part of the name before the first '_' is the speaker. Files
    whose names begin with a dot are skipped.

    Args:
        root: The folder that holds ``audio/``.

    Returns:
        The clips, sorted by partition, label and name. The scan's faults are the folders that are missing or
        empty and the files in the wrong folder; ``corpora.build`` raises them together with the clips' own.

    Raises:
        Faults: There are no clips.
    """
    root = Path(root)
    faults = _layout_faults(root)
    rows = []
    for partition, label in EXPECTED:
        for path in _clips(root / "audio" / partition / label):
            speaker, underscore, _ = path.stem.partition("_")
            if not underscore or not speaker.startswith(f"{label}-"):
                faults.append(
                    f"{path}: its name does not begin with {label}-<number>_, as all names in {label}/ do; "
                    "move it"
                )
            rows.append(
                (path.stem, path.relative_to(root).as_posix(), np.nan, np.nan, label, speaker, "", partition)
            )
    if not rows:
        raise Faults(faults)
    frame = pd.DataFrame(rows, columns=manifest.COLUMNS)
    shared = frame["clip"].duplicated(keep=False)
    frame.loc[shared, "clip"] = frame["partition"] + "-" + frame["clip"]
    frame = frame.sort_values(
        ["partition", "label", "clip"], ascending=[False, True, True], ignore_index=True
    )
    return Scan(root, frame, faults, counts=count_faults(frame))


def protocol(frame: pd.DataFrame, over_sampling: str = "each", seed: int = 0) -> pd.DataFrame:
    """Add Table 1's over-sampling as the column ``copies``, see ``splits.oversample``."""
    return splits.oversample(frame, OVERSAMPLED, over_sampling, seed)


def count_faults(frame: pd.DataFrame) -> list[str]:
    """Compare the counts with Table 1's. Return one fault that lists both, or nothing if they are equal."""
    sizes = frame.groupby(["partition", "label"]).size()
    counts = {group: int(sizes.get(group, 0)) for group in EXPECTED}
    if counts == EXPECTED:
        return []
    lines = ["the numbers of clips differ from the paper's Table 1:", "  partition  label  expected  actual"]
    for (partition, label), expected in EXPECTED.items():
        mark = "" if counts[partition, label] == expected else "  <-"
        lines.append(f"  {partition:9}  {label:5}  {expected:8}  {counts[partition, label]:6}{mark}")
    return [Lines("\n".join([*lines, ACCEPT]))]


def _clips(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".wav" and not p.name.startswith("."))


def _layout_faults(root: Path) -> list[str]:
    """List the faults of the folders; raise Faults if there is no ``audio/``."""
    audio = root / "audio"
    check_folder(root, "give the folder that holds audio/")
    if not audio.is_dir():
        near = [p for p in (root.parent, *sorted(root.iterdir())) if (p / "audio" / "train").is_dir()]
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Faults(f"{audio}: does not exist; {root} holds {listing(root)}{hint}")
    faults = []
    for partition in PARTITIONS:
        for folder in sorted((audio / partition).glob("*")):
            if folder.name not in LABELS and folder.name.upper() in LABELS:
                faults.append(
                    f"{folder}: its name is not {folder.name.upper()}; rename it, or move its clips"
                )
        for label in LABELS:
            folder = audio / partition / label
            if not folder.is_dir():
                faults.append(f"{folder}: does not exist; {folder.parent} holds {listing(folder.parent)}")
            elif not _clips(folder):
                faults.append(f"{folder}: has no .wav files; it holds {listing(folder)}")
    if faults:
        folders = f"audio/{{{','.join(PARTITIONS)}}}/{{{','.join(LABELS)}}}/*.wav"
        faults.append(f"{root}: does not have the layout of UT-Podcast; its clips must be {folders}")
    return faults
