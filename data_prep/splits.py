"""Over-sampling, folds of speakers, held-out parts, and checks that speakers and sounds are kept apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from data_prep.base.faults import Faults

METHODS = ("each", "draw", "none")
"""How ``oversample`` repeats clips.

'each': every clip floor(times) times; the rest is drawn without replacement.
'draw': every clip once; the additional ones are drawn with replacement.
'none': every clip once.
"""


def oversample(
    manifest: pd.DataFrame, times: Mapping[str, float], method: str = "each", seed: int = 0
) -> pd.DataFrame:
    """Add an integer column ``copies``: how often each clip is used in an epoch (Table 1).

    Args:
        manifest: The manifest.
        times: Label -> factor. The label's n training clips are used round(factor * n) times in total. All
            other clips are used once.
        method: One of METHODS.
        seed: The seed of the draw.

    Returns:
        The manifest with the column.

    Raises:
        Faults: A label has no training clips, a factor is impossible, or the method is unknown.
    """
    if method == "none":
        return manifest.assign(copies=1)
    faults = (
        []
        if method in METHODS
        else [f"over-sampling method {method!r} is not known; give one of {', '.join(METHODS)}"]
    )
    train = (manifest["partition"] == "train").to_numpy()
    labels = manifest["label"].to_numpy()
    for label, factor in times.items():
        if not (train & (labels == label)).any():
            present = ", ".join(sorted(set(labels[train]))) or "none"
            faults.append(
                f"label {label!r} cannot be over-sampled: no training clip has it; give one of {present}"
            )
        if not (np.isfinite(factor) and factor >= (1 if method == "draw" else 0)):
            least = 1 if method == "draw" else 0
            faults.append(
                f"label {label!r} cannot be used {factor} times with method {method!r}; give {least} or more"
            )
    if faults:
        raise Faults(faults)

    copies = np.ones(len(manifest), dtype=np.int64)
    random = np.random.default_rng(seed)
    for label in sorted(times):  # sorted, so that equal settings draw equal clips
        clips = np.flatnonzero(train & (labels == label))
        total = int(np.floor(times[label] * len(clips) + 0.5))
        if method == "each":
            copies[clips] = total // len(clips)
            copies[random.choice(clips, total % len(clips), replace=False)] += 1
        else:
            np.add.at(copies, random.choice(clips, total - len(clips), replace=True), 1)
    return manifest.assign(copies=copies)


def crossing_speakers(manifest: pd.DataFrame) -> list[str]:
    """List the speakers with clips in both partitions, sorted. A speaker-independent split has none."""
    named = manifest[manifest["speaker"] != ""]
    in_train, in_test = (set(named["speaker"][named["partition"] == name]) for name in ("train", "test"))
    return sorted(in_train & in_test)


def speaker_folds(manifest: pd.DataFrame, folds: int = 10, seed: int = 0) -> pd.DataFrame:
    """Add an integer column ``fold``, 1 to ``folds``, which keeps each speaker in one fold (Section 5.3).

    The folds depend only on the speakers' names and ``seed``. Their numbers of speakers differ by at most
    one: of 42 speakers, ten folds get four or five.

    Args:
        manifest: The manifest.
        folds: The number of folds.
        seed: The seed of the draw.

    Returns:
        The manifest with the column.

    Raises:
        Faults: Clips have no speaker, or there are fewer speakers than folds.
    """
    speakers = sorted(set(manifest["speaker"]))
    faults = []
    if "" in speakers:
        nameless = manifest["clip"][manifest["speaker"] == ""]
        faults.append(
            f"{len(nameless)} clips have no speaker, such as {nameless.iloc[0]!r}; name their speakers"
        )
    if len(speakers) < folds:
        faults.append(f"{len(speakers)} speakers cannot fill {folds} folds; add speakers")
    if faults:
        raise Faults(faults)
    shuffled = np.random.default_rng(seed).permutation(speakers)
    fold = {speaker: 1 + place % folds for place, speaker in enumerate(shuffled)}
    return manifest.assign(fold=manifest["speaker"].map(fold).astype(np.int64))


def held_out(
    manifest: pd.DataFrame, share: float = 0.2, seed: int = 0, part: str = "test"
) -> tuple[pd.DataFrame, str]:
    """Draw a test part, or a validation part, and put it into the column ``partition``.

    Whole speakers are held out, so that no speaker is in both parts. A clip that names no speaker is held
    out together with its file. If no clip names a speaker, or a label would then be missing from a part,
    whole files are held out; if that is not possible either, single clips. Labels keep their shares as
    nearly as possible, and each label has a clip in both parts.

    Args:
        manifest: The manifest.
        share: The share of the clips to hold out, between 0 and 1.
        seed: The seed of the draw.
        part: The name of the part, 'test' or 'validation'.

    Returns:
        The manifest with 'train' and ``part`` in its ``partition``, and a description of the draw.

    Raises:
        Faults: A label has fewer than two clips, there are fewer than two labels, or ``share`` is not between
            0 and 1.
    """
    counts = manifest["label"].value_counts()
    faults = [] if 0 < share < 1 else [f"{part} share: {share} is not between 0 and 1"]
    faults += [
        f"label {label!r} has one clip; it needs two or more, one of them for the {part}"
        for label in counts[counts < 2].index
    ]
    if len(counts) < 2:
        faults.append(f"there is one label, {', '.join(counts.index)}; give two or more")
    if faults:
        raise Faults(faults)
    test, description = _draw(manifest, share, seed)
    partition = np.full(len(manifest), "train", object)
    partition[test] = part
    reached = len(test) / len(manifest)
    if abs(reached - share) > share / 4:
        description += (
            f" The {part} part has {100 * reached:.0f} % of the clips instead of {100 * share:.0f} %."
        )
    return manifest.assign(partition=partition), description


def _draw(manifest: pd.DataFrame, share: float, seed: int) -> tuple[np.ndarray, str]:
    """Draw the clips (n,) of the test part, and describe how they were chosen."""
    labels, paths, speakers = manifest["label"], manifest["path"], manifest["speaker"]
    reason = "the data does not name speakers"
    named = speakers != ""
    if named.any():
        test, failure = _draw_groups(labels, voices(speakers, paths), "speaker", share, seed)
        if test is not None:
            count, nameless = len(set(speakers.iloc[test]) - {""}), (~named).sum()
            description = f"{count} of {speakers[named].nunique()} speakers were held out"
            if nameless:
                return test, (
                    f"{description}; no named speaker is in both parts, but {nameless} clips name no speaker."
                )
            return test, f"{description}; no speaker is in both parts."
        reason = f"{failure}, so speakers may be in both parts"
    if paths.duplicated().any():  # clips of one file share a voice and a room, and may overlap
        test, failure = _draw_groups(labels, paths, "file", share, seed)
        if test is not None:
            files = f"{paths.iloc[test].nunique()} of {paths.nunique()} files"
            return (
                test,
                f"{files} were held out instead of speakers, because {reason}; no file is in both parts.",
            )
        reason += f"; clips of one file may be in both parts, because {failure}"
    return _draw_clips(labels, share, seed), f"Clips were held out instead of speakers, because {reason}."


def voices(speakers: pd.Series, paths: pd.Series) -> pd.Series:
    """Return the group (n,) of each clip. Clips that may have the same voice are in the same group.

    A clip that names no speaker may have the voice of any speaker of its file.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    named = speakers != ""
    names = ("speaker " + speakers).where(named, "file " + paths)
    shared = named & paths.isin(paths[~named])
    codes, _ = pd.factorize(pd.concat([names, "file " + paths[shared]]))
    ends = codes[: len(names)][shared], codes[len(names) :]
    nodes = codes.max() + 1
    _, voice = connected_components(coo_array((np.ones(len(ends[0])), ends), (nodes, nodes)), directed=False)
    return names.groupby(voice[codes[: len(names)]]).transform("min")


def label_faults(labels: pd.Series) -> list[str]:
    """List why clips with these labels (n,) cannot be divided into folds."""
    counts = labels.value_counts()
    faults = [f"label {label!r} has one clip; it needs two or more" for label in counts[counts < 2].index]
    if len(counts) < 2:
        faults.append(f"there is one label, {', '.join(counts.index)}; give two or more")
    return faults


def _permuted(groups: pd.Series, seed: int) -> pd.Series:
    """Return the groups (n,) with their names exchanged at random.

    StratifiedGroupKFold assigns groups of equal size in the order of their names, so that this makes another
    draw. Its own shuffling mixes up groups in scikit-learn 1.7.
    """
    names = groups.drop_duplicates().sort_values()
    return groups.map(dict(zip(names, np.random.default_rng(seed).permutation(len(names)))))


def group_folds(labels: pd.Series, groups: pd.Series, folds: int | None, seed: int) -> np.ndarray | None:
    """Return the fold (n,) of each clip, from 1, with whole groups in it; None if a training lacks a label.

    Args:
        labels: The clips' labels (n,).
        groups: The clips' groups (n,).
        folds: The number of folds; None for one for each group.
        seed: The seed of the draw.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

    if groups.nunique() < (folds or 2) or (folds and folds > labels.value_counts().max()):
        return None
    splitter = StratifiedGroupKFold(folds) if folds else LeaveOneGroupOut()
    numbers = np.zeros(len(labels), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about rare labels, which are checked here
        parts = splitter.split(labels, labels, _permuted(groups, seed) if folds else groups)
        for number, (train, test) in enumerate(parts, 1):
            if labels.iloc[train].nunique() < labels.nunique() or not len(test):
                return None
            numbers[test] = number
    return numbers


def _draw_clips(labels: pd.Series, share: float, seed: int) -> np.ndarray:
    """Draw the clips (n,) of the test part one by one."""
    from sklearn.model_selection import train_test_split  # imported here because it is slow to import

    kinds = sorted(set(labels))
    size = min(max(len(kinds), round(share * len(labels))), len(labels) - len(kinds))
    _, test = train_test_split(np.arange(len(labels)), test_size=size, random_state=seed, stratify=labels)
    tested = np.isin(np.arange(len(labels)), test)
    random = np.random.default_rng(seed)
    for kind in kinds:  # a rare label may be in one part only; UAR needs it in both
        clips = np.flatnonzero(labels == kind)
        if tested[clips].all() or not tested[clips].any():
            tested[random.choice(clips)] ^= True
    return np.flatnonzero(tested)


def _draw_groups(
    labels: pd.Series, groups: pd.Series, unit: str, share: float, seed: int
) -> tuple[np.ndarray | None, str]:
    """Draw the clips (n,) of the test part as whole ``groups``; None and the reason if it is impossible."""
    by_label = groups.groupby(labels).nunique()
    if by_label.min() < 2:
        return None, f"label {by_label.idxmin()!r} has only one {unit}"
    from sklearn.model_selection import StratifiedGroupKFold

    drawn = _permuted(groups, seed)
    most = min(max(2, round(min(1 / share, groups.nunique()))), labels.value_counts().max())
    for folds in range(most, 1, -1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about rare labels, which are checked here
            parts = list(StratifiedGroupKFold(folds).split(labels, labels, drawn))
        complete = [
            test
            for train, test in parts
            if labels.iloc[train].nunique() == labels.iloc[test].nunique() == len(by_label)
        ]
        if complete:  # the first part has the largest group, and its size may be far from the share
            return min(complete, key=lambda test: abs(len(test) - share * len(labels))), ""
    return None, f"no choice of {unit}s leaves every label in both parts"


def overlapping(clips: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Find, for each clip, one of ``others`` that overlaps it.

    Args:
        clips: A frame with the columns ``file``, ``start`` and ``stop``. Files with the same sound have the
            same ``file``, and None equals nothing. Times are in s, NaN for the file's beginning and end.
        others: A frame with the same columns.

    Returns:
        For each clip, the position in ``others`` of the first overlapping clip, or -1: int64 (n,).
    """
    matches = np.full(len(clips), -1)
    (start, stop), (other_start, other_stop) = (
        (frame["start"].fillna(0).to_numpy(), frame["stop"].fillna(np.inf).to_numpy())
        for frame in (clips, others)
    )
    by_file = others.groupby("file").indices
    for file, rows in clips.groupby("file").indices.items():
        if file in by_file:
            candidates = by_file[file]
            meet = (start[rows, None] < other_stop[candidates]) & (other_start[candidates] < stop[rows, None])
            matches[rows] = np.where(meet.any(axis=1), candidates[meet.argmax(axis=1)], -1)
    return matches
