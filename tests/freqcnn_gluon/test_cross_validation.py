"""Cross-validation, the validation part, and the baseline beside a training, on a few tones."""

import json

import numpy as np
import pandas as pd
import pytest
import recordings
from recordings import run_command
from sklearn.metrics import confusion_matrix, recall_score
from sklearn.model_selection import LeaveOneGroupOut

from data_prep.base.faults import Faults
from freqcnn_gluon.own.cross_validation import cross_validate, fold_numbers
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.own.svm import train_svm

QUICK = ["--size", "32", "--epochs", "1", "--device", "cpu", "--jobs", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Three labels, six recordings each, by three speakers."""
    root = recordings.write(tmp_path_factory.mktemp("tones") / "data", each=6)
    rows = [(path, path.parent.name, f"s{int(path.stem) % 3}") for path in sorted(root.rglob("*.wav"))]
    path = root.parent / "clips.csv"
    pd.DataFrame(rows, columns=["path", "label", "speaker"]).to_csv(path, index=False)
    return path


def frame(labels, speakers, paths=None):
    paths = paths or [f"{number}.wav" for number in range(len(labels))]
    return pd.DataFrame({"clip": paths, "path": paths, "label": list(labels), "speaker": list(speakers)})


def test_folds_keep_speakers_whole_and_depend_on_the_seed():
    clips = frame("ab" * 20, [f"s{number // 4}" for number in range(40)])
    numbers, split = fold_numbers(clips, 5, seed=0)
    assert split == "Whole speakers were divided into 5 folds."
    assert (clips.groupby("speaker")["path"].count() == 4).all()
    assert (pd.Series(numbers).groupby(clips["speaker"]).nunique() == 1).all()
    assert np.bincount(numbers).tolist() == [0, 8, 8, 8, 8, 8]
    others = [fold_numbers(clips, 5, seed)[0].tolist() for seed in range(4)]
    assert others[0] == numbers.tolist() and len(set(map(tuple, others))) > 1


def test_one_speaker_is_left_out_as_scikit_learn_does():
    clips = frame("abab" * 3, ["x"] * 4 + ["y"] * 4 + ["z"] * 4)
    numbers, split = fold_numbers(clips, "speaker", seed=0)
    parts = LeaveOneGroupOut().split(clips, clips["label"], clips["speaker"])
    for number, (_, test) in enumerate(parts, 1):
        assert np.flatnonzero(numbers == number).tolist() == test.tolist()
    assert split == "Each of 3 speakers was left out once."


def test_impossible_divisions_are_refused_or_explained():
    own = frame("aabb", ["x", "x", "y", "y"])  # speakers are the labels
    with pytest.raises(Faults, match="a label has only one speaker"):
        fold_numbers(own, "speaker", 0)
    numbers, split = fold_numbers(own, 2, 0)
    assert sorted(numbers) == [1, 1, 2, 2] and "because speakers cannot be divided into 2 folds" in split
    with pytest.raises(Faults, match="4 clips cannot be divided into 3 folds"):
        fold_numbers(own, 3, 0)
    with pytest.raises(Faults, match="1 clips name no speaker, such as '0.wav'"):
        fold_numbers(frame("aabb", ["", "x", "y", "y"]), "speaker", 0)
    with pytest.raises(Faults, match="label 'c' has one clip"):
        fold_numbers(frame("aabbc", "xyxyx"), 2, 0)


def test_every_clip_is_held_out_once_and_the_scores_are_pooled(table, tmp_path, capsys, monkeypatch):
    out = tmp_path / "folds"
    words = ["cross-validate", table, "--out", out, "--folds", "speaker", "--system", "svm", *QUICK]
    output, code = run_command(capsys, *words)
    assert code == 0 and "Each of 3 speakers was left out once." in output.out, output.err
    predictions = pd.read_csv(out / "predictions.csv")
    assert len(predictions) == 18 and predictions["clip"].is_unique
    assert predictions.groupby("speaker")["fold"].unique().tolist() == [[1], [2], [3]]
    report = json.loads((out / "report.json").read_text())
    labels, predicted = predictions["label"], predictions["predicted"]
    assert report["metrics"]["confusion"] == confusion_matrix(labels, predicted).tolist()
    assert report["metrics"]["uar"] == pytest.approx(recall_score(labels, predicted, average="macro"))
    low, high = report["intervals"]["uar"]["speakers"]
    assert 0 <= low <= report["metrics"]["uar"] <= high <= 1
    assert report["baselines"]["majority"]["metrics"]["accuracy"] == pytest.approx(1 / 3)
    assert [fold["speakers"] for fold in report["folds"]] == [["s0"], ["s1"], ["s2"]]
    assert not (out / "work").exists()

    monkeypatch.setattr("freqcnn_gluon.own.fit.train_svm", lambda *arguments: pytest.fail("trained again"))
    again, code = run_command(capsys, *words)
    assert code == 0 and again.out == output.out
    output, code = run_command(capsys, *words, "--seed", "1")
    assert code == 1 and "fold-1: holds a model of other data or settings" in output.err


def test_an_interrupted_cross_validation_repeats_no_finished_fold(table, tmp_path, monkeypatch):
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train_svm(*arguments)

    monkeypatch.setattr("freqcnn_gluon.own.fit.train_svm", interrupted)
    arguments = (table, tmp_path / "folds", 3, Recipe(size=32), "cpu", 1, 0.0, "svm")
    with pytest.raises(KeyboardInterrupt):
        cross_validate(*arguments)
    assert not (tmp_path / "folds" / "report.json").exists()
    report = cross_validate(*arguments)
    assert len(calls) == 4 and sum(fold["clips"] for fold in report["folds"]) == 18


def test_a_fit_shows_validation_only_and_keeps_the_baseline_for_predict(table, tmp_path, capsys):
    model = tmp_path / "model"
    words = ["--validation-share", "0.4", "--log-dir", tmp_path / "logs", *QUICK]
    output, code = run_command(capsys, "fit", table, "--out", model, *words)
    assert code == 0 and "Beside the baselines, with 95 % intervals over clips" in output.out, output.err
    report = json.loads((model / "report.json").read_text())
    assert report["clips"] == {"train": 6, "validation": 6, "test": 6}
    assert set(report["history"][0]) == {"epoch", "loss", "accuracy", "seconds", "validation"}
    (log,) = (tmp_path / "logs").glob("events*")
    assert b"validation/UAR" in log.read_bytes() and b"test/" not in log.read_bytes()
    clips = pd.read_csv(model / "clips.csv")
    assert (clips.groupby("partition")["speaker"].nunique() == 1).all()
    assert clips["speaker"].nunique() == 3
    tested = clips[clips["partition"] == "test"]
    assert clips.drop(tested.index)[["predicted", "svm", "majority"]].isna().all(axis=None)
    accuracy = report["baselines"]["svm"]["metrics"]["accuracy"]
    assert (tested["svm"] == tested["label"]).mean() == accuracy > 0.5
    uar, of_svm = report["metrics"]["uar"], report["baselines"]["svm"]["metrics"]["uar"]
    sentence = f"The baseline svm is ahead of freqcnn: UAR {100 * of_svm:.1f} % against {100 * uar:.1f} %."
    assert (sentence in output.out) == (of_svm > uar)
    path = table.parent / "data" / "high" / "0.wav"
    output, code = run_command(capsys, "predict", model / "baseline", path)
    assert code == 0 and output.out.startswith(f"{path}: high ")
    output, code = run_command(capsys, "evaluate", model, table, "--device", "cpu", "--jobs", "1")
    assert code == 0 and output.out.startswith("6 clips are skipped") and "majority" in output.out
    output, code = run_command(capsys, "evaluate", model / "baseline", table, "--jobs", "1")
    assert code == 0 and output.out.startswith("6 clips are skipped") and "svm" in output.out
    output, code = run_command(capsys, "explain", model / "baseline", path)
    assert code == 1 and "holds a support vector machine" in output.err
