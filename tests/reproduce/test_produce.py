"""Table 3 from a corpus folder to its Markdown, on a corpus so small that all six systems run."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from reproduce import produce as produced
from reproduce import runs
from reproduce.__main__ import main


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Half a second of noise over a tone whose pitch is the accent."""
    root = tmp_path_factory.mktemp("corpora") / "Tones"
    random, time = np.random.default_rng(0), np.arange(4000) / 8000
    for partition, first in (("train", 1), ("test", 50)):
        for label, pitch in (("AU", 500), ("UK", 1200), ("US", 2500)):
            folder = root / "audio" / partition / label
            folder.mkdir(parents=True)
            for speaker in range(first, first + 6):
                tone = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.05 * random.standard_normal(4000)
                soundfile.write(folder / f"{label}-{speaker}__1.wav", tone, 8000)
    return root


@pytest.fixture(scope="module")
def command(corpus, tmp_path_factory):
    """The command line and its folder of results."""
    out = tmp_path_factory.mktemp("out")
    words = [
        "table",
        "3",
        "--ut-podcast",
        str(corpus),
        "--no-check-counts",
        "--profile",
        "quick",
        "--device",
        "cpu",
    ]
    words += [
        "--assume",
        "epochs=1",
        "--data",
        str(out / "data"),
        "--results",
        str(out / "results"),
        "--jobs",
        "1",
    ]
    return words, out


@pytest.fixture(scope="module")
def finished(command):
    words, out = command
    assert main(words) == 0
    return out


def test_every_system_has_a_report(finished, command):
    reports = sorted((finished / "results" / "Tones" / "table03").glob("*/*/report.json"))
    assert [path.parts[-3] for path in reports] == ["alexnet", "cnn", "fnn", "freqcnn", "resnet-18", "vgg-11"]
    for path in reports:
        report = json.loads(path.read_text())
        assert report["run"]["source"] == "Tones" and len(report["history"]) == 1
        assert report["clips"] == {"train": 24, "test": 18}  # UK twice
        confusion = pd.DataFrame(report["predictions"]).T
        again = pd.crosstab(confusion["true"], confusion["predicted"]).reindex(
            index=report["labels"], columns=report["labels"], fill_value=0
        )
        assert again.to_numpy().tolist() == report["metrics"]["confusion"]
        assert all(
            sum(line["probability"]) == pytest.approx(1, abs=1e-4) for line in report["predictions"].values()
        )
        assert (path.parent / "model.params").exists()
        assert report["versions"]["mxnet"].startswith("1.9")


def test_the_table_says_what_it_is(finished):
    text = (finished / "results" / "Tones" / "table03.md").read_text()
    assert "NOT THE PAPER'S CORPUS" in text and "within" not in text
    frame = pd.read_csv(finished / "results" / "Tones" / "table03.csv")
    assert len(frame) == 28 and frame["ours"].notna().sum() == 24


def test_a_second_run_trains_nothing_and_prints_the_same(finished, command, monkeypatch, capsys):
    def fail(*arguments, **keywords):
        raise AssertionError("trained again")

    monkeypatch.setattr("freqcnn_gluon.training.train", fail)
    assert main(command[0]) == 0
    assert capsys.readouterr().out.rstrip("\n") == (finished / "results/Tones/table03.md").read_text().rstrip(
        "\n"
    )


def test_other_choices_have_their_own_folders(finished, command, monkeypatch):
    asked = []
    monkeypatch.setattr(produced, "execute", lambda run, *rest: asked.append(run) or {})
    monkeypatch.setattr(produced, "write", lambda *arguments: "")
    for extra in ([], ["--seeds", "2"], ["--assume", "schedule=constant"], ["--assume", "floor_db=60"]):
        main([*command[0], *extra])
    results = finished / "results"
    done = [(run.folder(results) / "report.json").exists() for run in asked]
    assert done == [True] * 6 + [True, False] * 6 + [False] * 12
    assert len({run.folder(results) for run in asked}) == 6 + 6 + 6 + 6
    assert {run.choices["training"]["epochs"] for run in asked} == {1}
    peers = [run for run in asked if run.system != "table2"]
    assert all(run.choices["network"] == {} for run in peers)  # their defaults are not the list's to change


def test_profiles_are_the_papers_sizes():
    assert runs.PROFILES["paper"] == runs.Profile(None, None, None)


def test_bad_input_is_one_message_and_leaves_nothing(tmp_path, capsys):
    words = ["table", "3", "--device", "cpu", "--data", str(tmp_path / "data")]
    words += ["--results", str(tmp_path / "results")]
    (tmp_path / "empty").mkdir()
    for root in ("missing", "empty"):
        assert main([*words, "--ut-podcast", str(tmp_path / root)]) == 1
        said = capsys.readouterr()
        assert said.err.startswith("error: ") and root in said.err and "Traceback" not in said.err
    assert main([*words, "--device", "tpu"]) == 1
    assert "'tpu' is not understood" in capsys.readouterr().err
    assert main(["table", "99"]) == 1
    assert "no table 99" in capsys.readouterr().err
    assert not (tmp_path / "data").exists() and not (tmp_path / "results").exists()


def test_wrong_counts_are_refused_with_the_remedy(corpus, command, capsys, tmp_path):
    words = [word for word in command[0] if word != "--no-check-counts"]
    assert main([*words, "--results", str(tmp_path / "results")]) == 1
    said = capsys.readouterr().err
    assert "449" in said and "CHECK_COUNTS=no" in said
    assert not (tmp_path / "results").exists()
