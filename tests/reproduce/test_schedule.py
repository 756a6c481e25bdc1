"""The runs of Table 3, from a corpus folder to its Markdown, on a corpus small enough for all systems."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from films import write_avi
from test_chains import write as write_chains
from test_execute import fnn_only
from tones import write_tones

from data_prep.base import files
from freqcnn_gluon import runtime
from freqcnn_gluon.training import cost
from reproduce.__main__ import main
from reproduce.corpora import prepare
from reproduce.runs import execute as execution
from reproduce.runs import schedule
from reproduce.runs.provenance import commit
from reproduce.runs.resolve import resolve
from reproduce.runs.run import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("corpora") / "Tones")


@pytest.fixture(scope="module")
def command(corpus, tmp_path_factory):
    """Return the command line and the folder of its data and results."""
    out = tmp_path_factory.mktemp("out")
    words = [
        "table",
        "3",
        "--ut-podcast",
        str(corpus),
        "--no-check-counts",
        "--profile",
        "quick",
        "--device",
        "cpu",
    ]
    words += [
        "--assume",
        "epochs=1",
        "--data",
        str(out / "data"),
        "--results",
        str(out / "results"),
        "--jobs",
        "1",
    ]
    return words, out


@pytest.fixture(scope="module")
def finished(command):
    words, out = command
    assert main(words) == 0
    return out


def test_every_system_has_a_report(finished, command):
    reports = sorted((finished / "results" / "Tones" / "table03").glob("*/*/report.json"))
    names = ["alexnet", "cnn", "fnn", "freqcnn", "i-vector", "resnet-18", "vgg-11"]
    assert [path.parts[-3] for path in reports] == names
    for path in reports:
        report = json.loads(path.read_text())
        network = report["run"]["system"] != "ivector"
        assert report["run"]["source"] == "Tones" and len(report["history"]) == network
        assert report["commit"] == commit()
        assert report["clips"] == {"train": 24 if network else 18, "test": 18}  # UK twice
        confusion = pd.DataFrame(report["predictions"]).T
        again = pd.crosstab(confusion["true"], confusion["predicted"]).reindex(
            index=report["labels"], columns=report["labels"], fill_value=0
        )
        assert again.to_numpy().tolist() == report["metrics"]["confusion"]
        assert all(
            sum(line["probability"]) == pytest.approx(1, abs=1e-4) for line in report["predictions"].values()
        )
        assert (path.parent / "model.safetensors").exists() == network
        assert report["versions"]["mxnet"].startswith("1.9")


def test_the_table_states_its_source_and_settings(finished):
    text = (finished / "results" / "Tones" / "table03.md").read_text()
    assert "NOT THE PAPER'S CORPUS" in text and "within" not in text
    frame = pd.read_csv(finished / "results" / "Tones" / "table03.csv")
    assert len(frame) == 28 and frame["ours"].notna().all()


def test_a_second_run_trains_nothing_and_prints_the_same(finished, command, monkeypatch, capsys):
    def fail(*arguments, **keywords):
        raise AssertionError("trained again")

    monkeypatch.setattr("freqcnn_gluon.training.loop.train", fail)
    assert main(command[0]) == 0
    assert capsys.readouterr().out.rstrip("\n") == (finished / "results/Tones/table03.md").read_text().rstrip(
        "\n"
    )


def test_damaged_reports_are_all_named_before_anything_is_run(
    finished, command, tmp_path, monkeypatch, capsys
):
    words = [str(tmp_path) if word == str(finished / "results") else word for word in command[0]]
    shutil.copytree(finished / "results", tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(execution, "_executed", lambda *_: pytest.fail("something was run"))
    paths = sorted(tmp_path.glob("Tones/table03/*/*/report.json"))
    damaged = [paths[0], paths[-1]]
    for path in damaged:
        path.write_text(path.read_text()[:-200])
    paths[1].unlink()
    assert main(words) == 1
    printed = capsys.readouterr().err
    assert "2 faults" in printed and all(
        f"{path}: is damaged or of another version" in printed for path in damaged
    )


def test_a_plan_counts_finished_runs(finished, command, monkeypatch, capsys):
    """It counts the clips of an own corpus, and the runs that another seed adds."""
    monkeypatch.setattr(cost, "seconds", lambda *given: cost.Seconds(3600, 0, 0))
    _, *words = command[0]
    for seeds, hours in (("1", 0), ("2", 6 * 24)):  # six networks, one epoch, 24 clips with UK's twice
        assert main(["plan", *words, "--seeds", seeds]) == 0
        row = [cell.strip() for cell in capsys.readouterr().out.splitlines()[4].split("|")]
        assert row[1:5] == ["3", str(7 * int(seeds)), "7", f"{hours:.1f}"]


TOGETHER = """
import os, sys
from dataclasses import replace
from pathlib import Path
from freqcnn_gluon.training import loop as training
from freqcnn_gluon.training.workers import join, leave_on_error
from reproduce.options import Options
from reproduce.runs.resolve import resolve
from reproduce.runs.schedule import run_all
from reproduce.tables import TABLES
root, out = map(Path, sys.argv[1:])
table = TABLES[3]
systems = [system for system in table.systems() if system.name in ("FNN", "i-Vector")]
options = Options({"ut_podcast": root}, "quick", device="cpu", jobs=2, check_counts=False,
                  assume=["epochs=2"], data=out / "data", results=out / "results")
train = training.train

def diverging(net, settings, *rest, **more):
    return train(net, replace(settings, learning_rate=1e30), *rest, **more)

@leave_on_error
def all_of_it():
    reports = run_all(resolve(table, options), systems)
    for _ in range(2):  # the second time it is all done, and what failed is not tried again
        reports = run_all(resolve(table, options), systems)
        training.train = diverging
        reports += run_all(resolve(table, replace(options, assume=["epochs=3"])), systems[-1:])
        training.train = None
    return reports

(out / os.environ["FREQCNN_WORKER"]).write_text("\\n".join(report.link for report in all_of_it()))
print(join().count)
"""


def test_workers_do_each_run_once_and_a_diverging_run_stops_none_of_them(corpus, tmp_path):
    words = [sys.executable, "-m", "freqcnn_gluon", "launch", "--hosts", "localhost,localhost", "--"]
    words += [sys.executable, "-c", TOGETHER, str(corpus), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    ivector, network, failed = (tmp_path / "0").read_text().splitlines()
    reports = [
        json.loads((tmp_path / "results/Tones" / link).read_text()) for link in (ivector, network, failed)
    ]
    assert all(len(item["predictions"]) == 18 and item["metrics"]["confusion"] for item in reports[:2])
    assert reports[1]["settings"]["micro_batch"] == 8 and reports[1]["workers"] == 2  # half of 16
    # The loss or the predictions: oneDNN's relu treats NaN differently with and without AVX-512.
    assert failed.endswith("failed.json") and "not finite" in reports[2]["fault"]
    assert done.stderr.count("failed before and is not tried again") == 1
    assert done.stderr.count("runs are executed one at a time, so JOBS is used for preparing audio only") == 1


def recorded(monkeypatch):
    """Record the runs that a command requests, without training or listing them."""
    requested = []
    content = {"run": {"source": "Tones"}}
    monkeypatch.setattr(schedule, "execute", lambda run, *rest: requested.append(run) or content)
    monkeypatch.setattr(
        "reproduce.commands.table._make",
        lambda table, options: schedule.run_all(resolve(table, options), table.systems()) and "",
    )
    return requested


def test_other_choices_have_their_own_folders(finished, command, monkeypatch):
    requested = recorded(monkeypatch)
    monkeypatch.setattr(runtime, "_cpu_has", lambda flag: True)
    others = ["--seeds", "2"], ["--assume", "schedule=constant"], ["--assume", "floor_db=60"]
    for extra in ([], *others, ["--dtype", "bfloat16"]):
        main([*command[0], *extra])
    results = finished / "results"
    done = [(run.folder(results) / "report.json").exists() for run in requested]
    # the i-vectors have no training settings
    otherwise_trained = [True] + [False] * 6
    assert done == [True] * 7 + [True, False] * 7 + otherwise_trained + [False] * 7 + otherwise_trained
    assert len({run.folder(results) for run in requested}) == 7 + 7 + 6 + 7 + 6
    networks = [run for run in requested if run.system != "ivector"]
    assert {run.choices["training"]["epochs"] for run in networks} == {1}
    others = [run for run in networks if run.system != "table2"]
    # Their defaults are not the list's to change; they take the same images.
    assert all(run.choices["network"] == {"rendering": "grey"} for run in others)


def test_tables_share_what_they_have_in_common(command, monkeypatch):
    requested = recorded(monkeypatch)
    words = [word for word in command[0] if word != "3"]
    main([*words[:1], "3", "4", "5", *words[1:-2]])
    folders = [run.folder(command[1]).parts[-3:] for run in requested]
    assert len(requested) == 7 + 7 + 14 and len(set(folders)) == 28 - 2  # 'All BC'; 2 AC, with equal epochs
    by_row = {run.row: run for run in requested}
    assert by_row["Global and local frequency 8"].choices["network"]["segments"] == [8, 8, 8, 4, 2]
    assert by_row["time 3 AC spatial"].choices["network"]["attention"] == "spatial"
    requested.clear()
    words[words.index("quick")] = "paper"
    main([*words[:1], "3", "4", "5", *words[1:-2]])
    assert len({run.folder(command[1]) for run in requested}) == 28 - 2
    assert {(run.size, run.batch_size) for run in requested} == {(256, 48), (None, None)}


def test_folds_and_shared_runs_of_the_other_corpora(tmp_path, monkeypatch):
    requested, corpora = recorded(monkeypatch), []
    monkeypatch.setattr(schedule, "prepare", lambda *given: corpora.append(prepare(*given)) or corpora[-1])
    speakers, films = tmp_path / "Speakers", tmp_path / "Films"
    write_chains(speakers, {"f01": 2.5, "f03": 2.5, "s01": 1.0})
    for subject in range(1, 11):
        for emotion in ("anger", "fear"):
            noise = np.random.default_rng([subject, len(emotion)]).integers(-9000, 9000, (9600, 2))
            write_avi(
                speakers.parent / f"Films/subject {subject}/{emotion}/sentence 1/s.avi", noise.astype("i2")
            )
    words = ["table", "8", "9", "11", "12", "--chains", str(speakers), "--enterface", str(films)]
    words += ["--no-check-counts", "--profile", "quick", "--device", "cpu", "--jobs", "1"]
    words += ["--assume", "window=1.25", "--data", str(tmp_path / "d"), "--results", str(tmp_path / "r")]
    assert main(words) == 0
    assert len(requested) == 21 + 21 + 50 + 10
    folders = [run.folder(tmp_path).relative_to(tmp_path).parts for run in requested]
    assert len(set(folders)) == 21 + 18 + 50  # Table 9's sigmoid/sigmoid is Table 8's FreqCNN
    assert sum(note.startswith("fold ") and "(2 records)" in note for note in corpora[-1].split.notes) == 10
    assert [run.fold for run in requested[:4]] == ["1", "2", "3", "1"]
    assert {parts[0] for parts in folders} == {"Speakers", "Films"}
    assert folders[0][1:3] == folders[21][1:3] == ("table08", "freqcnn")
    assert {run.choices["data"].get("window") for run in requested[:42]} == {1.25}
    assert {tuple(run.choices["data"]) for run in requested[42:]} == {("folds_seed",)}
    pair = next(run for run in requested if run.row == "relu tanh")
    assert pair.choices["network"]["global_activation"] == "relu"
    assert pair.choices["network"]["local_activation"] == "tanh"


def test_quick_results_of_the_papers_corpus_have_no_verdicts_and_their_own_folder(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("data_prep.corpora.ut_podcast.count_faults", lambda frame: [])  # as of the real one
    words, _ = fnn_only([word for word in command[0] if word != "--no-check-counts"], tmp_path, monkeypatch)
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "**QUICK**" in printed and "within" not in printed and "outside" not in printed
    assert [path.name for path in tmp_path.iterdir()] == ["quick"]
    assert (command[1] / "data" / "paper" / "ut_podcast" / "manifest.csv").exists()
    requested = recorded(monkeypatch)
    words[words.index("quick")] = "paper"
    assert main(words) == 0
    assert {(run.source, run.profile, run.size) for run in requested} == {("paper", "paper", 256)}


def test_a_run_that_another_process_has_is_postponed(finished, command, tmp_path, monkeypatch):
    """It is not trained twice: its report exists when its turn comes."""
    words, _ = command
    out, order = tmp_path / "results", []
    shutil.copytree(finished / "results", out)
    (report,) = out.glob("Tones/table03/fnn/*/report.json")
    aside = report.rename(tmp_path / "report.json")
    execute, lock = schedule.execute, files._lock
    monkeypatch.setattr(
        schedule,
        "execute",
        lambda run, *rest: order.append((run.row, rest[-1])) or execute(run, *rest),
    )

    def held(file):  # by a process that ends when it is waited for
        return lock(file) and Path(file.name).parent != report.parent

    def flock(file, how):
        if how == files.fcntl.LOCK_EX:
            aside.rename(report)

    monkeypatch.setattr(files, "_lock", held)
    monkeypatch.setattr(files.fcntl, "flock", flock)
    monkeypatch.setattr("freqcnn_gluon.training.loop.train", None)
    assert main([*words, "--results", str(out)]) == 0
    assert len(order) == 8 and order[-1] == ("FNN", True) and ("FNN", False) in order[:7]


def test_results_are_verified_by_running_them_again(finished, corpus, tmp_path, capsys):
    out = tmp_path / "results"
    shutil.copytree(finished / "results" / "Tones", out / "Tones")
    listed = out / "Tones" / "table03.json"
    links = [link for link in json.loads(listed.read_text()) if "/fnn/" in link or "/i-vector/" in link]
    listed.write_text(json.dumps(links))
    words = ["verify", "--results", str(out), "--data", str(finished / "data"), "--jobs", "1"]
    words += ["--ut-podcast", str(corpus)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.count("| identical | none ") == 2 and "Table 3, FNN, fold test, seed 0" in printed
    report = out / "Tones" / links[1]
    content = json.loads(report.read_text())
    content["history"][0]["loss"] *= 1 + 1e-15
    report.write_text(json.dumps(content))
    assert main([*words, "--all"]) == 1
    assert f"{report}: different: history. No known" in capsys.readouterr().err
    content["run"]["data"] = "0" * 64
    report = Run(**content["run"]).folder(out) / "report.json"
    report.parent.mkdir()
    report.write_text(json.dumps(content))
    listed.write_text(json.dumps([report.relative_to(listed.parent).as_posix()]))
    assert main([*words, "--all"]) == 1
    assert f"{report}: different: data (fingerprint 000000000000 in the report" in capsys.readouterr().err


def test_wrong_counts_are_refused_with_the_remedy(corpus, command, capsys, tmp_path):
    words = [word for word in command[0] if word != "--no-check-counts"]
    assert main([*words, "--results", str(tmp_path / "results")]) == 1
    printed = capsys.readouterr().err
    assert "449" in printed and "CHECK_COUNTS=no" in printed
    assert not (tmp_path / "results").exists()
