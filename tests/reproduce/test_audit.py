"""The audit finds what is wrong with the paper by itself, and an altered digit in its own cell."""

from fractions import Fraction

import pandas as pd
import pytest

from reproduce.audit import audit, markdown, possible_recalls, write
from reproduce.exact import printed, rounds_to, whole_count


@pytest.fixture(scope="module")
def findings():
    return audit()


def wrong(findings):
    return {(finding.check, finding.where) for finding in findings if not finding.agrees}


def altered(file, row, column, value, **where):
    """The findings on the paper with one other cell."""
    tables = printed()
    frame = tables[file].copy()
    mask = frame.index == row
    for name, wanted in where.items():
        mask &= frame[name] == wanted
    assert mask.sum() == 1
    frame.loc[mask, column] = value
    return audit(tables | {file: frame})


def test_it_finds_what_is_known_to_be_wrong(findings):
    (alexnet,) = [f for f in findings if not f.agrees and f.where.startswith("Table 3")]
    assert alexnet.where == "Table 3, AlexNet, UAR"
    assert "65.5484" in alexnet.found and "its accuracy, 429 of 661" in alexnet.found
    (percent,) = [f for f in findings if not f.agrees and f.check == "text"]
    assert percent.claim == "83.62" and percent.found.startswith("83.65 in Table 11")
    assert any(f.claim == "83.62 %" and "1054 of 1260" in f.found for f in findings if not f.agrees)


def test_fold_3_cannot_be_33_sentences_a_speaker(findings):
    lines = [f for f in findings if f.where.endswith("#3, UAR")]
    assert len(lines) == 12 and [f.where for f in lines if f.agrees] == ["Table 9, sigmoid/tanh, #3, UAR"]


def test_every_percentage_is_a_whole_count(findings):
    counts = [finding for finding in findings if finding.check == "whole count"]
    assert len(counts) == 21 + 7 + 16 + 15 + 21 + 1 and all(finding.agrees for finding in counts)
    found = {finding.where: finding.found for finding in counts}
    assert found["Table 3, FreqCNN, AU"] == "294 of 332"
    assert found["Table 8, FreqCNN, #2, ACC"] == "1294 of 1296"


def test_the_text_that_is_wrong_of_its_tables(findings):
    claims = {finding.where: finding for finding in findings if finding.check == "claim"}
    false = [where for where, finding in claims.items() if not finding.agrees]
    assert any("data set #3 (i-Vector)" in where for where in false)
    assert not any("relu and tanh" in where or "AlexNet" in where for where in false)
    higher = next(finding for where, finding in claims.items() if "higher than time-distributed" in where)
    assert higher.found.startswith("13 of 16 cells")


@pytest.mark.parametrize(
    "change, complaint",  # file without 'table', row, column, what is printed then; kind and place
    [
        (("03_ut_podcast_models", "UK", "FNN", "50.57"), ("whole count", "Table 3, FNN, UK")),
        (("03_ut_podcast_models", "UAR", "CNN", "62.91"), ("UAR", "Table 3, CNN, UAR")),
        (("08_chains_models", "VGG-11", "fold1_ACC", "70.5"), ("whole count", "Table 8, VGG-11, #1, ACC")),
        (("08_chains_models", "VGG-11", "average_UAR", "75.21"), ("average", "Table 8, VGG-11, UAR")),
        (("06_chains_folds", 2, "training_samples", "2719"), ("sum", "Table 6, #2, training")),
        (("12_confusion", "Fear", "Angry", "5"), ("sum", "Table 12, Fear")),
        (("01_ut_podcast_counts", "training", "total", "1102"), ("sum", "Table 1, training, Original")),
    ],
    ids=lambda value: value[1] if len(value) == 2 else None,
)  # fmt: skip
def test_an_altered_digit_is_found_in_its_cell(findings, change, complaint):
    file, row, column, value = change
    found = wrong(altered(f"table{file}", row, column, value)) - wrong(findings)
    assert complaint in found
    assert all(check in (complaint[0], "text") for check, _ in found)


def test_an_altered_row_no_longer_equals_its_twin(findings):
    found = wrong(altered("table09_activations", "sigmoid", "fold1_UAR", "99.09", local_f="sigmoid"))
    assert ("equal", "Table 8, FreqCNN, fold1_UAR; Table 9, sigmoid/sigmoid") in found - wrong(findings)


def test_an_impossible_uar_is_found(findings):
    found = wrong(altered("table04_segments", "local", "4", "90.00", measure="UAR")) - wrong(findings)
    assert ("UAR", "Table 4, local, 4, UAR") in found


def test_whole_counts_by_hand():
    assert whole_count("88.55", 332) == 294 and whole_count("88.54", 332) is None
    assert whole_count("0.00", 7) == 0 and whole_count("100.00", 7) == 7
    assert whole_count("12.5", 8) == 1 and whole_count("78.0", 332, places=1) == 259


def test_halves_round_either_way():
    assert rounds_to(Fraction(1005, 1000), "1.00") and rounds_to(Fraction(1005, 1000), "1.01")
    assert not rounds_to(Fraction(1006, 1000), "1.00")


def test_possible_recalls_are_what_they_claim():
    a, u, k = possible_recalls(524, "75.86", (332, 89, 240))
    assert a + u + k == 524
    assert rounds_to(Fraction(100, 3) * (Fraction(a, 332) + Fraction(u, 89) + Fraction(k, 240)), "75.86")
    assert possible_recalls(3, "100.00", (2, 2, 2)) is None
    assert possible_recalls(6, "100.00", (2, 2, 2)) == (2, 2, 2)


def test_the_report(findings, tmp_path):
    said = write(findings, tmp_path / "audit")
    right = sum(finding.agrees for finding in findings)
    assert (
        f"{len(findings)} checks, in exact arithmetic: {right} agree, {len(findings) - right} do not." in said
    )
    assert said == markdown(findings) == (tmp_path / "audit.md").read_text()
    assert said.index("AlexNet, UAR") < said.index("## What agrees") < said.index("FreqCNN, AU")
    assert len(pd.read_csv(tmp_path / "audit.csv")) == len(findings)
