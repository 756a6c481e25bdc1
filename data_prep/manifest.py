"""The manifest: the one table that everything downstream reads, a row a clip."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd

from data_prep.base.faults import Faults
from data_prep.base.files import whole

COLUMNS = ("clip", "path", "start", "stop", "label", "speaker", "text", "partition")
PARTITIONS = ("train", "test", "")
LONGEST = 1e9  # s, some thirty years

Clip = tuple[Path, float | None, float | None]


def read(path: Path | str) -> pd.DataFrame:
    """The manifest in a CSV file (UTF-8), valid.

    ``clip``: unique name. ``path``: POSIX path below the corpus root. ``start``, ``stop``: float64 s, NaN for
    the file's own. ``label``, ``speaker``, ``text``: str. ``partition``: 'train', 'test' or ''. Further
    columns, such as ``copies`` and ``fold``, are int64 where every value is a whole number, else str.
    Raises Faults with everything that is wrong, by line.
    """
    frame, lines = records(path)
    validate(frame, path, lines)
    return typed(frame)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A valid manifest of strings with its numbers as numbers, see ``read``."""
    frame = frame.copy()
    for column in frame.columns:
        if column in ("start", "stop"):
            frame[column] = frame[column].replace("", "nan").astype(np.float64)  # exact, as to_numeric is not
        elif column not in COLUMNS and frame[column].str.fullmatch(r"0|-?[1-9]\d*").all():
            frame[column] = frame[column].astype(np.int64)
    return frame


def records(path: Path | str) -> tuple[pd.DataFrame, list[int]]:
    """A CSV file (UTF-8, a header) as strings, and the line that each row stands on.

    Raises Faults for a file that is no such table, by line.
    """
    try:
        content = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Faults(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Faults(
            f"{path}, line {line}: is not UTF-8; save the table as CSV with encoding UTF-8"
        ) from None
    try:
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise Faults(f"{path}, line {reader.line_num}: is no CSV ({error})") from None
    if not lines:
        raise Faults(f"{path}: is empty; its first line must name the columns")
    header, rows = lines[0][1], lines[1:]
    ragged = [
        f"{path}, line {number}: has {len(row)} fields and the header has {len(header)}; quote commas"
        for number, row in rows
        if len(row) != len(header)
    ]
    if ragged:  # which field is which is unknown there, so nothing else can be said yet
        raise Faults(ragged)
    return pd.DataFrame([row for _, row in rows], columns=header, dtype=str), [number for number, _ in rows]


def write(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a valid manifest as CSV, whole. Raises Faults as ``validate`` does, with nothing written."""
    validate(frame, path)
    with whole(path) as aside:
        frame.to_csv(aside, index=False, lineterminator="\n")


def clips(frame: pd.DataFrame, root: Path) -> list[Clip]:
    """Of each clip of a manifest its file, below ``root``, and its start and stop (s) or None."""
    start, stop = (frame[name].astype(object).where(frame[name].notna(), None) for name in ("start", "stop"))
    return [(root / path, *times) for path, *times in zip(frame["path"], start, stop, strict=True)]


def validate(
    frame: pd.DataFrame, source: Path | str = "manifest", lines: Sequence[int] | None = None
) -> None:
    """Raise Faults with every fault of a manifest, each with its line in ``source`` (the header is line 1),
    or with its file where ``source`` is the folder that the paths are below.

    ``lines``: the line that each row stands on, if not one after the other.
    """
    header = header_faults(frame, source, COLUMNS)
    if header or frame.empty:
        raise Faults(header or f"{source}: has no clips below its header")

    lines = np.arange(2, len(frame) + 2) if lines is None else np.asarray(lines)
    text = frame.astype(object).where(frame.notna(), "").astype(str)
    found: list[tuple[int, str]] = []
    folder = Path(source).is_dir()

    def place(i: int) -> str:
        return f"{Path(source) / text['path'].iloc[i]}" if folder else f"{source}, line {lines[i]}"

    def report(wrong: pd.Series, describe: str) -> None:
        """``describe`` is a format string over the row's columns."""
        at = np.flatnonzero(wrong.to_numpy())
        found.extend((int(i), describe.format_map(text.iloc[i])) for i in at)

    def having(characters: str) -> pd.Series:
        return text.apply(lambda column: column.str.contains(f"[{characters}]")).any(axis=1)

    report(having(r"\r\n"), "a field has a line break in it; take it out")
    report(having(r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"), "a field has a control character in it; take it out")
    report(having(r"\ud800-\udfff"), "the name {path!r} is not in UTF-8; rename the file or its folder")
    for column in ("clip", "path", "label"):
        report(text[column] == "", f"{column} is empty; every clip needs one")
    for column in ("clip", "label", "speaker"):
        report(
            text[column] != text[column].str.strip(), f"{column} {{{column}!r}} begins or ends with a space"
        )
    first = dict(zip(text["clip"][::-1], range(len(text) - 1, -1, -1), strict=True))
    for i in np.flatnonzero((text["clip"].duplicated() & (text["clip"] != "")).to_numpy()):
        clip = text["clip"].iloc[i]
        other = text["path"].iloc[first[clip]] if folder else f"on line {lines[first[clip]]}"
        found.append((int(i), f"clip {clip!r} is {other} already; clips need names of their own"))
    report(
        text["path"].map(_leaves), "path {path!r} is not below the corpus folder; give it relative, with '/'"
    )
    report(~text["partition"].isin(PARTITIONS), "partition {partition!r} is none of train, test and empty")

    start, stop = (pd.to_numeric(text[name], errors="coerce") for name in ("start", "stop"))
    for name, value in (("start", start), ("stop", stop)):
        report((text[name] != "") & ~(value.abs() < LONGEST), f"{name} {{{name}!r}} is no number of seconds")
        report(np.isfinite(value) & (value < 0), f"{name} {{{name}}} is before the file's beginning")
    report(
        np.isfinite(start) & np.isfinite(stop) & (start >= stop), "start {start} is not before stop {stop}"
    )
    if "copies" in text:
        report(~text["copies"].str.fullmatch(r"\d+"), "copies {copies!r} is no whole number from 0 up")
    if found:
        raise Faults(f"{place(i)}: {fault}" for i, fault in sorted(found))


def header_faults(frame: pd.DataFrame, source: Path | str, needed: Sequence[str]) -> list[str]:
    """Columns that ``frame`` has more than once, and those ``needed`` that it lacks."""
    faults = [
        f"{source}, line 1: has the column {name!r} more than once; keep one"
        for name in frame.columns[frame.columns.duplicated()].unique()
    ]
    if missing := [name for name in needed if name not in frame.columns]:
        found = ", ".join(map(str, frame.columns)) or "none"
        faults.append(f"{source}, line 1: lacks the columns {', '.join(missing)}; it has {found}")
    return faults


def _leaves(path: str) -> bool:
    """Whether a path is absolute (on any system), has a backslash, or climbs out with '..'."""
    return (
        path.startswith("/")
        or bool(PureWindowsPath(path).drive)
        or "\\" in path
        or ".." in PurePosixPath(path).parts
    )
