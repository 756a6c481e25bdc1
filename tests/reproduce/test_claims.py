"""The paper's claims on our numbers: the rule over seeds, the cells behind a claim, and what is written."""

import random
from itertools import product

import numpy as np
import pandas as pd
import pytest
from made import report as made
from scipy import stats

from data_prep.base.faults import Faults
from reproduce import claims as rule
from reproduce.claims import (
    FAILED,
    HOLDS,
    NOT_COMPARED,
    NOT_RUN,
    REFUTED,
    UNKNOWN,
    cell_of,
    every_claim,
    judge,
)
from reproduce.commands import claims as command
from reproduce.paper import checks
from reproduce.paper.claim import NOT_BELOW, cell_at, examined, printed_values
from reproduce.paper.claims import CLAIMS, quoted
from reproduce.paper.exact import printed
from reproduce.paper.published import published, sentences
from reproduce.render.claims import left_out, write
from reproduce.runs.report import Report
from reproduce.tables import TABLES, TRAINED, table03, table04, table05, table08, table09, table11

CLIPS = 10_000_000  # of each class, so that counts are as exact as the paper's percentages


def content(system, fold, seed, confusion, labels, measures=None):
    """Make the parts of a report that a cell's number comes from."""
    run = {"table": system.home, "row": system.name, "fold": fold, "seed": seed, "source": "paper"}
    metrics = {"confusion": confusion}
    return Report("", {"run": run, "labels": labels, "metrics": metrics, "measures": measures or {}})


def of_shares(accuracy, uar):
    """Return a confusion matrix of two classes, one three times the other, with this ACC and UAR in %."""
    recalls, totals = (2 * accuracy - uar, 3 * uar - 2 * accuracy), (3 * CLIPS, CLIPS)
    right = [round(recall / 100 * total) for recall, total in zip(recalls, totals)]
    return [[right[0], totals[0] - right[0]], [totals[1] - right[1], right[1]]]


def of_recalls(recalls):
    """Return a confusion matrix with these recalls in %; the rest is taken for another class."""
    right = [round(recall / 100 * CLIPS) for recall in recalls]
    matrix = np.diag(right)
    for row, count in enumerate(right):
        matrix[row, row - 1] += CLIPS - count
    return matrix.tolist()


def papers_numbers(seeds=3):
    """Make reports whose numbers are those that the paper prints."""
    reports = {number: [] for number in TRAINED}

    def add(number, system, folds, confusion, labels=("a", "b"), measures=None):
        for seed, fold in product(range(seeds), folds):
            reports[number].append(content(system, fold, seed, confusion, list(labels), measures))

    three, four = published("table03_ut_podcast_models"), published("table04_segments")
    for name, system in table03.SYSTEMS.items():
        add(3, system, ["test"], of_recalls(three.loc[["AU", "UK", "US"], name]), ("AU", "UK", "US"))
    four = four.set_index("measure", append=True)
    for (path, n), system in table04.SYSTEMS.items():
        shares = [four.loc[(path, measure), str(n)] for measure in ("ACC", "UAR")]
        add(4, system, ["test"], of_shares(*shares))
    five = published("table05_attention").reset_index()
    done = []
    for (axis, blocks, kind), system in table05.SYSTEMS.items():
        chosen = (five["split"] == axis) & (five["attention_blocks"].str[0] == str(blocks))
        if system not in done:  # without attention the kinds are the same network
            row = five[chosen].iloc[0]
            add(5, system, ["test"], of_shares(row[f"{kind}_ACC"], row[f"{kind}_UAR"]))
        done.append(system)
    eight, nine = published("table08_chains_models"), published("table09_activations")
    nine = nine.set_index("local_f", append=True)
    for number, table, systems in ((8, eight, table08.SYSTEMS), (9, nine, table09.SYSTEMS)):
        for key, system in systems.items():
            for fold in table08.FOLDS:
                shares = [table.loc[key, f"fold{fold}_{measure}"] for measure in ("ACC", "UAR")]
                add(number, system, [fold], of_shares(*shares))
    for fold, row in published("table08_chains_ivector").iterrows():
        share = {"1-EER": row["one_minus_EER"] / 100, "threshold": row["threshold"], "targets": 900}
        add(8, table08.IVECTOR, [str(fold)], of_shares(50, 50), measures=share)
    add(8, table08.GMM, table08.FOLDS, of_shares(91, 91))
    for cell in table11.TABLE.cells:
        if cell.system != table11.FREQCNN:
            add(11, cell.system, table11.FOLDS, of_shares(cell.paper, cell.paper))
    twelve = published("table12_confusion")
    diagonal = [100 * (167 if name == "Disgust" else twelve.loc[name, name]) / 210 for name in twelve.index]
    for number in (11, 12):
        add(number, table11.FREQCNN, table11.FOLDS, of_recalls(diagonal), tuple(twelve.index))
    return reports


def test_on_the_papers_own_numbers_the_answer_is_the_audits():
    judgements = judge(papers_numbers(), "paper")
    assert len(judgements) == len(every_claim()) > 50
    for item in judgements:
        assert item.result == (HOLDS if item.paper.agrees else REFUTED), item.claim
    false = [item for item in judgements if not item.paper.agrees]
    assert len(false) == 8  # the audit's seven claims, and the accuracy of 83.62 % in Sec. 5.3


def test_below_three_seeds_nothing_can_be_told_but_the_differences_are_known():
    for seeds in (1, 2):
        judgements = judge(papers_numbers(seeds), "paper")
        assert {item.result for item in judgements} == {UNKNOWN}
        first = judgements[0].parts[0][0]
        assert first.differences[0] == pytest.approx(79.3214 - 74.5333, abs=0.01) and np.isnan(first.low)
    assert {item.seeds for item in judgements} == {2}


def test_only_the_papers_corpora_are_compared_with_numbers_that_the_paper_quotes():
    results = {item.result for item in judge(papers_numbers(), "standin") if item.claim.number}
    assert results == {NOT_COMPARED}


PLACES = {place for claim in every_claim() for item in claim.comparisons() for place in item.places()}


@pytest.mark.parametrize("place", sorted(PLACES, key=str))
def test_our_cell_for_a_place_is_the_tables_own(place):
    if place.of:  # Table 12's cells are counts; the claim is about shares
        assert cell_of(place).measure == place.row == place.column
        return
    cell, value = cell_of(place), float(cell_at(printed(), place))
    found = [
        other.paper
        for other in TABLES[place.table].cells
        if (other.system, other.fold, other.measure) == (cell.system, cell.fold, cell.measure)
    ]
    assert found and set(found) == {value}


def gains(first, second):
    """Make Table 4's reports for the claim about segments: accuracies by seed for n = 4, and for n = 8."""
    reports = []
    for key, values in ((("local", 4), first), (("local", 8), second), (("global+local", 4), first),
                        (("global+local", 8), second)):  # fmt: skip
        for seed, value in enumerate(values):
            reports.append(content(table04.SYSTEMS[key], "test", seed, of_shares(value, value), ["a", "b"]))
    return {4: reports}


def test_the_limits_are_those_of_students_paired_t_with_bonferronis_correction():
    first, second = [80.0, 81.5, 79.0, 83.0], [78.0, 80.5, 78.5, 79.0]
    (judgement,) = [item for item in judge(gains(first, second), "paper") if item.claim.relation == NOT_BELOW]
    test = stats.ttest_rel(first, second)
    for (item,) in judgement.parts:
        assert item.mean == pytest.approx(np.mean(first) - np.mean(second), abs=1e-4)
        assert item.low == pytest.approx(test.confidence_interval(0.95).low, abs=1e-4)
        four_parts = test.confidence_interval(1 - 0.05 / 4)  # one of four is enough to refute the claim
        assert item.high == pytest.approx(four_parts.high, abs=1e-4)
    assert item.low < 0 and judgement.result == (HOLDS if item.low > -1 else UNKNOWN) == HOLDS


@pytest.mark.parametrize(
    "second, result",
    [([79.0, 80.6, 78.1], HOLDS), ([80.1, 81.4, 79.1], HOLDS), ([84.0, 85.6, 83.1], REFUTED),
     ([79.0, 81.6, 84.0], UNKNOWN)],
)  # fmt: skip
def test_not_below_has_a_tolerance_of_one_point(second, result):
    judgements = judge(gains([80.0, 81.5, 79.0], second), "paper")
    assert [item.result for item in judgements if item.claim.relation == NOT_BELOW] == [result]


def test_a_comparison_by_the_closed_form():
    d = np.array([1.0, 2.0, 4.0])
    half = 4.302652729911275 * np.sqrt(7 / 3) / np.sqrt(3)  # t(0.975, 2), and the variance 7/3
    assert rule._paired(d, 0.0, 1, 1)[:3] == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half))
    assert rule._paired(d, 0.0, 1, 1)[3] == UNKNOWN
    assert rule._paired(d + 2, 0.0, 1, 1)[3] == HOLDS and rule._paired(-d - 2, 0.0, 1, 1)[3] == REFUTED
    assert rule._paired(d + 2, 0.0, 3, 1)[3] == UNKNOWN  # one of three comparisons is enough
    assert rule._paired(-d - 2, 0.0, 1, 3)[3] == UNKNOWN


def test_a_quoted_number_by_the_closed_form():
    values = np.array([80.0, 82.0, 81.0])
    half = 4.302652729911275 * 1.0 * np.sqrt(4 / 3)
    mean, low, high, result = rule._prediction(values, "82.30")
    assert (mean, low, high, result) == pytest.approx((81, 81 - half, 81 + half, HOLDS))
    assert rule._prediction(values, f"{81 + half + 0.004:.4f}")[3] == REFUTED
    assert rule._prediction([7.04] * 3, "7")[3] == HOLDS and rule._prediction([7.51] * 3, "7")[3] == REFUTED


@pytest.mark.parametrize("alternatives", [1, 4])
def test_false_answers_are_rare(alternatives):
    """All true differences are 0, the worst case: no claim with one wrong answer in forty or more."""
    random_state, trials = np.random.default_rng(0), 800
    wrong = 0
    for _ in range(trials):
        if alternatives == 1:  # four parts: is the claim refuted?
            results = [rule._paired(random_state.normal(size=3), 0.0, 1, 4)[3] for _ in range(4)]
            wrong += REFUTED in results
        else:  # one part of four comparisons: does the claim hold?
            results = [rule._paired(random_state.normal(size=3), 0.0, 4, 1)[3] for _ in range(4)]
            wrong += HOLDS in results
    assert 0 < wrong / trials < 0.025 + 3 * np.sqrt(0.025 * 0.975 / trials)


def test_parts_and_alternatives_combine():
    assert rule._any([REFUTED, HOLDS]) == HOLDS and rule._any([REFUTED, UNKNOWN]) == UNKNOWN
    assert rule._any([REFUTED, REFUTED]) == REFUTED
    assert rule._all([HOLDS, REFUTED, UNKNOWN]) == REFUTED and rule._all([HOLDS, UNKNOWN]) == UNKNOWN
    assert rule._all([HOLDS, HOLDS]) == HOLDS


def test_missing_and_failed_runs_are_named():
    reports = {3: [made(), made("CNN", fault="its loss is nan")]}
    by_words = {str(item.claim): item for item in judge(reports, "paper")}
    first = by_words["achieving a UAR of up to 79.32%"]
    assert first.result == UNKNOWN and first.seeds == 1
    small = by_words[
        "small DNNs (AlexNet and 5-layer CNN) … better results than lager models … (by printed UAR)"
    ]
    assert small.result == FAILED
    beyond = by_words["we outperform the state-of-art results on these speech databases"]
    assert beyond.result == NOT_RUN and beyond.missing == (3, 8, 11)


def test_a_comparison_stays_in_one_table():
    for claim in every_claim():
        for comparison in claim.comparisons():
            assert len({place.table for place in comparison.places()}) == 1


def literal(tables, emotions):
    """Evaluate some claims with pandas alone: the beginning of their words -> whether they hold."""
    three, eight = (
        tables[name].astype(float) for name in ("table03_ut_podcast_models", "table08_chains_models")
    )
    four = tables["table04_segments"].set_index("measure", append=True)
    both, local = (four.loc[path, ["2", "4", "8"]].astype(float) for path in ("global+local", "local"))
    five = tables["table05_attention"].set_index("attention_blocks", append=True).astype(float)
    frequency, time = five.loc["frequency"], five.loc["time"]
    nine = tables["table09_activations"].set_index("local_f", append=True).astype(float)
    ranks = three.loc["UAR"].rank(ascending=False)
    ivector = tables["table08_chains_ivector"]["one_minus_EER"].astype(float)
    gain = time[["spatial_ACC", "spatial_UAR"]] - time[["spatial_ACC", "spatial_UAR"]].iloc[0]
    first = eight.loc["FreqCNN"] > eight.drop("FreqCNN").max()
    folds = ["fold1_ACC", "fold2_ACC", "fold3_ACC"]
    order = pd.Series(emotions).sort_values(ascending=False)
    rest = order[["Fear", "Happiness"]]
    return {
        "FreqCNN achieves the best performance …, followed by i-vector method and AlexNet model (by printed":
            [ranks[name] for name in ("FreqCNN", "i-Vector", "AlexNet")] == [1, 2, 3],
        "the best accuracy … using": both.loc["ACC", "4"]
            > max(*both.loc["ACC", ["2", "8"]], *local.loc["ACC"]),
        "Compared with only local … or only global …, the combination … indeed improves (than the same":
            (both > local).all(axis=None),
        "As the number of local": (both["8"] <= both["4"]).all() and (local["8"] <= local["4"]).all(),
        "overall recognition for frequency-distributed … is higher than time-… (every":
            (frequency > time).all(axis=None),
        "overall recognition for frequency-distributed … is higher than time-… (on the":
            all(frequency.filter(like=name).to_numpy().sum() > time.filter(like=name).to_numpy().sum()
                for name in ("ACC", "UAR")),
        "attention … indeed improves … accuracy and UAR, compared with no attention (time, the best":
            (time.iloc[1:].max() > time.iloc[0]).all(),
        "frequency: feature": (frequency.drop("2")[["feature_ACC", "feature_UAR"]].max()
                               < frequency.loc["2", ["feature_ACC", "feature_UAR"]]).all(),
        "time-distributed …, spatial": (gain["spatial_ACC"] > gain["spatial_UAR"]).iloc[1:].all()
            and (gain["spatial_UAR"].iloc[1:] > 0).all(),
        "FreqCNN … vastly": first[folds].all()
            and (eight.loc["FreqCNN", folds].to_numpy() > ivector.to_numpy()).all(),
        "the best result when … both local and global … is a sigmoid (on": all(
            (nine.loc[("sigmoid", "sigmoid"), name] > nine[name].drop(("sigmoid", "sigmoid"))).all()
            for name in ("average_ACC", "average_UAR")),
        "The lowest accuracy … global": (nine["average_ACC"].drop(("relu", "tanh"))
                                         > nine.loc[("relu", "tanh"), "average_ACC"]).all(),
        "The highest … surprise": order["Surprise"] > order["Angry"] > rest.max()
            and rest.min() > order["Disgust"] > order["Sadness"],
    }  # fmt: skip


def test_claims_as_data_agree_with_literal_formulas_on_shuffled_tables():
    generator, seen = random.Random(0), {}
    for trial in range(40):
        tables = {name: frame.copy() for name, frame in printed().items()}
        for frame in tables.values():
            cells = [
                (row, column)
                for row, column in np.ndindex(*frame.shape)
                if frame.columns[column] != "attention_blocks" and "." in frame.iloc[row, column]
            ]
            for _ in range(trial % 5 if len(cells) > 1 else 0):
                one, other = generator.sample(cells, 2)
                frame.iloc[one], frame.iloc[other] = frame.iloc[other], frame.iloc[one]
        labels = list(tables["table12_confusion"].index)
        counts = [180, 167, 165, 186, 178, 177]
        if trial % 2:
            generator.shuffle(counts)
        emotions = dict(zip(labels, counts))
        value = printed_values(tables, pd.Series(emotions))
        for words, expected in literal(tables, emotions).items():
            (claim,) = [claim for claim in CLAIMS if str(claim).startswith(words)]
            assert examined(claim, value).agrees == bool(expected), (trial, words)
            seen.setdefault(words, set()).add(bool(expected))
    assert sum(answers == {True, False} for answers in seen.values()) >= 11  # not always the same answer


def test_every_sentence_of_the_audit_is_a_claim_or_is_left_out():
    lines = sentences()
    counted = [line for line in lines if line["table"].startswith("table01")]
    assert len(quoted(lines)) + len(counted) == len(lines) and len(counted) == 2
    assert len(CLAIMS) + len(checks.networks(printed())) == 41
    text = "\n".join(left_out())
    assert sum(bool(claim.paper_only) for claim in CLAIMS) == text.count("(by the mean of the recalls)") == 2


def test_what_is_written(tmp_path):
    folder = tmp_path / "paper"
    folder.mkdir()
    reports = papers_numbers()
    for listed in reports.values():
        for report in listed:
            report.content["device"] = ["cpu(0)"]
    page = write(reports, folder)
    assert page == (folder / "claims.md").read_text() and "No report behind this table" in page
    assert "holds: 46; does not hold: 8." in page
    frame = pd.read_csv(folder / "claims.csv")
    assert len(frame) == sum(len(claim.comparisons()) for claim in every_claim())
    (row,) = frame[frame["comparison"] == "FreqCNN above VGG-11"].index[:1]
    assert frame.loc[row, "difference"] == pytest.approx(98.04 - 75.21, abs=0.01)
    write({}, folder)
    assert "not run: `make table3 table8 table11`" in (folder / "claims.md").read_text()


def test_the_command_names_what_is_missing(tmp_path):
    remedy = "run `make table3`, or look at the committed ones with `make claims RESULTS=results/reference`"
    for _ in ("nothing", "a comparison only"):
        with pytest.raises(Faults) as faults:
            command.claims(tmp_path)
        assert faults.value.faults == [f"{tmp_path}: has no result of a table of the paper yet; {remedy}"]
        (tmp_path / "emodb").mkdir(exist_ok=True)
        (tmp_path / "emodb" / "compare.json").write_text("[]")
    (tmp_path / "standin").mkdir()
    (tmp_path / "standin" / "table03.json").write_text("[]")
    with pytest.raises(Faults, match="paper: has no results; choose from standin"):
        command.claims(tmp_path, ["paper"])
