"""What a fold trains on and what it is tested on."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep import store
from data_prep.faults import Faults
from reproduce.corpora import CORPORA, Corpus, _check_speakers


class Rows(store.Store):
    """A store whose rows are the clips' numbers."""

    def __init__(self):
        pass

    def rows(self, clips):
        return np.array([int(clip) for clip in clips])


def corpus(**columns):
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"clip": map(str, range(size)), "speaker": "", "partition": "", **columns})
    return Corpus("paper", frame, Rows(), ("a", "b"), Path(), Path())


def test_folds_leave_their_own_clips_out():
    made = corpus(label=list("abab"), fold=[1, 2, 3, 2])
    assert [made.part("2", part)[0].tolist() for part in ("train", "test")] == [[0, 2], [1, 3]]
    assert [made.part("2", part)[1].tolist() for part in ("train", "test")] == [[0, 0], [1, 1]]
    everything = [row for fold in "123" for row in made.part(fold, "test")[0]]
    assert sorted(everything) == [0, 1, 2, 3]


def test_the_own_split_over_samples_training_alone():
    made = corpus(label=list("abab"), partition=["train", "train", "test", "test"], copies=[1, 2, 1, 2])
    assert made.part("test", "train")[0].tolist() == [0, 1, 1]
    assert made.part("test", "test")[0].tolist() == [2, 3]
    shuffled = dataclasses.replace(made, manifest=made.manifest.iloc[::-1].reset_index(drop=True))
    places, numbers = shuffled.numbers("test", "train")
    assert shuffled.manifest["clip"][places].tolist() == ["1", "1", "0"] and numbers.tolist() == [1, 1, 0]


def test_remarks_are_the_scans_and_the_splits():
    made = corpus(label=list("ab"), speaker=["s", "s"], partition=["train", "test"])
    assert dataclasses.replace(made, notes=("s09 is left out.",)).remarks() == [
        "s09 is left out.",
        "1 speakers are in both parts: s.",
    ]


def test_a_speaker_in_two_folds_is_an_error():
    frame = pd.DataFrame({"speaker": ["a", "a", "b"], "fold": [1, 1, 2]})
    _check_speakers(frame)
    with pytest.raises(Faults, match="speakers a are in several folds"):
        _check_speakers(frame.assign(fold=[1, 2, 2]))
    assert [name for name, kind in CORPORA.items() if kind.speakers_apart] == ["enterface"]
