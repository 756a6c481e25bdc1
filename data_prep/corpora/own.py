"""The user's own labelled recordings, in a folder of folders or listed in a CSV file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, listing

__all__ = ["SUFFIXES", "passed_over", "recordings", "scan"]

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".avi")
# formats of sound that must be converted first
UNREAD = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".amr", ".3gp", ".mov", ".mkv")


def recordings(folder: Path) -> tuple[list[Path], list[Path]]:
    """List the recordings below ``folder``, which have one of SUFFIXES, and its other files, both sorted.

    Hidden files are skipped, and links are followed. A broken link counts as a recording, so that reading
    it reports the fault.

    Raises:
        OSError: A folder cannot be read.
    """
    sounds: list[Path] = []
    others: list[Path] = []
    for path in _files(folder, frozenset()):
        (sounds if path.suffix.lower() in SUFFIXES else others).append(path)
    return sounds, others


def passed_over(folder: Path, others: Sequence[Path]) -> str:
    """Return the note on the files below ``folder`` that are not recordings."""
    return (
        f"{folder}: {len(others)} files are skipped because of their suffixes ({_suffixes(others)}); "
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


def scan(source: Path | str) -> Scan:
    """Read the labels of a user's recordings.

    Args:
        source: A folder with a folder for each label, or a CSV file with the columns path (relative to the
            CSV's folder, or absolute) and label. The CSV may have speaker, partition ('train' or 'test'),
            start and stop (s). Its other columns are ignored.

    Returns:
        The clips. Their sound is not checked.

    Raises:
        Faults: Everything that is wrong with the folder or the CSV, by line.
    """
    source = Path(source)
    if source.is_dir():
        return _of_folder(source)
    if source.exists():
        return _of_table(source)
    raise Faults(f"{source}: is missing; name a folder with a folder for each label, or a CSV file")


def _of_folder(root: Path) -> Scan:
    paths, others = ([path.relative_to(root) for path in files] for files in recordings(root))
    faults = []
    if loose := [path for path in paths if len(path.parts) == 1]:
        faults.append(
            f"{root}: {len(loose)} recordings such as {loose[0]} are not in a label's folder; move each "
            "below a folder named for its label"
        )
    labels = {path.parts[0] for path in paths}
    sounds = [path for path in others if path.suffix.lower() in UNREAD]
    for folder in sorted({path.parts[0] for path in sounds if len(path.parts) > 1} - labels):
        suffixes = _suffixes([path for path in sounds if path.parts[0] == folder])
        faults.append(
            f"{root / folder}: its recordings cannot be read ({suffixes}); convert them to WAV, or move the "
            "folder away"
        )
    if not paths and not faults:
        faults.append(
            f"{root}: holds no recordings ({', '.join(SUFFIXES)}) but {listing(root)}; give a folder with a "
            "folder for each label"
        )
    if faults:
        raise Faults(faults)
    lines = [{"path": path.as_posix(), "label": path.parts[0]} for path in paths]
    notes = (passed_over(root, others),) if others else ()
    return Scan(root, _completed(pd.DataFrame(lines), root, None), [], notes)


def _of_table(source: Path) -> Scan:
    frame, lines = manifest.records(source)
    if faults := manifest.header_faults(frame, source, ("path", "label")):
        raise Faults(faults)
    paths = [_place(source.parent.absolute(), path) for path in frame["path"]]
    folders = [os.path.dirname(path) for path in paths if "\0" not in path]  # another check reports it
    root = os.path.commonpath(folders) if folders else ""
    below = [os.path.relpath(path, root) for path in paths]
    frame["path"] = [path and place for path, place in zip(frame["path"], below)]
    frame = _completed(frame, source, lines)
    parts = set(frame["partition"])
    if "" in parts and len(parts) > 1:
        line = lines[frame["partition"].tolist().index("")]
        raise Faults(
            f"{source}, line {line}: has no partition, but other lines have; give train or test everywhere"
        )
    return Scan(Path(root), frame, [])


def _place(folder: Path, path: str) -> str:
    """Resolve a table's path. After a link, '..' is not the folder before it in the path."""
    place = os.path.join(folder, path)
    plain = os.path.normpath(place)
    if ".." not in path or "\0" in path or os.path.realpath(plain) == os.path.realpath(place):
        return plain
    return os.path.realpath(place)


def _completed(frame: pd.DataFrame, source: Path, lines: Sequence[int] | None) -> pd.DataFrame:
    """Complete a manifest with the missing columns and a name for each clip, and validate it."""
    frame = frame.reindex(columns=[name for name in manifest.COLUMNS if name != "clip"], fill_value="")
    frame["text"] = ""  # the name of a text in a corpus; a CSV's column of this name may hold transcripts
    times = zip(frame["path"], frame["start"], frame["stop"])
    frame["clip"] = [path + (f" {start}-{stop}" if start or stop else "") for path, start, stop in times]
    manifest.validate(frame, source, lines)
    return manifest.typed(frame)
