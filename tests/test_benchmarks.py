"""The benchmarks run as documented. Their values are for people to read, so the tests do not judge them."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from freqcnn_gluon import runtime

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(name, *words):
    return subprocess.run([sys.executable, BENCHMARKS / name, *words], capture_output=True, text=True)


def main_of(name):
    """Return the ``main`` of benchmarks/``name``, to be called in this process: a new one takes seconds."""
    spec = importlib.util.spec_from_file_location("benchmark", BENCHMARKS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *words: module.main([str(word) for word in words])


def noise(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(number).standard_normal(2000) / 9, 16000)


def clips(folder, count):
    """Write ``count`` recordings of noise with labels a and b, four for each speaker; return the CSV."""
    lines = ["path,label,speaker,text"]
    for number in range(count):
        noise(folder / f"{number}.wav", number)
        lines.append(f"{number}.wav,{'ab'[number % 2]},s{number // 4},t")
    path = folder / "clips.csv"
    path.write_text("\n".join(lines))
    return path


def test_every_benchmark_is_tested():
    tested = Path(__file__).read_text(encoding="utf-8")
    names = sorted(path.name for path in BENCHMARKS.glob("*.py")) + ["speed"]
    assert names and [name for name in names if f'run("{name}"' not in tested] == []


def test_learning_holds_out_the_named_clips(tmp_path, monkeypatch, capsys):
    words = ["own", clips(tmp_path, 12), "--architecture", "fnn", "--size", "32", "--set", "epochs=2"]
    words += ["--validation", "speaker=s1", "--out", tmp_path / "out", "--report", tmp_path / "runs"]
    done = run("learning.py", *words, "--test", "speaker=s2")
    assert done.returncode == 0, done.stderr
    assert "seed 0, 4 clips" in done.stdout and "test UAR" in done.stdout and "validation UAR" in done.stdout
    result = json.loads((tmp_path / "runs").read_text())
    assert len(result["curve"]) == 2 and result["clips"] == {"training": 4, "test": 4, "validation": 4}

    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for condition, message in (("colour=red", "no column 'colour'"), ("speaker=s1,s9", "no speaker s9")):
        assert main_of("learning.py")(*words, "--test", condition) == 1
        errors = capsys.readouterr().err
        assert message in errors and "Traceback" not in errors


def test_own_speech_shows_the_committed_results(tmp_path):
    page = BENCHMARKS.parent / "docs" / "own-speech.md"
    shutil.copy(page, tmp_path)
    done = run("own_speech.py", "render", "--docs", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / page.name).read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_gradients_writes_a_norm_for_every_block(tmp_path):
    for partition in ("train", "test"):
        for number, label in enumerate(("AU", "UK", "US")):
            for speaker in (1, 2):
                name = f"{label}-{speaker}__1.wav"
                noise(tmp_path / "Noise" / "audio" / partition / label / name, number)
    words = ["--ut-podcast", tmp_path / "Noise", "--data", tmp_path / "data", "--size", "32"]
    words += ["--steps", "1", "--batch-size", "2", "--gamma", "0.1", "--results", tmp_path]
    done = run("gradients.py", *words)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "gradients.json").read_text())
    ((gamma, (line,)),) = content["values"].items()
    assert gamma == "0.1" and line["step"] == 0 and content["setting"]["size"] == 32
    numbers = [line["loss"], *line["norms"]]
    assert len(numbers) == 6 and np.isfinite(numbers).all() and min(numbers) > 0


def test_ivector_prints_the_time_of_an_iteration():
    done = run("ivector.py", "--clips", "20", "--gaussians", "8", "--rank", "5")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"an iteration takes .* s: a factor of \d+\.\d\n", done.stdout)


class Here:
    """A candidate in this process instead of one of its own."""

    def __init__(self, name, threads, **arguments):
        from worker import created

        self.candidate, start = created(name, arguments)
        self.missing, self.versions = start.get("missing"), start.get("versions", {})

    def ask(self, what, **arguments):
        from worker import answered

        return answered(self.candidate, what, arguments)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.mark.skipif(not runtime._cpu_has("avx512bw"), reason="oneDNN needs AVX-512 for bfloat16")
def test_speed_measures_everything_and_fills_the_page(tmp_path, monkeypatch, capsys):
    """The groups with bfloat16, which holds for a whole process, start processes; the others compute here."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    speed = main_of("speed/__main__.py")
    page = (BENCHMARKS.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    empty = re.sub(r"(<!-- \w+, from \S+ -->\n).*?(<!-- end -->)", r"\1\2", page, flags=re.S)
    (tmp_path / "speed.md").write_text(empty, encoding="utf-8")
    words = ["--tiny", "--results", tmp_path / "results", "--docs", tmp_path]
    network = [f"{group}-table7" for group in ("step", "inference", "memory", "peak")]
    assert speed(*words, "step-table7", "memory-table7") == 0
    monkeypatch.setattr("groups.Worker", Here)
    assert speed(*words, "inference-table7", "peak-table7", "spectrograms", "growth") == 0
    files = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "results").glob("*.json")}
    assert sorted(files) == sorted([*network, "spectrograms", "growth-clips", "growth-step"])
    assert all(file["machine"]["threads"] >= 1 and len(file["load"]) == 2 for file in files.values())
    step, spectrograms = files["step-table7"]["values"], files["spectrograms"]["values"]["1 core"]
    by_torch = {name for name in {*step["seconds"], *step["missing"]} if "MXNet" not in name}
    assert by_torch and set(step["missing"]) == (set() if find_spec("torch") else by_torch)
    assert set(spectrograms["missing"]) == {name for name in ("librosa", "torch") if not find_spec(name)}
    timed = files["step-table7"]["values"]["seconds"]["MXNet"]
    assert timed["median"] == np.median(timed["times"]) > 0
    stages = files["peak-table7"]["values"]["stages"]
    assert len(stages) == 10 and np.isclose(sum(stage["of_time"] for stage in stages.values()), 1)
    assert files["growth-step"]["values"]["step: side of the image"]["exponent"] > 0
    filled = (tmp_path / "speed.md").read_text(encoding="utf-8")
    for text in (
        "Table 7, batch 4",
        "Table 7, batch 1",
        "Table 7, 32 × 32",
        "1 core",
        "block 5",
        "peak memory",
    ):
        assert text in filled and text not in empty, text
    assert {path.name for path in tmp_path.glob("*.png")} == {"speed-step.png", "speed-growth.png"}

    assert speed("--tiny", "everything") == 1
    assert "there is no measurement 'everything'" in capsys.readouterr().err


def test_the_page_shows_the_committed_results(tmp_path):
    page = BENCHMARKS.parent / "docs" / "speed.md"
    shutil.copy(page, tmp_path)
    done = run("speed", "--render", "--docs", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "speed.md").read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_a_missed_aim_is_marked_as_missed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    from render import _compared

    values = {"MXNet": 2.0, "PyTorch": 2.5, "torch.compile": 2.4, "MXNet, bfloat16": 1.0}
    rows = _compared({"a": values | {"PyTorch, bfloat16": 0.9}}, str, aim=1.5).splitlines()
    assert [[cell.strip() for cell in row.split("|")[4:-1]] for row in rows[-2:]] == [
        ["torch.compile", "2.4", "1.20", "1.5", "**missed**"],
        ["PyTorch, bfloat16", "0.9", "0.90", "1", "**missed**"],
    ]
    assert "| met " in _compared({"a": values}, str, aim=1.2)


def test_accuracy_trains_in_both_dtypes(tmp_path):
    words = [clips(tmp_path, 8), "--results", tmp_path, "--out", tmp_path / "out", "--test", "speaker=s1"]
    words += ["--architecture", "table7", "--size", "32", "--set", "epochs=1"]
    done = run("accuracy.py", *words)
    if not runtime._cpu_has("avx512bw"):
        assert done.returncode == 1 and "AVX-512" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    runs = json.loads((tmp_path / "accuracy.json").read_text())["values"]["runs"]
    assert [(dtype, [run["seed"] for run in trained]) for dtype, trained in runs.items()] == [
        ("float32", [0]),
        ("bfloat16", [0]),
    ]
    assert all(0 <= trained[0]["uar"] <= 1 for trained in runs.values())
