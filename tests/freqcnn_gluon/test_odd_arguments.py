"""Models, recordings and outputs with odd names, in any locale: the right answer or one sentence."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from test_export import model as random_model

from freqcnn_gluon.__main__ import main
from freqcnn_gluon.own import export
from freqcnn_gluon.own.about import _checksum
from freqcnn_gluon.own.commands.recogniser import INSTEAD

PROJECT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = [ASCII, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C.UTF-8"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model's folder, its ONNX file in and beside it under odd names, and a recording."""
    root = tmp_path_factory.mktemp("odd")
    made = random_model()
    made.save(root / "model")
    for name in ("report.json", "clips.csv"):
        (root / "model" / name).write_text("{}")
    export.to_onnx(made, root / "M.ONNX")
    (root / "onnx folder").mkdir()
    for copy in ("without suffix", "onnx folder/model.onnx", "model/model.onnx"):
        shutil.copy(root / "M.ONNX", root / copy)
    (root / "text").write_text("no model")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(root / "a.wav", noise, 16000)
    return root


def run(capsys, *words):
    code = main([str(word) for word in words])
    return capsys.readouterr(), code


@pytest.mark.parametrize("name", ["M.ONNX", "without suffix", "onnx folder", "model"])
def test_every_form_of_a_model_is_found(folder, capsys, name):
    expected, _ = run(capsys, "predict", folder / "model", folder / "a.wav", "--device", "cpu", "--jobs", 1)
    output, code = run(capsys, "predict", folder / name, folder / "a.wav", "--device", "cpu", "--jobs", 1)
    assert code == 0 and output.out == expected.out


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("model/model.json", "is one file of a model; name its folder, {root}/model"),
        ("model/model.safetensors", "is one file of a model; name its folder, {root}/model"),
        ("model/report.json", "is one file of a model; name its folder, {root}/model"),
        ("model/clips.csv", "is one file of a model; name its folder, {root}/model"),
        ("nowhere", f"is missing; name {INSTEAD}"),
        ("text", f"is not a model; name {INSTEAD}"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_what_is_not_a_model_is_one_sentence(folder, capsys, name, sentence, command):
    output, code = run(capsys, command, folder / name, folder / "a.wav")
    assert code == 1 and output.err == f"error: {folder / name}: {sentence.format(root=folder)}\n"


def test_commands_that_need_the_folder_name_it(folder, capsys):
    for words in (
        ["explain", folder / "M.ONNX", folder / "a.wav"],
        ["export", folder / "M.ONNX", "--onnx", "b"],
    ):
        output, code = run(capsys, *words)
        assert code == 1 and "M.ONNX: is an ONNX file, which only `predict` and `evaluate` run" in output.err


@pytest.mark.parametrize("name", ["Ba$$in", "a$^b$", "<b>&amp;", "with\nnewline", "😂", "x" * 230])
def test_explain_draws_recordings_of_any_name(folder, capsys, tmp_path, monkeypatch, name):
    corpus, here = tmp_path / "corpus", tmp_path / "here"
    for place in (corpus, here):
        place.mkdir()
    shutil.copy(folder / "a.wav", corpus / f"{name}.wav")
    monkeypatch.chdir(here)
    words = ["explain", folder / "model", corpus / f"{name}.wav", "--device", "cpu"]
    output, code = run(capsys, *words)
    assert code == 0 and len(output.out.splitlines()) == 4
    assert (here / f"{name}-attention.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(corpus.iterdir())) == 1  # nothing is written beside the recordings
    output, code = run(capsys, *words, "--out", tmp_path / ("y" * 300))
    assert code == 1 and output.err.endswith(f"{'y' * 300}: File name too long; give a shorter name\n")


def test_an_evaluation_whose_table_cannot_be_written_does_not_begin(folder, capsys):
    words = ["evaluate", folder / "M.ONNX", folder / "nowhere.csv", "--csv", folder / "text" / "a.csv"]
    output, code = run(capsys, *words)
    assert code == 1 and output.err.startswith(
        f"error: {folder}/text/a.csv: {folder}/text is a file, not a folder"
    )


def test_a_model_s_folder_that_is_a_file_is_named(folder, capsys):
    for out in (folder / "text", "/dev/null"):
        output, code = run(capsys, "fit", folder, "--out", out)
        assert code == 1 and output.err.startswith(
            f"error: {out}: is a file, not a folder; name a new folder for the model"
        )


@pytest.mark.parametrize("environment", LOCALES)
def test_json_and_csv_are_the_same_in_any_locale(folder, tmp_path, environment):
    path = tmp_path / "Sören 😂.wav"
    shutil.copy(folder / "a.wav", path)
    for option in ("--json", "--csv"):
        done = subprocess.run(
            [sys.executable, "-m", "freqcnn_gluon", "predict", folder / "M.ONNX", path, option],
            cwd=PROJECT,
            capture_output=True,
            env={name: value for name, value in os.environ.items() if name[:3] != "LC_"} | environment,
        )
        assert done.returncode == 0 and not done.stderr
        text = done.stdout.decode("utf-8")
        if option == "--json":
            assert text.isascii() and json.loads(text)["file"] == str(path)
            assert list(json.loads(text)["probabilities"]) == ["a", "ö", "c d"]
        else:
            (line,) = csv.DictReader(io.StringIO(text))
            assert line["file"] == str(path) and "p(ö)" in line


def test_standard_input_that_cannot_be_read_is_one_sentence(folder, tmp_path):
    def predict(redirection, **environment):
        command = f'exec "{sys.executable}" -m freqcnn_gluon predict "{folder}/M.ONNX" {redirection}'
        return subprocess.run(
            ["sh", "-c", command], cwd=PROJECT, capture_output=True, text=True, env=os.environ | environment
        )

    for redirection, sentence in {
        "- <&-": "-: standard input is closed; give it a recording, as in `- < talk.wav`",
        "- - < /dev/null": "-: is given 2 times, but can be read only once; give it once",
        "- < /dev/null": "-: is an empty file (0 bytes); replace it or leave it out",
    }.items():
        done = predict(redirection)
        assert (done.returncode, done.stderr) == (1, f"error: {sentence}\n")
    done = predict(f'"{folder}/a.wav" - < "{folder}/a.wav"')
    answers = [re.sub("^.*: ", "", line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(answers) == 2 and answers[0] == answers[1]


def test_only_standard_input_needs_a_temporary_folder(folder, capsys, monkeypatch):
    from freqcnn_gluon.own.commands import predict

    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(predict.tempfile, "TemporaryDirectory", nowhere)
    assert run(capsys, "predict", folder / "M.ONNX", folder / "a.wav", "--jobs", 1)[1] == 0
    output, code = run(capsys, "predict", folder / "M.ONNX", "-")
    assert code == 1 and output.err == (
        "error: -: no folder for temporary files can be written; set TMPDIR to one, or name a file\n"
    )


def test_a_pipe_is_read_as_standard_input_is(folder):
    command = f'"{sys.executable}" -m freqcnn_gluon predict "{folder}/M.ONNX"'
    answers = []
    for words in (f'<(cat "{folder}/a.wav")', f'- < "{folder}/a.wav"', f'"{folder}/a.wav"'):
        done = subprocess.run(
            ["bash", "-c", f"{command} {words}"], cwd=PROJECT, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout.split(": ", 1))
    names, labels = zip(*answers)
    assert names[0].startswith("/dev/fd/") and names[1:] == ("-", f"{folder}/a.wav")
    assert len(set(labels)) == 1


@pytest.mark.parametrize("words", [["-a.wav"], ["b.wav", "-a.wav"], ["b.wav", "--", "-a.wav"]])
def test_a_name_that_begins_with_a_hyphen_names_the_remedy(folder, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    for name in ("-a.wav", "b.wav"):
        shutil.copy(folder / "a.wav", tmp_path / name)
    command = ["predict", str(folder / "M.ONNX"), *words]
    if "--" in words:
        output, code = run(capsys, *command)
        assert code == 0 and [line.split(":")[0] for line in output.out.splitlines()] == ["b.wav", "-a.wav"]
        return
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("(-a.wav is a file: write ./-a.wav, or -- before it)\n")


def test_names_and_labels_may_be_spelled_in_either_unicode_form(folder, tmp_path, capsys):
    """macOS decomposes umlauts. Files keep the disk's form, and the labels of old models count as NFC."""
    composed, decomposed = (unicodedata.normalize(form, "träurig") for form in ("NFC", "NFD"))
    for on_disk, typed in ((composed, decomposed), (decomposed, composed)):
        root = tmp_path / on_disk
        shutil.copytree(folder / "model", root / on_disk)
        shutil.copy(folder / "a.wav", root / f"{on_disk}.wav")
        about = json.loads((root / on_disk / "model.json").read_text())
        del about["checksum"]
        about["labels"] = [decomposed, *about["labels"][1:]]
        (root / on_disk / "model.json").write_text(json.dumps({**about, "checksum": _checksum(about)}))
        other_form = tmp_path / typed / typed
        (root / f"{on_disk}.csv").write_text(f"path,label\n{typed}.wav,{typed}\n", encoding="utf-8")
        (root / on_disk / "clips.csv").unlink()
        (root / on_disk / "report.json").unlink()
        for words in (
            ["predict", other_form, f"{other_form}.wav"],
            ["explain", other_form, f"{other_form}.wav", "--out", tmp_path / "a.png"],
            ["evaluate", other_form, f"{other_form}.csv", "--csv", tmp_path / "out.csv"],
        ):
            output, code = run(capsys, *words, "--device", "cpu")
            assert code == 0, output.err
        row = pd.read_csv(tmp_path / "out.csv").iloc[0]
        assert row["label"] == composed and row["path"] == f"{on_disk}.wav" and f"p({composed})" in row
        shutil.rmtree(root)
