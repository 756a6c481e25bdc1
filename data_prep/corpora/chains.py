"""CHAINS: solo readings, in ``data/solo/<speaker>/<speaker>_<text>_solo.wav`` (Section 5.2, Table 6)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, listing
from data_prep.sound import audio

LABELS = tuple(
    f"{group}{number:02}"
    for group, count in (("frf", 4), ("frm", 4), ("irf", 12), ("irm", 16))
    for number in range(1, count + 1)
)
FABLES = ("f01", "f02", "f03", "f04")
SENTENCES = tuple(f"s{number:02}" for number in range(1, 34))
FOLDS = {"f01": 1, "f02": 1, "f03": 2, "f04": 2} | dict.fromkeys(SENTENCES, 3)
"""Text -> the fold of Table 6 in which it is validated; the other two folds train on it."""

EXPECTED = {1: 1530, 2: 1296, 3: 1188}
"""Fold -> how many clips Table 6 validates on."""

SCAN_OPTIONS: tuple[str, ...] = ("window", "rest", "sentences")  # assumptions that ``scan`` takes
PROTOCOL_OPTIONS: tuple[str, ...] = ()  # assumptions that ``protocol`` takes
RESTS = ("drop", "keep", "half")
SENTENCE_RULES = ("cut", "whole")
TICK = 1e-9  # s: a length that is a whole number of windows must not fall short by rounding
LAYOUTS = ("data/solo", "solo/data/solo")  # all archives in one data/, or each with its own
NAME = re.compile(r"([^_]+)_([fs]\d\d)_solo\.wav", re.IGNORECASE)


def scan(root: Path | str, window: float = 2.0, rest: str = "drop", sentences: str = "whole") -> Scan:
    """The solo readings below ``root``, a row a clip, sorted by speaker, text and time.

    Fables are cut into windows of ``window`` s that do not overlap. What is left of one is dropped ('drop'),
    kept if it is at least half a window ('half') or a frame ('keep'). ``sentences``: 'whole' or 'cut' too.
    Column ``fold`` (int): the fold of Table 6 in which the clip is validated. Label and speaker are the
    folder. The faults are files in the wrong folder or with a name of another kind. Of the whole corpus a
    note tells where its clips number otherwise than in Table 6. Raises Faults where there is nothing to
    read, or for a rule that there is not.
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
                f"{root / entry.path}: lasts {entry.seconds:.2f} s, less than one window; replace it"
            )
        clips += [
            (f"{entry.speaker}_{entry.text}_{number:03}", start, stop, *common)
            for number, (start, stop) in enumerate(zip(starts, stops), 1)
        ]
    columns = ["clip", "start", "stop", "path", "label", "speaker", "text", "partition", "fold"]
    frame = pd.DataFrame(clips, columns=columns)[[*manifest.COLUMNS, "fold"]]
    counts = count_faults(files)
    return Scan(root, frame, faults, () if counts else _cut_otherwise(frame), counts)


def protocol(frame: pd.DataFrame) -> pd.DataFrame:
    """The manifest itself: ``scan`` has told the folds already."""
    return frame


def count_faults(files: pd.DataFrame) -> list[str]:
    """Expected and found side by side, as one fault, unless there are the readings of the whole corpus.

    ``files``: speaker and text of each. How many clips are cut from them hangs on assumptions, and says
    nothing of whose they are.
    """
    found = files["text"].map(FOLDS).value_counts()
    speakers = files["speaker"].nunique()
    wanted = {fold: len(LABELS) * list(FOLDS.values()).count(fold) for fold in EXPECTED}
    if speakers == len(LABELS) and all(found.get(fold, 0) == wanted[fold] for fold in wanted):
        return []
    lines = [
        f"the readings are not CHAINS's {len(FOLDS)} of each of {len(LABELS)} speakers (here there are "
        f"{len(files)} of {speakers}):",
        "  fold  texts       expected  found",
    ]
    for fold, texts in ((1, "f01 f02"), (2, "f03 f04"), (3, "s01 to s33")):
        mark = "" if found.get(fold, 0) == wanted[fold] else "  <-"
        lines.append(f"  {fold:4}  {texts:10}  {wanted[fold]:8}  {found.get(fold, 0):5}{mark}")
    lines.append(
        "Complete the corpus, or go on with these counts: CHECK_COUNTS=no (command line: --no-check-counts)."
    )
    return ["\n".join(lines)]


def _cut_otherwise(frame: pd.DataFrame) -> tuple[str, ...]:
    """A note on the clips of the whole corpus, unless they number as in Table 6."""
    found = [int((frame["fold"] == fold).sum()) for fold in EXPECTED]
    if found == list(EXPECTED.values()):
        return ()
    here, wanted = (f"{a}, {b} and {c}" for a, b, c in (found, EXPECTED.values()))
    return (
        f"the folds hold {here} clips and Table 6's {wanted}: how the paper cut its readings is an "
        "assumption; `python -m data_prep chains ROOT --calibrate` tells which way comes nearest.",
    )


def calibrate(root: Path | str) -> pd.DataFrame:
    """How many clips each way to cut the readings gives, the nearest to Table 6 first.

    A row for each window (0.5 to 6 s by 0.05 s), rest rule and for sentences 'whole' or 'cut', as ``scan``
    takes them: the counts of the folds 1, 2 and 3 and their summed ``distance`` from Table 6's.
    Raises Faults as ``scan`` does.
    """
    files, faults = _files(Path(root))
    if faults:
        raise Faults(faults)
    fold = files["text"].map(FOLDS).to_numpy()
    windows = np.round(np.arange(0.5, 6.001, 0.05), 2)
    count, left = np.divmod(files["seconds"].to_numpy()[:, None] + TICK, windows)  # (files, windows)
    lines = []
    for rest, least in (("drop", np.inf), ("keep", audio.SHORTEST), ("half", windows / 2)):
        cut = count + (left >= least)
        counts = {str(number): cut[fold == number].sum(axis=0).astype(int) for number in EXPECTED}
        for sentences in SENTENCE_RULES:
            if sentences == "whole":
                counts = counts | {"3": np.full(len(windows), (fold == 3).sum())}
            lines.append(pd.DataFrame({"window": windows, "rest": rest, "sentences": sentences, **counts}))
    frame = pd.concat(lines)
    frame["distance"] = sum((frame[str(number)] - wanted).abs() for number, wanted in EXPECTED.items())
    order = ["distance", "sentences", "rest", "window"]
    return frame.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def _check_rule(window: float, rest: str, sentences: str) -> None:
    faults = []
    if not (np.isfinite(window) and window >= audio.SHORTEST):
        faults.append(
            f"a window of {window:g} s is shorter than one frame of {audio.SHORTEST} s; choose a longer one"
        )
    for what, rule, known in (("rest", rest, RESTS), ("sentences", sentences, SENTENCE_RULES)):
        if rule not in known:
            faults.append(f"there is no rule {rule!r} for {what}: choose one of {', '.join(known)}")
    if faults:
        raise Faults(faults)


def _windows(seconds: float, window: float, rest: str) -> tuple[np.ndarray, np.ndarray]:
    """Start and stop in s of each clip cut from a fable of this length."""
    count = int((seconds + TICK) // window)
    starts = np.arange(count) * window
    stops = starts + window
    left = seconds - count * window
    if left >= {"drop": np.inf, "keep": audio.SHORTEST, "half": window / 2}[rest]:
        starts, stops = np.append(starts, count * window), np.append(stops, seconds)
    return np.round(starts, 6), np.minimum(np.round(stops, 6), seconds)


def _files(root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Every solo reading: path, speaker, text, seconds; and what is wrong with the others."""
    solo = _solo(root)
    rows, faults = [], []
    for folder in sorted(path for path in solo.iterdir() if path.is_dir() and not path.name.startswith(".")):
        speaker = folder.name.lower()
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() != ".wav":
                continue
            name = NAME.fullmatch(path.name)
            text = name[2].lower() if name else ""
            if text not in FOLDS:
                faults.append(f"{path}: its name is not like {speaker}_f01_solo.wav; move or rename it")
            elif name[1].lower() != speaker:
                faults.append(f"{path}: its name says speaker {name[1]}, its folder {speaker}; move it")
            else:
                try:
                    rows.append((path.relative_to(root).as_posix(), speaker, text, audio.seconds(path)))
                except Faults as fault:
                    faults += fault.faults
    if not rows:
        raise Faults(faults or f"{solo}: there are no readings in it; it holds {listing(solo)}")
    return pd.DataFrame(rows, columns=["path", "speaker", "text", "seconds"]), faults


def _solo(root: Path) -> Path:
    """The folder that holds the speakers' folders."""
    if not root.is_dir():
        raise Faults(f"{root}: there is no such folder; give the one that holds {' or '.join(LAYOUTS)}")
    found = [root / layout for layout in LAYOUTS if (root / layout).is_dir()]
    if len(found) > 1:
        raise Faults(f"{root}: holds the solo readings twice, in {' and in '.join(LAYOUTS)}; remove one")
    if not found:
        near = [
            folder
            for folder in (root.parent, root.parent.parent, *sorted(root.iterdir()))
            if any((folder / layout).is_dir() for layout in LAYOUTS)
        ]
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Faults(f"{root}: holds neither {' nor '.join(LAYOUTS)}, but {listing(root)}{hint}")
    return found[0]
