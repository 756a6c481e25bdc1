"""Read a CSV table as spreadsheets, pandas and corpora write it.

The content is interpreted by fixed rules, without guessing:

1. A file that begins with the byte order mark of UTF-16 is UTF-16; every other file is UTF-8.
2. If the first line is ``sep=X``, X separates the fields, and the header follows.
3. Otherwise a comma, semicolon, tab or bar separates the fields: the one that gives the header the
   most needed columns. In a tie, the first in this list wins.
4. If every name in the header except the first follows a blank, blanks after the separator are ignored.
5. Blanks around a column's name are ignored, and so are capitals in a known name.
6. Rows without a value are skipped, and so are columns without a name and a value. Every other row must have
   as many fields as the header, because an extra field may come from a comma that is not quoted.
7. A quoted field may contain line breaks. If one of its lines looks like a row, that is a fault.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from data_prep.base.faults import Faults

__all__ = ["Table", "header_faults", "misnamed", "read_table"]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
OTHER_FORMATS = {
    b"PK\x03\x04": "a spreadsheet or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "compressed with gzip",
}
SAVE = "save the table as CSV with encoding UTF-8 (in Excel: Save As, CSV UTF-8)"
SYNONYMS = {
    synonym: name
    for name, synonyms in {
        "path": "file filename file_name filepath file_path fname wav audio recording",
        "label": "class emotion accent tag category target",
        "partition": "split set subset part usage",
        "speaker": "speaker_id speakerid spk client_id subject actor",
        "start": "begin onset start_time begin_time",
        "stop": "end end_time stop_time",
    }.items()
    for synonym in synonyms.split()
}


@dataclass(frozen=True)
class Table:
    """A table of strings.

    Attributes:
        frame: The rows, all str.
        lines: The number of the first line of each row.
        delimiter: The character between two fields.
    """

    frame: pd.DataFrame
    lines: list[int]
    delimiter: str


@dataclass(frozen=True)
class _Row:
    """The cells of a row, and the numbers of its first and last line."""

    first: int
    last: int
    cells: list[str]


def read_table(path: Path | str, needed: Sequence[str] = (), known: Sequence[str] = ()) -> Table:
    """Read a CSV file as strings, by the rules above.

    Args:
        path: The file.
        needed: The columns that the table must have.
        known: Further columns. Capitals in their names are ignored.

    Raises:
        Faults: The file cannot be read, is not such a table, or lacks columns. Messages name the line.
    """
    lines = list(io.StringIO(_text(path), newline=""))
    stated = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE) if lines else None
    offset = 1 if stated else 0
    names = {*needed, *known}
    delimiter = stated[1] if stated else _delimiter(lines, needed, names)
    further = _header(lines[offset:], delimiter)[1:]
    blanks = bool(further) and all(cell.startswith(" ") for cell in further)
    rows = list(_rows(path, lines, offset, delimiter, blanks))
    if not rows:
        raise Faults(f"{path}: is empty; its first line must name the columns")
    header = [_column(cell, names) for cell in rows[0].cells]
    if "\0" in "".join(header):
        raise Faults(
            f"{path}, line {rows[0].first}: has NUL characters in it, like UTF-16 without a byte order "
            f"mark; {SAVE}"
        )
    header, body = _without_empty_columns(header, rows[1:])
    empty = pd.DataFrame(columns=header)
    if lacking := header_faults(empty, path, needed, rows[0].first):
        raise Faults(lacking)
    if faults := [*_swallowed(path, lines, header, [rows[0], *body], delimiter)] or [
        f"{path}, line {row.first}: has {len(row.cells)} fields but the header has {len(header)}; quote "
        f"fields that have {DELIMITERS.get(delimiter, repr(delimiter))} in them"
        for row in body
        if len(row.cells) != len(header)
    ]:
        raise Faults(faults)  # the fields cannot be assigned to columns, so nothing else can be checked
    frame = pd.DataFrame([row.cells for row in body], columns=header, dtype=str)
    return Table(frame, [row.first for row in body], delimiter)


def header_faults(frame: pd.DataFrame, source: Path | str, needed: Sequence[str], line: int = 1) -> list[str]:
    """List the columns that ``frame`` has more than once, and those ``needed`` that it lacks, as faults."""
    faults = [
        f"{source}, line {line}: has the column {name!r} more than once; keep one"
        for name in frame.columns[frame.columns.duplicated()].unique()
    ]
    if missing := [name for name in needed if name not in frame.columns]:
        present = ", ".join(map(str, frame.columns)) or "none"
        hint = misnamed(frame.columns, missing)
        faults.append(
            f"{source}, line {line}: lacks the columns {', '.join(missing)}; it has {present}{hint}"
        )
    return faults


def misnamed(columns: Iterable[str], missing: Sequence[str]) -> str:
    """Ask whether ``columns`` are ``missing`` ones under another usual name; return '' if none may be."""
    pairs = [(name, SYNONYMS.get(str(name).casefold())) for name in columns]
    questions = [f" Did you mean {meant} by {name}?" for name, meant in pairs if meant in missing]
    return f".{''.join(questions)} If so, rename it." if questions else ""


def _text(path: Path | str) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Faults(f"{path}: cannot be read ({error.strerror}); check its path and permissions") from None
    for magic, kind in OTHER_FORMATS.items():
        if content.startswith(magic):
            raise Faults(f"{path}: is {kind}, not CSV; {SAVE}")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Faults(f"{path}, line {line}: is not UTF-{16 if utf16 else 8}; {SAVE}") from None


def _column(cell: str, names: set[str]) -> str:
    """Return a column's name without blanks around it. If it is one of ``names``, remove its capitals."""
    name = cell.strip()
    return name.casefold() if name.casefold() in names else name


def _header(lines: Sequence[str], delimiter: str) -> list[str]:
    """Return the cells of the first row that has a value, or []."""
    try:
        return next((row for row in csv.reader(lines, delimiter=delimiter) if any(row)), [])
    except csv.Error:  # ``_rows`` reports it
        return []


def _delimiter(lines: Sequence[str], needed: Sequence[str], names: set[str]) -> str:
    """Choose the delimiter that gives the header the most needed columns."""

    def count(delimiter: str) -> tuple[int, int]:
        header = {_column(cell, names) for cell in _header(lines, delimiter)}
        meant = {SYNONYMS.get(name.casefold()) for name in header}  # for the message
        return len(header.intersection(needed)), len(meant.intersection(needed))

    return max(DELIMITERS, key=count)  # in a tie, the first


def _rows(
    path: Path | str, lines: Sequence[str], offset: int, delimiter: str, blanks: bool
) -> Iterator[_Row]:
    """Yield the rows that have a value."""
    reader = csv.reader(lines[offset:], delimiter=delimiter, skipinitialspace=blanks, strict=True)
    first = offset + 1
    try:
        for cells in reader:
            last = offset + reader.line_num
            if any(cell.strip() for cell in cells):
                yield _Row(first, last, cells)
            first = last + 1
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            fault = "opens a quotation that never ends; double the quotation marks of its text or remove them"
        elif "field limit" in str(error):
            fault = f"has a field of more than {csv.field_size_limit()} characters; check its quotation marks"
        else:
            first, fault = offset + reader.line_num, f"is not CSV ({error}); save the table again"
        raise Faults(f"{path}, line {first}: {fault}") from None


def _without_empty_columns(header: list[str], rows: Sequence[_Row]) -> tuple[list[str], list[_Row]]:
    """Drop the columns that have neither a name nor a value."""
    kept = [
        place
        for place, name in enumerate(header)
        if name or any(row.cells[place].strip() for row in rows if place < len(row.cells))
    ]
    dropped = set(range(len(header))) - set(kept)
    return [header[place] for place in kept], [
        _Row(row.first, row.last, [cell for place, cell in enumerate(row.cells) if place not in dropped])
        for row in rows
    ]


def _swallowed(
    path: Path | str, lines: Sequence[str], header: Sequence[str], rows: Sequence[_Row], delimiter: str
) -> Iterator[str]:
    """Yield a fault for each row with a quoted field in which a line looks like a row.

    If the paths of the table have suffixes, a line looks like a row if its path has one of these suffixes.
    Otherwise it looks like a row if it has as many fields as the header.
    """
    column = header.index("path") if "path" in header else None

    def suffix(cells: Sequence[str]) -> str:
        if column is None or column >= len(cells) or len(cells) < 2:
            return ""
        return PurePosixPath(cells[column].strip().strip('"')).suffix.casefold()

    suffixes = {suffix(row.cells) for row in rows[1:]} - {""}
    for row in rows:
        for number in range(row.first + 1, row.last + 1):
            cells = lines[number - 1].rstrip("\r\n").split(delimiter)
            if suffix(cells) in suffixes if suffixes else len(cells) == len(header):
                yield (
                    f"{path}, line {row.first}: opens a quotation that ends on line {row.last}, and line "
                    f"{number} in it looks like a row; double the quotation marks of the text or remove them"
                )
                break
