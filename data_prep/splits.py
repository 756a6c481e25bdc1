"""Which clips are trained on and how often, and whether speakers are kept apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data_prep.faults import Faults

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
