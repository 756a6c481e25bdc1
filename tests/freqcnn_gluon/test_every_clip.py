"""A model that is trained on every clip, to be used after a cross-validation has shown what to expect."""

import json

import pandas as pd
import pytest
import recordings
from html_tree import read
from recordings import run_command

QUICK = ["--size", "32", "--epochs", "2", "--batch-size", "6", "--device", "cpu", "--jobs", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.write(tmp_path_factory.mktemp("tones") / "data", each=4)


@pytest.mark.parametrize("system", ["freqcnn", "svm"])
def test_a_model_of_every_clip_is_not_measured(data, tmp_path, capsys, system):
    words = ["fit", data, "--out", tmp_path / "m", "--test-share", "0", "--system", system, *QUICK]
    output, code = run_command(capsys, *words)
    assert code == 0 and "Trained on 12 clips" in output.out and "UAR" not in output.out
    assert "Every clip was trained on, and none was held out.\n`cross-validate` tells" in output.out
    report = json.loads((tmp_path / "m" / "report.json").read_text())
    assert report["clips"] == {"train": 12} and not {"metrics", "intervals", "baselines"} & set(report)
    page = (tmp_path / "m" / "report.html").read_text()
    read(page)  # which checks that the tags match
    assert "Nobody has measured it: every clip was trained on." in page and "Model card" in page
    assert "Confusion" not in page and "FreqCNN report: not measured" in page
    again, code = run_command(capsys, *words)
    assert code == 0 and again.out == output.out
    models = [tmp_path / "m", *([tmp_path / "m" / "baseline"] if system == "freqcnn" else [])]
    for model in models:
        output, code = run_command(capsys, "predict", model, data / "low" / "0.wav")
        assert code == 0 and output.out.startswith(f"{data / 'low' / '0.wav'}: ")
    output, code = run_command(capsys, "evaluate", tmp_path / "m", data)
    assert code == 1 and "the model was trained on every clip in it" in output.err


def test_partitions_are_ignored_with_a_note_or_refused_with_the_remedy(data, tmp_path, capsys):
    paths = sorted(data.rglob("*.wav"))
    frame = pd.DataFrame({"path": paths, "label": [path.parent.name for path in paths], "partition": "train"})
    frame.to_csv(tmp_path / "train.csv", index=False)
    words = ["--out", tmp_path / "m", "--system", "svm", "--jobs", "1"]
    output, code = run_command(capsys, "fit", tmp_path / "train.csv", *words)
    assert code == 1
    assert "has no clip in the partition test; to train on every clip, give --test-share 0" in output.err
    frame.loc[::2, "partition"] = "test"
    frame.to_csv(tmp_path / "both.csv", index=False)
    output, code = run_command(capsys, "fit", tmp_path / "both.csv", *words, "--test-share", "0")
    assert code == 0 and "both.csv: its partitions are ignored, because a test share of 0" in output.err
    assert pd.read_csv(tmp_path / "m" / "clips.csv")["partition"].eq("train").all()
