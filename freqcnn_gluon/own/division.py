"""Divide labelled recordings into training and test, and check that no sound is in both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data_prep import splits
from data_prep.base.faults import Faults

__all__ = ["check_disjoint", "divide"]


def divide(frame: pd.DataFrame, source: Path | str, share: float, seed: int) -> tuple[pd.DataFrame, str]:
    """Return the clips with their partitions, and a sentence that describes the division.

    The partitions are those that the data states. If it states none, ``splits.held_out`` draws them.
    """
    if not frame["partition"].any():
        return splits.held_out(frame, share, seed)
    parts = {name: set(frame["label"][frame["partition"] == name]) for name in ("train", "test")}
    faults = [
        f"{source}: has no clip in the partition {name}" for name, labels in parts.items() if not labels
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
    """Raise Faults for recordings with two labels, and for sound that is in training and in test."""
    faults = []
    # A copy in another lossless format has another key, but the same sound.
    frame = frame.assign(
        recording=[str(values) for values in frame[["sound", "start", "stop"]].values.tolist()]
    )
    for _, group in frame[frame["recording"].duplicated(keep=False)].groupby("recording", sort=False):
        paths = " and ".join(str(root / path) for path in group["path"])
        if group["label"].nunique() > 1:
            labels = " and ".join(map(repr, group["label"]))
            faults.append(f"{paths}: are the same recording with the labels {labels}; keep the right one")
        elif group["partition"].nunique() > 1:
            faults.append(f"{paths}: are the same recording, in training and in test; keep one")
    train, test = (frame[frame["partition"] == name] for name in ("train", "test"))
    tests, trains = (part.assign(file=part["sound"]) for part in (test, train))
    for i, j in enumerate(splits.overlapping(tests, trains)):
        if j >= 0 and test["recording"].iloc[i] != train["recording"].iloc[j]:
            clips = f"{root / train['clip'].iloc[j]} and {root / test['clip'].iloc[i]}"
            faults.append(
                f"{clips}: overlap, in training and in test; leave one out, or state their partition"
            )
    if faults:
        raise Faults(faults)
