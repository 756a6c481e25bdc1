"""Every command of README.md works: those on recordings are executed, those of make as far as `--help`."""

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
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.S | re.M))
PROGRAMS = ("python ", "freqcnn ")
SHELL = [
    line for kind, block in FENCED if not kind for line in block.splitlines() if line.startswith(PROGRAMS)
]
MAKE = sorted({command for command in INLINE if re.match(r"make [a-z]", command)})
PROGRAM = [command for command in INLINE if command.startswith(("python -m ", "freqcnn "))]


def words_of(line):
    """Split a command into Python's arguments; `freqcnn` is `python -m freqcnn_gluon`."""
    program, *words = shlex.split(line, comments=True)
    return words if program == "python" else ["-m", "freqcnn_gluon", *words]


def run(words, folder, **environment):
    """Run a command in ``folder``, as a person would there."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the recordings that the README mentions."""
    here = tmp_path_factory.mktemp("readme")
    recordings.write(here / "recordings", each=5)
    recordings.write(here / "other-recordings", each=2, seed=3)
    random = np.random.default_rng(0)
    soundfile.write(here / "new.wav", recordings.tone(300, 0.4, random), 16000)
    soundfile.write(here / "long-talk.mp3", recordings.tone(4000, 3, random), 16000)
    return here


def test_commands_on_recordings_run_in_their_order(folder):
    commands = [words_of(line) for line in SHELL]
    own = [words for words in commands if words[1] == "freqcnn_gluon" and "describe" not in words]
    assert [words[2] for words in own] == ["fit", "evaluate", "predict", "explain", "export", "predict"]
    output = {}
    for words in own:
        quick = ["--size", "32", "--epochs", "1", "--jobs", "1"] if "fit" in words else []
        done = run([*words, *quick], folder)
        assert done.returncode == 0, f"{words}\n{done.stderr}"
        output[words[2]] = done.stdout
    assert (folder / "attention.png").is_file() and (folder / "model.onnx").is_file()
    assert "UAR" in output["fit"] and "on 6 clips" in output["evaluate"] and "new.wav: " in output["predict"]


def test_each_stage_runs_alone(folder):
    commands = [words_of(line) for line in SHELL]
    stages = [words for words in commands if words[1] != "freqcnn_gluon" or "describe" in words]
    assert len(stages) == 4
    for words in stages:
        if words[1:3] == ["data_prep", "standin"] or words[2] == "ut_podcast":
            words = [*words[:3], "--help"]  # the tests of data_prep run these commands in full
        done = run(words, folder)
        assert done.returncode == 0 and done.stdout, f"{words}\n{done.stderr}"


def test_python_examples_run(folder):
    blocks = [block for kind, block in FENCED if kind == "python"]
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        shutil.rmtree(folder / "model", ignore_errors=True)
        given = (
            "from pathlib import Path\n"
            "files = sorted(Path('other-recordings').rglob('*.wav'))\n"
            "labels = [file.parent.name for file in files]\n"
            "speakers = [file.stem for file in files]\n"
        )
        quick = block.replace("epochs=20", "epochs=1").replace("size=64", "size=32")
        quick = quick.replace("Recipe(", "Recipe(size=32, ").replace("[32, 64]", "[32]")
        quick = quick.replace("[20, 40]", "[1]").replace("KFold(5)", "KFold(2)")
        done = run(["-c", given + quick], folder)
        assert done.returncode == 0, f"block {number}\n{done.stderr}"


@pytest.mark.parametrize("command", MAKE)
def test_make_has_the_target_and_the_program_accepts_its_options(command):
    words = shlex.split(command.replace("…", "other"))
    planned = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    lines = [shlex.split(line) for line in planned.stdout.splitlines() if "-m reproduce" in line]
    for line in lines:
        ends = [number for number, word in enumerate(line) if word == "--"]  # ends the launcher's own words
        for start, end in zip([0, *ends], [*ends, len(line)]):
            words = line[start:end]
            done = run([*words[words.index("-m") :], "--help"], ROOT)
            assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr
            # With --help a program accepts any option, so look for each in the help.
            assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


@pytest.mark.parametrize("command", PROGRAM)
def test_commands_in_the_text_exist(command, folder):
    words = words_of(command)
    done = run([*words[:3], "--help"], folder)
    assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{command}: there is no {option}"


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert links and [link for link in links if not (ROOT / link).exists()] == []
    heads = {
        re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= heads
