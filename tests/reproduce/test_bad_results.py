"""Reports that are cut, edited, swapped or of an older version raise Faults that name the file."""

import copy
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import report as made

from data_prep.base.faults import Faults
from reproduce.__main__ import main
from reproduce.cells import cells
from reproduce.corpora import Split
from reproduce.peers import features
from reproduce.runs.report import Report, as_json, done, read, reports_in
from reproduce.runs.run import Run
from reproduce.tables import TABLES
from reproduce.tables.comparison import compared_in

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
REPORTS = sorted(REFERENCE.glob("standin/table*/*/*/report.json"))
PEER = next(path for path in REPORTS if "table11/cnn-dbn" in path.as_posix())  # a small one
NETWORK = next(path for path in REPORTS if "table03/fnn" in path.as_posix())


def put(folder, reports, number=3):
    for item in reports:
        path = folder / item.link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(item.content))
    (folder / f"table{number:02}.json").write_text(json.dumps([item.link for item in reports]))


@pytest.mark.parametrize("path", [NETWORK, PEER, REPORTS[-1]])
def test_a_committed_report_belongs_to_its_run(path):
    content = read(path)
    run = Run(**content["run"])
    assert run.folder(REFERENCE) == path.parent and done(run, REFERENCE) == content


def leaves(content, place=()):
    """Yield the path of every entry of a report; of many clips and epochs only the first."""
    yield place
    if isinstance(content, dict):
        for name in list(content)[:14]:
            yield from leaves(content[name], (*place, name))
    if isinstance(content, list) and content:
        yield from leaves(content[0], (*place, 0))


def changed(content, place, change):
    content = copy.deepcopy(content)
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    change(inner, place[-1])
    return content


@pytest.mark.parametrize("path", [NETWORK, PEER])
def test_an_older_report_that_lacks_an_entry_raises_faults(path, tmp_path):
    content = read(path)
    run = Run(**content["run"])
    place = run.folder(tmp_path) / "report.json"
    place.parent.mkdir(parents=True)
    refused = 0
    for lacking in leaves(content):
        if not lacking or not isinstance(lacking[-1], str):
            continue
        place.write_text(json.dumps(changed(content, lacking, lambda inner, name: inner.pop(name))))
        try:
            loaded = done(run, tmp_path)
        except Faults as faults:
            refused += 1
            assert str(place) in str(faults)
        else:
            assert loaded["metrics"]["confusion"] == content["metrics"]["confusion"], lacking
            assert loaded["run"] == content["run"] and loaded["predictions"] == content["predictions"], (
                lacking
            )
    assert refused > 30


VALUES = st.none() | st.booleans() | st.integers(-2, 10**9) | st.floats() | st.text(max_size=3)
VALUES |= st.lists(VALUES, max_size=2) | st.dictionaries(st.text(max_size=2), VALUES, max_size=2)


@settings(max_examples=120)
@given(st.data())
def test_an_edited_report_raises_faults_or_agrees_with_its_predictions(tmp_path_factory, data):
    path = data.draw(st.sampled_from([NETWORK, PEER]))
    content = read(path)
    run = Run(**content["run"])
    place = run.folder(tmp_path_factory.mktemp("edited")) / "report.json"
    place.parent.mkdir(parents=True)
    where = data.draw(st.sampled_from([item for item in leaves(content) if item]))
    value = data.draw(VALUES)
    place.write_text(json.dumps(changed(content, where, lambda inner, name: inner.__setitem__(name, value))))
    try:
        loaded = done(run, place.parents[4])
    except Faults as faults:
        assert str(place) in str(faults)
        return
    assert loaded["run"] == content["run"]
    labels = loaded["labels"]
    counts = np.zeros((len(labels), len(labels)), int)
    for item in loaded["predictions"].values():
        counts[labels.index(item["true"]), labels.index(item["predicted"])] += 1
    assert loaded["metrics"]["confusion"] == counts.tolist()
    assert loaded["metrics"]["accuracy"] == pytest.approx(counts.trace() / counts.sum())


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_cut_or_garbled_report_raises_faults(tmp_path_factory, place, byte):
    content = bytearray(NETWORK.read_bytes())
    path = tmp_path_factory.mktemp("cut") / "report.json"
    path.write_bytes(content[: place % len(content)])
    with pytest.raises(Faults, match="report.json: is damaged or of another version"):
        read(path)
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        read(path)
    except Faults as faults:
        assert str(path) in str(faults)


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", '{"run": 3}', "[" * 100_000, "\ud800"])
def test_a_file_that_is_not_a_report_raises_faults(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(Faults, match="report.json: is damaged or of another version"):
        read(path)


def test_a_report_keeps_the_spaces_and_brackets_of_names():
    content = {"a  [ b": ["very  sad", "calm"], "n": [1, 2], "empty": [], "x": [["a [b  c]"], ["]", "\n "]]}
    assert json.loads(as_json(content)) == content
    assert '"n": [1, 2]' in as_json(content) and '["very  sad", "calm"]' in as_json(content)


def test_speakers_that_do_not_have_each_clip_once_raise_faults(tmp_path):
    content = made(speakers=4).content
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    assert read(path)["speakers"] == content["speakers"]
    first, second = content["speakers"]["s0"], content["speakers"]["s1"]
    for wrong in (first[1:], [*first, second[0]], [*first, "another"], 3):
        path.write_text(json.dumps(content | {"speakers": content["speakers"] | {"s0": wrong}}))
        with pytest.raises(Faults, match="report.json: is damaged or of another version"):
            read(path)


def test_a_report_in_another_runs_folder_raises_faults(tmp_path):
    run = Run(**read(NETWORK)["run"])
    other = run.folder(tmp_path) / "report.json"
    other.parent.mkdir(parents=True)
    other.write_bytes(REPORTS[0].read_bytes())
    with pytest.raises(Faults, match="report.json: does not belong to the run in its folder's name"):
        done(run, tmp_path)
    first, second = made(), made("CNN")
    put(tmp_path / "paper", [first, second])
    (tmp_path / "paper" / first.link).write_text(json.dumps(second.content))
    with pytest.raises(Faults, match=f"{first.link}: does not belong to the run"):
        reports_in(tmp_path / "paper", 3)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is damaged"),
        ("{}", "not a list of reports"),
        ("[]", "not a list of reports"),
        ("[3]", "not a list of reports"),
        ('["../standin/table03/x/report.json"]', "not a report below its folder"),
        ('["/etc/report.json"]', "not a report below its folder"),
        ('["table03/x/other.json"]', "not a report below its folder"),
        ('["table03/x/report.json"]', "table03/x/report.json: is missing"),
    ],
)
def test_a_faulty_list_of_reports_raises_faults(tmp_path, text, message, capsys):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "table03.json").write_text(text)
    with pytest.raises(Faults, match=message):
        reports_in(tmp_path / "paper", 3)
    assert main(["report", "--results", str(tmp_path), "--data", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {tmp_path}/paper/table03") and "Traceback" not in printed


def test_reports_of_several_tables_raise_faults(tmp_path):
    strange, other = made("Nobody"), made("CNN")
    other.content["run"]["data"] = "1" * 64
    link = Run(**other.content["run"]).folder(tmp_path).relative_to(tmp_path / "paper") / "report.json"
    put(tmp_path / "paper", [made(), strange, Report(link.as_posix(), other.content)])
    with pytest.raises(Faults) as faults:
        reports_in(tmp_path / "paper", 3)
    data, row = faults.value.faults
    assert "table03.json: its reports have more than one data" in data
    assert "Nobody is not a row of table 3" in row


def test_a_list_without_a_fold_raises_faults_and_a_repeated_report_counts_once(tmp_path):
    confusion = np.full((6, 6), 2) + np.diag([5] * 6)
    folds = [made(home=11, fold=fold, confusion=confusion.tolist()) for fold in TABLES[11].folds]
    put(tmp_path / "paper", folds[:-1], 11)
    with pytest.raises(Faults, match="table11.json: FreqCNN does not have one report for each fold and seed"):
        reports_in(tmp_path / "paper", 11)
    put(tmp_path / "paper", [*folds, folds[0]], 11)
    loaded = reports_in(tmp_path / "paper", 11)
    assert len(loaded) == 10 and cells(TABLES[11], loaded).equals(cells(TABLES[11], folds))


@pytest.mark.parametrize("content", ["{", "[]", '{"counts": [1]}', None])
def test_damaged_features_raise_faults(tmp_path, content):
    from types import SimpleNamespace

    import pandas as pd

    corpus = SimpleNamespace(
        split=Split(pd.DataFrame({"clip": ["a"]}), ()), store=SimpleNamespace(keys=list), folder=tmp_path
    )
    kind = features.Kind("kind", lambda samples, rate: None)
    digest = features.hashlib.sha256(json.dumps(["kind", 1, "a"]).encode()).hexdigest()[:8]
    folder = tmp_path / f"kind-{digest}"
    folder.mkdir()
    (folder / "about.json").write_text(content or '{"counts": [2], "shape": [3], "rate": 8000}')
    (folder / "values.f32").write_bytes(bytes(2 * 3 * 4 - (content is None)))
    with pytest.raises(Faults, match=f"{folder}: is damaged .* delete it, and it is computed again"):
        features.extract(kind, corpus)


def test_a_damaged_table_of_counts_raises_faults(tmp_path):
    for text in ("", "row,column\n1,2\n", 'row,column,paper,ours,verdict\n"1'):
        (tmp_path / "table01.csv").write_text(text)
        with pytest.raises(Faults, match="table01.csv"):
            compared_in(tmp_path, 1, TABLES[1].title)


def test_a_plan_names_every_damaged_report(tmp_path, capsys):
    for item in (made(), made("CNN")):
        path = tmp_path / "paper" / item.link
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(item.content)[:-9])
    from reproduce.commands.plan import _finished

    with pytest.raises(Faults) as faults:
        _finished(tmp_path)
    assert len(faults.value.faults) == 2 and all("is damaged" in item for item in faults.value.faults)


def test_a_failed_json_is_validated(tmp_path):
    failed = made(fault="the loss is not finite")
    path = tmp_path / "failed.json"
    path.write_text(json.dumps(failed.content))
    assert read(path)["fault"] == "the loss is not finite" and asdict(Run(**failed.content["run"]))
    for lacking in ("run", "fault", "labels", "versions", "device", "finished"):
        path.write_text(json.dumps({name: item for name, item in failed.content.items() if name != lacking}))
        with pytest.raises(Faults, match=f"failed.json: is damaged or of another version .*{lacking}"):
            read(path)
