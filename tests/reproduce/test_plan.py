"""The cost of the tables, with fixed seconds in place of measured ones."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from freqcnn_gluon import devices, runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import cost, memory
from freqcnn_gluon.training.cost import Seconds
from freqcnn_gluon.training.memory import MEMORY, gpu_bytes, training_bytes
from reproduce.__main__ import main
from reproduce.commands import plan
from reproduce.options import Options
from reproduce.runs.resolve import resolve, runs_of
from reproduce.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GPU_PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
REFERENCE = ROOT / "results" / "reference"
CPU = ["--device", "cpu"]
FOLDS = ((2484, 1530), (2718, 1296), (2826, 1188))  # Table 6: clips to train on and to test on
IMAGE = 4 * 256**2
TIMED = Seconds(sample=2, step=8, prediction=1)


@pytest.fixture
def timed(monkeypatch):
    """Replace the timing; return its calls as (classes, size, dtype)."""
    calls = []
    monkeypatch.setattr(
        cost, "seconds", lambda net, classes, size, _, dtype: calls.append((classes, size, dtype)) or TIMED
    )
    return calls


def lines(output: str) -> dict[str, list[float]]:
    """Return table -> its numbers."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if "|" in line
    ]
    return {row[0]: list(map(float, row[1:])) for row in rows[2:]}


def test_the_cost_follows_from_the_numbers_of_clips(timed, tmp_path, capsys):
    """Table 3: 60 epochs of 1347 clips in six networks, and i-vectors."""
    assert main(["plan", "3", *CPU, "--gpus", "2", "--results", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    (runs, done, hours, needed, disk, gpu, on_two), total = lines(output)["3"], lines(output)["total"]
    assert total == [runs, done, hours, needed, disk, gpu, on_two]
    assert (runs, done) == (7, 0) and timed == [(3, 256, "float32")] * 6
    assert hours == pytest.approx(6 * 60 * (2 * 1347 + 8 * 1347 / 48 + 661) / 3600, abs=0.06)
    names = ("table2", "fnn", "cnn", "alexnet", "vgg11", "resnet18")
    nets = [build(name, 3, 256) for name in names]
    gpu_hours = [60 * (3 * 1347 + 661) * cost.operations(net, 256) / 5.6e12 / 3600 for net in nets]
    assert gpu == pytest.approx(sum(gpu_hours), abs=0.06)
    assert max(gpu_hours) > sum(gpu_hours) / 2  # FreqCNN is one run and cannot use two GPUs.
    assert on_two == pytest.approx(max(gpu_hours), abs=0.06)
    fixed = [training_bytes(net, 256)[0] / 3 for net in nets]
    assert disk == pytest.approx(((1101 + 661) * IMAGE + sum(fixed) + 2 * max(fixed)) / 1e9, abs=0.06)
    assert 1 < needed <= MEMORY
    assert "**extrapolation**" in output and "**estimate**, nothing was measured" in output
    assert "No folder was given for UT-Podcast: the counts are the paper's." in output


def test_the_memory_on_a_gpu_is_the_gpus_estimate(timed, tmp_path, monkeypatch, capsys):
    """Cards of 24 and 12 GB: each trains half a batch, as far as it fits into the smaller one."""
    listed = [devices.Gpu(number, "Card", (7, 5), size * 10**9) for number, size in enumerate((24, 12))]
    for module in (devices, memory):
        monkeypatch.setattr(module, "gpus", lambda: listed)
    monkeypatch.setattr(devices, "installed", lambda package: "1.9.1")
    monkeypatch.setattr(cost, "operations", lambda net, size: 1)
    monkeypatch.setattr(plan, "_network", plan._network.__wrapped__)  # keep nothing for other tests
    words = ["plan", "11", "--results", str(tmp_path)]
    for device, share, limit in (("gpu:0", 48, 16e9), ("gpu:0,1", 24, 10e9)):
        assert main([*words, "--device", device]) == 0
        output = capsys.readouterr()
        fixed, item = gpu_bytes(build("table10", 6, 224), 224)
        largest = max(
            part for part in range(1, share + 1) if share % part == 0 and fixed + part * item <= limit
        )
        assert lines(output.out)["11"][3] == pytest.approx((fixed + largest * item) / 1e9, abs=0.06)
        assert (
            "Memory is that of the largest training on each GPU" in output.out and "note:" not in output.err
        )


def test_runs_that_tables_share_count_once_together(timed, tmp_path, capsys):
    """Table 9's sigmoid/sigmoid is Table 8's FreqCNN, on three folds; Table 12 is Table 11's FreqCNN."""
    assert main(["plan", "8", "9", "11", "12", *CPU, "--results", str(tmp_path), "--seeds", "2"]) == 0
    costs = lines(capsys.readouterr().out)
    runs = {table: numbers[0] for table, numbers in costs.items()}
    assert runs == {"8": 42, "9": 42, "11": 100, "12": 20, "total": 42 + 42 - 6 + 100}
    assert costs["12"][2:] == costs["11"][2:]  # the others of Table 11 are not timed
    twice = [60 * (train * (2 + 8 / 128) + test) for train, test in FOLDS for seed in range(2)]
    hours = costs["8"][2] + costs["9"][2] + costs["11"][2] - sum(twice) / 3600
    assert costs["total"][2] == pytest.approx(hours, abs=0.3)
    assert len(timed) == 6  # each network and size once: FreqCNN for speakers and emotions, and four others


def test_finished_runs_reduce_the_hours(timed, tmp_path, monkeypatch, capsys):
    """With reports of one, then three of six networks, the hours fall by theirs."""
    monkeypatch.setitem(cost.PEAK, "V100", 1e8)  # so slow that small spectrograms take it hours
    job = resolve(TABLES[3], Options({}, results=tmp_path))
    networks, costs = [job.table.systems()[place] for place in (1, 5, 6)], []
    committed = next((REFERENCE / "standin" / "table03" / "resnet-18").glob("*/report.json"))
    for done in (0, 1, 3):
        for run in runs_of(job, networks[:done], "standin", "0" * 64):
            content = json.loads(committed.read_text()) | {"run": asdict(run)}
            run.folder(tmp_path).mkdir(parents=True, exist_ok=True)
            (run.folder(tmp_path) / "report.json").write_text(json.dumps(content))
        assert main(["plan", "3", *CPU, "--profile", "quick", "--results", str(tmp_path)]) == 0
        costs.append(lines(capsys.readouterr().out))
        assert costs[-1]["3"] == costs[-1]["total"]
    runs, done, hours, needed, disk, gpu, _ = zip(*(planned["3"] for planned in costs))
    assert runs == (7, 7, 7) and done == (0, 1, 3)
    assert hours == pytest.approx([hours[0], hours[0] * 5 / 6, hours[0] / 2], abs=0.06) and hours[0] > 30
    size, epochs = job.sizes.size, job.sizes.epochs
    nets = [build(name, 3, size) for name in ("table2", "vgg11", "resnet18")]
    gpu_hours = [epochs * (3 * 1347 + 661) * cost.operations(net, size) / 4e7 / 3600 for net in nets]
    assert gpu[0] - gpu[1] == pytest.approx(gpu_hours[0], abs=0.11)
    assert gpu[1] - gpu[2] == pytest.approx(sum(gpu_hours[1:]), abs=0.11) and gpu[2] > 0
    assert len(set(disk)) == len(set(needed)) == 1  # what all of them need together


def test_steps_are_timed_in_the_dtype(timed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "_cpu_has", lambda flag: True)
    words = ["plan", "3", *CPU, "--results", str(tmp_path), "--dtype", "bfloat16"]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert timed == [(3, 256, "bfloat16")] * 6 and "(bfloat16, threads: " in output
    assert "windows" not in output
    monkeypatch.setattr(runtime, "_cpu_has", lambda flag: False)
    assert main(words) == 1 and "bfloat16 needs AVX-512" in capsys.readouterr().err and len(timed) == 6


def test_the_plan_tells_that_it_does_not_count_windows(timed, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cost, "operations", lambda net, size: 1)
    words = ["plan", "3", *CPU, "--results", str(tmp_path), "--assume", "time_axis=windows"]
    assert main(words) == 0 and "A clip counts as one image" in capsys.readouterr().out


def test_a_table_that_trains_nothing_is_refused(capsys):
    assert main(["plan", "2", *CPU]) == 1
    assert "there are no results in table 2" in capsys.readouterr().err


def test_the_readmes_footnote_has_the_numbers_of_the_plan():
    net = build("table2", 3, 256)
    step = cost.STEP * cost.operations(net, 256)
    (billions,) = re.findall(r"about (\d+) billion\s+floating-point operations", README)
    (samples,) = re.findall(r"60 epochs have ([\d,]+) samples", README)
    (hours,) = re.findall(r"peak speed: ([\d.]+)\s+hours with the evaluation", README)
    (table,) = re.findall(r"about ([\d.]+) hours on a V100", README)
    by_table = dict(re.findall(r"^\| (\d+) \| [\d.]+ \| ([\d.]+) \|", GPU_PAGE, re.M))  # the V100's column
    assert table == by_table["3"]
    assert float(billions) == round(step / 1e9)
    assert int(samples.replace(",", "")) == round(60 * 1347, -3)
    assert float(hours) == round(cost.gpu_hours(60 * (1347 * step + 661 * step / cost.STEP), "V100"), 1)
    assert "40 % of a V100's peak speed" in README and cost.SHARE == 0.4
