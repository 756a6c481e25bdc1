"""Runs that diverge: a failed.json in place of a report, and no second try under the same circumstances."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tones import write_tones

from freqcnn_gluon import runtime
from freqcnn_gluon.training import loop as training
from reproduce.__main__ import main
from reproduce.render.table import FIGURES
from reproduce.runs import execute as execution
from reproduce.tables import TABLES


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Return the command line of Table 3 on a small corpus."""
    out = tmp_path_factory.mktemp("execute")
    words = [
        "table",
        "3",
        "--ut-podcast",
        str(write_tones(out / "Tones")),
        "--no-check-counts",
        "--jobs",
        "1",
    ]
    words += ["--profile", "quick", "--device", "cpu", "--assume", "epochs=1", "--data", str(out / "data")]
    return words


def fnn_only(words, out, monkeypatch):
    """Return the command with FNN alone, five epochs and another results folder, and its run's files."""
    table = TABLES[3]
    cells = tuple(cell for cell in table.cells if cell.system.name == "FNN")
    monkeypatch.setitem(TABLES, 3, replace(table, cells=cells))
    words = ["epochs=5" if word == "epochs=1" else word for word in words] + ["--results", str(out)]
    folder = out / "Tones" / "table03" / "fnn"  # which has a checkpoint too where the machine is slow
    return words, lambda: [*folder.glob("*/failed.json"), *folder.glob("*/report.json")]


def test_a_run_that_diverges_is_shown_as_failed(command, tmp_path, monkeypatch, capsys):
    """It is tried again only with other versions, with other code, or without its failed.json."""
    words, paths = fnn_only(command, tmp_path, monkeypatch)
    requested = []

    def wild(net, settings, *rest, **more):
        requested.append(1)
        return trained(net, replace(settings, learning_rate=1e6), *rest, **more)

    trained = training.train
    monkeypatch.setattr(training, "train", wild)
    for again in range(2):
        assert main(words) == 0
        printed = capsys.readouterr()
        (path,) = paths()
        content = json.loads(path.read_text())
        assert (
            path.name == "failed.json" and "not finite" in content["fault"] and content["versions"]["mxnet"]
        )
        assert "| ours" not in printed.out and f"fold test, seed 0: {content['fault']}." in printed.out
        assert printed.out.count("failed ") >= 4 + 1 and f"{path.parent.name}/failed.json" in printed.out
        assert len(requested) == 1 and (f"see {path}; delete it to try again" in printed.err) == again
    monkeypatch.delitem(FIGURES, 3)  # the picture of a failed run has been drawn twice
    path.unlink()
    assert main(words) == 0 and len(requested) == 2
    monkeypatch.setattr(execution, "commit", lambda: "of mended code")
    state = path.parent / "CNN" / "checkpoint.json"  # of a peer's network
    state.parent.mkdir()
    state.touch()
    assert main(words) == 0 and len(requested) == 3 and not state.exists()
    assert json.loads(path.read_text())["commit"] == "of mended code"
    path.write_text(json.dumps(content))  # with the commit before; older versions stated none
    assert main(words) == 0 and len(requested) == 4
    del content["commit"]
    path.write_text(json.dumps(content))
    assert main(words) == 0 and len(requested) == 4
    monkeypatch.setattr(runtime, "versions", lambda: content["versions"] | {"mxnet": "2"})
    monkeypatch.setattr(training, "train", trained)
    assert main(words) == 0
    report = json.loads(path.with_name("report.json").read_text())
    assert not path.exists()
    compute = report["compute"]
    assert compute["wall_seconds"] == report["seconds"] and compute["cpu"] == report["versions"]["cpu"]
    assert compute["gpus"] == [] and compute["cpu_seconds"] > 0 and compute["peak_memory_gb"] > 0.05


def test_scores_that_are_not_finite_fail_a_run(command, tmp_path, monkeypatch, capsys):
    words, paths = fnn_only(command, tmp_path, monkeypatch)
    trained = execution.trained
    monkeypatch.setattr(execution, "trained", lambda *given: (trained(*given)[0], np.full((18, 3), np.nan)))
    assert main(words) == 0
    assert "scores are not finite" in capsys.readouterr().out
    assert [path.name for path in paths()] == ["failed.json"]
