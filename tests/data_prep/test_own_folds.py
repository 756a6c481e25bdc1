"""Folds of anybody's recordings: what is held out, and which divisions are refused."""

import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from data_prep.base.faults import Faults
from data_prep.corpora import own_folds

ANYBODY = [(label, f"s{speaker}", f"t{text}") for label in "ab" for speaker in range(4) for text in range(3)]


def table(path, rows=ANYBODY, **columns):
    """Write a CSV file of clips, one (label, speaker, text) each, and return its manifest."""
    frame = pd.DataFrame(rows, columns=["label", "speaker", "text"])
    frame["path"] = [f"{number}.wav" for number in range(len(frame))]
    frame.assign(**columns).to_csv(path, index=False)
    return own_folds.scan(path).manifest


@pytest.mark.parametrize("hold_out", ["speaker", "text"])
def test_every_clip_is_in_one_fold_and_no_group_in_two(tmp_path, hold_out):
    frame = own_folds.protocol(table(tmp_path / "clips.csv"), hold_out, 3)
    assert sorted(frame["fold"].unique()) == [1, 2, 3] and len(frame) == len(ANYBODY)
    assert (frame.groupby(hold_out)["fold"].nunique() == 1).all()
    for fold in (1, 2, 3):
        assert set(frame["label"][frame["fold"] != fold]) == {"a", "b"}
    assert f"No {hold_out} is in two folds." in own_folds.folds_text(frame)
    other = "text" if hold_out == "speaker" else "speaker"
    assert f"{other}s are in several folds" in own_folds.folds_text(frame)


def test_as_many_folds_as_speakers_leave_one_out(tmp_path):
    frame = own_folds.protocol(table(tmp_path / "clips.csv"), "speaker", 4)
    parts = LeaveOneGroupOut().split(frame, frame["label"], frame["speaker"])
    expected = {frozenset(test) for _, test in parts}
    assert {frozenset(clips) for clips in frame.groupby("fold").indices.values()} == expected


def test_stated_folds_are_taken_and_checked(tmp_path):
    folds = [1 + (number % 3) // 2 for number in range(len(ANYBODY))]
    frame = table(tmp_path / "clips.csv", fold=folds)
    assert own_folds.default_hold_out(frame) == "fold"
    assert own_folds.protocol(frame, "fold", 5)["fold"].tolist() == folds
    for wrong, reason in (
        (["x"] * len(folds), "whole number"),
        ([1] * len(folds), "number two or more"),
        ([1] * 12 + [2] * 12, "label 'a' is in fold 1 only"),
    ):
        with pytest.raises(Faults, match=reason):
            own_folds.protocol(table(tmp_path / "clips.csv", fold=wrong), "fold", 5)


def test_what_is_held_out_unless_it_is_named(tmp_path):
    path = tmp_path / "clips.csv"
    assert own_folds.default_hold_out(table(path)) == "speaker"
    themselves = [(speaker, speaker, text) for _, speaker, text in ANYBODY]
    assert own_folds.default_hold_out(table(path, themselves)) == "text"
    assert own_folds.default_hold_out(table(path, themselves, text="")) == "clip"
    assert own_folds.default_hold_out(table(path, speaker="")) == "clip"


def test_impossible_divisions_are_faults(tmp_path):
    path = tmp_path / "clips.csv"
    with pytest.raises(Faults, match="24 clips name no text, such as '0.wav'"):
        own_folds.protocol(table(path, text=""), "text", 2)
    with pytest.raises(Faults, match="4 speakers cannot be divided into 5 folds"):
        own_folds.protocol(table(path), "speaker", 5)
    one_each = [("a", "s1", "t"), ("a", "s1", "t"), ("b", "s2", "t"), ("b", "s2", "t")]
    with pytest.raises(Faults, match="^each label has one speaker, .*; hold out text or clip instead$"):
        own_folds.protocol(table(path, one_each), "speaker", 2)
    with pytest.raises(Faults, match="label 'b' has one clip"):
        own_folds.protocol(table(path, one_each[:3]), "clip", 2)


def test_names_of_the_data(tmp_path):
    (tmp_path / "emodb").mkdir()
    for name, expected in (("manifest.csv", "emodb"), ("clips.csv", "clips"), (".", "emodb")):
        (tmp_path / "emodb" / name).touch()
        assert own_folds.source_name(tmp_path / "emodb" / name) == expected
    (tmp_path / "emodb.v2").mkdir()
    assert own_folds.source_name(tmp_path / "emodb" / "..") == tmp_path.name
    assert own_folds.source_name(tmp_path / "emodb.v2") == "emodb.v2"


def test_notes_do_not_name_the_folder(tmp_path):
    table(tmp_path / "clips.csv", rate=8000)
    for number in range(len(ANYBODY)):
        (tmp_path / f"{number}.wav").touch()
    (line,) = own_folds.scan(tmp_path / "clips.csv").notes
    assert line.startswith("clips.csv: the column rate is ignored")


def test_notes_on_the_current_folder_keep_their_dots(tmp_path, monkeypatch):
    for label in "ab":
        (tmp_path / label).mkdir()
        for name in ("0.wav", "1.wav", "words.txt"):
            (tmp_path / label / name).touch()
    monkeypatch.chdir(tmp_path)
    (line,) = own_folds.scan(".").notes
    assert line.startswith(f"{tmp_path.name}: ") and ".txt" in line and ".wav" in line
