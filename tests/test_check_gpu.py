"""`make check-gpu` on CPU contexts in the GPUs' place: each check passes, and notices what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from freqcnn_gluon.devices import Gpu
from freqcnn_gluon.network.blocks import Activation, Dropout

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import check_gpu  # noqa: E402
import gpu_checks  # noqa: E402

CPUS = [mx.cpu(0), mx.cpu(1)]


@pytest.fixture(autouse=True)
def own_places(monkeypatch):
    """Undo what a check changes in the training's modules."""
    for module, name in ((gpu_checks.gpu, "PLACE"), (gpu_checks.loop, "PLACE")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(gpu_checks.checkpoint, "SECONDS_BETWEEN", gpu_checks.checkpoint.SECONDS_BETWEEN)


@pytest.mark.parametrize("name", gpu_checks.CHECKS)
def test_each_check_passes_and_can_be_written_as_json(name):
    finding = gpu_checks.CHECKS[name](CPUS, True)
    assert finding.verdict == "ok", finding
    assert json.loads(json.dumps(finding.values)) == finding.values and finding.values
    assert finding.sentence.endswith(".") and "\n" not in finding.sentence


def test_one_gpu_cannot_be_compared_with_two():
    finding = gpu_checks.two(CPUS[:1], True)
    assert finding.verdict == "note" and "there is one" in finding.sentence


def test_a_wrong_activation_on_the_device_is_wrong(monkeypatch):
    first = []  # the device's network is computed before the CPU's

    def mutated(self, F, x):
        first.append(1)
        return usual(self, F, x if len(first) < 12 else 0.97 * x)

    usual = Activation.hybrid_forward
    monkeypatch.setattr(Activation, "hybrid_forward", mutated)
    assert gpu_checks.numbers("table7", CPUS, True).verdict == "WRONG"


@pytest.mark.parametrize("check", ["dropout", "resume"])
def test_dropout_that_ignores_the_seed_is_wrong(monkeypatch, check):
    """As cuDNN's does in MXNet 1.9.1: its state runs on."""
    state = np.random.default_rng(0)

    def unseeded(self, F, x):
        return x * 2 * mx.nd.array(state.random(x.shape) > 0.5)

    monkeypatch.setattr(Dropout, "hybrid_forward", unseeded)
    monkeypatch.setattr(gpu_checks.loop.gluon.HybridBlock, "hybridize", lambda *arguments, **more: None)
    finding = gpu_checks.CHECKS[check](CPUS, True)
    assert finding.verdict == "WRONG", finding


def answered(findings):
    """Return a stand-in for `check_gpu.run`, which starts processes."""

    def run(command):
        name = command[2]
        if name == "reproduce":
            folder = Path(command[command.index("--results") + 1], "standin/table03/fnn/test-s0-1")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "report.json").write_text(json.dumps({"run": {"row": "FNN"}, "metrics": {"uar": 0.5}}))
            return "", findings.get("table3", "")
        if name in findings:
            return "", findings[name]
        return "noise\n" + json.dumps({"verdict": "ok", "sentence": f"{name}.", "values": {}}) + "\n", ""

    return run


@pytest.mark.parametrize("failure", [{}, {"resume": "Traceback\nCUDA: an illegal memory access"}])
def test_the_report_has_a_line_and_an_entry_for_each_check(tmp_path, monkeypatch, capsys, failure):
    monkeypatch.setattr(check_gpu, "run", answered(failure))
    words = ["--device", "cpu:0,1", "--data", str(tmp_path / "data"), "--results", str(tmp_path / "results")]
    assert check_gpu.main(words) == (1 if failure else 0)
    output = capsys.readouterr().out
    report = json.loads((tmp_path / "results/check-gpu.json").read_text())
    assert list(report["checks"]) == [*check_gpu.CHECKS, "table3"]
    assert set(check_gpu.CHECKS) == set(gpu_checks.CHECKS)
    for line, finding in zip(output.splitlines(), report["checks"].values()):
        assert line == f"{finding['verdict']:6} {finding['sentence']}"
    assert report["device"] == "cpu:0,1" and report["trial"] and report["versions"]["python"]
    assert "table3, quick: 1 systems in" in output and "FNN 50.0" in output
    assert str(tmp_path / "results/check-gpu.json") in output and "says nothing about a GPU" in output
    if failure:
        assert "WRONG  resume: failed (CUDA: an illegal memory access)" in output
        assert "Traceback" in report["checks"]["resume"]["values"]["output"]


def test_without_a_usable_gpu_it_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(check_gpu, "gpus", lambda: [Gpu(0, "Card", (9, 0), 1)])
    assert check_gpu.main(["--results", str(tmp_path)]) == 1
    assert "docs/gpu.md" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_up_to_two_usable_gpus_are_checked(monkeypatch):
    cards = [Gpu(number, "Card", (major, 0), 1) for number, major in enumerate((9, 8, 8, 8))]
    monkeypatch.setattr(check_gpu, "gpus", lambda: cards)
    monkeypatch.setattr(check_gpu, "choose", lambda device: ("gpu", [1, 2]) if device == "gpu:1,2" else None)
    assert check_gpu.chosen("auto") == "gpu:1,2"


@pytest.mark.long
def test_everything_runs_on_cpu_contexts(tmp_path):
    """The whole command with all its processes, Table 3 included, after one epoch instead of seven."""
    words = ["--device", "cpu:0,1", "--data", tmp_path / "data", "--results", tmp_path / "results"]
    done = subprocess.run(
        [sys.executable, ROOT / "tools/check_gpu.py", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "results/check-gpu.json").read_text())
    assert {finding["verdict"] for finding in report["checks"].values()} == {"ok"}
    assert len(report["checks"]["table3"]["values"]["uar"]) == 7
