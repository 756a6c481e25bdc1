"""FreqCNN's variants in a comparison, and the paper's claims on anybody's recordings."""

import json

import mxnet as mx
import numpy as np
import pytest
from made import report
from scipy import stats
from sklearn.metrics import recall_score
from test_compare import SMALL, write

from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.zoo import build
from reproduce.__main__ import main
from reproduce.claims import FAILED, HOLDS, REFUTED, UNKNOWN, on_recordings
from reproduce.commands.reference import fill_marks
from reproduce.options import COMPARE, OWN, SYSTEMS, VARIANTS, Comparison, Options
from reproduce.render.claims import RULE_ON_RECORDINGS
from reproduce.render.table import markdown
from reproduce.runs.report import table_of
from reproduce.runs.resolve import resolve, runs_of
from reproduce.tables.compare import comparison, system

PAIRS = {  # first and second row -> the paper's tables
    ("FreqCNN-plain", "FreqCNN-global"): (4,),
    ("FreqCNN", "FreqCNN-time"): (5,),
    ("FreqCNN", "FreqCNN-plain"): (5,),
    ("FreqCNN", "ResNet-18"): (3, 8),
    ("FreqCNN", "SVM"): (11,),
}


def right(counts):
    """Return a confusion matrix of three classes of 20 clips with these counts of correct ones."""
    matrix = np.diag(counts)
    matrix[np.arange(3), (np.arange(3) + 1) % 3] = 20 - np.array(counts)
    return matrix


def made(rows, **options):
    """Make the reports of a comparison: row -> for each seed, the correct clips of each class."""
    return [
        report(row, "talk", right(counts), seed, COMPARE, fold="1", **options)
        for row, seeds in rows.items()
        for seed, counts in enumerate(seeds)
    ]


def judged(reports):
    return on_recordings(table_of(COMPARE, reports), reports)


def uar(item):
    answers = item.content["predictions"].values()
    true, predicted = ([answer[name] for answer in answers] for name in ("true", "predicted"))
    return 100 * recall_score(true, predicted, average="macro")


@pytest.mark.parametrize("architecture", ["table2", "table7", "table10"])
def test_each_variant_is_the_architecture_with_one_part_changed(architecture):
    names = ["freqcnn", *VARIANTS]
    table = comparison(
        [system(name, architecture) for name in names], ["1"], {"hold_out": "clip"}, architecture
    )
    job = resolve(table, Options({}, profile=OWN))
    nets = {}
    for name, run in zip(names, runs_of(job, table.systems(), "talk", "0" * 64)):
        net = nets[name] = build(run.system, 3, 64, **run.choices["network"])
        net.initialize(mx.init.Xavier())
        assert net(mx.nd.zeros((2, 1, 64, 64))).shape == (2, 3)
    blocks = {name: net.stages[::2] for name, net in nets.items()}
    attended = {name: [isinstance(block, AttentionBlock) for block in of] for name, of in blocks.items()}
    paths = {name: [len(block.local or ()) for block in of] for name, of in blocks.items()}
    axes = {name: {block._axis for block in of} for name, of in blocks.items()}
    assert attended["freqcnn"] == attended["freqcnn-time"] == [False] * 3 + [True] * 2
    assert attended["freqcnn-plain"] == attended["freqcnn-global"] == [False] * 5
    assert paths == {name: [0 if name == "freqcnn-global" else 2] * 5 for name in names}
    assert axes == {name: {3 if name == "freqcnn-time" else 2} for name in names}


def test_variants_are_trained_when_they_are_named(tmp_path, capsys):
    speech = write(tmp_path / "talk", speakers=2, each=2)
    words = ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"), "--folds", "2"]
    assert main(["compare", str(speech), *SMALL, *words, "--systems", *reversed(VARIANTS), "freqcnn"]) == 0
    folder = tmp_path / "results" / "talk"
    reports = [
        json.loads((folder / link).read_text()) for link in json.loads((folder / "compare.json").read_text())
    ]
    parts = {content["run"]["row"]: content["run"]["choices"]["network"] for content in reports}
    assert list(parts) == ["FreqCNN", *(row for row, _ in VARIANTS.values())]
    shared = parts.pop("FreqCNN")
    assert {row: dict(network.items() - shared.items()) for row, network in parts.items()} == {
        "FreqCNN-plain": {"attention_blocks": 0},
        "FreqCNN-global": {"attention_blocks": 0, "segments": 0},
        "FreqCNN-time": {"axis": "time"},
    }
    page = capsys.readouterr().out
    assert page.count("| cannot be told (1 seed) |") == 3 and RULE_ON_RECORDINGS in page
    assert page.count("| Attention helps: FreqCNN above FreqCNN-plain. ") == 1
    assert set(Comparison().systems) == set(SYSTEMS)
    assert main(["report", *words[:4]]) == 0
    html = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "The paper’s claims on these recordings" in html and html.count("cannot be told (1 seed)") == 3


def test_a_claim_is_judged_on_the_differences_between_the_seeds():
    random = np.random.default_rng(0)
    rows = {
        name: random.integers(5, 16, (4, 3)) for name in sorted({name for pair in PAIRS for name in pair})
    }
    rows["FreqCNN"] += 4
    rows["FreqCNN-time"] -= 4
    rows["SVM"] = np.array([[20, 20, 20]] * 4)
    reports = made(rows)
    frame = judged(reports)
    assert dict(zip(zip(frame["first"], frame["second"]), frame["tables"])) == PAIRS
    rates = {row: [uar(item) for item in reports if item.content["run"]["row"] == row] for row in rows}
    for line in frame.itertuples():
        differences = np.subtract(rates[line.first], rates[line.second])
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert (line.difference, line.low, line.high) == pytest.approx((differences.mean(), low, high))
        assert line.seeds == 4 and line.result == (HOLDS if low > 0 else REFUTED if high < 0 else UNKNOWN)
    assert {HOLDS, REFUTED, UNKNOWN} == set(frame["result"])
    page = markdown(table_of(COMPARE, reports), reports)
    line = frame.set_index("second").loc["SVM"]
    shown = (
        f"{line['difference']:+.2f} ",
        f" {line['low']:+.2f} to {line['high']:+.2f} ",
        " 4 ",
        " does not hold ",
    )
    (text,) = (text for text in page.splitlines() if text.startswith("| FreqCNN is above SVM. "))
    assert all(cell in text for cell in shown) and "| 11 " in text
    assert "| 3 and 8 " in page


def test_too_few_seeds_and_failed_runs_have_no_answer():
    rows = {"FreqCNN": [[20, 19, 18]] * 3, "FreqCNN-plain": [[15, 14, 13]] * 2, "ResNet-18": [[5, 5, 6]] * 3}
    reports = made(rows) + made({"SVM": [[9, 9, 9]] * 3}, fault="it cannot be trained")
    frame = judged(reports).set_index("second")
    assert frame["result"].to_dict() == {"FreqCNN-plain": UNKNOWN, "ResNet-18": HOLDS, "SVM": FAILED}
    assert frame.loc["FreqCNN-plain", ["seeds", "difference"]].tolist() == [2, pytest.approx(25)]
    assert np.isnan(frame.loc["FreqCNN-plain", "low"]) and np.isnan(frame.loc["SVM", "difference"])
    assert "| cannot be told (2 seeds) " in markdown(table_of(COMPARE, reports), reports)
    assert judged(made({"ResNet-18": [[5, 5, 6]] * 3, "SVM": [[5, 5, 6]] * 3})).empty


def test_a_document_shows_the_claims_that_have_enough_seeds(tmp_path):
    rows = {"FreqCNN": [[20, 19, 18]] * 3, "FreqCNN-plain": [[15, 14, 13]] * 2, "ResNet-18": [[5, 5, 6]] * 3}
    folder = tmp_path / "results" / "talk"
    for item in (reports := made(rows)):
        (folder / item.link).parent.mkdir(parents=True)
        (folder / item.link).write_text(json.dumps(item.content))
    for links, shown in ((reports, True), ([item for item in reports if "-s0-" in item.link], False)):
        (folder / "compare.json").write_text(json.dumps([item.link for item in links]))
        text = fill_marks("<!-- compare from results/talk -->\n<!-- end -->", tmp_path)
        assert ("FreqCNN is above ResNet-18." in text and RULE_ON_RECORDINGS in text) is shown
        assert "Attention helps" not in text and text.endswith("\n<!-- end -->")
        assert fill_marks(text, tmp_path) == text
