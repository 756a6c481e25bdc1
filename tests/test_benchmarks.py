"""The benchmarks run as the documents say; what they measure is for a person to read."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

LEARNING = Path(__file__).parents[1] / "benchmarks" / "learning.py"


def test_learning_holds_out_what_it_is_told_to(tmp_path):
    lines = ["path,label,speaker,text"]
    for number in range(12):
        soundfile.write(
            tmp_path / f"{number}.wav", np.random.default_rng(number).standard_normal(2000) / 9, 16000
        )
        lines.append(f"{number}.wav,{'ab'[number % 2]},s{number // 4},t")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    command = [sys.executable, LEARNING, tmp_path / "clips.csv", "--architecture", "fnn", "--size", "32"]
    command += [
        "--test",
        "speaker=s2",
        "--validation",
        "speaker=s1",
        "--set",
        "epochs=2",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run([*command, "--report", tmp_path / "runs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "seed 0, 4 clips" in done.stdout and "test UAR" in done.stdout and "validation UAR" in done.stdout
    history = json.loads((tmp_path / "runs").read_text())["history"]
    assert len(history) == 2 and np.sum(history[-1]["test"]["confusion"]) == 4

    done = subprocess.run([*command, "--test", "colour=red"], capture_output=True, text=True)
    assert done.returncode == 1 and "no column 'colour'" in done.stderr and "Traceback" not in done.stderr
