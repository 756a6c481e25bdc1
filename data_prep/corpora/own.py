"""Anybody's labelled recordings -> manifest: a folder of folders, or a CSV."""

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
# sound that has to be converted first
UNREAD = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".amr", ".3gp", ".mov", ".mkv")


def recordings(folder: Path) -> tuple[list[Path], list[Path]]:
    """Every file below ``folder``, sorted: recordings, by their suffix, and others; hidden ones are skipped.

    Links are followed. One that leads nowhere is a recording too: that it is missing is told when it is read.
    Raises OSError for a folder that cannot be read.
    """
    found: tuple[list[Path], list[Path]] = [], []
    for path in _files(folder, frozenset()):
        found[path.suffix.lower() not in SUFFIXES].append(path)
    return found


def passed_over(folder: Path, others: Sequence[Path]) -> str:
    """What to say of the files below ``folder`` that are no recordings."""
    return (
        f"{folder}: {len(others)} files are passed over, since their suffix is no recording's "
        f"({_suffixes(others)}); those read are {', '.join(SUFFIXES)}"
    )


def _suffixes(paths: Sequence[Path]) -> str:
    counts = Counter(path.suffix.lower() or "without one" for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Every file below ``folder`` but for hidden ones, without following links into a folder ``above``."""
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
    """The clips of ``source``: a folder with a folder for each label, or a CSV file.

    The CSV has the columns path (below the CSV's folder, or absolute) and label, and may have speaker,
    partition ('train' or 'test'), start and stop (s); others are passed over. Raises Faults with all that is
    wrong with it, by line; what is wrong with a clip itself is found when it is read.
    """
    source = Path(source)
    if source.is_dir():
        return _of_folder(source)
    if source.exists():
        return _of_table(source)
    raise Faults(f"{source}: is missing; name a folder with a folder for each label, or a CSV file")


def _of_folder(root: Path) -> Scan:
    paths, others = ([path.relative_to(root) for path in each] for each in recordings(root))
    faults = []
    if loose := [path for path in paths if len(path.parts) == 1]:
        faults.append(
            f"{root}: {len(loose)} recordings such as {loose[0]} lie in no folder; put each below a folder "
            "named for its label"
        )
    labels = {path.parts[0] for path in paths}
    sounds = [path for path in others if path.suffix.lower() in UNREAD]
    for folder in sorted({path.parts[0] for path in sounds if len(path.parts) > 1} - labels):
        suffixes = _suffixes([path for path in sounds if path.parts[0] == folder])
        faults.append(
            f"{root / folder}: holds no recording that can be read but others ({suffixes}); convert them to "
            "WAV, or move the folder away"
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
    folders = [os.path.dirname(path) for path in paths if "\0" not in path]  # which is told of as the path's
    root = os.path.commonpath(folders) if folders else ""
    below = [os.path.relpath(path, root) for path in paths]
    frame["path"] = [path and place for path, place in zip(frame["path"], below)]
    frame = _completed(frame, source, lines)
    parts = set(frame["partition"])
    if "" in parts and len(parts) > 1:
        line = lines[frame["partition"].tolist().index("")]
        raise Faults(f"{source}, line {line}: has no partition and others have; say train or test everywhere")
    return Scan(Path(root), frame, [])


def _place(folder: Path, path: str) -> str:
    """Where a table's path leads, without '..', which behind a link is not the folder before it."""
    place = os.path.join(folder, path)
    plain = os.path.normpath(place)
    if ".." not in path or "\0" in path or os.path.realpath(plain) == os.path.realpath(place):
        return plain
    return os.path.realpath(place)


def _completed(frame: pd.DataFrame, source: Path, lines: Sequence[int] | None) -> pd.DataFrame:
    """A valid manifest: with the columns that were left out, and a name for each clip."""
    frame = frame.reindex(columns=[name for name in manifest.COLUMNS if name != "clip"], fill_value="")
    frame["text"] = ""  # a corpus's, such as a column of transcripts is not
    times = zip(frame["path"], frame["start"], frame["stop"])
    frame["clip"] = [path + (f" {start}-{stop}" if start or stop else "") for path, start, stop in times]
    manifest.validate(frame, source, lines)
    return manifest.typed(frame)
