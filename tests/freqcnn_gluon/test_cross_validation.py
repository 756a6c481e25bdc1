"""Cross-validation, the validation part, and the baseline beside a training, on a few tones."""

import json
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import recordings
from html_tree import lines, read
from joblib.externals import loky
from page_browser import played
from recordings import run_command
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score
from sklearn.model_selection import LeaveOneGroupOut

from data_prep.base.faults import Faults
from data_prep.base.files import checksum
from freqcnn_gluon.own.about import CLIPS, WEIGHTS
from freqcnn_gluon.own.cross_validation import PREDICTIONS, cross_validate, fold_numbers
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.own.svm import train_svm
from freqcnn_gluon.runtime import threads

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
    for folds in (0, 1, 2.5, "Speaker"):
        with pytest.raises(Faults, match="is not a whole number of 2 or more, or 'speaker'"):
            fold_numbers(own, folds, 0)
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


@pytest.mark.skipif(threads() > 1, reason="this process needs OMP_NUM_THREADS=1, as make test has")
def test_folds_in_parallel_give_the_results_of_one_after_the_other(table, tmp_path, capfd, monkeypatch):
    def trained(out):
        report = cross_validate(table, out, 2, Recipe(size=32, epochs=1, batch_size=9), "cpu", 2)
        assert report["versions"]["threads"] == 1
        parts = [out / f"fold-{number}" / file for number in (1, 2) for file in (WEIGHTS, CLIPS)]
        measured = ("metrics", "intervals", "baselines", "folds", "split", "recipe")
        return [checksum(file) for file in (out / PREDICTIONS, *parts)], [report[key] for key in measured]

    with monkeypatch.context() as patch:  # a system without semaphores, so that this process trains all
        patch.setattr(loky, "ProcessPoolExecutor", Mock(side_effect=OSError))
        one_by_one = trained(tmp_path / "alone")
    assert len(set(one_by_one[0])) == 5
    capfd.readouterr()
    monkeypatch.setattr("freqcnn_gluon.own.fit.train_svm", lambda *arguments: pytest.fail("trained here"))
    assert trained(tmp_path / "out") == one_by_one
    notes = capfd.readouterr().err  # the processes print nothing
    assert notes.count("6 training clips: the median lasts") == 1 and "training:" not in notes
    assert notes.count("training steps are too few") == 2
    monkeypatch.setattr(loky, "ProcessPoolExecutor", lambda *arguments, **options: pytest.fail("started"))
    assert trained(tmp_path / "out") == one_by_one  # finished folds are not repeated
    for number in (1, 2):
        (tmp_path / "out" / f"fold-{number}" / "report.json").write_text("{}")
    with pytest.raises(Faults, match="(?s)2 faults:.*fold-1: holds a model of other.*fold-2: holds a model"):
        trained(tmp_path / "out")


def test_the_page_shows_folds_speakers_and_mistakes(table, tmp_path, capsys, browser):
    clips = pd.read_csv(table)
    clips.loc[0, "label"] = "low"  # a high tone, so that there is a mistake
    clips.to_csv(tmp_path / "clips.csv", index=False)
    words = ["cross-validate", tmp_path / "clips.csv", "--out", tmp_path / "out", "--folds", "speaker"]
    output, code = run_command(capsys, *words, "--system", "svm", *QUICK)
    path = tmp_path / "out" / "report.html"
    assert code == 0 and output.out.endswith(f"report: {path}\n"), output.err
    assert set(played(browser, path, 390, 844, "dark")) == {0.4}

    page, predictions = read(path.read_text()), pd.read_csv(tmp_path / "out" / "predictions.csv")
    sections = [section.attributes["id"] for section in page.all("section")]
    assert sections == ["results", "confusion", "folds", "speakers", "mistakes", "card", "settings"]
    body = lines(page.all("table", id="by-fold")[0])
    low, high = json.loads((tmp_path / "out" / "report.json").read_text())["folds"][0]["intervals"]["uar"][
        "clips"
    ]
    assert body[0][3] == f"{100 * low:.1f} to {100 * high:.1f} %"
    for row, (fold, part) in zip(body, predictions.groupby("fold"), strict=True):
        uar = recall_score(part["label"], part["predicted"], average="macro")
        accuracy = accuracy_score(part["label"], part["predicted"])
        assert [*row[:3], row[4]] == [str(fold), "6", f"{100 * uar:.1f} %", f"{100 * accuracy:.1f} %"]
        assert row[6:] == ["33.3 %", *set(part["speaker"])]  # the majority's UAR
    counts = confusion_matrix(predictions["label"], predictions["predicted"])
    assert [list(map(int, row[1:])) for row in lines(page.all("table", id="matrix")[0])] == counts.tolist()
    assert len(lines(page.all("table", id="by-speaker")[0])) == 3
    wrong = predictions[predictions["label"] != predictions["predicted"]]
    assert "high/0.wav" in wrong["clip"].iloc[0] and len(page.all("audio")) == len(wrong)
    card = page.all("section", id="card")[0].text
    assert "18, of 3 speakers" in card and "the results of 3 models" in card and "also trained on" not in card


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
