"""eNTERFACE'05: acted emotions, in ``subject N/<emotion>/sentence K/*.avi`` (Section 5.3, Table 12)."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, splits
from data_prep.base.faults import Faults, Lines
from data_prep.corpora import ACCEPT, Scan, check_folder, listing

EMOTIONS = {
    "anger": "Angry",
    "disgust": "Disgust",
    "sadness": "Sadness",
    "surprise": "Surprise",
    "fear": "Fear",
    "happiness": "Happiness",
}
"""Folder -> label, in Table 12's order."""

LABELS = tuple(EMOTIONS.values())
FOLDS = 10
EXPECTED = dict.fromkeys(LABELS, 210)
SPEAKERS = 42
SCAN_OPTIONS: tuple[str, ...] = ()  # assumptions that ``scan`` takes
PROTOCOL_OPTIONS: tuple[str, ...] = ("folds_seed",)  # assumptions that ``protocol`` takes
WRAPPER = "enterface database"


def scan(root: Path | str) -> Scan:
    """Read the layout of the corpus.

    Subject, emotion and sentence are taken from the folders, because the file names of some subjects are
    wrong. A subject with fewer records than the others is left out completely. So the paper's 42 speakers
    with 30 records each remain: subject 6 is not cut into sentences, and subject 23 lacks three records.
    If more than half of the subjects have fewer records than the largest subject, the corpus is uneven by
    design, and every subject with a record is kept. Hidden files, files other than AVI, and folders that are
    not named after an emotion are skipped.

    Args:
        root: The folder that holds the subjects, directly or in 'enterface database'.

    Returns:
        The records, by subject, emotion and sentence. The scan's faults are sentences with several records;
        its notes name the speakers that are left out.

    Raises:
        Faults: There are no records, or a folder exists twice.
    """
    root = Path(root)
    rows, faults = [], []
    subjects = _numbered(_database(root), "subject")
    for number, subject in subjects:
        for emotion, label in EMOTIONS.items():
            for sentence, folder in _numbered(_child(subject, emotion), "sentence"):
                records = _records(folder)
                if len(records) > 1:
                    faults.append(f"{folder}: holds {len(records)} records, {listing(folder)}; keep one")
                if len(records) == 1:
                    clip, path = f"s{number:02}_{emotion}_{sentence}", records[0].relative_to(root).as_posix()
                    rows.append((clip, path, np.nan, np.nan, label, f"s{number:02}", f"{sentence}", ""))
    if not rows:
        emotions = "/".join(EMOTIONS)
        faults.append(
            f"{root}: has no records named subject N/{emotions}/sentence K/*.avi; it holds {listing(root)}"
        )
        raise Faults(faults)
    frame = pd.DataFrame(rows, columns=manifest.COLUMNS)
    sizes = frame["speaker"].value_counts()
    counts = {f"s{number:02}": int(sizes.get(f"s{number:02}", 0)) for number, _ in subjects}
    omitted = _left_out(counts)
    kept = frame[~frame["speaker"].isin(omitted)].reset_index(drop=True)
    names = ", ".join(f"{speaker} ({counts[speaker]} of {sizes.max()} records)" for speaker in omitted)
    notes = (f"speakers left out: {names}.",) if omitted else ()
    return Scan(root, kept, faults, notes, count_faults(kept))


def _left_out(counts: dict[str, int]) -> list[str]:
    """List the speakers that are left out because of their numbers of records (see ``scan``)."""
    present = [count for count in counts.values() if count]
    uneven = sum(count < max(present) for count in present) > len(present) / 2
    least = 1 if uneven else max(present)
    return [speaker for speaker, count in counts.items() if count < least]


def protocol(frame: pd.DataFrame, folds_seed: int = 0) -> pd.DataFrame:
    """Add the ten folds of speakers as the column ``fold``, see ``splits.speaker_folds``."""
    return splits.speaker_folds(frame, FOLDS, folds_seed)


def count_faults(frame: pd.DataFrame) -> list[str]:
    """Compare the counts with the paper's. Return one fault that lists both, or nothing if they are equal."""
    sizes, speakers = frame.groupby("label").size(), frame["speaker"].nunique()
    counts = {label: int(sizes.get(label, 0)) for label in LABELS}
    if counts == EXPECTED and speakers == SPEAKERS:
        return []
    lines = [
        f"the paper has 1260 records of {SPEAKERS} speakers, but this corpus has {len(frame)} records of "
        f"{speakers} speakers:",
        "  emotion    expected  actual",
    ]
    for label, expected in EXPECTED.items():
        mark = "" if counts[label] == expected else "  <-"
        lines.append(f"  {label:9}  {expected:8}  {counts[label]:6}{mark}")
    return [Lines("\n".join([*lines, ACCEPT]))]


def folds_text(frame: pd.DataFrame) -> str:
    """Return one line for each fold, with its speakers and its number of records."""
    return "\n".join(
        f"fold {fold:2}: {', '.join(sorted(set(group['speaker'])))} ({len(group)} records)"
        for fold, group in frame.groupby("fold")
    )


def _database(root: Path) -> Path:
    """Find the folder that holds the subjects."""
    check_folder(root, f"give the folder that holds '{WRAPPER}' or subject 1")
    return _child(root, WRAPPER) or root


def _child(folder: Path, name: str) -> Path | None:
    """Find the folder of this name in ``folder``, regardless of its case and of spaces around it."""
    paths = [path for path in folder.iterdir() if path.is_dir() and path.name.strip().lower() == name]
    if len(paths) > 1:
        names = " and ".join(sorted(repr(path.name) for path in paths))
        raise Faults(f"{folder}: holds {name} more than once, {names}; keep one")
    return paths[0] if paths else None


def _numbered(folder: Path | None, kind: str) -> list[tuple[int, Path]]:
    """List the folders named '<kind> N' in ``folder`` with their numbers, in order."""
    if folder is None:
        return []
    matches = [
        (re.fullmatch(rf"\s*{kind}\s*(\d+)\s*", path.name, re.IGNORECASE), path) for path in folder.iterdir()
    ]
    numbered = sorted((int(match[1]), path) for match, path in matches if match and path.is_dir())
    for (first, path), (second, following) in pairwise(numbered):
        if first == second:
            names = f"{path.name!r} and {following.name!r}"
            raise Faults(f"{folder}: holds {kind} {first} twice, {names}; keep one")
    return numbered


def _records(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".avi" and not p.name.startswith("."))
