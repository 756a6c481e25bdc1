"""CHAINS: solo readings, in ``data/solo/<speaker>/<speaker>_<text>_solo.wav`` (Section 5.2, Table 6)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults, Lines
from data_prep.corpora import ACCEPT, Scan, check_folder, listing
from data_prep.sound import audio

LABELS = tuple(  # the speakers
    f"{group}{number:02}"
    for group, count in (("frf", 4), ("frm", 4), ("irf", 12), ("irm", 16))
    for number in range(1, count + 1)
)
FABLES = ("f01", "f02", "f03", "f04")
SENTENCES = tuple(f"s{number:02}" for number in range(1, 34))
FOLDS = {"f01": 1, "f02": 1, "f03": 2, "f04": 2} | dict.fromkeys(SENTENCES, 3)
"""Text -> the fold of Table 6 whose validation part has it; the other two folds train on it."""

EXPECTED = {1: 1530, 2: 1296, 3: 1188}
"""Fold -> the number of validation clips in Table 6."""

SCAN_OPTIONS: tuple[str, ...] = ("window", "rest", "sentences")  # assumptions that ``scan`` takes
PROTOCOL_OPTIONS: tuple[str, ...] = ()  # assumptions that ``protocol`` takes
RESTS = ("drop", "keep", "half")
"""The treatment of the rest of a fable after its last window.

'drop': it is dropped. 'keep': it is a clip if it is at least a frame long. 'half': it is a clip if it is at
least half a window long.
"""

SENTENCE_RULES = ("cut", "whole")
TICK = 1e-9  # s, so that rounding does not drop the last window of a fable of exactly n windows
LAYOUTS = ("data/solo", "solo/data/solo")  # all archives unpacked into one data/, or each with its own
NAME = re.compile(r"([^_]+)_([fs]\d\d)_solo\.wav", re.IGNORECASE)


def scan(root: Path | str, window: float = 2.0, rest: str = "drop", sentences: str = "whole") -> Scan:
    """Read the layout of the corpus, and cut its solo readings into clips.

    Label and speaker of a clip are its folder. The column ``fold`` (int) is the fold of Table 6 whose
    validation part has the clip.

    Args:
        root: The folder that holds one of LAYOUTS.
        window: The length in s of the windows, without overlap, that fables are cut into.
        rest: One of RESTS.
        sentences: 'whole' if each sentence is one clip, 'cut' if sentences are cut like fables.

    Returns:
        The clips, sorted by speaker, text and time. The scan's faults are files in the wrong folder or with
        an invalid name. For the complete corpus, a note reports counts that differ from Table 6's.

    Raises:
        Faults: There are no readings, or a rule is not known.
    """
    _check_rule(window, rest, sentences)
    root = Path(root)
    files, faults = _files(root)
    clips = []
    for entry in files.itertuples(index=False):
        common = (entry.path, entry.speaker, entry.speaker, entry.text, "", FOLDS[entry.text])
        if entry.text in SENTENCES and sentences == "whole":
            clips.append((f"{entry.speaker}_{entry.text}", np.nan, np.nan, *common))
            continue
        starts, stops = _windows(entry.seconds, window, rest)
        if not len(starts) and entry.text in FABLES:
            faults.append(
                f"{root / entry.path}: lasts {entry.seconds:.2f} s, less than one window; replace the file"
            )
        clips += [
            (f"{entry.speaker}_{entry.text}_{number:03}", start, stop, *common)
            for number, (start, stop) in enumerate(zip(starts, stops), 1)
        ]
    columns = ["clip", "start", "stop", "path", "label", "speaker", "text", "partition", "fold"]
    frame = pd.DataFrame(clips, columns=columns)[[*manifest.COLUMNS, "fold"]]
    counts = count_faults(files)
    return Scan(root, frame, faults, () if counts else _count_notes(frame), counts)


def protocol(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the manifest itself, which has its folds from ``scan``."""
    return frame


def count_faults(files: pd.DataFrame) -> list[str]:
    """Compare the numbers of readings with those of the complete corpus. Return one fault, or nothing.

    The number of clips cut from the readings depends on assumptions, so it is not compared.

    Args:
        files: The speaker and the text of each reading.
    """
    counts = files["text"].map(FOLDS).value_counts()
    speakers = files["speaker"].nunique()
    expected = {fold: len(LABELS) * list(FOLDS.values()).count(fold) for fold in EXPECTED}
    if speakers == len(LABELS) and all(counts.get(fold, 0) == expected[fold] for fold in expected):
        return []
    lines = [
        f"CHAINS has {len(FOLDS)} readings of each of {len(LABELS)} speakers, but this corpus has "
        f"{len(files)} readings of {speakers} speakers:",
        "  fold  texts       expected  actual",
    ]
    for fold, texts in ((1, "f01 f02"), (2, "f03 f04"), (3, "s01 to s33")):
        mark = "" if counts.get(fold, 0) == expected[fold] else "  <-"
        lines.append(f"  {fold:4}  {texts:10}  {expected[fold]:8}  {counts.get(fold, 0):6}{mark}")
    return [Lines("\n".join([*lines, ACCEPT]))]


def _count_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return a note on the numbers of clips of the complete corpus, or nothing if they are Table 6's."""
    counts = [int((frame["fold"] == fold).sum()) for fold in EXPECTED]
    if counts == list(EXPECTED.values()):
        return ()
    actual, expected = (f"{a}, {b} and {c}" for a, b, c in (counts, EXPECTED.values()))
    return (
        f"the folds hold {actual} clips; Table 6 has {expected}. The rules for cutting the readings are an "
        "assumption; `python -m data_prep chains ROOT --calibrate` prints the rules nearest to Table 6.",
    )


def calibrate(root: Path | str) -> pd.DataFrame:
    """Count the clips that each rule for cutting gives, and compare the counts with Table 6.

    Returns:
        A row for each window (0.5 to 6 s in steps of 0.05 s), rule for the rest and rule for sentences, as
        ``scan`` takes them: the counts of the folds 1, 2 and 3, and the sum of their differences from
        Table 6's as ``distance``. The nearest come first.

    Raises:
        Faults: As ``scan`` does.
    """
    files, faults = _files(Path(root))
    if faults:
        raise Faults(faults)
    fold = files["text"].map(FOLDS).to_numpy()
    windows = np.round(np.arange(0.5, 6.001, 0.05), 2)
    count, remainder = np.divmod(files["seconds"].to_numpy()[:, None] + TICK, windows)  # (files, windows)
    lines = []
    for rest, least in (("drop", np.inf), ("keep", audio.SHORTEST), ("half", windows / 2)):
        cut = count + (remainder >= least)
        counts = {str(number): cut[fold == number].sum(axis=0).astype(int) for number in EXPECTED}
        for sentences in SENTENCE_RULES:
            if sentences == "whole":
                counts = counts | {"3": np.full(len(windows), (fold == 3).sum())}
            lines.append(pd.DataFrame({"window": windows, "rest": rest, "sentences": sentences, **counts}))
    frame = pd.concat(lines)
    frame["distance"] = sum((frame[str(number)] - clips).abs() for number, clips in EXPECTED.items())
    order = ["distance", "sentences", "rest", "window"]
    return frame.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def _check_rule(window: float, rest: str, sentences: str) -> None:
    faults = []
    if not (np.isfinite(window) and window >= audio.SHORTEST):
        faults.append(
            f"a window of {window:g} s is shorter than one frame of {audio.SHORTEST} s; give a longer one"
        )
    for name, rule, rules in (("rest", rest, RESTS), ("sentences", sentences, SENTENCE_RULES)):
        if rule not in rules:
            faults.append(f"the rule {rule!r} for {name} is not known; give one of {', '.join(rules)}")
    if faults:
        raise Faults(faults)


def _windows(seconds: float, window: float, rest: str) -> tuple[np.ndarray, np.ndarray]:
    """Return start and stop in s of each clip cut from a fable of this length."""
    count = int((seconds + TICK) // window)
    starts = np.arange(count) * window
    stops = starts + window
    remainder = seconds - count * window
    if remainder >= {"drop": np.inf, "keep": audio.SHORTEST, "half": window / 2}[rest]:
        starts, stops = np.append(starts, count * window), np.append(stops, seconds)
    return np.round(starts, 6), np.minimum(np.round(stops, 6), seconds)


def _files(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """List every solo reading (path, speaker, text, seconds), and the faults of the other files."""
    solo = _solo(root)
    rows, faults = [], []
    for folder in sorted(path for path in solo.iterdir() if path.is_dir() and not path.name.startswith(".")):
        speaker = folder.name.lower()
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() != ".wav":
                continue
            match = NAME.fullmatch(path.name)
            named, text = match.groups() if match else ("", "")
            text = text.lower()
            if text not in FOLDS:
                faults.append(f"{path}: its name is not like {speaker}_f01_solo.wav; move or rename it")
            elif named.lower() != speaker:
                faults.append(
                    f"{path}: its name has the speaker {named}, but its folder is {speaker}; move it"
                )
            else:
                try:
                    rows.append((path.relative_to(root).as_posix(), speaker, text, audio.seconds(path)))
                except Faults as fault:
                    faults += fault.faults
    if not rows:
        raise Faults(faults or f"{solo}: has no readings; it holds {listing(solo)}")
    return pd.DataFrame(rows, columns=["path", "speaker", "text", "seconds"]), faults


def _solo(root: Path) -> Path:
    """Find the folder that holds the speakers' folders."""
    check_folder(root, f"give the folder that holds {' or '.join(LAYOUTS)}")
    folders = [root / layout for layout in LAYOUTS if (root / layout).is_dir()]
    if len(folders) > 1:
        raise Faults(f"{root}: holds the solo readings twice, in {' and in '.join(LAYOUTS)}; remove one")
    if not folders:
        near = [
            folder
            for folder in (root.parent, root.parent.parent, *sorted(root.iterdir()))
            if any((folder / layout).is_dir() for layout in LAYOUTS)
        ]
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Faults(f"{root}: holds neither {' nor '.join(LAYOUTS)}; it holds {listing(root)}{hint}")
    return folders[0]
