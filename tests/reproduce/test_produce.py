"""Table 3 from a corpus folder to its Markdown, on a corpus so small that all six systems run."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from films import write_avi
from test_chains import write as write_chains
from tones import write_tones

from data_prep.base import files
from freqcnn_gluon import runtime
from freqcnn_gluon.training import cost
from freqcnn_gluon.training import loop as training
from reproduce.__main__ import main
from reproduce.corpora import prepare
from reproduce.runs import execute as runs
from reproduce.runs import schedule as produced
from reproduce.runs.provenance import commit
from reproduce.runs.run import Run
from reproduce.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("corpora") / "Tones")


@pytest.fixture(scope="module")
def command(corpus, tmp_path_factory):
    """The command line and its folder of results."""
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


def test_the_table_says_what_it_is(finished):
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


def test_damaged_reports_are_told_at_once_and_before_anything_is_run(
    finished, command, tmp_path, monkeypatch, capsys
):
    words = [str(tmp_path) if word == str(finished / "results") else word for word in command[0]]
    shutil.copytree(finished / "results", tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(runs, "_executed", lambda *_: pytest.fail("something was run"))
    paths = sorted(tmp_path.glob("Tones/table03/*/*/report.json"))
    damaged = [paths[0], paths[-1]]
    for path in damaged:
        path.write_text(path.read_text()[:-200])
    paths[1].unlink()
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "2 faults" in said and all(f"{path}: is damaged or of another version" in said for path in damaged)


def test_a_plan_counts_what_is_done(finished, command, monkeypatch, capsys):
    """... on anybody's corpus, whose clips it counts, and what is left with another seed."""
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
from reproduce.runs.schedule import run_all
from reproduce.tables import TABLES
root, out = map(Path, sys.argv[1:])
table = TABLES[3]
systems = [each for each in table.systems() if each.name in ("FNN", "i-Vector")]
options = Options({"ut_podcast": root}, "quick", device="cpu", jobs=2, check_counts=False,
                  assume=["epochs=2"], data=out / "data", results=out / "results")
train = training.train

def diverging(net, settings, *rest, **more):
    return train(net, replace(settings, learning_rate=1e30), *rest, **more)

@leave_on_error
def all_of_it():
    reports = run_all(table, systems, options)
    for _ in range(2):  # the second time it is all done, and what failed is not tried again
        reports = run_all(table, systems, options)
        training.train = diverging
        reports += run_all(table, systems[-1:], replace(options, assume=["epochs=3"]))
        training.train = None
    return reports

(out / os.environ["FREQCNN_WORKER"]).write_text("\\n".join(report.link for report in all_of_it()))
print(join().count)
"""


def test_workers_do_each_run_once_and_one_that_diverges_stops_none_of_them(corpus, tmp_path):
    words = [sys.executable, "-m", "freqcnn_gluon", "launch", "--hosts", "localhost,localhost", "--"]
    words += [sys.executable, "-c", TOGETHER, str(corpus), str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT, env=environment)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    ivector, network, failed = (tmp_path / "0").read_text().splitlines()
    reports = [
        json.loads((tmp_path / "results/Tones" / link).read_text()) for link in (ivector, network, failed)
    ]
    assert all(len(each["predictions"]) == 18 and each["metrics"]["confusion"] for each in reports[:2])
    assert reports[1]["settings"]["micro_batch"] == 8 and reports[1]["workers"] == 2  # half of 16
    assert failed.endswith("failed.json") and "the loss is not finite in epoch" in reports[2]["fault"]
    assert done.stderr.count("failed before and is not tried again") == 1
    assert done.stderr.count("runs go one at a time: JOBS is for preparing audio alone") == 1


def recorded(monkeypatch):
    """The runs that a command asks for, which are neither trained nor listed."""
    asked = []
    told = {"run": {"source": "Tones"}}
    monkeypatch.setattr(produced, "execute", lambda run, *rest: asked.append(run) or told)
    monkeypatch.setattr(
        "reproduce.commands.table._results",
        lambda table, options: produced.run_all(table, table.systems(), options) and "",
    )
    return asked


def test_other_choices_have_their_own_folders(finished, command, monkeypatch):
    asked = recorded(monkeypatch)
    monkeypatch.setattr(runtime, "_cpu_has", lambda flag: True)
    others = ["--seeds", "2"], ["--assume", "schedule=constant"], ["--assume", "floor_db=60"]
    for extra in ([], *others, ["--dtype", "bfloat16"]):
        main([*command[0], *extra])
    results = finished / "results"
    done = [(run.folder(results) / "report.json").exists() for run in asked]
    # how networks are trained is no setting of the i-vectors
    otherwise_trained = [True] + [False] * 6
    assert done == [True] * 7 + [True, False] * 7 + otherwise_trained + [False] * 7 + otherwise_trained
    assert len({run.folder(results) for run in asked}) == 7 + 7 + 6 + 7 + 6
    networks = [run for run in asked if run.system != "ivector"]
    assert {run.choices["training"]["epochs"] for run in networks} == {1}
    others = [run for run in networks if run.system != "table2"]
    assert all(run.choices["network"] == {} for run in others)  # their defaults are not the list's to change


def test_tables_share_what_they_have_in_common(command, monkeypatch):
    asked = recorded(monkeypatch)
    words = [word for word in command[0] if word != "3"]
    main([*words[:1], "3", "4", "5", *words[1:-2]])
    folders = [run.folder(command[1]).parts[-3:] for run in asked]
    assert len(asked) == 7 + 7 + 14 and len(set(folders)) == 28 - 1  # 'All BC'; 2 AC has Table 5's quick size
    by_row = {run.row: run for run in asked}
    assert by_row["Global and local frequency 8"].choices["network"]["segments"] == [8, 8, 8, 4, 2]
    assert by_row["time 3 AC spatial"].choices["network"]["attention"] == "spatial"
    asked.clear()
    words[words.index("quick")] = "paper"
    main([*words[:1], "3", "4", "5", *words[1:-2]])
    assert len({run.folder(command[1]) for run in asked}) == 28 - 2
    assert {(run.size, run.batch_size) for run in asked} == {(256, 48), (None, None)}


def test_folds_and_shared_runs_of_the_other_corpora(tmp_path, monkeypatch):
    asked, corpora = recorded(monkeypatch), []
    monkeypatch.setattr(produced, "prepare", lambda *given: corpora.append(prepare(*given)) or corpora[-1])
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
    assert len(asked) == 21 + 21 + 50 + 10
    folders = [run.folder(tmp_path).relative_to(tmp_path).parts for run in asked]
    assert len(set(folders)) == 21 + 18 + 50
    assert sum(note.startswith("fold ") and "(2 records)" in note for note in corpora[-1].notes) == 10
    assert [run.fold for run in asked[:4]] == ["1", "2", "3", "1"]
    assert {parts[0] for parts in folders} == {"Speakers", "Films"}
    assert folders[0][1:3] == folders[21][1:3] == ("table08", "freqcnn")
    assert {run.choices["data"].get("window") for run in asked[:42]} == {1.25}
    assert {tuple(run.choices["data"]) for run in asked[42:]} == {("folds_seed",)}
    pair = next(run for run in asked if run.row == "relu tanh")
    assert pair.choices["network"]["global_activation"] == "relu"
    assert pair.choices["network"]["local_activation"] == "tanh"


def fnn_only(words, out, monkeypatch):
    """The command with FNN alone, for five epochs, and other results; and where its run belongs."""
    table = TABLES[3]
    cells = tuple(cell for cell in table.cells if cell.system.name == "FNN")
    monkeypatch.setitem(TABLES, 3, replace(table, cells=cells))
    words = ["epochs=5" if word == "epochs=1" else word for word in words] + ["--results", str(out)]
    folder = out / "Tones" / "table03" / "fnn"  # which has a checkpoint too where the machine is slow
    return words, lambda: [*folder.glob("*/failed.json"), *folder.glob("*/report.json")]


def test_quick_results_of_the_papers_corpus_are_no_verdicts_and_in_a_folder_of_their_own(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("data_prep.corpora.ut_podcast.count_faults", lambda frame: [])  # as of the real one
    words, _ = fnn_only([word for word in command[0] if word != "--no-check-counts"], tmp_path, monkeypatch)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "**QUICK**" in said and "within" not in said and "outside" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["quick"]
    assert (command[1] / "data" / "paper" / "ut_podcast" / "manifest.csv").exists()
    asked = recorded(monkeypatch)
    words[words.index("quick")] = "paper"
    assert main(words) == 0
    assert {(run.source, run.profile, run.size) for run in asked} == {("paper", "paper", 256)}


def test_a_run_that_diverges_is_shown_as_failed(finished, command, tmp_path, monkeypatch, capsys):
    """... and not tried again, but under other versions, of other code, or without its record."""
    words, found = fnn_only(command[0], tmp_path, monkeypatch)
    asked = []

    def wild(net, settings, *rest, **more):
        asked.append(1)
        return trained(net, replace(settings, learning_rate=1e6), *rest, **more)

    trained = training.train
    monkeypatch.setattr(training, "train", wild)
    for again in range(2):
        assert main(words) == 0
        said = capsys.readouterr()
        (path,) = found()
        told = json.loads(path.read_text())
        assert path.name == "failed.json" and "not finite" in told["fault"] and told["versions"]["mxnet"]
        assert "| ours" not in said.out and f"fold test, seed 0: {told['fault']}." in said.out
        assert said.out.count("failed ") >= 4 + 1 and f"{path.parent.name}/failed.json" in said.out
        assert len(asked) == 1 and (f"see {path}; delete it to try again" in said.err) == again
    path.unlink()
    assert main(words) == 0 and len(asked) == 2
    monkeypatch.setattr(runs, "commit", lambda: "of mended code")
    assert main(words) == 0 and len(asked) == 3
    assert json.loads(path.read_text())["commit"] == "of mended code"
    path.write_text(json.dumps(told))  # of the code before; an older version left none of any
    assert main(words) == 0 and len(asked) == 4
    del told["commit"]
    path.write_text(json.dumps(told))
    assert main(words) == 0 and len(asked) == 4
    monkeypatch.setattr(runtime, "versions", lambda: told["versions"] | {"mxnet": "2"})
    monkeypatch.setattr(training, "train", trained)
    assert main(words) == 0
    assert path.with_name("report.json").exists() and not path.exists()


def test_scores_that_are_no_numbers_fail_a_peer_too(finished, command, tmp_path, monkeypatch, capsys):
    words, found = fnn_only(command[0], tmp_path, monkeypatch)
    trained = runs.trained
    monkeypatch.setattr(runs, "trained", lambda *given: (trained(*given)[0], np.full((18, 3), np.nan)))
    assert main(words) == 0
    assert "scores are not finite" in capsys.readouterr().out
    assert [path.name for path in found()] == ["failed.json"]


def test_a_run_that_another_process_has_is_left_for_the_end(finished, command, tmp_path, monkeypatch):
    """Nobody trains it twice: its report is there when its turn comes."""
    words, _ = command
    out, order = tmp_path / "results", []
    shutil.copytree(finished / "results", out)
    (report,) = out.glob("Tones/table03/fnn/*/report.json")
    aside = report.rename(tmp_path / "report.json")
    execute, lock = produced.execute, files._lock
    monkeypatch.setattr(
        produced,
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
    said = capsys.readouterr().out
    assert said.count("| identical | none ") == 2 and "Table 3, FNN, fold test, seed 0" in said
    report = out / "Tones" / links[1]
    told = json.loads(report.read_text())
    told["history"][0]["loss"] *= 1 + 1e-15
    report.write_text(json.dumps(told))
    assert main([*words, "--all"]) == 1
    assert f"{report}: different: history. No known" in capsys.readouterr().err
    told["run"]["data"] = "0" * 64
    report = Run(**told["run"]).folder(out) / "report.json"
    report.parent.mkdir()
    report.write_text(json.dumps(told))
    listed.write_text(json.dumps([report.relative_to(listed.parent).as_posix()]))
    assert main([*words, "--all"]) == 1
    assert f"{report}: different: data (fingerprint 000000000000 in the report" in capsys.readouterr().err


def test_wrong_counts_are_refused_with_the_remedy(corpus, command, capsys, tmp_path):
    words = [word for word in command[0] if word != "--no-check-counts"]
    assert main([*words, "--results", str(tmp_path / "results")]) == 1
    said = capsys.readouterr().err
    assert "449" in said and "CHECK_COUNTS=no" in said
    assert not (tmp_path / "results").exists()
