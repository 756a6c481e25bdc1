"""The comparison on anybody's recordings, from the CSV file to the page."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from recordings import PITCHES, tone
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, recall_score

from reproduce.__main__ import main
from reproduce.commands.reference import fill_marks
from reproduce.options import COMPARE
from reproduce.runs.report import reports_in

SMALL = ["--size", "32", "--epochs", "1", "--jobs", "1", "--device", "cpu"]


def write(folder, speakers, each):
    """Write ``each`` clips of every label and speaker, and their manifest.csv."""
    random, lines = np.random.default_rng(0), []
    folder.mkdir(parents=True)
    for label, pitch in PITCHES.items():
        for number in range(speakers * each):
            path = f"{label}{number}.wav"
            soundfile.write(folder / path, tone(pitch, 0.3, random), 16000)
            lines.append(
                {"path": path, "label": label, "speaker": f"s{number % speakers}" if speakers > 1 else ""}
            )
    pd.DataFrame(lines).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def compared(folder, speech, *words):
    """Run the command, and return the lines of compare.csv by their system, and the reports."""
    options = ["--data", str(folder / "data"), "--results", str(folder / "results")]
    assert main(["compare", str(speech), *SMALL, *options, *words]) == 0
    source = folder / "results" / speech.parent.name
    frame = pd.read_csv(source / "compare.csv", index_col="system")
    return frame, reports_in(source, COMPARE)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write(tmp_path_factory.mktemp("speech") / "talk", speakers=4, each=2)


def test_systems_meet_on_the_same_clips_and_folds(speech, tmp_path, capsys):
    words = ["--systems", "svm", "fnn", "--folds", "2"]
    frame, reports = compared(tmp_path, speech, *words)
    assert frame.index.tolist() == ["FNN", "SVM"]
    answers = {}
    for row, of in frame.iterrows():
        contents = [report.content for report in reports if report.content["run"]["row"] == row]
        clips = [clip for content in contents for clip in content["predictions"]]
        assert len(contents) == 2 and sorted(clips) == sorted(pd.read_csv(speech)["path"])
        assert not set(contents[0]["speakers"]) & set(contents[1]["speakers"])
        answers[row] = pd.DataFrame(
            {k: v for content in contents for k, v in content["predictions"].items()}
        ).T
        true, predicted = answers[row]["true"], answers[row]["predicted"]
        assert of["uar"] == pytest.approx(100 * recall_score(true, predicted, average="macro"), abs=1e-3)
        assert of["accuracy"] == pytest.approx(100 * accuracy_score(true, predicted), abs=1e-3)
    assert (
        frame["training_accuracy"].notna().tolist() == [True, False] == frame["parameters"].notna().tolist()
    )
    right = {row: of["true"] == of["predicted"] for row, of in answers.items()}
    won, lost = (right["FNN"] & ~right["SVM"]).sum(), (~right["FNN"] & right["SVM"]).sum()
    p = binomtest(won, won + lost).pvalue if won + lost else 1
    assert frame.loc["SVM", "p_adjusted"] == pytest.approx(p, rel=1e-4)
    page = capsys.readouterr().out
    assert page.endswith(f"This table is in {tmp_path / 'results' / 'talk' / 'compare.md'}.\n\n")
    assert "whole speakers held out" in page and "NOT THE PAPER'S CORPUS" in page
    assert "within" not in page and "outside" not in page

    folder = tmp_path / "results" / "talk"
    times = {path: path.stat().st_mtime_ns for path in folder.glob("compare/*/*/report.json")}
    assert len(times) == 4
    compared(tmp_path, speech, *words)
    assert {path: path.stat().st_mtime_ns for path in times} == times

    shown = ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results")]
    assert main(["report", *shown]) == 0
    mark = "<!-- compare from results/talk -->\n"
    assert fill_marks(f"{mark}<!-- end -->", tmp_path).count("| FNN ") == 1
    html = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "Comparison" in html and "Table 0" not in html and "The paper’s claims" not in html


def test_a_system_that_cannot_be_trained_is_shown_as_failed(tmp_path, capsys):
    speech = write(tmp_path / "few", speakers=1, each=2)
    frame, reports = compared(tmp_path, speech, "--systems", "ivector", "fnn", "svm", "--folds", "2")
    assert frame.loc["i-Vector", "verdict"] == "failed" and np.isnan(frame.loc["i-Vector", "uar"])
    assert sorted(report.fault != "" for report in reports) == [False] * 4 + [True] * 2
    assert frame.loc["SVM", "lead"] == "not tested"  # the clips name no speakers
    page = capsys.readouterr().out
    assert "Failed: i-Vector, fold 1, seed 0: it cannot be trained on these clips" in page
    assert "clips held out" in page


def test_wrong_requests_are_one_message_each(speech, tmp_path, capsys):
    options = ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"), *SMALL]
    for words, message in (
        (["--folds", "1"], "one fold leaves no clip to train on"),
        (["--folds", "5"], "4 speakers cannot be divided into 5 folds"),
        (["--hold-out", "text"], "24 clips name no text"),
        (["--hold-out", "words"], "'words' cannot be held out; choose speaker, text, clip or fold"),
        (["--assume", "window=3"], "'window' does not affect the comparison"),
        (
            ["--systems", "vgg11", "--size", "16", "--folds", "2"],
            "VGG-11: spectrograms of 16 x 16 are too small",
        ),
    ):
        assert main(["compare", str(speech), *options, *words]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_the_run_states_how_the_clips_were_divided(speech, tmp_path, capsys):
    frame = pd.read_csv(speech)
    frame.assign(fold=[1 + number % 3 for number in range(len(frame))]).to_csv(
        speech.parent / "six.csv", index=False
    )
    options = ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"), *SMALL]
    assert main(["compare", str(speech.parent / "six.csv"), *options, "--systems", "svm"]) == 0
    listed = json.loads((tmp_path / "results" / "six" / "compare.json").read_text())
    runs = [json.loads((tmp_path / "results" / "six" / link).read_text())["run"] for link in listed]
    assert [run["fold"] for run in runs] == ["1", "2", "3"]
    assert all(run["choices"]["data"] == {"hold_out": "fold", "folds": 3} for run in runs)
    assert "six.csv: the column fold states 3 folds, which are used." in capsys.readouterr().err


def test_notes_name_short_trainings_and_a_table_that_is_replaced(speech, tmp_path, capsys):
    words = ["--folds", "2", "--systems"]
    compared(tmp_path, speech, *words, "fnn", "svm")  # neither has BatchNorm
    compared(tmp_path, speech, *words, "svm")
    assert "note: " not in capsys.readouterr().err
    elsewhere = write(tmp_path / speech.parent.name, speakers=2, each=2)
    frame, _ = compared(tmp_path, elsewhere, *words, "resnet18", "svm")
    err = capsys.readouterr().err
    # 6 of 12 clips are one step of an epoch, of batches of 16 that are cut to 6.
    assert (
        "note: ResNet-18: 1 training steps are too few" in err
        and "--epochs 100 or more (EPOCHS for make)" in err
    )
    table = tmp_path / "results" / "talk" / "compare.md"
    assert f"note: {table} is a comparison on other clips, folds or spectrograms, and will be replaced" in err
