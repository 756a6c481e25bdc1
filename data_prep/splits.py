"""Which clips are trained on and how often, and whether speakers are kept apart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from data_prep.base.faults import Faults

METHODS = ("each", "draw", "none")


def oversample(
    manifest: pd.DataFrame, times: Mapping[str, float], method: str = "each", seed: int = 0
) -> pd.DataFrame:
    """The manifest with an integer column ``copies``: how often each clip is used in an epoch (Table 1).

    The training clips of a label in ``times`` are used that many times as often in total, so n clips make
    round(times * n); all others once. Method 'each': every clip floor(times) times, and the rest drawn
    without replacement. Method 'draw': every clip once, and the additional ones drawn with replacement.
    Method 'none': every clip once.
    Raises Faults for a label with no training clips, an impossible number of times, or an unknown method.
    """
    if method == "none":
        return manifest.assign(copies=1)
    faults = [] if method in METHODS else [f"over-sampling method {method!r} is none of {', '.join(METHODS)}"]
    train = (manifest["partition"] == "train").to_numpy()
    labels = manifest["label"].to_numpy()
    for label, factor in times.items():
        if not (train & (labels == label)).any():
            known = ", ".join(sorted(set(labels[train]))) or "none"
            faults.append(
                f"label {label!r} cannot be over-sampled: no training clip has it; they have {known}"
            )
        if not (np.isfinite(factor) and factor >= (1 if method == "draw" else 0)):
            faults.append(f"label {label!r} cannot be used {factor} times with method {method!r}")
    if faults:
        raise Faults(faults)

    copies = np.ones(len(manifest), dtype=np.int64)
    random = np.random.default_rng(seed)
    for label in sorted(times):  # not in the caller's order, so that equal settings draw equal clips
        clips = np.flatnonzero(train & (labels == label))
        total = int(np.floor(times[label] * len(clips) + 0.5))
        if method == "each":
            copies[clips] = total // len(clips)
            copies[random.choice(clips, total % len(clips), replace=False)] += 1
        else:
            np.add.at(copies, random.choice(clips, total - len(clips), replace=True), 1)
    return manifest.assign(copies=copies)


def crossing_speakers(manifest: pd.DataFrame) -> list[str]:
    """Speakers with clips in both partitions, sorted; a speaker-independent split has none."""
    named = manifest[manifest["speaker"] != ""]
    in_train, in_test = (set(named["speaker"][named["partition"] == name]) for name in ("train", "test"))
    return sorted(in_train & in_test)


def speaker_folds(manifest: pd.DataFrame, folds: int = 10, seed: int = 0) -> pd.DataFrame:
    """The manifest with an integer column ``fold``, 1 to ``folds``: whole speakers, dealt out evenly.

    Which speakers share a fold hangs on their names and ``seed`` alone; their numbers differ by one at most
    (42 speakers in ten folds: four or five, Section 5.3).
    Raises Faults for clips without a speaker and for fewer speakers than folds.
    """
    speakers = sorted(set(manifest["speaker"]))
    faults = []
    if "" in speakers:
        nameless = manifest["clip"][manifest["speaker"] == ""]
        faults.append(f"{len(nameless)} clips have no speaker, the first is {nameless.iloc[0]!r}; name them")
    if len(speakers) < folds:
        faults.append(f"{len(speakers)} speakers cannot fill {folds} folds; add speakers")
    if faults:
        raise Faults(faults)
    shuffled = np.random.default_rng(seed).permutation(speakers)
    fold = {speaker: 1 + place % folds for place, speaker in enumerate(shuffled)}
    return manifest.assign(fold=manifest["speaker"].map(fold).astype(np.int64))


def held_out(manifest: pd.DataFrame, share: float = 0.2, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """The manifest with a ``partition``, about ``share`` of its clips for 'test', and how it came about.

    Whole speakers are held out, so that none is in both parts, and with a clip that names none its file;
    where no clip names one, or some label would then be missing from a part, only files are held together,
    and nothing where even that cannot be. Labels keep their shares as well as may be, and each has a clip in
    both parts.
    Raises Faults for a label with fewer than two clips, for fewer than two labels, and for a ``share`` that
    is not between 0 and 1.
    """
    counts = manifest["label"].value_counts()
    faults = [] if 0 < share < 1 else [f"test share: {share} is no share between 0 and 1"]
    faults += [
        f"label {label!r} has one clip; it needs two, one to be tested on"
        for label in counts[counts < 2].index
    ]
    if len(counts) < 2:
        faults.append(f"there is one label, {', '.join(counts.index)}; nothing is there to be told apart")
    if faults:
        raise Faults(faults)
    test, said = _drawn(manifest, share, seed)
    partition = np.full(len(manifest), "train", object)
    partition[test] = "test"
    reached = len(test) / len(manifest)
    if abs(reached - share) > share / 4:
        said += f" They make {100 * reached:.0f} % of the clips, where {100 * share:.0f} % were asked for."
    return manifest.assign(partition=partition), said


def _drawn(manifest: pd.DataFrame, share: float, seed: int) -> tuple[np.ndarray, str]:
    """The clips (n,) to be tested on, and the sentence that says how they were chosen."""
    labels, paths, speakers = manifest["label"], manifest["path"], manifest["speaker"]
    why = "the data does not say who speaks"
    named = speakers != ""
    if named.any():
        groups = _voices(speakers, paths)
        test, cannot = _drawn_groups(labels, groups, "speaker", share, seed)
        if test is not None:
            count, nameless = set(speakers.iloc[test]) - {""}, (~named).sum()
            said = (
                f"{len(count)} of {speakers[named].nunique()} speakers were held out; none is in both parts"
            )
            return test, said + (
                f", as far as they are named: {nameless} clips name none." if nameless else "."
            )
        why = f"{cannot}: speakers may be in both parts"
    if paths.duplicated().any():  # cuts of one file are of one voice and room, and may overlap
        test, cannot = _drawn_groups(labels, paths, "file", share, seed)
        if test is not None:
            count = f"{paths.iloc[test].nunique()} of {paths.nunique()} files"
            return test, f"{count} were held out and not speakers, since {why}; no file is in both parts."
        why += f"; cuts of one file may be in both parts, since {cannot}"
    return _drawn_clips(labels, share, seed), f"Clips were held out and not speakers, since {why}."


def _voices(speakers: pd.Series, paths: pd.Series) -> pd.Series:
    """A name (n,) for each clip, the same for all that may be of one voice: its speaker's, and a clip that
    names none may be of any speaker of its file.
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


def _drawn_clips(labels: pd.Series, share: float, seed: int) -> np.ndarray:
    """The clips (n,) to be tested on, drawn one by one."""
    from sklearn.model_selection import train_test_split  # here, because it is slow to import

    kinds = sorted(set(labels))
    size = min(max(len(kinds), round(share * len(labels))), len(labels) - len(kinds))
    _, test = train_test_split(np.arange(len(labels)), test_size=size, random_state=seed, stratify=labels)
    tested = np.isin(np.arange(len(labels)), test)
    random = np.random.default_rng(seed)
    for kind in kinds:  # a rare one may be in one part only, and UAR would be silent on it
        own = np.flatnonzero(labels == kind)
        if tested[own].all() or not tested[own].any():
            tested[random.choice(own)] ^= True
    return np.flatnonzero(tested)


def _drawn_groups(
    labels: pd.Series, groups: pd.Series, unit: str, share: float, seed: int
) -> tuple[np.ndarray | None, str]:
    """The clips (n,) to be tested on, whole ``groups``, or None; and then why there are none."""
    by_label = groups.groupby(labels).nunique()
    if by_label.min() < 2:
        return None, f"label {by_label.idxmin()!r} has one {unit} only"
    from sklearn.model_selection import StratifiedGroupKFold

    # Equal groups are dealt out in the order of their names, so that new names are a new draw; its own
    # shuffling confuses them in scikit-learn 1.7.
    names = groups.drop_duplicates().sort_values()
    drawn = groups.map(dict(zip(names, np.random.default_rng(seed).permutation(len(names)))))
    most = min(max(2, round(min(1 / share, len(names)))), labels.value_counts().max())
    for folds in range(most, 1, -1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of rare labels, which are looked for here
            parts = list(StratifiedGroupKFold(folds).split(labels, labels, drawn))
        able = [
            test
            for train, test in parts
            if labels.iloc[train].nunique() == labels.iloc[test].nunique() == len(by_label)
        ]
        if able:  # the first has the largest group, and may be far from the share
            return min(able, key=lambda test: abs(len(test) - share * len(labels))), ""
    return None, f"no choice of {unit}s leaves every label in both parts"


def overlapping(clips: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Of each of ``clips`` the place in ``others`` of a clip with the same sound in it, or -1: int64 (n,).

    Both have ``file``, the same for the same sound (None: unknown, like no other), and ``start`` and ``stop``
    in s, NaN for the file's own.
    """
    found = np.full(len(clips), -1)
    (start, stop), (other_start, other_stop) = (
        (frame["start"].fillna(0).to_numpy(), frame["stop"].fillna(np.inf).to_numpy())
        for frame in (clips, others)
    )
    places = others.groupby("file").indices
    for file, own in clips.groupby("file").indices.items():
        if file in places:
            there = places[file]
            meet = (start[own, None] < other_stop[there]) & (other_start[there] < stop[own, None])
            found[own] = np.where(meet.any(axis=1), there[meet.argmax(axis=1)], -1)
    return found
