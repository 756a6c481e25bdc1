"""Numbers and intervals of cells, compared with values by hand, scikit-learn and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from reproduce.cells import cells, comparisons
from reproduce.paper.exact import whole_count
from reproduce.render.table import _ours
from reproduce.runs.report import Report, reports_of
from reproduce.tables import TABLES, System
from reproduce.verdict import prediction, speakers_part

CHAINS, ENTERFACE = TABLES[8], TABLES[12]


def report(system, true, predicted, labels, fold="test", seed=0, source="paper") -> Report:
    """Make a report of ``system`` whose clips, named by fold and index, have these class numbers."""
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (true, predicted), 1)
    content = {
        "run": {"source": source, "table": system.home, "row": system.name, "fold": fold, "seed": seed},
        "labels": labels,
        "metrics": {"confusion": confusion.tolist()},
        "predictions": {
            f"{fold}-{i}": {"true": labels[t], "predicted": labels[p]}
            for i, (t, p) in enumerate(zip(true, predicted))
        },
    }
    return Report(f"{system.name}/{fold}-s{seed}/report.json", content)


def drawn(system, seed=0, fold="test", labels=("a", "b", "c"), clips=200, skill=0.6) -> Report:
    random = np.random.default_rng([seed, *fold.encode(), *system.name.encode()])
    true = np.random.default_rng([*fold.encode()]).integers(0, len(labels), clips)
    predicted = np.where(random.random(clips) < skill, true, random.integers(0, len(labels), clips))
    return report(system, true, predicted, list(labels), fold, seed)


def truth(reports, fold=None):
    chosen = [r.content["predictions"] for r in reports if fold in (None, r.content["run"]["fold"])]
    return zip(*((clip["true"], clip["predicted"]) for clips in chosen for clip in clips.values()))


def cell(frame, **where):
    chosen = frame
    for name, value in where.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_folds_and_their_average():
    reports = [drawn(CHAINS.claim, fold=fold, clips=clips) for fold, clips in zip("123", (300, 150, 80))]
    frame = cells(CHAINS, reports)
    accuracies, recalls = [], []
    for fold in "123":
        true, predicted = truth(reports, fold)
        accuracies.append(100 * accuracy_score(true, predicted))
        recalls.append(100 * balanced_accuracy_score(true, predicted))
        assert cell(frame, system="FreqCNN", fold=fold, measure="ACC")["ours"] == pytest.approx(
            accuracies[-1]
        )
        assert cell(frame, system="FreqCNN", fold=fold, measure="UAR")["ours"] == pytest.approx(recalls[-1])
    average = cell(frame, system="FreqCNN", fold="average", measure="ACC")
    assert average["ours"] == pytest.approx(np.mean(accuracies)) and average["paper"] == 98.04
    assert average["low"] < average["ours"] < average["high"] < 98.04
    assert average["verdict"] == "one seed: not judged"
    uar = cell(frame, system="FreqCNN", fold="average", measure="UAR")
    assert uar["ours"] == pytest.approx(np.mean(recalls))
    one = cell(frame, system="FreqCNN", fold="1", measure="ACC")
    wilson = binomtest(round(3 * accuracies[0]), 300).proportion_ci(method="wilson")
    assert (one["low"], one["high"]) == (pytest.approx(100 * wilson.low), pytest.approx(100 * wilson.high))
    assert set(frame[frame["system"] == "i-Vector"]["verdict"]) == {"not run"}


def test_accuracy_over_all_folds_is_pooled():
    table = TABLES[11]
    reports = [drawn(table.claim, fold=fold, clips=20 + 10 * int(fold)) for fold in table.folds]
    accuracy = cell(cells(table, reports), system="FreqCNN")
    assert accuracy["ours"] == pytest.approx(100 * accuracy_score(*truth(reports)))
    assert accuracy["paper"] == 83.65


def test_confusion_is_pooled_and_counted():
    labels = ("Angry", "Disgust", "Sadness", "Surprise", "Fear", "Happiness")
    reports = [drawn(ENTERFACE.claim, fold=fold, labels=labels, clips=60) for fold in ENTERFACE.folds]
    frame = cells(ENTERFACE, reports)
    true, predicted = truth(reports)
    counted = pd.crosstab(pd.Series(true), pd.Series(predicted))
    for true_label in labels:
        for predicted_label in labels:
            count = cell(frame, measure=true_label, predicted=predicted_label)
            assert count["ours"] == pytest.approx(counted.loc[true_label, predicted_label])
            assert count["low"] <= count["ours"] <= count["high"]
    assert cell(frame, measure="Fear", predicted="Fear")["paper"] == 178
    illegible = cell(frame, measure="Disgust", predicted="Fear")
    assert np.isnan(illegible["paper"]) and illegible["verdict"] == "unknown"
    of_text = cell(frame, measure="Disgust", predicted="Disgust")
    assert of_text["paper"] == 167 == whole_count("79.52", 210)
    assert of_text["verdict"] == "one seed: not judged"


def test_a_class_that_the_corpus_lacks_has_no_number():
    reports = [drawn(ENTERFACE.claim, fold=fold, labels=("Angry", "Fear")) for fold in ENTERFACE.folds]
    frame = cells(ENTERFACE, reports)
    known = frame[["measure", "predicted"]].isin(["Angry", "Fear"]).all(axis=1)
    assert known.sum() == 4 and frame["ours"].notna().equals(known)
    assert set(frame[~known].apply(_ours, axis=1)) == {"–"}


def test_seeds_are_mean_and_sd_of_whole_cross_validations():
    seeds = [[drawn(CHAINS.claim, seed, fold) for fold in "123"] for seed in range(3)]
    average = cell(cells(CHAINS, sum(seeds, [])), system="FreqCNN", fold="average", measure="ACC")
    values = [np.mean([100 * accuracy_score(*truth(reports, fold)) for fold in "123"]) for reports in seeds]
    assert average["seeds"] == 3
    assert average["ours"] == pytest.approx(np.mean(values))
    assert average["sd"] == pytest.approx(np.std(values, ddof=1))


def test_a_lead_is_tested_on_the_same_clips():
    labels, true = ["a", "b"], np.zeros(30, int)
    weak, same = CHAINS.systems()[1:3]
    reports = []
    for fold in "123":  # FreqCNN alone is right on 24 clips of all folds, VGG-11 alone on 3
        ours, theirs = true.copy(), true.copy()
        theirs[:8], ours[8:9] = 1, 1
        reports += [
            report(system, true, predicted, labels, fold)
            for system, predicted in ((CHAINS.claim, ours), (weak, theirs), (same, ours))
        ]
    frame = comparisons(CHAINS, reports).set_index("system")
    assert list(frame.index) == [weak.name, same.name]
    assert frame.loc[weak.name, ["only_ours", "only_theirs"]].tolist() == [24, 3]
    exact = binomtest(24, 27).pvalue
    assert frame.loc[weak.name, "p"] == pytest.approx(exact)
    assert frame.loc[weak.name, "p_adjusted"] == pytest.approx(2 * exact)
    assert frame["p_speakers"].isna().all() and frame["lead"].tolist() == ["not tested", "not tested"]
    for made in reports:  # 0 to 7, the clips that only FreqCNN recognises, and 8 have a speaker each
        clips = list(made.content["predictions"])
        numbers = {clip: min(int(clip.split("-")[1]), 9) for clip in clips}
        made.content["speakers"] = {
            f"s{number}": [clip for clip in clips if numbers[clip] == number] for number in range(10)
        }
    frame = comparisons(CHAINS, reports).set_index("system")
    exact = binomtest(8, 9).pvalue  # 3 clips of each speaker in three folds, which are swapped together
    assert frame["p_speakers"].tolist() == pytest.approx([exact, 1])
    assert frame["p_speakers_adjusted"].tolist() == pytest.approx([2 * exact, 1])
    assert frame["lead"].tolist() == ["neither", "neither"]  # McNemar's test alone would name FreqCNN


@pytest.mark.parametrize("speakers, lead", [(6, "too few speakers (6)"), (7, "FreqCNN")])
def test_a_lead_over_too_few_speakers_is_not_possible(speakers, lead):
    """FreqCNN is right on every clip, two other systems on none: p is 2/64 or 2/128, adjusted twice that."""
    true = np.zeros(4 * speakers, int)
    weak = CHAINS.systems()[1:3]
    reports = [report(CHAINS.claim, true, true, ["a", "b"], "1")]
    reports += [report(system, true, true + 1, ["a", "b"], "1") for system in weak]
    for made in reports:
        clips = list(made.content["predictions"])
        made.content["speakers"] = {f"s{number}": clips[number::speakers] for number in range(speakers)}
    frame = comparisons(CHAINS, reports)
    assert frame["lead"].tolist() == [lead, lead] and frame["speakers"].tolist() == [speakers] * 2
    assert frame["p_speakers_adjusted"].tolist() == pytest.approx([2 * 2 / 2**speakers] * 2)


def test_the_seed_with_the_largest_p_counts():
    labels, true = ["a", "b"], np.zeros(10, int)
    other = CHAINS.systems()[1]
    wrong = true.copy()
    wrong[:6] = 1
    reports = [report(CHAINS.claim, true, true, labels, "1", seed) for seed in (0, 1)]
    reports += [
        report(other, true, predicted, labels, "1", seed) for seed, predicted in ((0, wrong), (1, true))
    ]
    assert comparisons(CHAINS, reports)["p"].tolist() == [1.0]


def test_without_reports_there_is_no_comparison():
    assert comparisons(ENTERFACE, [drawn(ENTERFACE.claim, fold=fold) for fold in ENTERFACE.folds]).empty


def test_reports_belong_to_a_home_and_a_name():
    reports = [drawn(CHAINS.claim), drawn(System(9, "FreqCNN", "table7"))]
    assert reports_of(CHAINS.claim, reports) == reports[:1]


def with_speakers(made, speakers):
    clips = list(made.content["predictions"])
    made.content["speakers"] = {f"s{number}": clips[number::speakers] for number in range(speakers)}
    return made


def test_the_prediction_of_redrawn_folds_is_that_of_pooled_speakers():
    """Every speaker is in one fold, and the number is pooled over all folds and averaged over the seeds."""
    table, labels = TABLES[11], ("a", "b", "c")
    reports = []
    for fold in table.folds:
        for seed in range(3):
            made = drawn(table.claim, seed, fold, labels, 40)
            clips = list(made.content["predictions"])
            made.content["speakers"] = {f"{fold}-{number}": clips[number::4] for number in range(4)}
            reports.append(made)
    line = cell(cells(table, reports), system="FreqCNN")
    right, values = np.zeros(40), np.zeros(3)
    for made in reports:
        fold, seed = (made.content["run"][name] for name in ("fold", "seed"))
        for number, clips in enumerate(made.content["speakers"].values()):
            answers = [made.content["predictions"][clip] for clip in clips]
            count = sum(answer["true"] == answer["predicted"] for answer in answers)
            right[4 * (int(fold) - 1) + number] += count / 3
            values[seed] += count / 400
    sampling = speakers_part(right[:, None], np.full((40, 1), 10))
    expected = 100 * np.array(prediction(values, sampling))
    assert (line["prediction_low"], line["prediction_high"]) == pytest.approx(tuple(expected))


def test_a_speaker_s_part_of_a_peers_own_measure_is_not_known():
    system = next(system for system in CHAINS.systems() if system.name == "i-Vector")
    reports = [with_speakers(drawn(system, seed, fold), 10) for seed in range(3) for fold in CHAINS.folds]
    for made in reports:
        made.content["measures"] = {"1-EER": 0.9, "threshold": -2.0, "targets": 50}
    frame = cells(CHAINS, reports)
    frame = frame[frame["system"] == "i-Vector"]
    assert set(frame[frame["measure"] == "1-EER"]["verdict"]) == {"no speakers: not judged"}
    assert set(frame[frame["measure"] == "threshold"]["verdict"]) == {""}
    shown = frame[~frame["measure"].isin(["1-EER", "threshold"])]
    assert set(shown["verdict"]) == {""} and shown["prediction_low"].notna().all()  # not in the paper
