"""The manifest: a table with one row for each clip, which everything downstream reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd

from data_prep.base.csv_tables import header_faults, read_table
from data_prep.base.faults import Faults
from data_prep.base.files import whole

COLUMNS = ("clip", "path", "start", "stop", "label", "speaker", "text", "partition")
PARTITIONS = ("train", "test", "")
LONGEST = 1e9  # s, some thirty years

Clip = tuple[Path, float | None, float | None]


def read(path: Path | str) -> pd.DataFrame:
    """Read and validate a manifest in a CSV file, by the rules of ``base.csv_tables``.

    Args:
        path: The file.

    Returns:
        A frame with one row for each clip, and the columns
        ``clip``: a unique name;
        ``path``: a POSIX path below the corpus's folder;
        ``start``, ``stop``: float64 in s, NaN for the file's beginning and end;
        ``label``, ``speaker``, ``text``: str;
        ``partition``: 'train', 'test' or '';
        and any others, such as ``copies`` and ``fold``: int64 if all values are whole numbers, otherwise str.

    Raises:
        Faults: Everything that is wrong, by line.
    """
    table = read_table(path, COLUMNS)
    validate(table.frame, path, table.lines)
    return typed(table.frame)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert a valid manifest of strings to the types that ``read`` returns."""
    frame = frame.copy()
    for column in frame.columns:
        if column in ("start", "stop"):
            frame[column] = frame[column].replace("", "nan").astype(np.float64)  # to_numeric is not exact
        elif column not in COLUMNS and frame[column].str.fullmatch(r"0|-?[1-9]\d*").all():
            frame[column] = frame[column].astype(np.int64)
    return frame


def write(frame: pd.DataFrame, path: Path | str) -> None:
    """Validate a manifest, and write it as CSV.

    Raises:
        Faults: As ``validate`` does. In that case nothing is written.
    """
    validate(frame, path)
    with whole(path) as aside:
        frame.to_csv(aside, index=False, lineterminator="\n")


def clips(frame: pd.DataFrame, root: Path) -> list[Clip]:
    """List each clip's file, below ``root``, and its start and stop in s, None for the file's ends."""
    start, stop = (frame[name].astype(object).where(frame[name].notna(), None) for name in ("start", "stop"))
    return [(root / path, *times) for path, *times in zip(frame["path"], start, stop, strict=True)]


def validate(
    frame: pd.DataFrame,
    source: Path | str = "manifest",
    lines: Sequence[int] | None = None,
    named: bool = True,
) -> None:
    """Check a manifest completely.

    Args:
        frame: The manifest, of strings or as ``read`` returns it.
        source: The manifest's file, or the folder of the clips. Messages name the file and the line, or the
            clip's file.
        lines: The number of the line of each row; None if the rows follow the header, which is line 1.
        named: Whether the user named the clips. Otherwise the names were made from paths and times, and
            messages do not mention them.

    Raises:
        Faults: Everything that is wrong.
    """
    header = header_faults(frame, source, COLUMNS)
    if header or frame.empty:
        raise Faults(header or f"{source}: has no clips below its header; add at least one")

    numbers = list(range(2, len(frame) + 2) if lines is None else lines)
    text = frame.astype(object).where(frame.notna(), "").astype(str)
    folder = Path(source).is_dir()
    places = (
        [f"the name of {path}" for path in text["path"]]
        if folder
        else [f"on line {number}" for number in numbers]
    )
    repeated = _repeated_clips(text, places) if named else _repeated_recordings(text, numbers)
    faults = [*_field_faults(text, "clip" if named else "path"), *repeated, *_value_faults(text)]
    clips = [f"{Path(source) / path}" if folder else "" for path in text["path"]]
    if faults:
        raise Faults(
            f"{clips[row] or f'{source}, line {numbers[row]}'}: {fault}" for row, fault in sorted(faults)
        )


def _faulty_rows(faulty: pd.Series, text: pd.DataFrame, message: str) -> Iterator[tuple[int, str]]:
    """Yield the ``faulty`` rows, each with ``message`` formatted with the row's fields."""
    for row in np.flatnonzero(faulty.to_numpy()):
        yield int(row), message.format_map(text.iloc[row])


def _field_faults(text: pd.DataFrame, name_column: str) -> Iterator[tuple[int, str]]:
    """Yield the row and the fault of every field that is empty or has forbidden characters.

    Args:
        text: The manifest as strings.
        name_column: The column in which the user named the clips, 'clip' or 'path'.
    """

    def having(characters: str) -> pd.Series:
        return text.apply(lambda column: column.str.contains(f"[{characters}]")).any(axis=1)

    yield from _faulty_rows(having(r"\r\n"), text, "a field has a line break in it; remove it")
    control = having(r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f")
    yield from _faulty_rows(control, text, "a field has a control character in it; remove it")
    surrogate = having(r"\ud800-\udfff")
    remedy = "rename the file or its folder"
    if sys.getfilesystemencoding() != "utf-8":  # then most such names are right, and this setting is wrong
        remedy = "set PYTHONUTF8=1, because this locale's file names are not in UTF-8"
    yield from _faulty_rows(surrogate, text, f"the name {{path!r}} is not in UTF-8; {remedy}")
    for name in dict.fromkeys((name_column, "path", "label")):
        yield from _faulty_rows(text[name] == "", text, f"{name} is empty; every clip needs one")
    for name in (name_column, "label", "speaker"):
        padded = text[name] != text[name].str.strip()
        yield from _faulty_rows(padded, text, f"{name} {{{name}!r}} begins or ends with a space; remove it")


def _repeated_clips(text: pd.DataFrame, places: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the row and the fault of every clip whose name another clip has."""
    first = dict(zip(text["clip"][::-1], range(len(text) - 1, -1, -1), strict=True))
    for row in np.flatnonzero((text["clip"].duplicated() & (text["clip"] != "")).to_numpy()):
        clip = text["clip"].iloc[row]
        yield int(row), f"clip {clip!r} is already {places[first[clip]]}; give every clip a different name"


def _repeated_recordings(text: pd.DataFrame, lines: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the row and the fault of every row with the path and the times of an earlier row."""
    first: dict[str, int] = {}
    for row, (clip, label) in enumerate(zip(text["clip"], text["label"], strict=True)):
        earlier = first.setdefault(clip, row)
        if earlier == row or not clip:
            continue
        fault = f"names the same recording as line {lines[earlier]}"
        if label == text["label"].iloc[earlier]:
            yield row, f"{fault}; delete one of the two lines"
        else:
            labels = f"{text['label'].iloc[earlier]} and {label}"
            yield row, f"{fault}, with the labels {labels}; keep the line with the right one"


def _value_faults(text: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Yield the row and the fault of every path, partition, time or count that is not valid."""
    outside = text["path"].map(_is_outside)
    yield from _faulty_rows(
        outside, text, "path {path!r} is not below the corpus folder; give a relative path with '/'"
    )
    unknown = ~text["partition"].isin(PARTITIONS)
    yield from _faulty_rows(
        unknown, text, "partition {partition!r} is not valid; give train, test or nothing"
    )

    start, stop = (pd.to_numeric(text[name], errors="coerce") for name in ("start", "stop"))
    for name, value in (("start", start), ("stop", stop)):
        not_a_time = (text[name] != "") & ~(value.abs() < LONGEST)
        yield from _faulty_rows(
            not_a_time, text, f"{name} {{{name}!r}} is not a number of seconds; correct it"
        )
        negative = np.isfinite(value) & (value < 0)
        end = "leave it empty for the file's end" if name == "stop" else "correct it"
        yield from _faulty_rows(negative, text, f"{name} {{{name}}} is before the file's beginning; {end}")
    reversed_ = np.isfinite(start) & (stop >= 0) & (start >= stop)
    yield from _faulty_rows(reversed_, text, "start {start} is not before stop {stop}; correct one of them")
    if "copies" in text:
        not_a_count = ~text["copies"].str.fullmatch(r"\d+")
        yield from _faulty_rows(
            not_a_count, text, "copies {copies!r} is not a whole number of 0 or more; correct it"
        )


def _is_outside(path: str) -> bool:
    """Return whether a path is absolute on any system, has a backslash, or climbs out with '..'."""
    return (
        path.startswith("/")
        or bool(PureWindowsPath(path).drive)
        or "\\" in path
        or ".." in PurePosixPath(path).parts
    )
