"""A trained model recognises the sound of its training clips in any lossless format, and lower rates."""

import shutil

import pandas as pd
import pytest
import recordings
import soundfile
from recordings import run_command

from data_prep.base.faults import Faults
from freqcnn_gluon.__main__ import main
from freqcnn_gluon.own.division import check_disjoint

FIT = ("--size", "32", "--epochs", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.write(tmp_path_factory.mktemp("known") / "data", each=3)


@pytest.fixture(scope="module")
def model(data):

    folder = data.parent / "model"
    assert (
        main(["fit", str(data), "--out", str(folder), "--size", "32", "--epochs", "1", "--device", "cpu"])
        == 0
    )
    return folder


def test_evaluate_skips_copies_of_training_clips_in_other_formats(model, data, tmp_path, capsys):
    """A lossless copy has the same sound; one with other samples is another recording."""
    clips = pd.read_csv(model / "clips.csv").query("partition == 'train'")
    source, label = data / clips["path"].iloc[0], clips["label"].iloc[0]
    folder = tmp_path / "copies" / label
    folder.mkdir(parents=True)
    samples, rate = soundfile.read(source, dtype="int16")
    for suffix in ("flac", "aiff", "caf"):
        soundfile.write(folder / f"copy.{suffix}", samples, rate)
    soundfile.write(folder / "softer.flac", samples // 2, rate)
    command = ("evaluate", model, tmp_path / "copies", "--device", "cpu")
    output, code = run_command(capsys, *command)
    assert code == 0 and output.out.startswith("3 clips are skipped") and "on 1 clips" in output.out
    cut = tmp_path / "cut.csv"
    cut.write_text(f"path,label,start,stop\n{folder / 'copy.flac'},{label},0.1,0.3\n")
    output, code = run_command(capsys, "evaluate", model, cut, "--device", "cpu")
    assert code == 1 and "the model was trained on every clip in it" in output.err
    shutil.copytree(model, tmp_path / "old")
    old = pd.read_csv(tmp_path / "old" / "clips.csv").drop(columns="sound")
    old.to_csv(tmp_path / "old" / "clips.csv", index=False)
    output, code = run_command(capsys, "evaluate", tmp_path / "old", tmp_path / "copies", "--device", "cpu")
    assert code == 0 and "skipped" not in output.out and "on 4 clips" in output.out


@pytest.mark.parametrize(
    "label, partition, fault",
    [("high", "train", "with the labels 'low' and 'high'"), ("low", "test", "in training and in test")],
)
def test_fit_refuses_a_copy_in_another_format(data, tmp_path, capsys, label, partition, fault):
    samples, rate = soundfile.read(data / "low" / "0.wav", dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    rows = [(data / "low" / "0.wav", "low", "train"), (tmp_path / "copy.flac", label, partition)]
    rows += [(data / "high" / f"{number}.wav", "high", part) for number, part in enumerate(("train", "test"))]
    pd.DataFrame(rows, columns=["path", "label", "partition"]).to_csv(tmp_path / "c.csv", index=False)
    output, code = run_command(capsys, "fit", tmp_path / "c.csv", "--out", tmp_path / "m", "--size", 32)
    assert code == 1 and "are the same recording" in output.err and fault in output.err


@pytest.mark.parametrize("partition", ["train", "test"])
def test_recordings_whose_sound_is_not_known_are_not_taken_for_copies(tmp_path, partition):
    """A file that cannot be decoded to its end has no checksum of its sound."""
    clips = pd.DataFrame(
        [("a.flac", "low", "train"), ("b.flac", "high", partition)], columns=["path", "label", "partition"]
    ).assign(clip=["a", "b"], start=0.0, stop=0.5)
    check_disjoint(clips.assign(sound=None), tmp_path)
    with pytest.raises(Faults, match="are the same recording"):
        check_disjoint(clips.assign(sound="0" * 64), tmp_path)


def test_predict_notes_recordings_of_a_lower_rate_than_the_training_clips(model, data, tmp_path, capsys):
    samples, rate = soundfile.read(data / "low" / "0.wav")
    soundfile.write(tmp_path / "telephone.wav", samples[::2], rate // 2)
    output, code = run_command(capsys, "predict", model, tmp_path / "telephone.wav", "--device", "cpu")
    assert code == 0 and output.err.count("note: ") == 1
    assert f"{tmp_path / 'telephone.wav'}: the recording's own rate is 8000 Hz" in output.err
    output, code = run_command(capsys, "predict", model, data / "low" / "0.wav", "--device", "cpu")
    assert code == 0 and "note: " not in output.err
