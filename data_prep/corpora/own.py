"""The user's own labelled recordings, in a folder of folders or listed in a CSV file."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from data_prep import manifest
from data_prep.base.csv_tables import misnamed, read_table
from data_prep.base.faults import Faults
from data_prep.base.files import as_stored
from data_prep.corpora import Scan, listing
from data_prep.sound import kinds

__all__ = ["SUFFIXES", "recordings", "scan", "skipped_note"]

SUFFIXES = tuple(
    ".wav .flac .mp3 .m4a .mp4 .mov .3gp .webm .mkv .ogg .oga .opus .aif .aiff .au .caf .avi".split()
)
NEEDED, OPTIONAL = ("path", "label"), ("speaker", "partition", "start", "stop")  # columns of a CSV
NO_TIME = ("nan", "na", "<na>", "none", "null")
NO_LABEL = (*NO_TIME, "n/a", "#n/a")
# suffixes of formats that must be converted first
UNREAD = (".aac", ".wma", ".amr")
LABELLED = "one subfolder of recordings for each label"
DATA = f"a folder that has {LABELLED}, or a CSV file with the columns path and label"


def recordings(folder: Path) -> tuple[list[Path], list[Path]]:
    """List the recordings below ``folder``, which have one of SUFFIXES, and its other files, both sorted.

    Hidden files are skipped, and links are followed. A broken link counts as a recording, so that reading
    it reports the fault.

    Raises:
        OSError: A folder cannot be read.
    """
    sounds: list[Path] = []
    other_files: list[Path] = []
    for path in _files(folder, frozenset()):
        (sounds if path.suffix.lower() in SUFFIXES else other_files).append(path)
    return sounds, other_files


def skipped_note(folder: Path, other_files: Sequence[Path]) -> str:
    """Return the note on the files below ``folder`` that are not recordings."""
    return (
        f"{folder}: {len(other_files)} files are skipped because of their suffixes "
        f"({_suffixes(other_files)}); "
        f"recordings have {', '.join(SUFFIXES)}"
    )


def _suffixes(paths: Sequence[Path]) -> str:
    counts = Counter(path.suffix.lower() or "without a suffix" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Yield every file below ``folder`` except hidden ones. Do not follow links into a folder ``above``."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path, above | {real})
        else:
            yield path


def scan(source: Path | str, further: Sequence[str] = ()) -> Scan:
    """Read the labels of a user's recordings.

    Args:
        source: A folder with a folder for each label, or a CSV file (``base.csv_tables``) with the columns
            path (relative to the CSV's folder, or absolute) and label. The CSV may have the columns
            speaker, partition ('train' or 'test'), start and stop (s; 'nan' counts as empty, and a decimal
            comma is accepted if semicolons separate the fields). Other columns are ignored, with a note, and
            so are spaces around values and capitals in partitions.
        further: The names of more columns that the CSV may have and that the manifest keeps.

    Returns:
        The clips. Labels and speakers are in Unicode's normal form NFC. The sound is not checked.

    Raises:
        Faults: Everything that is wrong with the folder or the CSV, by line.
    """
    source = as_stored(source)
    if source.is_dir():
        return _of_folder(source)
    if _is_sound(source):
        raise Faults(f"{source}: is a sound file; give {DATA}")
    if source.exists():
        return _of_table(source, further)
    raise Faults(f"{source}: is missing; give {DATA}")


def _is_sound(path: Path) -> bool:
    """Return whether a file's suffix or first bytes are those of sound. Only regular files are opened."""
    if not path.is_file():
        return False
    if path.suffix.lower() in (*SUFFIXES, *UNREAD):
        return True
    try:
        with open(path, "rb") as file:
            return bool(kinds.kind_at(file, kinds.tags_end(file)))
    except OSError:  # ``read_table`` reports it
        return False


def _of_folder(root: Path) -> Scan:
    paths, other_files = ([path.relative_to(root) for path in files] for files in recordings(root))
    faults = []
    if loose := [path for path in paths if len(path.parts) == 1]:
        faults.append(
            f"{root}: {len(loose)} recordings such as {loose[0]} are not in a label's folder; move each "
            "below a folder named for its label"
        )
    labels = {path.parts[0] for path in paths}
    sounds = [path for path in other_files if path.suffix.lower() in UNREAD]
    for folder in sorted({path.parts[0] for path in sounds if len(path.parts) > 1} - labels):
        suffixes = _suffixes([path for path in sounds if path.parts[0] == folder])
        faults.append(
            f"{root / folder}: its recordings cannot be read ({suffixes}); convert them to WAV, or move the "
            "folder away"
        )
    if not paths and not faults:
        reason = f"holds no recordings ({', '.join(SUFFIXES)}) but {listing(root)}"
        if not any(root.iterdir()):
            reason = "the folder is empty"
        faults.append(f"{root}: {reason}; give a folder that has {LABELLED}")
    if faults:
        raise Faults(faults)
    lines = [{"path": path.as_posix(), "label": path.parts[0]} for path in paths]
    notes = (skipped_note(root, other_files),) if other_files else ()
    frame = _completed(pd.DataFrame(lines), root, None)
    return Scan(root, frame, [], (*notes, *_similar_labels(root, frame["label"])))


def _of_table(source: Path, further: Sequence[str]) -> Scan:
    table = read_table(source, NEEDED, (*OPTIONAL, *further))
    lines = table.lines
    frame, ignored = _plain(table.frame, source, ["path", "label", "speaker", "partition", *further])
    _check_paths(frame["path"], source, lines)
    passed = [str(name) for name in frame.columns if name and name not in (*NEEDED, *OPTIONAL, *further)]
    paths = [str(as_stored(_place(source.parent.absolute(), path))) for path in frame["path"]]
    missing = _missing_files(source, frame["path"], paths)
    folders = [os.path.dirname(path) for path in paths if "\0" not in path]  # another check reports it
    root = os.path.commonpath(folders) if folders else ""
    below = [os.path.relpath(path, root) for path in paths]
    frame["path"] = [path and place for path, place in zip(frame["path"], below)]
    for name in ("start", "stop"):
        if name in frame:
            frame[name] = [_time(cell, table.delimiter) for cell in frame[name]]
    notes = _passed_columns(source, passed, frame.columns) + ignored
    notes += _missing_labels(source, frame["label"])
    frame = _completed(frame, source, lines, [name for name in further if name in frame])
    parts = set(frame["partition"])
    if "" in parts and len(parts) > 1:
        line = lines[frame["partition"].tolist().index("")]
        raise Faults(
            f"{source}, line {line}: has no partition, but other lines have; give train or test everywhere"
        )
    return Scan(Path(root), frame, [], (*notes, *_similar_labels(source, frame["label"]), *missing))


def _plain(frame: pd.DataFrame, source: Path, columns: Iterable[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Remove spaces around the values of a CSV's ``columns``, and capitals in partitions.

    Spaces around a path are kept if there is such a file.

    Returns:
        The frame, and the note on what was removed, if anything was.
    """
    plain = frame.assign(**{name: frame[name].str.strip() for name in columns if name in frame})
    plain["path"] = [
        path if path != short and os.path.lexists(source.parent / path) else short
        for path, short in zip(frame["path"], plain["path"])
    ]
    padded = [f"a {name}" for name in columns if name in frame and (plain[name] != frame[name]).any()]
    ignored = [f"spaces around {' or '.join(padded)}"] if padded else []
    if "partition" in plain:
        lower = plain["partition"].str.casefold()
        if (lower != plain["partition"]).any():
            ignored.append("capitals in a partition")
        plain["partition"] = lower
    return plain, (f"note: {source}: {' and '.join(ignored)} are ignored.",) if ignored else ()


def _missing_files(source: Path, stated: Iterable[str], places: Sequence[str]) -> tuple[str, ...]:
    """Return the note on relative paths without a file, if there are any.

    Args:
        source: The CSV file.
        stated: Its paths.
        places: The files that they name.
    """
    relative = {path: place for path, place in zip(stated, places) if path and not os.path.isabs(path)}
    missing = [path for path, place in relative.items() if not os.path.lexists(place)]
    if not missing:
        return ()
    return (
        f"note: {source}: there is no file at {len(missing)} of {len(relative)} relative paths, such as "
        f"{missing[0]!r}. Relative paths begin at the folder of the CSV file, {source.parent.absolute()}.",
    )


def _time(cell: str, delimiter: str) -> str:
    """Convert a time in s, as pandas or a spreadsheet writes it, to Python's form; '' for no value."""
    if cell.strip().casefold() in NO_TIME:
        return ""
    decimal_comma = delimiter == ";" and re.fullmatch(r"-?\d+,\d+", cell)
    return cell.replace(",", ".") if decimal_comma else cell


def _check_paths(paths: Iterable[str], source: Path, lines: Sequence[int]) -> None:
    """Raise Faults for URLs, for paths that begin with ~, and for paths that this locale cannot encode."""
    faults = []
    for path, line in zip(paths, lines):
        try:
            os.fsencode(path.replace("\0", ""))
        except UnicodeEncodeError as error:
            if error.encoding != "utf-8":  # then one sentence is enough: most lines have the same fault
                raise Faults(
                    f"{source}, line {line}: file names in this locale are in {error.encoding}, which has no "
                    f"character for {path!r}; set PYTHONUTF8=1"
                ) from None
        if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE):
            faults.append(f"{source}, line {line}: path {path!r} is a URL; give the path of a file")
        elif path.startswith("~") and not os.path.lexists(source.parent / path):
            faults.append(
                f"{source}, line {line}: path {path!r} begins with ~, which only a shell replaces; give the "
                "whole path"
            )
    if faults:
        raise Faults(faults)


def _passed_columns(source: Path, passed: Sequence[str], columns: Iterable[str]) -> tuple[str, ...]:
    """Return the note on the columns that are ignored, if there are any."""
    if not passed:
        return ()
    missing = [name for name in OPTIONAL if name not in columns]
    ignored = f"column {passed[0]} is" if len(passed) == 1 else f"columns {', '.join(passed)} are"
    return (f"note: {source}: the {ignored} ignored{misnamed(passed, missing) or '.'}",)


def _missing_labels(source: Path, labels: pd.Series) -> tuple[str, ...]:
    """Return a note for each label that other programs write for a missing value."""
    counts = labels[labels.str.casefold().isin(NO_LABEL)].value_counts()
    return tuple(
        f"note: {source}: the label {label!r}, which {count} clips have, is what other programs write for a "
        "missing value; if so, remove these lines."
        for label, count in counts.items()
    )


def _similar_labels(source: Path, labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note for each set of labels that a reader could take for one label."""
    groups: dict[str | float, list[str]] = {}
    for label in sorted(set(labels)):
        groups.setdefault(_appearance(label), []).append(label)
    return tuple(
        f"note: {source}: the labels {' and '.join(map(ascii, group))} differ only in capitals, "
        "invisible characters or zeros, and count as different classes; if they are one class, give them one "
        "name."
        for group in groups.values()
        if len(group) > 1
    )


def _appearance(label: str) -> str | float:
    """Return the same value for labels that a reader could take for one."""
    visible = [character for character in label if unicodedata.category(character) != "Cf"]
    plain = " ".join(unicodedata.normalize("NFKC", "".join(visible)).casefold().split())
    return float(plain) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{0,15})?", plain) else plain


def _place(folder: Path, path: str) -> str:
    """Resolve a table's path. After a link, '..' means the parent of the link's target."""
    place = os.path.join(folder, path)
    plain = os.path.normpath(place)
    if ".." not in path or "\0" in path or os.path.realpath(plain) == os.path.realpath(place):
        return plain
    return os.path.realpath(place)


def _completed(
    frame: pd.DataFrame, source: Path, lines: Sequence[int] | None, further: Sequence[str] = ()
) -> pd.DataFrame:
    """Complete a manifest with the missing columns and a name for each clip, and validate it."""
    columns = [name for name in (*manifest.COLUMNS, *further) if name != "clip"]
    frame = frame.reindex(columns=list(dict.fromkeys(columns)), fill_value="")
    for name in ("label", "speaker"):  # macOS and other systems spell the same letter differently
        frame[name] = [unicodedata.normalize("NFC", value) for value in frame[name]]
    if "text" not in further:
        frame["text"] = ""  # the name of a text in a corpus; a CSV's column of this name may hold transcripts
    times = zip(frame["path"], frame["start"], frame["stop"])
    frame["clip"] = [path + (f" {start}-{stop}" if start or stop else "") for path, start, stop in times]
    manifest.validate(frame, source, lines, named=False)
    return manifest.typed(frame)
