"""The benchmarks run as the documents say; what they measure is for a person to read."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(name, *words):
    return subprocess.run([sys.executable, BENCHMARKS / name, *words], capture_output=True, text=True)


def noise(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(number).standard_normal(2000) / 9, 16000)


def test_every_benchmark_is_run_here():
    tested = Path(__file__).read_text(encoding="utf-8")
    names = sorted(path.name for path in BENCHMARKS.glob("*.py"))
    assert names and [name for name in names if f'run("{name}"' not in tested] == []


def test_learning_holds_out_what_it_is_told_to(tmp_path):
    lines = ["path,label,speaker,text"]
    for number in range(12):
        noise(tmp_path / f"{number}.wav", number)
        lines.append(f"{number}.wav,{'ab'[number % 2]},s{number // 4},t")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    words = [tmp_path / "clips.csv", "--architecture", "fnn", "--size", "32", "--set", "epochs=2"]
    words += ["--validation", "speaker=s1", "--out", tmp_path / "out", "--report", tmp_path / "runs"]
    done = run("learning.py", *words, "--test", "speaker=s2")
    assert done.returncode == 0, done.stderr
    assert "seed 0, 4 clips" in done.stdout and "test UAR" in done.stdout and "validation UAR" in done.stdout
    history = json.loads((tmp_path / "runs").read_text())["history"]
    assert len(history) == 2 and np.sum(history[-1]["test"]["confusion"]) == 4

    done = run("learning.py", *words, "--test", "colour=red")
    assert done.returncode == 1 and "no column 'colour'" in done.stderr and "Traceback" not in done.stderr


def test_gradients_has_a_norm_for_every_block(tmp_path):
    for partition in ("train", "test"):
        for number, label in enumerate(("AU", "UK", "US")):
            for speaker in (1, 2):
                name = f"{label}-{speaker}__1.wav"
                noise(tmp_path / "Noise" / "audio" / partition / label / name, number)
    words = ["--ut-podcast", tmp_path / "Noise", "--data", tmp_path / "data", "--size", "32"]
    done = run("gradients.py", *words, "--steps", "1", "--batch-size", "2", "--gamma", "0.1")
    assert done.returncode == 0, done.stderr
    title, head, line = done.stdout.splitlines()
    assert title == "gamma 0.1" and head.split()[:2] == ["step", "loss"]
    step, *numbers = map(float, line.split())
    assert step == 0 and len(numbers) == 6 and np.isfinite(numbers).all() and min(numbers) > 0


def test_ivector_says_how_long_an_iteration_takes():
    done = run("ivector.py", "--clips", "20", "--gaussians", "8", "--rank", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("an iteration ") and done.stdout.endswith(" times\n")
