"""From labelled recordings to a model folder and back to labels, by the commands as a person gives them."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from sklearn.metrics import accuracy_score, recall_score

from data_prep import audio
from data_prep.faults import Faults
from data_prep.spectrogram import ImageSettings, image
from freqcnn_gluon.__main__ import main
from freqcnn_gluon.fitting import Recipe, fit
from freqcnn_gluon.model import Model

FIT = ["--size", "32", "--epochs", "24", "--batch-size", "9", "--device", "cpu", "--jobs", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.write(tmp_path_factory.mktemp("data") / "tones")


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "model"
    assert main(["fit", str(data), "--out", str(out), "--log-dir", str(out.parent / "logs"), *FIT]) == 0
    return out


@pytest.fixture(scope="module")
def onnx(model):
    path = model.parent / "model.onnx"
    assert main(["export", str(model), "--onnx", str(path)]) == 0
    return path


def said(capsys, *words):
    """What a command prints, and its exit code."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    return capsys.readouterr(), code


def test_the_folder_is_complete_in_itself_and_says_how_it_came_about(model):
    assert sorted(path.name for path in model.iterdir()) == [
        "clips.csv",
        "model.json",
        "model.safetensors",
        "report.json",
    ]
    report = json.loads((model / "report.json").read_text())
    assert report["clips"] == {"train": 19, "test": 5} and len(report["history"]) == 24
    assert "does not say who speaks" in report["split"] and report["versions"]["mxnet"].startswith("1.9")
    clips = pd.read_csv(model / "clips.csv")
    tested = clips[clips["partition"] == "test"]
    assert report["metrics"]["uar"] == pytest.approx(
        recall_score(tested["label"], tested["predicted"], average="macro")
    )
    assert report["metrics"]["accuracy"] == accuracy_score(tested["label"], tested["predicted"]) > 0.7
    columns = [f"p({label})" for label in report["labels"]]
    assert tested[columns].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)
    assert clips[clips["partition"] == "train"]["predicted"].isna().all()


def test_tensorboard_s_logs_have_every_epoch(model):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  the format that is read here

    (path,) = (model.parent / "logs").glob("events*")
    content, place, seen = path.read_bytes(), 0, {}
    while place < len(content):
        size = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + size])
        for value in event.summary.value:
            seen.setdefault(value.tag, []).append((event.step, value.simple_value))
        place += 16 + size
    history = json.loads((model / "report.json").read_text())["history"]
    assert [step for step, _ in seen["train/loss"]] == list(range(1, 25))
    assert [value for _, value in seen["test/UAR"]] == pytest.approx(
        [each["test"]["uar"] for each in history]
    )


def test_the_same_again_trains_nothing_and_another_is_refused(model, data, monkeypatch, capsys):
    monkeypatch.setattr("freqcnn_gluon.fitting.train", lambda *arguments: pytest.fail("trained again"))
    output, code = said(capsys, "fit", data, "--out", model, *FIT)
    assert code == 0 and re.search(r"UAR \d+\.\d %, accuracy .* on 5 clips", output.out)
    output, code = said(capsys, "fit", data, "--out", model, *FIT, "--seed", "1")
    assert code == 1 and "holds a model of other data or settings; name another folder" in output.err
    before = (data / "low" / "0.wav").read_bytes()
    (data / "low" / "0.wav").write_bytes((data / "low" / "1.wav").read_bytes())
    output, code = said(capsys, "fit", data, "--out", model, *FIT)
    (data / "low" / "0.wav").write_bytes(before)
    assert code == 1 and "holds a model of other data" in output.err


def test_a_stopped_fit_goes_on_and_ends_with_the_same_weights(data, tmp_path, monkeypatch):
    recipe, calls = Recipe(size=32, epochs=3, batch_size=6), []
    monkeypatch.setattr("freqcnn_gluon.checkpoint.SECONDS_BETWEEN", 0)
    fit(data, tmp_path / "whole", recipe, device="cpu", jobs=1)

    @contextlib.contextmanager
    def stopping(folder):
        def told(entry):
            calls.append(entry["epoch"])
            if entry["epoch"] == 2:
                raise KeyboardInterrupt

        yield told

    with monkeypatch.context() as patch:
        patch.setattr("freqcnn_gluon.fitting._logged", stopping)
        with pytest.raises(KeyboardInterrupt):
            fit(data, tmp_path / "cut", recipe, device="cpu", jobs=1)
    assert calls == [1, 2] and not (tmp_path / "cut" / "model.json").exists()
    with pytest.raises(Faults, match="unfinished training: give the same `fit` again"):
        Model.load(tmp_path / "cut", "cpu")
    fit(data, tmp_path / "cut", recipe, device="cpu", jobs=1)
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "cut")]
    losses = [[entry["loss"] for entry in report["history"]] for report in reports]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert not (tmp_path / "cut" / "work").exists()
    (tmp_path / "cut" / "work").mkdir()  # as if it had been killed just before the end
    fit(data, tmp_path / "cut", recipe, device="cpu", jobs=1)
    assert not (tmp_path / "cut" / "work").exists()
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == (
        tmp_path / "cut" / "model.safetensors"
    ).read_bytes()


def test_the_parts_that_the_data_states_are_kept_and_speakers_in_both_are_told(data, tmp_path, capsys):
    table = tmp_path / "clips.csv"
    rows = [
        (path, label, f"s{number % 2}", "test" if number > 5 else "train")
        for label in recordings.PITCHES
        for number, path in enumerate(sorted((data / label).iterdir()))
    ]
    pd.DataFrame(rows, columns=["path", "label", "speaker", "partition"]).to_csv(table, index=False)
    words = ["--size", "32", "--epochs", "1", "--device", "cpu", "--jobs", "1"]
    output, code = said(capsys, "fit", table, "--out", tmp_path / "model", *words)
    assert (
        code == 0 and "The parts are those that the data states; 2 speakers are in both parts" in output.out
    )
    clips = pd.read_csv(tmp_path / "model" / "clips.csv")
    assert clips["partition"].value_counts().to_dict() == {"train": 18, "test": 6}
    pd.DataFrame(rows, columns=["path", "label", "speaker", "partition"]).assign(
        partition=lambda frame: np.where(frame["label"] == "low", "test", frame["partition"])
    ).to_csv(table, index=False)
    output, code = said(capsys, "fit", table, "--out", tmp_path / "other", *words)
    assert code == 1 and "label 'low' has no clip to train on" in output.err


def test_evaluate_counts_only_what_was_not_trained_on(model, data, tmp_path, capsys):
    report = json.loads((model / "report.json").read_text())
    output, code = said(capsys, "evaluate", model, data, "--csv", tmp_path / "said.csv", "--device", "cpu")
    assert code == 0 and output.out.startswith("19 clips are left out")
    assert f"UAR {100 * report['metrics']['uar']:.1f} %" in output.out and "on 5 clips" in output.out
    again = pd.read_csv(tmp_path / "said.csv").set_index("clip")
    first = pd.read_csv(model / "clips.csv").set_index("clip").loc[again.index]
    columns = [f"p({label})" for label in report["labels"]]
    assert again[columns].to_numpy() == pytest.approx(first[columns].to_numpy(), abs=1e-4)

    new = recordings.write(tmp_path / "new", each=4, seed=9)
    output, code = said(capsys, "evaluate", model, new, "--device", "cpu")
    assert code == 0 and "left out" not in output.out and "on 12 clips" in output.out
    shutil.rmtree(new / "high")
    output, code = said(capsys, "evaluate", model, new, "--device", "cpu")
    assert code == 0 and output.out.startswith("UAR over 2 of 3 labels ")
    assert f"on 8 clips of {new}; no clip of high" in output.out
    (new / "low").rename(new / "lower")
    output, code = said(capsys, "evaluate", model, new, "--device", "cpu")
    assert code == 1 and "has the labels lower, which the model does not know" in output.err


def test_evaluate_has_nothing_left_of_the_training_clips(model, data, tmp_path, capsys):
    clips = pd.read_csv(model / "clips.csv").query("partition == 'train'")
    clips.assign(path=[data / path for path in clips["path"]])[["path", "label"]].to_csv(
        tmp_path / "known.csv", index=False
    )
    output, code = said(capsys, "evaluate", model, tmp_path / "known.csv", "--device", "cpu")
    assert code == 1 and "the model was trained on every clip of it" in output.err


def test_predict_says_what_the_network_says(model, data, capsys):
    path = data / "high" / "0.wav"
    output, code = said(capsys, "predict", model, path, "--json", "--device", "cpu")
    line = json.loads(output.out)
    loaded = Model.load(model, "cpu")
    expected = loaded.probabilities(image(audio.read(path), ImageSettings(32))[None])[0]
    assert code == 0 and line["file"] == str(path) and line["label"] == "high"
    assert list(line["probabilities"]) == list(loaded.about.labels)
    assert list(line["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
    output, _ = said(capsys, "predict", model, path, "--device", "cpu")
    assert output.out.startswith(f"{path}: high {expected.max():.3f}, ")


def test_predict_cuts_what_is_long_into_windows_with_their_times(model, tmp_path, capsys):
    random = np.random.default_rng(1)
    parts = [recordings.tone(recordings.PITCHES[label], 1.2, random) for label in ("low", "high")]
    soundfile.write(tmp_path / "both.flac", np.concatenate([*parts, np.zeros(16000)]), 16000)
    output, code = said(capsys, "predict", model, tmp_path / "both.flac", "--csv", "--device", "cpu")
    lines = pd.DataFrame(csv.DictReader(io.StringIO(output.out)))
    assert code == 0 and lines["window"].tolist() == [*map(str, range(1, len(lines))), "all"]
    windows = lines[:-1].assign(start=lines["start"].astype(float), stop=lines["stop"].astype(float))
    assert (windows["stop"] - windows["start"]).to_numpy() == pytest.approx(0.4, abs=1e-3)
    assert set(windows["label"][windows["stop"] < 1.2]) == {"low"}
    assert set(windows["label"][(windows["start"] > 1.2) & (windows["stop"] < 2.4)]) == {"high"}
    assert set(windows["label"][windows["start"] > 2.4]) == {""}
    heard = windows[windows["label"] != ""]
    columns = [column for column in lines if column.startswith("p(")]
    mean = heard[columns].astype(float).mean()
    assert lines[columns].iloc[-1].astype(float).to_numpy() == pytest.approx(mean.to_numpy(), abs=1e-4)
    output, _ = said(capsys, "predict", model, tmp_path / "both.flac", "--device", "cpu")
    assert "0.00-0.40 s: low" in output.out and "s: silent" in output.out
    assert output.out.splitlines()[-1].endswith(f"(mean of {len(windows)} windows)")


def test_predict_reads_folders_and_goes_on_past_what_is_broken(model, data, tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    output, code = said(capsys, "predict", model, tmp_path, data / "low", "no.wav", "--device", "cpu")
    assert code == 1 and len(output.out.splitlines()) == 8
    assert output.err.count("error: ") == 3 and "broken.wav" in output.err and "is silent" in output.err
    (tmp_path / "empty").mkdir()
    output, code = said(capsys, "predict", model, tmp_path / "empty", "--device", "cpu")
    assert code == 1 and "holds no recordings" in output.err


def test_predict_names_files_whose_names_are_in_no_known_encoding(model, data, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    shutil.copy(data / "low" / "0.wav", tmp_path / name)
    (tmp_path / os.fsdecode(b"no\xff\x1b.wav")).write_bytes(b"RIFF")
    done = subprocess.run(
        [sys.executable, "-m", "freqcnn_gluon", "predict", model, tmp_path, "--device", "cpu"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert b"caf\\udce9.wav: low " in done.stdout and b"no\\udcff\\x1b.wav: cannot be read" in done.stderr


@pytest.mark.parametrize(
    "label, part, what", [("low", "test", "in training and in test"), ("high", "train", "with")]
)
def test_a_recording_that_is_there_twice_is_told_before_it_is_trained_on(
    data, tmp_path, capsys, label, part, what
):
    """With two labels, or trained and tested on."""
    shutil.copy(data / "low" / "0.wav", tmp_path / "copy.wav")
    lines = [
        f"{path},{path.parent.name},{'test' if path.stem == '1' else 'train'}" for path in data.rglob("*.wav")
    ]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["path,label,partition", *lines, f"copy.wav,{label},{part}"]) + "\n")
    output, code = said(capsys, "fit", table, "--out", tmp_path / "model", *FIT)
    assert code == 1 and f"{data}/low/0.wav and {tmp_path}/copy.wav: are the same recording" in output.err
    assert what in output.err and not (tmp_path / "model" / "model.json").exists()


@pytest.mark.parametrize("content", [None, b"", b"clip\na\n", b"\xff\xfe", b'"'])
def test_a_model_whose_clips_are_damaged_is_told(model, data, tmp_path, capsys, content):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "clips.csv").unlink()
    if content is not None:
        (tmp_path / "model" / "clips.csv").write_bytes(content)
    output, code = said(capsys, "evaluate", tmp_path / "model", data, "--device", "cpu")
    assert code == 1 and output.err.startswith(f"error: {tmp_path}/model/clips.csv: the model is damaged")


@pytest.mark.parametrize("content", ["", "[]", "3", '{"recipe": 1}', "[" * 100_000])
def test_a_model_whose_report_is_damaged_is_not_taken_for_the_one_asked_for(
    model, data, tmp_path, capsys, content
):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "report.json").write_text(content)
    output, code = said(capsys, "fit", data, "--out", tmp_path / "model", *FIT)
    assert code == 1 and f"error: {tmp_path}/model: holds a model of other data or settings" in output.err


def test_predict_reads_standard_input(model, data):
    with open(data / "low" / "0.wav", "rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "freqcnn_gluon", "predict", model, "-", "--device", "cpu"],
            stdin=file,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0 and done.stdout.startswith("-: low "), done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "freqcnn_gluon", "predict", model, "-", "--device", "cpu"],
        input="no sound",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith("error: -: cannot be read as audio")


def test_the_onnx_file_is_used_without_mxnet_or_scikit_learn(model, onnx, data, tmp_path, capsys):
    random = np.random.default_rng(2)
    soundfile.write(tmp_path / "long.wav", recordings.tone(1500, 3.0, random), 16000)
    words = [data / "low" / "1.wav", tmp_path / "long.wav", "--csv"]
    expected, _ = said(capsys, "predict", model, *words, "--device", "cpu")
    code = (
        "import sys; sys.modules['mxnet'] = sys.modules['sklearn'] = None\n"
        "from freqcnn_gluon.__main__ import main; raise SystemExit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", onnx, *words], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    tables = [pd.read_csv(io.StringIO(text)) for text in (done.stdout, expected.out)]
    assert (
        tables[0]
        .drop(columns=tables[0].filter(like="p("))
        .equals(tables[1].drop(columns=tables[1].filter(like="p(")))
    )
    columns = tables[0].filter(like="p(").columns
    assert tables[0][columns].to_numpy() == pytest.approx(tables[1][columns].to_numpy(), abs=1e-5)


def test_evaluate_and_predict_with_the_onnx_runtime(model, onnx, data, tmp_path, capsys):
    mxnets, _ = said(
        capsys, "evaluate", model, recordings.write(tmp_path / "new", 3, seed=5), "--device", "cpu"
    )
    onnxs, code = said(capsys, "evaluate", onnx, tmp_path / "new")
    assert code == 0 and "such clips count too" in onnxs.out
    assert onnxs.out.splitlines()[-5:] == mxnets.out.splitlines()[-5:]
    output, code = said(capsys, "predict", model, data / "low", "--runtime", "onnx")
    assert code == 1 and "model.onnx: is missing; `export MODEL --onnx FILE` writes it" in output.err
    (tmp_path / "text.onnx").write_text("no graph")
    output, code = said(capsys, "predict", tmp_path / "text.onnx", data / "low")
    assert code == 1 and "is no ONNX file that `export` wrote" in output.err


def test_explain_draws_a_picture_and_says_the_weights_of_the_bands(model, data, tmp_path, capsys):
    output, code = said(capsys, "explain", model, data / "low" / "0.wav", "--out", tmp_path / "a.png")
    lines = output.out.splitlines()
    assert code == 0 and lines[0].startswith(f"{data / 'low' / '0.wav'}: low ")
    assert re.fullmatch(r"block 4: 0-4000 Hz 0\.\d{3}, 4000-8000 Hz 0\.\d{3}", lines[1])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_size_that_cannot_be_is_told_before_anything_is_read(data, tmp_path, capsys):
    output, code = said(capsys, "fit", data, "--out", tmp_path / "m", "--size", "100")
    assert code == 1 and "use a multiple of 32" in output.err and not (tmp_path / "m").exists()


def test_settings_that_cannot_be_are_told_all_at_once_before_anything_is_read(data, tmp_path, capsys):
    words = ["--architecture", "table3", "--size", "8", "--epochs", "0", "--batch-size", "-1"]
    words += ["--learning-rate", "nan", "--seed", str(2**32)]
    output, code = said(capsys, "fit", data, "--out", tmp_path / "m", *words)
    assert code == 1 and "6 faults" in output.err and not (tmp_path / "m").exists()
    for sentence in (
        "no architecture 'table3'",
        "size: 8 is no whole number from 16 to 4096",
        "epochs: 0 is no whole number from 1 up",
        "batch size: -1 is no whole number from 1 up",
        "learning rate: nan is no finite number above 0",
        "seed: 4294967296 is no whole number from 0 to 4294967295",
    ):
        assert sentence in output.err
    output, code = said(capsys, "fit", data, "--out", tmp_path / "m", "--test-share", "1.5")
    assert code == 1 and "test share: 1.5 is no share between 0 and 1" in output.err
    for wrong in (
        {"epochs": 2.5},
        {"size": "64"},
        {"seed": -1},
        {"learning_rate": 0},
        {"learning_rate": "1"},
    ):
        with pytest.raises(Faults, match=f"^{next(iter(wrong)).replace('_', ' ')}: "):
            Recipe(**wrong)
    assert json.dumps(asdict(Recipe(epochs=np.int64(3), learning_rate=np.float32(0.5))))


@pytest.mark.parametrize("seed", [20_240_115, 2**32 - 1])
def test_any_seed_that_is_taken_trains(data, tmp_path, seed):
    fit(data, tmp_path / "model", Recipe(size=32, epochs=1, seed=seed), device="cpu", jobs=1)
    assert (tmp_path / "model" / "model.json").exists()


def test_every_command_s_help_has_an_example(capsys):
    for command in ("fit", "evaluate", "predict", "explain", "export", "describe"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"python -m freqcnn_gluon {command} " in capsys.readouterr().out
