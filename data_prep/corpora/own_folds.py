"""The user's own labelled recordings, divided into folds on which systems are compared."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from data_prep import splits
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, own

__all__ = ["HOLD_OUT", "default_hold_out", "folds_text", "protocol", "scan", "source_name"]

HOLD_OUT = ("speaker", "text", "clip", "fold")
"""What one fold has and no other.

'speaker', 'text': whole speakers or texts, from the CSV's column of this name.
'clip': whole files.
'fold': the clips with one number in the CSV's column ``fold``.
"""
LABELS: tuple[str, ...] = ()  # any
SCAN_OPTIONS: tuple[str, ...] = ()
PROTOCOL_OPTIONS: tuple[str, ...] = ("hold_out", "folds")  # choices that ``protocol`` takes
COLUMNS = ("text", "fold")  # of a CSV, besides those of ``own.scan``
SEED = 0  # of the draw of the folds


def scan(root: Path | str) -> Scan:
    """Read the labels of recordings as ``own.scan`` does, with the columns ``text`` and ``fold`` of a CSV.

    The notes name the data without its folder, because reports keep them.
    """
    found = own.scan(root, COLUMNS)
    name = Path(root).absolute().name
    notes = (line.removeprefix("note: ").replace(f"{root}:", f"{name}:", 1) for line in found.notes)
    return replace(found, notes=tuple(notes))


def source_name(root: Path) -> str:
    """Return the data's name: the folder's or the CSV file's, but for manifest.csv that of its folder."""
    root = Path(os.path.abspath(root))  # without '..', but with links
    if root.is_dir():
        return root.name
    return root.parent.name if root.stem == "manifest" else root.stem


def default_hold_out(frame: pd.DataFrame) -> str:
    """Return the member of HOLD_OUT for clips whose user names none.

    It is 'fold' if the clips state folds, and otherwise 'speaker' if they name speakers. If the labels are
    the speakers, it is 'text', or 'clip' without texts.
    """
    if "fold" in frame:
        return "fold"
    named = frame[frame["speaker"] != ""].drop_duplicates(["label", "speaker"])
    if named.empty:
        return "clip"
    if named["label"].duplicated().any() or named["speaker"].duplicated().any():
        return "speaker"
    return "text" if (frame["text"] != "").all() and frame["text"].nunique() > 1 else "clip"


def protocol(frame: pd.DataFrame, hold_out: str, folds: int) -> pd.DataFrame:
    """Divide the clips into folds with scikit-learn's splitters.

    Args:
        frame: The manifest. Its partitions are ignored, because every clip is tested once.
        hold_out: A member of HOLD_OUT.
        folds: The number of folds, 2 or more. With 'fold' the column decides, and ``folds`` is not used.

    Returns:
        The manifest with an integer column ``fold``, from 1 unless the clips state other numbers.

    Raises:
        Faults: The clips cannot be divided in this way.
    """
    frame = frame.assign(partition="")
    if hold_out not in HOLD_OUT:
        raise Faults(f"{hold_out!r} cannot be held out; choose {', '.join(HOLD_OUT[:-1])} or {HOLD_OUT[-1]}")
    if faults := splits.label_faults(frame["label"]):
        raise Faults(faults)
    if hold_out == "fold":
        _check_stated(frame)
        return frame
    groups = _groups(frame, hold_out)
    count = groups.nunique()
    if hold_out == "speaker" and groups.groupby(frame["label"]).nunique().max() == 1:
        raise Faults(
            "each label has one speaker, so whole speakers cannot be held out; hold out text or clip instead"
        )
    numbers = splits.group_folds(frame["label"], groups, None if folds == count else folds, SEED)
    if numbers is None:
        raise Faults(
            f"{count} {'file' if hold_out == 'clip' else hold_out}s cannot be divided into {folds} folds so "
            "that every label is in each training; give fewer folds, or hold out something else"
        )
    return frame.assign(fold=numbers)


def _groups(frame: pd.DataFrame, hold_out: str) -> pd.Series:
    """Return the group (n,) of each clip, which stays whole."""
    if hold_out == "clip":
        return frame["path"]  # clips of one file share a voice and a room, and may overlap
    names = frame[hold_out]
    if hold_out == "speaker" and (names != "").any():
        return splits.voices(names, frame["path"])
    nameless = frame["clip"][names == ""]
    if len(nameless):
        raise Faults(
            f"{len(nameless)} clips name no {hold_out}, such as {nameless.iloc[0]!r}; name it in the column "
            f"{hold_out} of a CSV file, or hold out something else"
        )
    return names


def _check_stated(frame: pd.DataFrame) -> None:
    """Raise Faults unless the clips state two or more folds, all with every label in their training."""
    if "fold" not in frame:
        raise Faults("the clips state no folds; add the column fold to a CSV file")
    numbers, labels = frame["fold"], frame["label"]
    if not (pd.api.types.is_integer_dtype(numbers) and (numbers > 0).all() and numbers.nunique() > 1):
        raise Faults("the column fold does not have a whole number above 0 for each clip; number two or more")
    if faults := [
        f"label {label!r} is in fold {numbers[labels == label].iloc[0]} only, so the training without that "
        "fold has none; divide the clips otherwise"
        for label in sorted(set(labels))
        if numbers[labels == label].nunique() == 1
    ]:
        raise Faults(faults)


def folds_text(frame: pd.DataFrame) -> str:
    """Describe the folds: their numbers of clips, and which speakers and texts are in one fold only."""
    sizes = frame["fold"].value_counts().sort_index()
    lines = [f"{len(sizes)} folds with {_listed(sizes.astype(str))} clips."]
    for column in ("speaker", "text"):
        named = frame[frame[column] != ""]
        folds = named.groupby(column)["fold"].agg(["nunique", "first"])
        if folds.empty:
            continue
        crossing = folds.index[folds["nunique"] > 1]
        if len(crossing):
            lines.append(
                f"{len(crossing)} of {len(folds)} {column}s are in several folds, such as {crossing[0]}."
            )
        else:
            by_fold = folds.groupby("first")
            names = "; ".join(f"fold {fold}: {', '.join(group.index)}" for fold, group in by_fold)
            lines.append(f"No {column} is in two folds. {names}.")
    return "\n".join(lines)


def _listed(items: Iterable[str]) -> str:
    *rest, last = items
    return f"{', '.join(rest)} and {last}"
