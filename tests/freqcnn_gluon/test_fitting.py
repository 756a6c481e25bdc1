"""Training on labelled recordings: settings and partitions, and faults reported before the training."""

import contextlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from recordings import run_command

from data_prep.base.faults import Faults
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon import runtime
from freqcnn_gluon.__main__ import main
from freqcnn_gluon.own.classifier import spectrograms
from freqcnn_gluon.own.fit import DIVERGED, fit
from freqcnn_gluon.own.fit import advice as advise
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.recipe import Recipe

QUICK = ["--size", "32", "--epochs", "1", "--device", "cpu", "--jobs", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.write(tmp_path_factory.mktemp("data") / "tones")


def test_an_interrupted_fit_resumes_and_ends_with_the_same_weights(data, tmp_path, monkeypatch):
    recipe, calls = Recipe(size=32, epochs=3, batch_size=6), []
    monkeypatch.setattr("freqcnn_gluon.training.checkpoint.SECONDS_BETWEEN", 0)
    fit(data, tmp_path / "whole", recipe, device="cpu", jobs=1)

    @contextlib.contextmanager
    def stopping(folder):
        def callback(entry):
            calls.append(entry["epoch"])
            if entry["epoch"] == 2:
                raise KeyboardInterrupt

        yield callback

    with monkeypatch.context() as patch:
        patch.setattr("freqcnn_gluon.own.fit._logger", stopping)
        with pytest.raises(KeyboardInterrupt):
            fit(data, tmp_path / "cut", recipe, device="cpu", jobs=1)
    assert calls == [1, 2] and not (tmp_path / "cut" / "model.json").exists()
    with pytest.raises(Faults, match="its training is unfinished; the same `fit` resumes it"):
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


def test_the_datas_own_partitions_are_kept_and_speakers_in_both_are_reported(data, tmp_path, capsys):
    table = tmp_path / "clips.csv"
    rows = [
        (path, label, f"s{number % 2}", "test" if number > 5 else "train")
        for label in recordings.PITCHES
        for number, path in enumerate(sorted((data / label).iterdir()))
    ]
    pd.DataFrame(rows, columns=["path", "label", "speaker", "partition"]).to_csv(table, index=False)
    output, code = run_command(capsys, "fit", table, "--out", tmp_path / "model", *QUICK)
    assert code == 0 and "The data states the partitions; 2 speakers are in both partitions" in output.out
    clips = pd.read_csv(tmp_path / "model" / "clips.csv")
    assert clips["partition"].value_counts().to_dict() == {"train": 18, "test": 6}
    pd.DataFrame(rows, columns=["path", "label", "speaker", "partition"]).assign(
        partition=lambda frame: np.where(frame["label"] == "low", "test", frame["partition"])
    ).to_csv(table, index=False)
    output, code = run_command(capsys, "fit", table, "--out", tmp_path / "other", *QUICK)
    assert code == 1 and "label 'low' has no clip to train on" in output.err


def test_a_training_that_was_too_short_is_told_what_helps():
    low, learnt = ({"epoch": 20, "loss": loss, "accuracy": right} for loss, right in ((0.9, 0.5), (0.1, 0.9)))
    diverged = {"epoch": 20, "loss": 9.0}
    advice = advise(low, clips=400, classes=3, batch_size=16)
    assert "only 50.0 % of its own training clips" in advice and "--epochs 40 or more" in advice
    assert advise(learnt, 400, 3, 16) is None and advise(diverged, 400, 3, 16) is None
    assert "10 training steps are too few" in advise({**learnt, "epoch": 10}, 8, 3, 16)


@pytest.mark.parametrize(
    "label, part, what", [("low", "test", "in training and in test"), ("high", "train", "with")]
)
def test_a_duplicate_recording_is_refused_before_training(data, tmp_path, capsys, label, part, what):
    """With two labels, or trained and tested on."""
    shutil.copy(data / "low" / "0.wav", tmp_path / "copy.wav")
    lines = [
        f"{path},{path.parent.name},{'test' if path.stem == '1' else 'train'}" for path in data.rglob("*.wav")
    ]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["path,label,partition", *lines, f"copy.wav,{label},{part}"]) + "\n")
    output, code = run_command(capsys, "fit", table, "--out", tmp_path / "model", *QUICK)
    assert code == 1 and f"{data}/low/0.wav and {tmp_path}/copy.wav: are the same recording" in output.err
    assert what in output.err and not (tmp_path / "model" / "model.json").exists()


def test_overlapping_cuts_in_training_and_in_test_are_refused(data, tmp_path, capsys):
    lines = [
        f"{path},{path.parent.name},,,{'test' if path.stem == '1' else 'train'}"
        for path in data.rglob("*.wav")
    ]
    shutil.copy(data / "low" / "0.wav", tmp_path / "copy.wav")
    table = tmp_path / "clips.csv"
    table.write_text(
        "\n".join(["path,label,start,stop,partition", *lines, "copy.wav,low,0.1,0.3,test"]) + "\n"
    )
    output, code = run_command(capsys, "fit", table, "--out", tmp_path / "model", *QUICK)
    clips = f"{data}/low/0.wav and {tmp_path}/copy.wav 0.1-0.3"
    assert code == 1 and f"error: {clips}: overlap, in training and in test; leave one out" in output.err


def test_long_recordings_are_evaluated_in_windows(data, tmp_path, capsys):
    random = np.random.default_rng(3)
    for label in ("low", "high"):
        halves = [recordings.tone(recordings.PITCHES[each], 20, random) for each in (label, "middle")]
        wave = np.concatenate(halves)
        soundfile.write(tmp_path / f"{label}.flac", wave, 16000)
    lines = [f"{path},{path.parent.name},train" for path in data.rglob("*.wav")]
    lines += [f"{tmp_path}/{label}.flac,{label},test" for label in ("low", "high")]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label,partition", *lines]) + "\n")
    words = [*QUICK, "--epochs", "40", "--batch-size", "9"]
    output, code = run_command(capsys, "fit", tmp_path / "clips.csv", "--out", tmp_path / "model", *words)
    assert code == 0 and "24 training clips: the median lasts 0.4 s, the longest 0.4 s." in output.err
    output, code = run_command(
        capsys, "evaluate", tmp_path / "model", tmp_path / "clips.csv", "--csv", tmp_path / "predictions.csv"
    )
    assert code == 0 and output.out.startswith("24 clips are skipped")
    again, first = (pd.read_csv(tmp_path / name) for name in ("predictions.csv", "model/clips.csv"))
    first = first[first["partition"] == "test"]
    assert again.filter(like="p(").to_numpy() == pytest.approx(first.filter(like="p(").to_numpy(), abs=1e-5)
    assert again["predicted"].tolist() == first["predicted"].tolist()
    report = json.loads((tmp_path / "model" / "report.json").read_text())
    right = (first["predicted"] == first["label"]).mean()
    assert report["metrics"]["accuracy"] == report["metrics"]["uar"] == right
    model = Model.load(tmp_path / "model", "cpu")
    assert model.about.median == model.about.longest == 0.4  # of what was trained on
    whole = model.probabilities(spectrograms([tmp_path / f"{label}.flac" for label in ("low", "high")], 32))
    assert np.abs(first.filter(like="p(").to_numpy() - whole).max() > 0.01


def test_short_recordings_need_no_note(data, tmp_path, capsys):
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "model", *QUICK)
    assert code == 0 and "19 training clips: the median lasts 0.4 s" in output.err
    assert "note:" not in output.err
    assert "note: 1 training steps are too few for BatchNorm" in output.out  # one batch, of all 19


def test_an_impossible_size_is_refused_before_anything_is_read(data, tmp_path, capsys):
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "m", "--size", "100")
    assert code == 1 and "use a multiple of 32" in output.err and not (tmp_path / "m").exists()


def test_impossible_settings_are_all_listed_before_anything_is_read(data, tmp_path, capsys, monkeypatch):
    words = ["--architecture", "table3", "--size", "8"]
    words += ["--learning-rate", "nan", "--seed", str(2**32), "--frequency", "bark", "--dtype", "float16"]
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "m", *words)
    assert code == 1 and "6 faults" in output.err and not (tmp_path / "m").exists()
    for sentence in (
        "no architecture 'table3'",
        "size: 8 is not a whole number from 16 to 4096",
        "learning rate: nan is not a finite number above 0",
        "seed: 4294967296 is not a whole number from 0 to 4294967295",
        "frequency: 'bark' is not known; choose linear or mel",
        "dtype: 'float16' is not known; choose auto or float32 or bfloat16",
    ):
        assert sentence in output.err
    with monkeypatch.context() as patch:
        patch.setattr("freqcnn_gluon.runtime._cpu_has", lambda flag: False)
        output, code = run_command(capsys, "fit", data, "--out", tmp_path / "m", "--dtype", "bfloat16")
    assert code == 1 and "dtype bfloat16 needs AVX-512" in output.err and not (tmp_path / "m").exists()
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "m", "--test-share", "1.5")
    assert code == 1 and "test share: 1.5 is not between 0 and 1" in output.err
    for wrong in (
        {"epochs": 2.5},
        {"epochs": 0},
        {"batch_size": -1},
        {"size": "64"},
        {"seed": -1},
        {"learning_rate": 0},
        {"learning_rate": "1"},
    ):
        with pytest.raises(Faults, match=f"^{next(iter(wrong)).replace('_', ' ')}: "):
            Recipe(**wrong)
    assert json.dumps(asdict(Recipe(epochs=np.int64(3), learning_rate=np.float32(0.5))))


@pytest.mark.parametrize("seed", [20_240_115, 2**32 - 1])
def test_every_accepted_seed_trains(data, tmp_path, seed):
    fit(data, tmp_path / "model", Recipe(size=32, epochs=1, seed=seed), device="cpu", jobs=1)
    assert (tmp_path / "model" / "model.json").exists()


@pytest.mark.parametrize(("rate", "diverges"), [(1e3, True), (0.01, False)])
def test_a_training_that_diverged_is_noted(data, tmp_path, capsys, rate, diverges):
    words = [*QUICK[:2], "--epochs", "3", *QUICK[4:], "--learning-rate", str(rate)]
    output, code = run_command(capsys, "fit", data, "--out", tmp_path / "model", *words)
    assert code == 0 and ("the training diverged: its loss is" in output.err) is diverges
    assert ("training steps are too few" in output.out) is not diverges
    loss = json.loads((tmp_path / "model" / "report.json").read_text())["history"][-1]["loss"]
    assert (loss > DIVERGED * np.log(3)) == diverges
    if diverges:
        assert f"its loss is {loss:.3g}, and guessing has 1.1; train again with a smaller" in output.err
        assert output.err.count("than 1000") == 1


@pytest.mark.parametrize(
    "recipe, clips, classes, epochs",
    [
        (Recipe(), 160, 4, 40),  # 10 steps an epoch, and 400 in all
        (Recipe(), 150, 4, 43),  # 403 steps
        (Recipe(batch_size=64), 24, 3, 400),  # one batch of all clips
        (Recipe(), 160, 40, 100),  # 25 steps for each class
        (Recipe(), 6400, 4, 20),
        (Recipe(epochs=3), 160, 4, 3),
    ],
)
def test_the_epochs_are_enough_for_the_steps(recipe, clips, classes, epochs):
    assert recipe.epochs_for(clips, classes) == epochs


@pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        pytest.param(
            "bfloat16",
            marks=pytest.mark.skipif(not runtime._cpu_has("avx512bw"), reason="bfloat16 needs AVX-512"),
        ),
    ],
)
def test_a_model_has_standardised_mel_bands_and_computes_in_float32(data, tmp_path, dtype):
    """It predicts bit for bit what its folder does in a process that never trained."""
    recipe = Recipe(size=32, epochs=2, batch_size=8, dtype=dtype)
    model = fit(data, tmp_path / "model", recipe, device="cpu", jobs=1)
    clips = pd.read_csv(tmp_path / "model" / "clips.csv")
    trained = [data / path for path in clips["path"][clips["partition"] == "train"]]
    settings = ImageSettings(32, frequency="mel")
    images = np.stack([image(audio.read(path, 16000), settings) for path in trained])
    assert model.about.images == settings
    np.testing.assert_allclose(
        model.net.inputs.mean.data().asnumpy()[0, 0, :, 0], images.mean(axis=(0, 2)), atol=1e-5
    )
    code = "import sys, numpy as np; from freqcnn_gluon import Model; np.save(sys.argv[3], "
    code += "Model.load(sys.argv[1], 'cpu').probabilities(np.load(sys.argv[2])))"
    np.save(tmp_path / "images.npy", images)
    words = [tmp_path / "model", tmp_path / "images.npy", tmp_path / "probabilities.npy"]
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, timeout=300)
    np.testing.assert_array_equal(
        model.probabilities(images), np.load(tmp_path / "probabilities.npy"), strict=True
    )


@pytest.mark.parametrize("command", ["fit", "cross-validate"])
@pytest.mark.parametrize(
    "option, text, kind",
    [
        *((name, text, "whole number of 1 or more") for name in ("size", "batch-size") for text in "0b"),
        *(("epochs", text, "whole number of 1 or more") for text in ("0", "2.5")),
        ("seed", "-1", "whole number of 0 or more"),
        *((name, "many", "number") for name in ("window", "learning-rate", "validation-share")),
    ],
)
def test_options_that_are_not_numbers_are_named(command, option, text, kind, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "recordings", "--out", "model", f"--{option}", text])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"argument --{option}: {text!r} is not a {kind}\n")


@pytest.mark.parametrize("program, command", [("freqcnn_gluon", "fit"), ("reproduce", "compare")])
def test_the_help_says_where_relative_paths_begin(program, command):
    done = subprocess.run(
        [sys.executable, "-m", program, command, "--help"], text=True, capture_output=True, check=True
    )
    assert "relative paths begin at the folder of the CSV file" in " ".join(done.stdout.split())
