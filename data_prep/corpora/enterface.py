"""eNTERFACE'05: acted emotions, in ``subject N/<emotion>/sentence K/*.avi`` (Section 5.3, Table 12)."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, splits
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, listing

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
    """The records below ``root`` (or 'enterface database' in it), by subject, emotion and sentence.

    Subject, emotion and sentence are the folders': the files' own names are wrong for whole subjects. A
    subject that has recorded fewer sentences than the fullest one is left out whole, as subjects 6 (never
    cut into sentences) and 23 (three records are missing) have to be for the paper's 42 speakers of 30
    records; if that would leave out half of the subjects, they are uneven by nature and all are kept.
    Names with a leading dot, files that are no AVI, and folders that are no emotion are skipped. The faults
    are sentences with several records. Raises Faults where there is nothing to read, or a folder twice.
    """
    root = Path(root)
    rows, faults = [], []
    for number, subject in _numbered(_database(root), "subject"):
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
            f"{root}: there are no records in it, laid out as subject N/{emotions}/sentence K/*.avi; "
            f"it holds {listing(root)}"
        )
        raise Faults(faults)
    frame = pd.DataFrame(rows, columns=manifest.COLUMNS)
    few = left_out(frame)
    kept = frame[~frame["speaker"].isin(few)].reset_index(drop=True)
    notes = (f"left out, since some of their records are missing: {', '.join(few)}.",) if few else ()
    return Scan(root, kept, faults, notes, count_faults(kept))


def left_out(frame: pd.DataFrame) -> list[str]:
    """The speakers of a manifest that have too few records to be kept (see ``scan``)."""
    counts = frame.groupby("speaker").size()
    few = counts.index[counts < counts.max()]
    return [] if len(few) > len(counts) / 2 else sorted(few)


def protocol(frame: pd.DataFrame, folds_seed: int = 0) -> pd.DataFrame:
    """The manifest with the ten folds of speakers as ``fold`` (see ``splits.speaker_folds``)."""
    return splits.speaker_folds(frame, FOLDS, folds_seed)


def count_faults(frame: pd.DataFrame) -> list[str]:
    """Expected and found side by side, as one fault, unless there are the paper's 42 times 30 records."""
    counts, speakers = frame.groupby("label").size(), frame["speaker"].nunique()
    found = {label: int(counts.get(label, 0)) for label in LABELS}
    if found == EXPECTED and speakers == SPEAKERS:
        return []
    lines = [
        f"the records are not the paper's 1260 of {SPEAKERS} speakers (here: {len(frame)} of {speakers}):",
        "  emotion    expected  found",
    ]
    for label, expected in EXPECTED.items():
        mark = "" if found[label] == expected else "  <-"
        lines.append(f"  {label:9}  {expected:8}  {found[label]:5}{mark}")
    lines.append(
        "Complete the corpus, or go on with these counts: CHECK_COUNTS=no (command line: --no-check-counts)."
    )
    return ["\n".join(lines)]


def folds_text(frame: pd.DataFrame) -> str:
    """A line a fold: its speakers and how many records they have."""
    return "\n".join(
        f"fold {fold:2}: {', '.join(sorted(set(group['speaker'])))} ({len(group)} records)"
        for fold, group in frame.groupby("fold")
    )


def _database(root: Path) -> Path:
    """The folder that holds the subjects."""
    if not root.is_dir():
        raise Faults(f"{root}: there is no such folder; give the one that holds '{WRAPPER}' or subject 1")
    return _child(root, WRAPPER) or root


def _child(folder: Path, name: str) -> Path | None:
    """The folder of this name in ``folder``, whatever its case and the blanks around it."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.strip().lower() == name]
    if len(found) > 1:
        names = " and ".join(sorted(repr(path.name) for path in found))
        raise Faults(f"{folder}: holds {name} more than once, {names}; keep one")
    return found[0] if found else None


def _numbered(folder: Path | None, kind: str) -> list[tuple[int, Path]]:
    """The folders '<kind> N' in ``folder`` with their numbers, in their order."""
    if folder is None:
        return []
    found = [
        (re.fullmatch(rf"\s*{kind}\s*(\d+)\s*", path.name, re.IGNORECASE), path) for path in folder.iterdir()
    ]
    numbered = sorted((int(match[1]), path) for match, path in found if match and path.is_dir())
    for (one, path), (other, again) in pairwise(numbered):
        if one == other:
            raise Faults(f"{folder}: holds {kind} {one} twice, {path.name!r} and {again.name!r}; keep one")
    return numbered


def _records(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".avi" and not p.name.startswith("."))
