"""The draw of reports to rerun, and the comparison of a report with its new run."""

import copy
import functools
import json
from pathlib import Path

import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.training import loop as training
from reproduce.commands import verify as module
from reproduce.commands.verify import SAMPLE_SECONDS, compare, draw, markdown, verify
from reproduce.runs.report import Report
from reproduce.runs.run import Run

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module", autouse=True)
def tables_read_once():
    """Read the reports of a committed table once for all tests, which leave them as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "reports_in", functools.cache(module.reports_in))
        yield


@pytest.fixture
def report():
    """Return a committed report without what the first reports did not state, of a run with two threads."""
    (path,) = REFERENCE.glob("standin/table03/fnn/*/report.json")
    content = json.loads(path.read_text())
    del content["settings"]["dtype"], content["versions"]["instructions"]
    content["versions"]["threads"] = 2
    return Report("table03/fnn/report.json", content)


def changed(report, *where, to):
    content = copy.deepcopy(report.content)
    inner = content
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = to
    return content


def test_the_sample_depends_on_the_seed_and_has_short_runs():
    first, again, other = (draw(REFERENCE, 5, seed) for seed in (0, 0, 1))
    assert [one.link for one in first] == [one.link for one in again] != [one.link for one in other]
    assert len({one.link for one in first}) == 5
    assert all(one.content["training_seconds"] <= SAMPLE_SECONDS for one in [*first, *other])
    everything = draw(REFERENCE, None, 0)
    assert len(everything) > len(draw(REFERENCE, 10_000, 0)) > 50
    assert len({one.link for one in everything}) == len(everything)  # tables share runs
    with pytest.raises(Faults, match="has no reports"):
        draw(REFERENCE / "network", 5, 0)


def test_only_times_may_differ(report):
    later = changed(report, "history", 0, "seconds", to=99.0) | {"finished": "later", "seconds": 3.0}
    assert str(compare(report, later)) == "identical" and not compare(report, later).fault
    clip = next(iter(report.content["predictions"]))
    for where, to in (
        (("history", 6, "loss"), 0.1),
        (("metrics", "uar"), 0.1),
        (("predictions", clip, "probability"), [0.2, 0.3, 0.5]),
        (("parameters",), 1),
    ):
        verified = compare(report, changed(report, *where, to=to))
        assert verified.differences == [where[0]] and verified.fault


def test_a_report_from_before_dtypes_were_stated_has_float32(report):
    assert "dtype" not in report.content["settings"]
    assert not compare(report, changed(report, "settings", "dtype", to="float32")).fault
    assert compare(report, changed(report, "settings", "dtype", to="bfloat16")).differences == ["settings"]


def test_a_report_with_an_earlier_choice_is_not_rerun(report, monkeypatch, tmp_path):
    older = Report("table08/freqcnn/report.json", changed(report, "run", "choices", "network", to={}))
    older.content["run"]["choices"]["network"] = {"batchnorm": "section", "gamma": 0.1}
    monkeypatch.setattr(module, "draw", lambda *_: [older])
    monkeypatch.setattr(module, "execute", lambda *_: pytest.fail("it was run"))
    (verified,) = verify(tmp_path, {}, tmp_path)
    assert str(verified) == "made with an earlier choice (batchnorm=section): cannot be rerun"
    assert not verified.fault and str(verified) in markdown([verified])


def test_another_environment_is_reported_instead(report):
    clip = next(iter(report.content["predictions"]))
    other = changed(report, "versions", "threads", to=4)
    assert not compare(report, other).differences
    other["versions"]["instructions"] = "avx"
    before = other["predictions"][clip]["probability"]
    other["predictions"][clip] |= {"probability": [before[0] + 0.25, *before[1:]], "predicted": "no"}
    verified = compare(report, other)
    assert not verified.fault
    assert verified.environment == ["threads: 2 in the report, 4 here"]
    assert verified.unknown == ["instructions"]
    assert "predicted class changed: 1 of 330 clips; largest change of a probability: 0.25" in str(verified)
    assert "threads: 2 in the report, 4 here; unknown: instructions |" in markdown([verified])


def test_an_unknown_environment_does_not_excuse_a_difference(report):
    other = changed(report, "history", 0, "loss", to=0.5)
    other["versions"]["instructions"] = "avx"
    verified = compare(report, other)
    assert verified.fault and not verified.environment
    assert verified.circumstances == "unknown: instructions"


def test_a_run_that_fails_now_is_a_fault(report):
    kept = {name: report.content[name] for name in ("run", "labels", "versions", "device")}
    verified = compare(report, kept | {"fault": "the loss is not finite"})
    assert verified.fault and "the loss is not finite" in str(verified)


def test_results_on_a_corpus_need_its_folder(report, tmp_path):
    content = changed(report, "run", "source", to="quick")
    folder = Run(**content["run"]).folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(content))
    link = (folder / "report.json").relative_to(tmp_path / "quick").as_posix()
    (tmp_path / "quick" / "table03.json").write_text(json.dumps([link]))
    with pytest.raises(Faults, match="give the corpus's folder with --ut-podcast"):
        list(verify(tmp_path, {}, tmp_path / "data"))


def test_no_committed_run_could_resume_within_an_epoch():
    """So the seed at the start of an epoch determines all of its draws, as when the report was written."""
    for report in draw(REFERENCE, None, 0):
        run = report.content["run"]
        if run["size"]:
            batches = (
                report.content["clips"]["train"] // run["batch_size"] + 1
            )  # with the samples left over from the epoch before
            assert batches <= training.PLACE // (run["batch_size"] * run["size"] ** 3)
