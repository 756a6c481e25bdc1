"""Which reports are run again, and what is said of what came out."""

import copy
import json
from pathlib import Path

import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.training import loop as training
from reproduce.commands.verify import SAMPLE_SECONDS, compare, draw, markdown, verify
from reproduce.runs.report import Report
from reproduce.runs.run import Run

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture
def report():
    (path,) = REFERENCE.glob("standin/table03/fnn/*/report.json")
    return Report("table03/fnn/report.json", json.loads(path.read_text()))


def changed(report, *where, to):
    content = copy.deepcopy(report.content)
    inner = content
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = to
    return content


def test_the_sample_is_the_seeds_and_quick():
    first, again, other = (draw(REFERENCE, 5, seed) for seed in (0, 0, 1))
    assert [each.link for each in first] == [each.link for each in again] != [each.link for each in other]
    assert len({each.link for each in first}) == 5
    assert all(each.content["training_seconds"] <= SAMPLE_SECONDS for each in [*first, *other])
    everything = draw(REFERENCE, None, 0)
    assert len(everything) > len(draw(REFERENCE, 10_000, 0)) > 50
    assert len({each.link for each in everything}) == len(everything)  # tables share runs
    with pytest.raises(Faults, match="has no reports"):
        draw(REFERENCE / "network", 5, 0)


def test_times_do_not_matter_and_all_else_does(report):
    later = changed(report, "history", 0, "seconds", to=99.0) | {"finished": "later", "seconds": 3.0}
    assert str(compare(report, later)) == "identical" and not compare(report, later).fault
    clip = next(iter(report.content["predictions"]))
    for where, to in (
        (("history", 6, "loss"), 0.1),
        (("metrics", "uar"), 0.1),
        (("predictions", clip, "probability"), [0.2, 0.3, 0.5]),
        (("parameters",), 1),
    ):
        found = compare(report, changed(report, *where, to=to))
        assert found.differences == [where[0]] and found.fault


def test_a_report_of_before_dtypes_were_stated_is_of_float32(report):
    assert "dtype" not in report.content["settings"]
    assert not compare(report, changed(report, "settings", "dtype", to="float32")).fault
    assert compare(report, changed(report, "settings", "dtype", to="bfloat16")).differences == ["settings"]


def test_another_environment_is_told_instead(report):
    clip = next(iter(report.content["predictions"]))
    other = changed(report, "versions", "threads", to=4)
    assert not compare(report, other).differences
    other["versions"]["instructions"] = "avx"
    before = other["predictions"][clip]["probability"]
    other["predictions"][clip] |= {"probability": [before[0] + 0.25, *before[1:]], "predicted": "no"}
    found = compare(report, other)
    assert not found.fault
    assert found.environment == ["threads: 2 in the report, 4 here"] and found.unknown == ["instructions"]
    assert "other predicted class: 1 of 330 clips; largest difference of a probability: 0.25" in str(found)
    assert "threads: 2 in the report, 4 here; unknown: instructions |" in markdown([found])


def test_what_an_older_report_does_not_state_is_told_and_excuses_nothing(report):
    other = changed(report, "history", 0, "loss", to=0.5)
    other["versions"]["instructions"] = "avx"
    found = compare(report, other)
    assert found.fault and not found.environment
    assert found.circumstances == "unknown: instructions"


def test_a_run_that_fails_now_is_a_fault(report):
    kept = {name: report.content[name] for name in ("run", "labels", "versions", "device")}
    found = compare(report, kept | {"fault": "the loss is not finite"})
    assert found.fault and "the loss is not finite" in str(found)


def test_results_on_a_corpus_need_it(report, tmp_path):
    content = changed(report, "run", "source", to="quick")
    folder = Run(**content["run"]).folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(content))
    link = (folder / "report.json").relative_to(tmp_path / "quick").as_posix()
    (tmp_path / "quick" / "table03.json").write_text(json.dumps([link]))
    with pytest.raises(Faults, match="give the corpus's folder with --ut-podcast"):
        list(verify(tmp_path, {}, tmp_path / "data"))


def test_no_committed_epoch_has_a_place_within_it():
    """So that its draws are those of its beginning alone, as they were when it was made."""
    for report in draw(REFERENCE, None, 0):
        run = report.content["run"]
        if run["size"]:
            batches = report.content["clips"]["train"] // run["batch_size"] + 1  # with what was left over
            assert batches <= training.PLACE // (run["batch_size"] * run["size"] ** 3)
