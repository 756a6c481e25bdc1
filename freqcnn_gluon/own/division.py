"""Divide labelled recordings into training, validation and test, and check that no sound is in two parts."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd

from data_prep import splits
from data_prep.base.faults import Faults, note

__all__ = ["check_disjoint", "divide", "validated"]

REMEDIES = {"train": "", "test": "; to train on every clip, give --test-share 0"}
NAMES = {"train": "training", "validation": "validation", "test": "test"}  # of the parts, in messages


def divide(
    frame: pd.DataFrame, source: Path | str, share: float, seed: int, validation_share: float = 0
) -> tuple[pd.DataFrame, str]:
    """Divide the clips into training, validation and test.

    Args:
        frame: The manifest.
        source: The data's folder or CSV file, for messages.
        share: The share of the clips to hold out if the data states no partitions. 0 trains on every clip,
            also on those in the partition test.
        seed: The seed of both draws.
        validation_share: The share of the training clips to use for validation, 0 for no validation.

    Returns:
        The manifest with 'train', 'validation' and 'test' in ``partition``, and sentences that describe the
        division.

    Raises:
        Faults: The data states impossible partitions, or a draw is not possible.
    """
    frame, description = _tested(frame, source, share, seed)
    return validated(frame, description, validation_share, seed)


def validated(frame: pd.DataFrame, description: str, share: float, seed: int) -> tuple[pd.DataFrame, str]:
    """Draw a validation part from the training clips, as ``splits.held_out`` draws a test part.

    Args:
        frame: The divided manifest.
        description: The sentences that describe its division.
        share: The share of the training clips, 0 for no validation.
        seed: The seed of the draw.

    Returns:
        The manifest, and the description of both divisions.
    """
    if share == 0:
        return frame, description
    trained = frame["partition"] == "train"
    drawn, sentence = splits.held_out(frame[trained], share, seed, "validation")
    partition = frame["partition"].copy()
    partition[trained] = drawn["partition"]
    return frame.assign(partition=partition), f"{description} Validation: {sentence}"


def _tested(frame: pd.DataFrame, source: Path | str, share: float, seed: int) -> tuple[pd.DataFrame, str]:
    """Return the partitions that the data states, or draw them, and describe them."""
    if share == 0:
        if faults := splits.label_faults(frame["label"]):
            raise Faults(faults)
        if (frame["partition"] == "test").any():
            note(
                f"note: {source}: its partitions are ignored, because a test share of 0 trains on every clip."
            )
        return frame.assign(partition="train"), "Every clip was trained on, and none was held out."
    if not frame["partition"].any():
        return splits.held_out(frame, share, seed)
    parts = {name: set(frame["label"][frame["partition"] == name]) for name in ("train", "test")}
    faults = [
        f"{source}: has no clip in the partition {name}{REMEDIES[name]}"
        for name, labels in parts.items()
        if not labels
    ]
    faults += [
        f"{source}: label {label!r} has no clip to train on; move some of its clips to the partition train"
        for label in sorted(parts["test"] - parts["train"])
    ]
    if len(parts["train"]) == 1:
        faults.append(f"{source}: there is one label to train on; a classifier needs two or more")
    if faults:
        raise Faults(faults)
    crossing = splits.crossing_speakers(frame)
    crossed = f"; {len(crossing)} speakers are in both partitions, such as {crossing[0]}" if crossing else ""
    return frame, f"The data states the partitions{crossed}."


def check_disjoint(frame: pd.DataFrame, root: Path) -> None:
    """Raise Faults for recordings with two labels, and for sound that is in two parts."""
    faults = []
    # A copy in another lossless format has another key, but the same sound.
    frame = frame.assign(
        recording=[str(values) for values in frame[["sound", "start", "stop"]].values.tolist()]
    )
    known = frame["sound"].notna()  # the sound of a file that cannot be decoded to its end is not known
    repeated = frame[known & frame["recording"].duplicated(keep=False)]
    for _, group in repeated.groupby("recording", sort=False):
        paths = " and ".join(str(root / path) for path in group["path"])
        if group["label"].nunique() > 1:
            labels = " and ".join(map(repr, group["label"]))
            faults.append(f"{paths}: are the same recording with the labels {labels}; keep the right one")
        elif group["partition"].nunique() > 1:
            both = " and in ".join(NAMES[name] for name in NAMES if name in set(group["partition"]))
            faults.append(f"{paths}: are the same recording, in {both}; keep one")
    for first, second in combinations(NAMES, 2):
        part, other = (frame[frame["partition"] == name] for name in (second, first))
        parts, others = (clips.assign(file=clips["sound"]) for clips in (part, other))
        for i, j in enumerate(splits.overlapping(parts, others)):
            if j >= 0 and part["recording"].iloc[i] != other["recording"].iloc[j]:
                clips = f"{root / other['clip'].iloc[j]} and {root / part['clip'].iloc[i]}"
                faults.append(
                    f"{clips}: overlap, in {NAMES[first]} and in {NAMES[second]}; leave one out, or state "
                    "their partition"
                )
    if faults:
        raise Faults(faults)
