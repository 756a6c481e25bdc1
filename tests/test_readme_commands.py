"""Every command of README.md runs: those on recordings for real, make's as far as the program's own door."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import recordings
import soundfile

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.S | re.M)
SHELL = [
    line for kind, block in FENCED if not kind for line in block.splitlines() if line.startswith("python ")
]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.S | re.M))
MAKE = sorted({each for each in INLINE if re.match(r"make [a-z]", each)})
PYTHON = [each for each in INLINE if each.startswith("python -m ")]


def run(words, folder, **environment):
    """A README command in ``folder``, quick settings added, as a person would give it there."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a person stands who has what the README speaks of."""
    here = tmp_path_factory.mktemp("readme")
    recordings.write(here / "recordings", each=5)
    recordings.write(here / "other-recordings", each=2, seed=3)
    random = np.random.default_rng(0)
    soundfile.write(here / "new.wav", recordings.tone(300, 0.4, random), 16000)
    soundfile.write(here / "long-talk.mp3", recordings.tone(4000, 3, random), 16000)
    return here


def test_the_commands_on_recordings_run_one_after_the_other(folder):
    own = [line for line in SHELL if line.startswith("python -m freqcnn_gluon") and " describe " not in line]
    assert [line.split()[3] for line in own] == ["fit", "evaluate", "predict", "explain", "export", "predict"]
    said = {}
    for line in own:
        words = shlex.split(line, comments=True)[1:]
        quick = ["--size", "32", "--epochs", "1", "--jobs", "1"] if "fit" in words else []
        done = run([*words, *quick], folder)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said[words[2]] = done.stdout
    assert (folder / "attention.png").is_file() and (folder / "model.onnx").is_file()
    assert "UAR" in said["fit"] and "on 6 clips" in said["evaluate"] and "new.wav: " in said["predict"]


def test_the_stages_run_alone(folder):
    stages = [line for line in SHELL if "freqcnn_gluon" not in line or " describe " in line]
    assert len(stages) == 4
    for line in stages:
        words = shlex.split(line, comments=True)[1:]
        if words[1:3] == ["data_prep", "standin"] or words[2] == "ut_podcast":
            words = [*words[:3], "--help"]  # run whole by the tests of data_prep
        done = run(words, folder)
        assert done.returncode == 0 and done.stdout, f"{line}\n{done.stderr}"


def test_the_python_of_it_runs(folder):
    blocks = [block for kind, block in FENCED if kind == "python"]
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        shutil.rmtree(folder / "model", ignore_errors=True)
        given = (
            "from pathlib import Path\n"
            "files = sorted(Path('other-recordings').rglob('*.wav'))\n"
            "labels = [file.parent.name for file in files]\n"
        )
        quick = block.replace("epochs=20", "epochs=1").replace("size=64", "size=32")
        quick = quick.replace("Recipe(", "Recipe(size=32, ").replace('"recall_macro"', '"recall_macro", cv=2')
        done = run(["-c", given + quick], folder)
        assert done.returncode == 0, f"block {number}\n{done.stderr}"


@pytest.mark.parametrize("command", MAKE)
def test_make_has_the_target_and_the_program_takes_its_words(command):
    words = shlex.split(command.replace("…", "other"))
    planned = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    lines = [shlex.split(line) for line in planned.stdout.splitlines() if "-m reproduce" in line]
    for line in lines:
        ends = [number for number, word in enumerate(line) if word == "--"]  # a launcher's, or none
        for start, end in zip([0, *ends], [*ends, len(line)]):
            words = line[start:end]
            done = run([*words[words.index("-m") :], "--help"], ROOT)
            assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr
            # with --help a program takes any option
            assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


@pytest.mark.parametrize("command", PYTHON)
def test_commands_in_the_text_are_there(command, folder):
    words = shlex.split(command)[1:]
    done = run([*words[:3], "--help"], folder)
    assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{command}: {option} is not there"


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert links and [link for link in links if not (ROOT / link).exists()] == []
    heads = {
        re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= heads
