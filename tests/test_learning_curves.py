"""The page of learning curves shows the results alone, and the experiments end and resume as stated."""

import json
import re
import sys

import numpy as np
import pytest
from test_benchmarks import BENCHMARKS, clips, main_of

sys.path.insert(0, str(BENCHMARKS))

from curves.experiments import experiments, results
from curves.render import MARK, render

RESULTS = BENCHMARKS / "results"
PAGE = BENCHMARKS.parent / "docs" / "learning.md"
# Numbers that name something: tables and sections, networks, a year, and kinds of number formats and CPUs.
NAMES = r"Tables? \d+|Sec\. \d\.\d|`table\d+`|\(.*?, 2017\)|VGG-11|bfloat16|AVX-512|\]\([^)]*\)"
LIST = """
[[experiment]]
name = "tiny"
question = "Does it end?"
corpus = "fsdd"
architecture = "fnn"
size = 16
batch_size = 3
steps = 7
unused = "speaker=s2"
validation = "speaker=s1"
variants = [[], ["normalise=none"]]
seeds = [0, 1]
"""
BLOCKS = "".join(f"<!-- {name}, from x -->\n<!-- end -->\n" for name in ("overview", "gradients", "tiny"))


@pytest.fixture
def tiny(tmp_path):
    """Write an experiment on 12 recordings; return the words that run it."""
    clips(tmp_path, 12).rename(tmp_path / "manifest.csv")
    (tmp_path / "list.toml").write_text(LIST)
    (tmp_path / "learning.md").write_text(BLOCKS)
    places = ["--experiments", tmp_path / "list.toml", "--results", tmp_path, "--docs", tmp_path]
    return ["run", "--data", tmp_path / "data", *places]


def test_the_page_shows_the_committed_results(tmp_path):
    (tmp_path / "learning.md").write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    assert main_of("learning.py")("render", "--docs", tmp_path) == 0
    assert (tmp_path / "learning.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_no_number_of_the_page_is_typed():
    typed = MARK.sub("", PAGE.read_text(encoding="utf-8"))
    assert re.findall(r"\d\S*", re.sub(NAMES, "", typed)) == []
    assert re.findall(r"\d\S*", re.sub(NAMES, "", f"{typed} UAR 0.51 in Table 7")) == ["0.51"]


def test_every_committed_result_belongs_to_an_experiment():
    listed = experiments()
    for path in (RESULTS / "learning").glob("*.json"):
        done = results(listed[path.stem], RESULTS / "learning")
        assert len(done) == len(json.loads(path.read_text())["runs"]) > 0, path


def result(variant, seed, value):
    """Return a training of two epochs whose numbers are all derived from ``value``."""
    entry = {"loss": value, "accuracy": value / 10, "seconds": 1, "validation": {"uar": value / 20}}
    return {
        "variant": variant,
        "seed": seed,
        "curve": [{"epoch": 1, "steps": 4, **entry, "loss": 2 * value}, {"epoch": 2, "steps": 9, **entry}],
        "samples_per_second": 100 * value,
        "clips": {"training": 50, "validation": 20},
        "dtype": "float32",
        "load": [value, 2 * value],
        "machine": {"cpu": "a CPU", "threads": 2, "mxnet": "1.9.1", "numpy": "1.23"},
        "finished": "2026-01-02T03:04:05+00:00",
    }


def rendered(folder, values, **further):
    """Render the tiny experiment with a training for each of ``values``; return the lines of the page."""
    (folder / "list.toml").write_text(LIST)
    (folder / "learning.md").write_text(BLOCKS)
    listed = experiments(folder / "list.toml")
    step = {"seconds": {"MXNet": {"median": 6.0}}, "batch": 2, "size": 32}
    (folder / "step-fnn.json").write_text(json.dumps({"values": step}))
    (folder / "learning").mkdir(exist_ok=True)
    runs = [result(list(variant), seed, value) | further for (variant, seed), value in values.items()]
    content = {"setting": listed["tiny"].setting(), "runs": runs}
    (folder / "learning" / "tiny.json").write_text(json.dumps(content))
    render(listed, folder, folder / "learning.md")
    return (folder / "learning.md").read_text().splitlines()


def test_every_figure_follows_its_result(tmp_path):
    lines = rendered(tmp_path, {((), 0): 1.0, ((), 1): 3.0, (("normalise=none",), 0): 2.0})
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["defaults", "0", "50 / 20", "9", "2.00 → 1.00", "0.10 0.10", "0.05 0.05", "100.0"] in cells
    assert ["defaults", "1", "50 / 20", "9", "6.00 → 3.00", "0.30 0.30", "0.15 0.15", "300.0"] in cells
    assert [
        "`normalise=none`",
        "0",
        "50 / 20",
        "9",
        "4.00 → 2.00",
        "0.20 0.20",
        "0.10 0.10",
        "200.0",
    ] in cells
    means = "- defaults, last epoch, mean of 2 seeds: training accuracy 0.20, validation UAR 0.10"
    assert means in lines and sum("mean of" in line for line in lines) == 1
    assert any(line.endswith("load 1.0 to 6.0.") for line in lines)
    # 7 steps of 3 samples of 3 s at 32 x 32, a quarter of that at 16 x 16
    hours = f"{7 * 3 * 3 / 4 / 3600:.2g}"
    assert ["`tiny`", "Does it end?", "3 of 4", hours] in cells
    missing = "**Not run**: `normalise=none` (seed 1). `python benchmarks/learning.py run tiny --fsdd FOLDER`"
    assert any(line.startswith(missing) and f"{hours} hours" in line for line in lines)


def test_every_gradient_follows_its_result(tmp_path):
    lines = [{"step": step, "loss": 2.5 - step, "norms": [1.5 + step, 0.25]} for step in (0, 1)]
    content = {
        "setting": {"size": 32, "batch_size": 16},
        "machine": {"cpu": "a CPU"},
        "values": {"0.1": lines},
    }
    (tmp_path / "gradients.json").write_text(json.dumps(content | {"finished": "2026-01-02T03:04:05"}))
    page = rendered(tmp_path, {})
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page]
    assert ["gamma", "step", "loss", "block 1", "block 2"] in cells
    assert ["0.1", "0", "2.50", "1.500", "0.250"] in cells and ["0.1", "1", "1.50", "2.500", "0.250"] in cells
    assert "`python benchmarks/gradients.py --size 32 --batch-size 16`, a CPU, 2026-01-02:" in page


def test_results_of_another_setting_do_not_count(tmp_path):
    rendered(tmp_path, {((), 0): 1.0})
    (tmp_path / "list.toml").write_text(LIST.replace("steps = 7", "steps = 8"))
    listed = experiments(tmp_path / "list.toml")
    render(listed, tmp_path, tmp_path / "learning.md")
    text = (tmp_path / "learning.md").read_text()
    assert "not run" in text and "→" not in text and results(listed["tiny"], tmp_path / "learning") == {}


def test_the_runner_stops_at_the_step_count_and_trains_nothing_twice(tiny, tmp_path, capsys):
    learning = main_of("learning.py")
    assert learning(*tiny) == 0 and "--fsdd FOLDER is not given" in capsys.readouterr().err
    assert not (tmp_path / "learning").exists()
    assert learning(*tiny, "tiny", "--fsdd", tmp_path) == 0
    path = tmp_path / "learning" / "tiny.json"
    runs = json.loads(path.read_text())["runs"]
    assert [(one["variant"], one["seed"]) for one in runs] == [
        ([], 0),
        (["normalise=none"], 0),
        ([], 1),
        (["normalise=none"], 1),
    ]
    # 4 training clips and batches of 3: the steps after each epoch are the whole part of 4/3, 8/3, ...
    assert [entry["steps"] for entry in runs[0]["curve"]] == [1, 2, 4, 5, 6, 8]
    assert runs[0]["clips"] == {"training": 4, "validation": 4}
    assert runs[0]["curve"] != runs[1]["curve"] and runs[0]["samples_per_second"] > 0
    assert "4 of 4" in (tmp_path / "learning.md").read_text()
    before = path.stat().st_mtime_ns
    assert learning(*tiny, "tiny", "--fsdd", tmp_path) == 0 and path.stat().st_mtime_ns == before
    capsys.readouterr()
    assert learning(*tiny, "other") == 1 and "there is no experiment 'other'" in capsys.readouterr().err


def trained(folder, **limits):
    """Train a small network on 8 images of noise."""
    import pandas as pd
    from curves.clips import Clips
    from curves.training import Conditions, learn

    from reproduce.assumptions import choices

    images = np.random.default_rng(0).random((8, 16, 16), np.float32)
    frame = pd.DataFrame({"copies": [1, 1, 1, 1, 2, 1, 1, 1]})
    clips = Clips(frame, images, np.arange(8), np.arange(8) % 2, ("a", "b"))
    parts = {"training": np.arange(5), "validation": np.arange(5, 8)}
    result = learn("fnn", clips, parts, choices(3), Conditions(3, **limits), 0, folder)
    assert result["clips"] == {"training": 6, "validation": 3}  # the fifth clip counts twice
    return result


def learned(folder, **limits):
    """Return the curve of such a training without its times."""
    result = trained(folder, **limits)
    assert result["diverged"] == ""
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in result["curve"]]


def test_a_training_that_diverges_is_a_result(tmp_path, monkeypatch):
    from freqcnn_gluon.training import loop

    calls, gradients = [], loop._gradients

    def diverging(*arguments):
        calls.append(arguments)
        return gradients(*arguments) if len(calls) < 4 else (float("nan"), 0)

    monkeypatch.setattr(loop, "_gradients", diverging)
    result = trained(tmp_path / "training", steps=8)
    assert [entry["steps"] for entry in result["curve"]] == [2]
    assert result["diverged"].startswith("the loss is not finite in epoch 2, batch 2, first in ")
    assert str(tmp_path) not in result["diverged"]
    lines = rendered(tmp_path, {((), 0): 1.0}, diverged="the loss is not finite")
    assert any("diverged: the loss is not finite" in line for line in lines)
    assert not any("1.00" in line for line in lines)


def test_an_interrupted_training_resumes_and_accuracy_ends_it(tmp_path, monkeypatch):
    from freqcnn_gluon.training.loop import Training

    whole = learned(tmp_path / "whole", steps=8)
    assert [entry["steps"] for entry in whole] == [2, 4, 6, 8]
    epoch, epochs = Training.epoch, []

    def interrupted(training, *arguments):
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(len(training.place.history))
        epoch(training, *arguments)

    monkeypatch.setattr("freqcnn_gluon.training.checkpoint.SECONDS_BETWEEN", 0)
    monkeypatch.setattr(Training, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path / "parts", steps=8)
    assert epochs == [0, 1]
    epochs[:] = [-1] * 3  # never 2 again: the training goes on
    assert learned(tmp_path / "parts", steps=8) == whole
    assert epochs[3:] == [2, 3]

    reached = learned(None, steps=8, accuracy=0.01)
    assert reached == whole[: len(reached)] and reached[-1]["accuracy"] >= 0.01
    assert all(entry["accuracy"] < 0.01 for entry in reached[:-1])
