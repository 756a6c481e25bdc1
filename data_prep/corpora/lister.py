"""List the clips of an open corpus for the CSV file that ``own`` reads, and check that none is missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.corpora import check_folder, listing
from data_prep.corpora.own import recordings

__all__ = ["OpenCorpus", "Table", "list_clips"]

ACCEPT = "Complete the corpus, or accept it as it is with --no-check-counts."
SHOWN = 8  # names in one sentence

Fields = dict[str, str]  # what the names and the tables of a corpus say of one clip


@dataclass(frozen=True)
class Table:
    """A table of a corpus.

    Attributes:
        file: The name of its file, in ROOT, below it or beside it.
        read: The function that reads it: the fields of each speaker whose recordings the corpus should hold.
    """

    file: str
    read: Callable[[Path], Mapping[str, Fields]]


@dataclass(frozen=True)
class OpenCorpus:
    """The names, the codes and the size of a corpus.

    Attributes:
        title: Its name.
        layout: The names of its files, for messages.
        suffix: The suffix of its sound files, in small letters.
        pattern: The end of a clip's path, '/' between folders. Its groups are fields of the clip, among
            them ``speaker``. The optional group ``id`` is the clip's name in the transcripts; otherwise the
            name is that of the file without its suffix.
        labels: The fields that can be the label, the default first.
        totals: The number of clips and of speakers in the complete corpus; a number that is not known is
            left out.
        counts: For some fields the number of clips of each value in the complete corpus.
        codes: For some fields the meaning of each code.
        text: The field that names what is spoken; '' if no field does.
        folds: The number of the fold of each speaker; empty if there are no folds.
        skipped: Patterns of paths that are not listed, each with what they are.
        left_out: Names of clips that are not listed although they belong to the corpus, with the reason.
        table: The table of its speakers.
        transcripts: The function that reads what is spoken in each clip from the corpus's other files.
    """

    title: str
    layout: str
    suffix: str
    pattern: str
    labels: tuple[str, ...]
    totals: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    text: str = ""
    folds: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    table: Table | None = None
    transcripts: Callable[[Sequence[Path]], Mapping[str, str]] | None = None


def list_clips(
    corpus: OpenCorpus, root: Path | str, label: str | None = None, check_counts: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """List the clips of a corpus folder. The sound is not read.

    Args:
        corpus: The corpus.
        root: Its folder. Folders between it and the clips do not matter.
        label: The field that becomes the label; None for the default.
        check_counts: Whether an incomplete corpus is a fault. Otherwise the notes say what is missing.

    Returns:
        One row for each clip, sorted by path: ``path`` (absolute), ``label``, ``speaker``, and ``text`` and
        ``fold`` if the corpus has them. A clip without a label is left out. Then the notes.

    Raises:
        Faults: Everything that is wrong with the names and the tables: files that are named otherwise, clips
            that are there twice, speakers that the corpus's table does not have, and what is missing.
    """
    root, label = Path(root).absolute(), label or corpus.labels[0]
    check_folder(root, f"give the folder of {corpus.title} ({corpus.layout})")
    sounds, others = recordings(root)
    paths = [path for path in sounds if path.suffix.lower() == corpus.suffix]
    clips, faults, notes = _matched(corpus, paths)
    if not clips:
        raise Faults(
            f"{root}: holds no clips of {corpus.title}, which are named {corpus.layout}; it holds "
            f"{listing(root)}"
        )
    missing = _missing_clips(corpus, root, list(clips.values()))
    try:
        missing += _add_table(corpus.table, root, others, clips) if corpus.table else []
        notes += _add_transcripts(corpus, root, others, clips)
    except Faults as wrong:
        faults += wrong.faults
    if faults := faults + [f"{sentence} {ACCEPT}" for sentence in missing if check_counts]:
        raise Faults(faults)
    kept, omitted = _kept(corpus, clips, label)
    return _frame(corpus, kept, label), [*missing, *notes, *omitted]


def _matched(corpus: OpenCorpus, paths: Sequence[Path]) -> tuple[dict[Path, Fields], list[str], list[str]]:
    """Return the fields that each clip's name states, the faults of the names, and notes on other files."""
    clips: dict[Path, Fields] = {}
    first: dict[str, Path] = {}
    copies: list[Path] = []
    faults = []
    skipped: Counter[str] = Counter()
    for path in paths:
        name = path.as_posix()
        if match := re.search(f"/{corpus.pattern}$", name):
            if first.setdefault(path.name, path) != path:
                copies.append(path)
                continue
            clips[path] = {
                key: corpus.codes.get(key, {}).get(value, value)
                for key, value in match.groupdict().items()
                if value is not None
            }
        elif reason := next((why for part, why in corpus.skipped.items() if re.search(part, name)), None):
            skipped[reason] += 1
        else:
            faults.append(
                f"{path}: is not named as {corpus.title} names its clips ({corpus.layout}); rename it, or "
                "move it away"
            )
    if copies:
        faults.append(
            f"{copies[0]}: is also {first[copies[0].name]}; clips that are there twice: {len(copies)}; move "
            "one copy of each away"
        )
    return clips, faults, [f"files skipped because {reason}: {count}." for reason, count in skipped.items()]


def _add_table(table: Table, root: Path, others: Sequence[Path], clips: Mapping[Path, Fields]) -> list[str]:
    """Add the table's fields to the clips. Return a sentence on the speakers without clips, or nothing."""
    places = [path for path in others if path.name == table.file]
    places += [path for path in (root.parent / table.file,) if path.is_file()]
    if not places:
        raise Faults(f"{root}: lacks the table {table.file}; copy it from the corpus into this folder")
    speakers = table.read(places[0])
    if faults := [
        f"{path}: its speaker {clip['speaker']} is not in {places[0]}; move the clip away"
        for path, clip in clips.items()
        if clip["speaker"] not in speakers
    ]:
        raise Faults(faults)
    for clip in clips.values():
        clip.update(speakers[clip["speaker"]])
    present = {clip["speaker"] for clip in clips.values()}
    missing = [name for name in speakers if name not in present]
    if not missing:
        return []
    return [
        f"{root}: speakers in {table.file} without a clip: {len(missing)} of {len(speakers)} "
        f"({_names(missing)})."
    ]


def _add_transcripts(
    corpus: OpenCorpus, root: Path, others: Sequence[Path], clips: Mapping[Path, Fields]
) -> list[str]:
    """Add to each clip what is spoken, if the corpus has transcripts. Return a note on clips without one."""
    if not corpus.transcripts:
        return []
    spoken = corpus.transcripts(others)
    for path, clip in clips.items():
        clip["text"] = spoken.get(clip.get("id", path.stem), "")
    silent = sum(not clip["text"] for clip in clips.values())
    return [f"{root}: clips without a transcript, whose text is empty: {silent}."] if silent else []


def _missing_clips(corpus: OpenCorpus, root: Path, clips: Sequence[Fields]) -> list[str]:
    """Compare the numbers of clips with those of the complete corpus. Return one sentence, or nothing."""
    actual = {"clips": len(clips), "speakers": len({clip["speaker"] for clip in clips})}
    parts = [
        f"{actual[name]} of {expected} {name}"
        for name, expected in corpus.totals.items()
        if actual[name] != expected
    ]
    for name, expected in corpus.counts.items():
        counter = Counter(clip[name] for clip in clips)
        differing = [
            f"{value} {counter[value]} of {expected.get(value, 0)}"
            for value in sorted({*expected, *counter})
            if counter[value] != expected.get(value, 0)
        ]
        if differing:
            parts.append(f"{name} {', '.join(differing)}")
    return [f"{root}: is not the complete {corpus.title}: {'; '.join(parts)}."] if parts else []


def _kept(
    corpus: OpenCorpus, clips: Mapping[Path, Fields], label: str
) -> tuple[dict[Path, Fields], list[str]]:
    """Leave out clips that have no label or are doubtful. Return the others, and notes."""
    reasons = {
        path: corpus.left_out.get(path.stem) or ("" if clip[label] else f"{label} is not known")
        for path, clip in clips.items()
    }
    notes = []
    for reason in dict.fromkeys(filter(None, reasons.values())):
        names = [path.stem for path, why in reasons.items() if why == reason]
        notes.append(f"clips left out because {reason}: {len(names)} ({_names(names)}).")
    return {path: clip for path, clip in clips.items() if not reasons[path]}, notes


def _frame(corpus: OpenCorpus, clips: Mapping[Path, Fields], label: str) -> pd.DataFrame:
    columns = {
        "path": [str(path) for path in clips],
        "label": [clip[label] for clip in clips.values()],
        "speaker": [clip["speaker"] for clip in clips.values()],
    }
    text = corpus.text or ("text" if corpus.transcripts else "")
    if text and text != label:  # a label that names the text cannot be held out as a text
        columns["text"] = [clip[text] for clip in clips.values()]
    if corpus.folds and label != "speaker":  # in a fold of other speakers, a speaker cannot be recognised
        columns["fold"] = [str(corpus.folds[clip["speaker"]]) for clip in clips.values()]
    return pd.DataFrame(columns).sort_values("path", ignore_index=True)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
