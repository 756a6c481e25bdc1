"""Long recordings, which a training cuts into windows and a prediction labels as a whole."""

import json

import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from recordings import run_command

from data_prep.base.faults import Faults
from data_prep.corpora import own
from freqcnn_gluon.own.cross_validation import cross_validate
from freqcnn_gluon.own.cutting import cut, windows_of
from freqcnn_gluon.own.fit import fit
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.predict import predictions
from freqcnn_gluon.own.recipe import Recipe

RATE = 16000
QUICK = Recipe(size=32, epochs=1, window=2)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Three labels, four recordings of 5 s each and one of 1 s."""
    root = recordings.write(tmp_path_factory.mktemp("long") / "data", each=4, seconds=5)
    random = np.random.default_rng(1)
    for label, pitch in recordings.PITCHES.items():
        soundfile.write(root / label / "short.wav", recordings.tone(pitch, 1, random), RATE)
    return root


def listed(folder, *lines):
    """The manifest of a CSV file with these lines."""
    path = folder / "clips.csv"
    path.write_text("\n".join(["path,label,start,stop,partition", *lines]) + "\n")
    scan = own.scan(path)
    return scan.manifest, scan.root


def test_windows_are_equal_and_cover_the_whole_clip(tmp_path):
    wave = np.random.default_rng(0).standard_normal(10 * RATE + 7) / 9
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    frame, root = listed(tmp_path, "a.wav,x,,,", "a.wav,y,1.0001,9.5,", "a.wav,z,2,5,")
    windows = windows_of(frame, root, 3, RATE, 1)
    assert windows.index.tolist() == [0, 0, 0, 0, 1, 1, 1]  # the third clip is as long as a window
    whole, part = (windows.loc[number] for number in (0, 1))
    assert whole["start"].tolist() == [0, 2.5, 5, 7.5] and whole["stop"].tolist() == [2.5, 5, 7.5, 10]
    assert part["start"].iloc[0] == 1.0001 and part["stop"].iloc[-1] == 9.5
    assert part["start"].tolist()[1:] == part["stop"].tolist()[:-1] == pytest.approx([3.833, 6.667], abs=6e-4)
    assert windows["clip"].is_unique and whole["clip"].iloc[1] == "a.wav 2.5-5.0"
    unchanged = [name for name in frame.columns if name not in ("clip", "start", "stop")]
    assert windows[unchanged].equals(frame.loc[windows.index, unchanged])


def test_silent_windows_are_left_out_and_unreadable_clips_stay_whole(tmp_path):
    wave = np.concatenate([np.ones(2 * RATE), np.zeros(2 * RATE), np.ones(2 * RATE)])
    wave *= np.sin(np.arange(len(wave)))
    soundfile.write(tmp_path / "pause.wav", wave, RATE)
    soundfile.write(tmp_path / "silent.wav", 0 * wave, RATE)
    (tmp_path / "damaged.wav").write_bytes(b"RIFF")
    frame, root = listed(tmp_path, *(f"{name}.wav,x,,," for name in ("pause", "silent", "damaged")))
    windows = windows_of(frame, root, 2, RATE, 1)
    assert windows.index.tolist() == [0, 0] and windows["start"].tolist() == [0, 4]
    assert windows_of(frame, root, 0, RATE, 1).empty


def test_clips_of_the_test_part_stay_whole(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(4 * RATE) / 9, RATE)
    lines = ["a.wav,x,0,1,train", "a.wav,x,1,2.5,train", "a.wav,x,2.5,4,test"]
    frame, root = listed(tmp_path, *lines)
    divided = cut(frame, windows_of(frame, root, 1, RATE, 1))
    assert divided[["start", "stop"]].values.tolist() == [[0, 1], [1, 1.75], [1.75, 2.5], [2.5, 4]]
    assert divided["partition"].tolist() == ["train"] * 3 + ["test"]
    assert divided.index.tolist() == [0, 1, 2, 3]


def test_a_training_on_long_recordings_has_their_windows(long, tmp_path, capsys):
    words = ["--size", "32", "--epochs", "1", "--window", "2", "--validation-share", "0.2", "--device", "cpu"]
    output, code = run_command(capsys, "fit", long, "--out", tmp_path / "m", *words, "--jobs", "1")
    clips = pd.read_csv(tmp_path / "m" / "clips.csv")
    learned, held_out = clips[clips["partition"] != "test"], clips[clips["partition"] == "test"]
    cuts = learned[learned["start"].notna()]
    assert code == 0 and len(cuts) and set(cuts["partition"]) == {"train", "validation"}
    sources = cuts.groupby("path")
    assert (sources.size() == 3).all() and (sources["stop"].max() == 5).all()
    assert ((cuts["stop"] - cuts["start"]) <= 2).all() and held_out["start"].isna().all()
    assert f"Clips longer than 2 s: {len(sources)}. The training has their {len(cuts)} windows" in output.err
    assert set(learned["path"]) | set(held_out["path"]) == {
        path.relative_to(long).as_posix() for path in long.rglob("*.wav")
    }
    model = Model.load(tmp_path / "m", "cpu")
    assert model.about.longest == pytest.approx(5 / 3, abs=1e-3)
    found = list(predictions(model, [long / path for path in held_out["path"]], 1))
    expected = np.stack([prediction.probabilities for prediction in found])
    assert held_out.filter(like="p(").to_numpy() == pytest.approx(expected, abs=1e-5)
    report = json.loads((tmp_path / "m" / "report.json").read_text())
    assert report["clips"] == clips["partition"].value_counts().to_dict() and report["recipe"]["window"] == 2
    again, code = run_command(capsys, "fit", long, "--out", tmp_path / "m", *words, "--jobs", "1")
    assert code == 0 and again.out == output.out
    again, code = run_command(capsys, "evaluate", tmp_path / "m", long)  # knows the windows' recordings
    count = learned[learned["partition"] == "train"]["path"].nunique()
    assert code == 0 and again.out.startswith(f"{count} clips are skipped")


def test_other_windows_are_another_model(long, tmp_path):
    fit(long, tmp_path / "m", QUICK, device="cpu", jobs=1, system="svm")
    with pytest.raises(Faults, match="holds a model of other data or settings"):
        fit(long, tmp_path / "m", Recipe(size=32, epochs=1, window=3), device="cpu", jobs=1, system="svm")


def test_each_long_recording_is_cross_validated_as_a_whole(long, tmp_path):
    report = cross_validate(long, tmp_path / "folds", 2, QUICK, "cpu", 2)
    tested = pd.read_csv(tmp_path / "folds" / "predictions.csv")
    assert sorted(tested["path"]) == sorted(path.relative_to(long).as_posix() for path in long.rglob("*.wav"))
    assert tested["start"].isna().all() and sum(fold["clips"] for fold in report["folds"]) == 15
    trained = pd.read_csv(tmp_path / "folds" / "fold-1" / "clips.csv").query("partition == 'train'")
    windows = trained.groupby("path").size()
    assert windows[~windows.index.str.contains("short")].eq(3).all() and len(trained) > len(windows) > 0


@pytest.mark.parametrize("window", [-1, 0.01, float("nan"), float("inf"), "2"])
def test_an_impossible_window_is_refused(window):
    with pytest.raises(Faults, match="is not 0.1 s or more, or 0 for no window"):
        Recipe(window=window)


def test_a_much_longer_clip_gets_advice(tmp_path, capsys):
    root = recordings.write(tmp_path / "data", each=4, seconds=0.4)
    sound = recordings.tone(300, 6, np.random.default_rng(0))
    soundfile.write(root / "low" / "long.wav", sound, RATE)
    lines = [f"{path},{path.parent.name},train" for path in root.rglob("*.wav")]
    lines[0] = lines[0].replace("train", "test")
    (tmp_path / "clips.csv").write_text("\n".join(["path,label,partition", *lines]) + "\n")
    words = ["fit", tmp_path / "clips.csv", "--system", "svm", "--jobs", "1", "--out"]
    output, code = run_command(capsys, *words, tmp_path / "whole", "--window", "0")
    advised = "the longest clip lasts 15 times the median, and one column of its spectrogram 0.09 s."
    assert code == 0 and f"{advised} Cut long clips into windows: --window 0.8.\n" in output.err
    output, code = run_command(capsys, *words, tmp_path / "cut", "--window", "0.8")
    assert code == 0 and "note:" not in output.err
    assert "Clips longer than 0.8 s: 1. The training has their 8 windows instead." in output.err
