"""UT-Podcast: accents of English, in ``audio/{train,test}/{AU,UK,US}/*.wav`` (Section 5.1, Table 1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, splits
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, listing

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


def scan(root: Path | str) -> Scan:
    """The corpus whose folder ``root`` holds ``audio/``, its clips sorted by partition, label and name.

    A clip is named by its file without suffix (behind its partition where both partitions have that file),
    the label is its folder, the speaker what precedes the name's first '_'. Names with a leading dot are
    skipped. The faults are every folder that is missing or empty and every file in the wrong folder;
    ``corpora.build`` raises them with those of the clips. Raises Faults where there are no clips at all.
    """
    root = Path(root)
    faults = _layout_faults(root)
    rows = []
    for partition, label in EXPECTED:
        for path in _clips(root / "audio" / partition / label):
            speaker, underscore, _ = path.stem.partition("_")
            if not underscore or not speaker.startswith(f"{label}-"):
                faults.append(
                    f"{path}: its name does not begin like {label}-12_, as all in {label}/ do; move it"
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
    """The manifest with Table 1's over-sampling as ``copies`` (see ``splits.oversample``)."""
    return splits.oversample(frame, OVERSAMPLED, over_sampling, seed)


def count_faults(frame: pd.DataFrame) -> list[str]:
    """Expected and found side by side, as one fault, unless the clips number as in Table 1."""
    counts = frame.groupby(["partition", "label"]).size()
    found = {group: int(counts.get(group, 0)) for group in EXPECTED}
    if found == EXPECTED:
        return []
    lines = ["the clips are not those of the paper's Table 1:", "  partition  label  expected  found"]
    for (partition, label), expected in EXPECTED.items():
        mark = "" if found[partition, label] == expected else "  <-"
        lines.append(f"  {partition:9}  {label:5}  {expected:8}  {found[partition, label]:5}{mark}")
    lines.append(
        "Complete the corpus, or go on with these counts: CHECK_COUNTS=no (command line: --no-check-counts)."
    )
    return ["\n".join(lines)]


def _clips(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".wav" and not p.name.startswith("."))


def _layout_faults(root: Path) -> list[str]:
    audio = root / "audio"
    if not root.is_dir():
        raise Faults(f"{root}: there is no such folder; give the one that holds audio/")
    if not audio.is_dir():
        near = [p for p in (root.parent, *sorted(root.iterdir())) if (p / "audio" / "train").is_dir()]
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Faults(f"{audio}: there is no such folder; {root} holds {listing(root)}{hint}")
    faults = []
    for partition in PARTITIONS:
        for folder in sorted((audio / partition).glob("*")):
            if folder.name not in LABELS and folder.name.upper() in LABELS:
                faults.append(
                    f"{folder}: its name is not {folder.name.upper()}; rename it, or move its clips there"
                )
        for label in LABELS:
            folder = audio / partition / label
            if not folder.is_dir():
                faults.append(
                    f"{folder}: there is no such folder; {folder.parent} holds {listing(folder.parent)}"
                )
            elif not _clips(folder):
                faults.append(f"{folder}: there are no .wav files in it; it holds {listing(folder)}")
    if faults:
        folders = f"audio/{{{','.join(PARTITIONS)}}}/{{{','.join(LABELS)}}}/*.wav"
        faults.append(f"UT-Podcast is laid out as {folders} below {root}")
    return faults
