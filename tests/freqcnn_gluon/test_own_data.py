"""From labelled recordings to a model's folder and back to labels, through the commands."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from html_tree import lines, read
from recordings import run_command
from sklearn.metrics import accuracy_score, recall_score

from data_prep.sound import audio
from data_prep.sound.spectrogram import image
from freqcnn_gluon.__main__ import main
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.predict import predictions, write

FIT = ["--size", "32", "--epochs", "60", "--batch-size", "9", "--device", "cpu", "--jobs", "1"]


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
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main(["export", str(model), "--onnx", str(path)]) == 0
    wrote, difference = output.getvalue().splitlines()
    assert wrote == f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB; input: image)"
    assert re.fullmatch(r"Its probabilities differ from MXNet's by at most \d\.\de-\d\d\.", difference)
    return path


def test_the_folder_is_complete_and_records_its_training(model):
    assert sorted(path.name for path in model.iterdir()) == [
        "baseline",
        "clips.csv",
        "model.json",
        "model.safetensors",
        "report.html",
        "report.json",
    ]
    report = json.loads((model / "report.json").read_text())
    assert report["clips"] == {"train": 19, "test": 5} and len(report["history"]) == 60
    assert "does not name speakers" in report["split"] and report["versions"]["mxnet"].startswith("1.9")
    clips = pd.read_csv(model / "clips.csv")
    tested = clips[clips["partition"] == "test"]
    assert report["metrics"]["uar"] == pytest.approx(
        recall_score(tested["label"], tested["predicted"], average="macro")
    )
    assert report["metrics"]["accuracy"] == accuracy_score(tested["label"], tested["predicted"]) > 0.7
    columns = [f"p({label})" for label in report["labels"]]
    assert tested[columns].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)
    assert clips[clips["partition"] == "train"]["predicted"].isna().all()


def test_the_page_in_the_folder_shows_the_report(model):
    report = json.loads((model / "report.json").read_text())
    page = read((model / "report.html").read_text(encoding="utf-8"))
    matrix = [[int(cell) for cell in row[1:]] for row in lines(page.all("table", id="matrix")[0])]
    assert matrix == report["metrics"]["confusion"]
    assert len(lines(page.all("table", id="epochs")[0])) == 60


def test_tensorboard_s_logs_have_every_epoch(model):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  the format that is read here

    (path,) = (model.parent / "logs").glob("events*")
    content, place, scalars = path.read_bytes(), 0, {}
    while place < len(content):
        size = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + size])
        for value in event.summary.value:
            scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
        place += 16 + size
    history = json.loads((model / "report.json").read_text())["history"]
    assert [step for step, _ in scalars["train/loss"]] == list(range(1, 61))
    assert [value for _, value in scalars["train/accuracy"]] == pytest.approx(
        [each["accuracy"] for each in history]
    )
    assert set(scalars) == {"train/loss", "train/accuracy"}  # the held-out clips are predicted at the end


def test_repeating_a_fit_trains_nothing_and_other_settings_are_refused(model, data, monkeypatch, capsys):
    monkeypatch.setattr("freqcnn_gluon.own.fit.train", lambda *arguments: pytest.fail("trained again"))
    output, code = run_command(capsys, "fit", data, "--out", model, *FIT)
    assert code == 0 and re.search(r"UAR \d+\.\d %, accuracy .* on 5 clips", output.out)
    assert f"\nreport: {model / 'report.html'}\n" in output.out
    output, code = run_command(capsys, "fit", data, "--out", model, *FIT, "--seed", "1")
    assert code == 1 and "holds a model of other data or settings; name another folder" in output.err
    before = (data / "low" / "0.wav").read_bytes()
    (data / "low" / "0.wav").write_bytes((data / "low" / "1.wav").read_bytes())
    output, code = run_command(capsys, "fit", data, "--out", model, *FIT)
    (data / "low" / "0.wav").write_bytes(before)
    assert code == 1 and "holds a model of other data" in output.err


def test_evaluate_skips_training_clips(model, data, tmp_path, capsys):
    report = json.loads((model / "report.json").read_text())
    output, code = run_command(
        capsys, "evaluate", model, data, "--csv", tmp_path / "predictions.csv", "--device", "cpu"
    )
    assert code == 0 and output.out.startswith("19 clips are skipped")
    assert f"UAR {100 * report['metrics']['uar']:.1f} %" in output.out and "on 5 clips" in output.out
    again = pd.read_csv(tmp_path / "predictions.csv").set_index("clip")
    first = pd.read_csv(model / "clips.csv").set_index("clip").loc[again.index]
    columns = [f"p({label})" for label in report["labels"]]
    assert again[columns].to_numpy() == pytest.approx(first[columns].to_numpy(), abs=1e-4)

    new, out = recordings.write(tmp_path / "new", each=4, seed=9), tmp_path / "evaluation"
    output, code = run_command(capsys, "evaluate", model, new, "--device", "cpu", "--out", out)
    assert code == 0 and "skipped" not in output.out and "on 12 clips" in output.out
    assert output.out.endswith(f"\nreport: {out / 'report.html'}\n")
    report, clips = json.loads((out / "report.json").read_text()), pd.read_csv(out / "clips.csv")
    uar = recall_score(clips["label"], clips["predicted"], average="macro")
    assert report["metrics"]["uar"] == pytest.approx(uar) and len(clips) == 12
    systems = read((out / "report.html").read_text(encoding="utf-8")).all("table", id="systems")[0]
    assert lines(systems)[0][1] == f"{100 * uar:.1f} %"
    shutil.rmtree(new / "high")
    output, code = run_command(capsys, "evaluate", model, new, "--device", "cpu")
    assert code == 0 and output.out.startswith("UAR over 2 of 3 labels ")
    assert f"on 8 clips of {new}; no clip has the label high" in output.out
    (new / "low").rename(new / "lower")
    output, code = run_command(capsys, "evaluate", model, new, "--device", "cpu")
    assert code == 1 and "has the labels lower, which the model does not know" in output.err


def test_evaluate_skips_cuts_of_training_clips(model, data, tmp_path, capsys):
    clips = pd.read_csv(model / "clips.csv")
    trained, tested = (
        data / clips.query(f"partition == '{part}'")["path"].iloc[0] for part in ("train", "test")
    )
    shutil.copy(trained, tmp_path / "other-name.wav")
    rows = [(trained, 0, ""), (trained, 0.1, 0.3), ("other-name.wav", 0.2, ""), (tested, 0.1, 0.3)]
    table = tmp_path / "cuts.csv"
    pd.DataFrame(rows, columns=["path", "start", "stop"]).assign(label="low").to_csv(table, index=False)
    output, code = run_command(capsys, "evaluate", model, table, "--device", "cpu")
    assert code == 0 and output.out.startswith("3 clips are skipped") and "on 1 clips" in output.out
    # a model of an older version has no hashes of files, and its clips' contents are compared
    shutil.copytree(model, tmp_path / "old")
    clips.drop(columns="file").to_csv(tmp_path / "old" / "clips.csv", index=False)
    output, code = run_command(capsys, "evaluate", tmp_path / "old", data, "--device", "cpu")
    assert code == 0 and output.out.startswith("19 clips are skipped")


def test_times_are_kept_exactly(tmp_path):
    """With six digits, cuts that only meet would overlap."""
    frame = pd.DataFrame({"clip": ["a", "b"], "start": [12345.678, np.nan], "stop": [12345.6789, 0.1]})
    write(frame.assign(p=[0.123456789, 1]), tmp_path / "clips.csv")
    again = pd.read_csv(tmp_path / "clips.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(again[frame.columns], frame, check_exact=True)
    assert again["p"].tolist() == [0.123457, 1]


def test_evaluate_refuses_data_of_training_clips_only(model, data, tmp_path, capsys):
    clips = pd.read_csv(model / "clips.csv").query("partition == 'train'")
    clips.assign(path=[data / path for path in clips["path"]])[["path", "label"]].to_csv(
        tmp_path / "known.csv", index=False
    )
    output, code = run_command(capsys, "evaluate", model, tmp_path / "known.csv", "--device", "cpu")
    assert code == 1 and "the model was trained on every clip in it" in output.err


def test_predict_prints_the_networks_probabilities(model, data, capsys):
    path = data / "high" / "0.wav"
    output, code = run_command(capsys, "predict", model, path, "--json", "--device", "cpu")
    line = json.loads(output.out)
    loaded = Model.load(model, "cpu")
    expected = loaded.probabilities(image(audio.read(path), loaded.about.images)[None])[0]
    assert code == 0 and line["file"] == str(path) and line["label"] == "high"
    assert list(line["probabilities"]) == list(loaded.about.labels)
    assert list(line["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-6)
    output, _ = run_command(capsys, "predict", model, path, "--device", "cpu")
    assert output.out.startswith(f"{path}: high {expected.max():.3f}, ")


def test_predict_cuts_long_recordings_into_windows_with_their_times(model, tmp_path, capsys):
    random = np.random.default_rng(1)
    parts = [recordings.tone(recordings.PITCHES[label], 1.2, random) for label in ("low", "high")]
    soundfile.write(tmp_path / "both.flac", np.concatenate([*parts, np.zeros(16000)]), 16000)
    output, code = run_command(capsys, "predict", model, tmp_path / "both.flac", "--csv", "--device", "cpu")
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
    output, _ = run_command(capsys, "predict", model, tmp_path / "both.flac", "--device", "cpu")
    assert "0.00-0.40 s: low" in output.out and "s: silent" in output.out
    assert output.out.splitlines()[0].endswith(f"(mean of {len(windows)} windows)")


def test_predict_reads_folders_and_continues_after_broken_files(model, data, tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    output, code = run_command(capsys, "predict", model, tmp_path, data / "low", "no.wav", "--device", "cpu")
    assert code == 1 and len(output.out.splitlines()) == 8
    assert output.err.count("error: ") == 3 and "broken.wav" in output.err and "is silent" in output.err
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.wma").touch()
    output, code = run_command(capsys, "predict", model, tmp_path / "empty", "--device", "cpu")
    assert code == 1 and "holds no recordings" in output.err and "are skipped" in output.err


def test_predict_prints_file_names_in_unknown_encodings(model, data, tmp_path):
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


def test_predict_ends_quietly_when_its_output_is_closed(model, data):
    with subprocess.Popen(
        [sys.executable, "-m", "freqcnn_gluon", "predict", model, data, "--csv", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 128 + signal.SIGPIPE)


@pytest.mark.parametrize("content", [None, b"", b"clip\na\n", b"\xff\xfe", b'"'])
def test_a_model_with_a_damaged_list_of_clips_is_refused(model, data, tmp_path, capsys, content):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "clips.csv").unlink()
    if content is not None:
        (tmp_path / "model" / "clips.csv").write_bytes(content)
    output, code = run_command(capsys, "evaluate", tmp_path / "model", data, "--device", "cpu")
    assert code == 1 and output.err.startswith(f"error: {tmp_path}/model/clips.csv: the model is damaged")


def test_predict_accepts_a_model_without_a_list_of_clips(model, data, tmp_path, capsys):
    Model.load(model, "cpu").save(tmp_path / "model")
    assert not (tmp_path / "model" / "clips.csv").exists()
    expected, _ = run_command(capsys, "predict", model, data / "low", "--device", "cpu")
    output, code = run_command(capsys, "predict", tmp_path / "model", data / "low", "--device", "cpu")
    assert code == 0 and output.out == expected.out and output.out.count(": low") == 8


def test_the_only_recording_needs_no_list(model, data):
    network, path = Model.load(model, "cpu"), data / "low" / "0.wav"
    (listed,) = predictions(network, [path], jobs=1)
    for given in (path, str(path)):
        (alone,) = predictions(network, given, jobs=1)
        assert alone.label == listed.label == "low"


def test_evaluate_reports_a_missing_list_of_training_clips(model, data, tmp_path, capsys):
    Model.load(model, "cpu").save(tmp_path / "saved")
    output, code = run_command(capsys, "evaluate", tmp_path / "saved", data, "--device", "cpu")
    assert code == 0 and output.out.startswith(f"{tmp_path}/saved has no list of its training clips, ")
    assert "on 24 clips" in output.out


@pytest.mark.parametrize("content", ["", "[]", "3", '{"recipe": 1}', "[" * 100_000])
def test_a_model_with_a_damaged_report_is_not_taken_for_the_same(model, data, tmp_path, capsys, content):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "report.json").write_text(content)
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "model", *FIT)
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


def test_the_onnx_file_needs_no_packages_of_training_and_avi(model, onnx, data, tmp_path, capsys):
    random = np.random.default_rng(2)
    soundfile.write(tmp_path / "long.wav", recordings.tone(1500, 3.0, random), 16000)
    words = [data / "low" / "1.wav", tmp_path / "long.wav", "--csv"]
    expected, _ = run_command(capsys, "predict", model, *words, "--device", "cpu")
    code = (
        "import sys; sys.modules.update(mxnet=None, sklearn=None, av=None)\n"
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
    mxnets, _ = run_command(
        capsys, "evaluate", model, recordings.write(tmp_path / "new", 3, seed=5), "--device", "cpu"
    )
    onnxs, code = run_command(capsys, "evaluate", onnx, tmp_path / "new")
    assert code == 0 and "so these count too" in onnxs.out
    assert "\n".join(onnxs.out.splitlines()[-5:]) in mxnets.out  # which also has the baselines
    output, code = run_command(capsys, "predict", onnx, data / "low", "--device", "gpu")
    assert code == 1 and "--device gpu: ONNX models run on the CPU only; omit --device" in output.err
    output, code = run_command(capsys, "predict", model, data / "low", "--runtime", "onnx")
    assert code == 1 and "model.onnx: is missing; `export MODEL --onnx " in output.err
    (tmp_path / "text.onnx").write_text("no graph")
    output, code = run_command(capsys, "predict", tmp_path / "text.onnx", data / "low")
    assert code == 1 and "is not an ONNX file that `export` wrote" in output.err


def test_evaluate_with_the_onnx_runtime_skips_training_clips(model, onnx, data, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    shutil.copy(onnx, tmp_path / "model" / "model.onnx")
    code = (
        "import sys; sys.modules.update(mxnet=None, sklearn=None, av=None)\n"
        "from freqcnn_gluon.__main__ import main; raise SystemExit(main(sys.argv[1:]))"
    )
    words = ["evaluate", tmp_path / "model", data, "--runtime", "onnx"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("19 clips are skipped") and "on 5 clips" in done.stdout


def test_explain_draws_a_picture_and_prints_the_weights_of_the_bands(model, data, tmp_path, capsys):
    output, code = run_command(capsys, "explain", model, data / "low" / "0.wav", "--out", tmp_path / "a.png")
    lines = output.out.splitlines()
    assert code == 0 and lines[0].startswith(f"{data / 'low' / '0.wav'}: low ")
    assert re.fullmatch(r"block 4: 20-\d+ Hz 0\.\d{3}, \d+-8000 Hz 0\.\d{3}", lines[1])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_many_silent_clips_are_all_listed_in_a_file_beside_the_model(tmp_path, capsys):
    for label in ("high", "low"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(30):
            soundfile.write(tmp_path / "data" / label / f"{number}.wav", np.zeros(8000), 16000)
    output, code = run_command(capsys, "fit", tmp_path / "data", "--out", tmp_path / "model", *FIT)
    listed = tmp_path / "model-faults.txt"
    assert code == 1 and output.err.endswith(f"  ... and 10 more; all are in {listed}\n")
    assert listed.read_text().count(".wav: is silent") == 60


def test_every_command_s_help_has_an_example(capsys):
    for command in ("fit", "evaluate", "predict", "explain", "export", "describe"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert f"python -m freqcnn_gluon {command} " in capsys.readouterr().out
