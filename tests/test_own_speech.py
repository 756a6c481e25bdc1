"""The page of the recipe shows the results alone, and trials with a result are not repeated."""

import json
import re
import sys

import pytest
from test_benchmarks import BENCHMARKS, clips, run

sys.path.insert(0, str(BENCHMARKS))

from curves.render import MARK
from recipes.render import render
from recipes.trials import Results, trials

RESULTS = BENCHMARKS / "results" / "own-speech"
PAGE = BENCHMARKS.parent / "docs" / "own-speech.md"
LIST = """
[[task]]
name = "fsdd"
text = "other speakers"
unused = "speaker=s2"
validation = ["speaker=s1", "speaker=s0"]
batch_size = 3
steps = 2

[[part]]
name = "base"
text = "the recipe"
tasks = ["fsdd"]

[[part]]
name = "changed"
text = "all changes"
tasks = ["fsdd"]
changes = { images = ["masks", "crop", "warp", "level"], mixup = 0.4, smoothing = 0.1, balanced = true }

[[test]]
name = "speakers"
corpus = "fsdd"
text = "other speakers"
test = "speaker=s2"

[[test]]
name = "seeds"
corpus = "fsdd"
text = "more seeds"
test = "speaker=s2"
seeds = [0, 1, 2]
"""
BLOCKS = "".join(f"<!-- {name}, from x -->\n<!-- end -->\n" for name in ("parts", "tests"))


def test_no_number_of_the_page_is_typed():
    typed = re.sub(r"b?float\d+|\]\([^)]*\)", "]", MARK.sub("", PAGE.read_text(encoding="utf-8")))
    assert re.findall(r"\d\S*", typed) == []


@pytest.mark.parametrize("name", ["parts", "tests"])
def test_every_committed_result_belongs_to_a_trial(name):
    listed = trials()
    known = json.loads(json.dumps(list(listed.of_parts() if name == "parts" else listed.of_tests())))
    done = [entry["trial"] for entry in Results(RESULTS / f"{name}.json").done]
    assert done and all(trial in known for trial in done)
    assert all(done.count(trial) == 1 for trial in done)


def scores(uar):
    return {"uar": uar, "interval": [uar - 0.1, uar + 0.1], "evaluated": 8}


def outcome(uar, seconds):
    systems = {
        name: {"uar": uar, "intervals": {"uar": {"clips": [uar - 0.1, uar + 0.1]}}}
        for name, uar in (("freqcnn", uar), ("svm", 0.65), ("majority", 0.2))
    }
    training = {"epochs": 7, "seconds": seconds, "accuracy": 0.875}
    machine = {"machine": {"cpu": "a CPU", "threads": 2}, "finished": "2026-01-02T03:04:05+00:00"}
    return {"clips": {"train": 30, "test": 9}, "systems": systems, "training": training, **machine}


def test_every_figure_follows_its_result(tmp_path):
    (tmp_path / "list.toml").write_text(LIST)
    (tmp_path / "own-speech.md").write_text(BLOCKS)
    listed = trials(tmp_path / "list.toml")
    (base, changed), (test, *seeds) = listed.of_parts(), listed.of_tests()
    parts, tests = (Results(tmp_path / f"{name}.json") for name in ("parts", "tests"))
    training = [{"accuracy": 0.9, "epochs": 2, "clips": clips, "seconds": 3} for clips in (40, 50)]
    parts.add(base, {**scores(0.5), "averaged": scores(0.25), "training": training})
    parts.add(changed, {**scores(0.75), "averaged": None, "training": training})
    for trial, uar, seconds in ((test, 0.6, 61.4), (seeds[0], 0.75, 50), (seeds[2], 0.85, 60)):
        tests.add(trial, outcome(uar, seconds))
    render(listed, tmp_path, tmp_path / "own-speech.md")
    page = (tmp_path / "own-speech.md").read_text()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    assert ["the recipe", "50.0 (40.0–60.0)"] in cells and ["all changes", "75.0 (65.0–85.0)"] in cells
    assert any(line[-1] == "25.0 (15.0–35.0)" for line in cells) and "40, 50 training clips" in page
    others = ["65.0 (55.0–75.0)", "20.0 (10.0–30.0)"]
    ends = ["within its interval", "87.5", "61 (7 epochs)"]
    assert ["other speakers", "1", "30 / 9", "60.0 (50.0–70.0)", *others, *ends] in cells
    ends = ["ahead", "87.5", "55 (7 epochs)"]
    assert ["more seeds", "2 of 3", "30 / 9", "80.0 (75.0, 85.0)", *others, *ends] in cells
    assert "a CPU, threads: 2, 2026-01-02" in page


def test_parts_are_measured_once(tmp_path):
    clips(tmp_path, 12).rename(tmp_path / "manifest.csv")
    (tmp_path / "list.toml").write_text(LIST)
    (tmp_path / "own-speech.md").write_text(BLOCKS)
    places = ["--trials", tmp_path / "list.toml", "--results", tmp_path, "--docs", tmp_path]
    words = ["own_speech.py", "parts", *places, "--data", tmp_path / "data"]
    done = run(*words, "--fsdd", tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "parts.json"
    results = [entry["result"] for entry in json.loads(path.read_text())]
    assert [result["evaluated"] for result in results] == [8, 8]
    assert [part["clips"] for part in results[0]["training"]] == [4, 4]
    before = path.stat().st_mtime_ns
    done = run(*words)  # neither trains nor reads the corpus again
    assert done.returncode == 0 and path.stat().st_mtime_ns == before
