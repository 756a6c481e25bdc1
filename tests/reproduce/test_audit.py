"""The audit finds the paper's mistakes, and an altered digit in the cell that has it."""

import ast
import inspect
import re
from fractions import Fraction
from itertools import product

import pandas as pd
import pytest

from reproduce.paper import audit as module_of_audit
from reproduce.paper import checks as module_of_checks
from reproduce.paper import claim as module_of_claim
from reproduce.paper import claims as module_of_claims
from reproduce.paper import quantities as module_of_quantities
from reproduce.paper.audit import audit, markdown, write
from reproduce.paper.checks import possible_recalls
from reproduce.paper.exact import printed, rounds_to, whole_count


@pytest.fixture(scope="module")
def findings():
    return audit()


def wrong(findings):
    return {(finding.check, finding.where) for finding in findings if not finding.agrees}


def altered(file, row, column, value, **where):
    """Audit the paper with one cell altered."""
    tables = printed()
    frame = tables[file].copy()
    mask = frame.index == row
    for name, wanted in where.items():
        mask &= frame[name] == wanted
    assert mask.sum() == 1
    frame.loc[mask, column] = value
    return audit(tables | {file: frame})


def test_it_finds_the_known_mistakes(findings):
    (alexnet,) = [f for f in findings if not f.agrees and f.where.startswith("Table 3")]
    assert alexnet.where == "Table 3, AlexNet, UAR" and alexnet.claim == "64.90 %"
    assert "it would have to be 65.55" in alexnet.result and "its accuracy, 429 of 661" in alexnet.result
    numbers = [f for f in findings if not f.agrees and f.where.startswith("Sec. 5.3")]
    assert [f.check for f in numbers] == ["whole count", "text"]
    assert {f.claim for f in numbers} == {"83.62 %"}
    assert numbers[0].result == "not a whole count of 1260; 1054 would have to be 83.65"
    assert numbers[1].result.startswith("83.65 % in Table 11")


def test_fold_3_cannot_be_33_sentences_a_speaker(findings):
    lines = [f for f in findings if f.where.endswith("#3, UAR")]
    assert len(lines) == 12 and [f.where for f in lines if f.agrees] == ["Table 9, sigmoid/tanh, #3, UAR"]


def test_every_percentage_in_the_tables_is_a_whole_count(findings):
    counts = [f for f in findings if f.check == "whole count" and f.where.startswith("Table")]
    assert len(counts) == 21 + 7 + 16 + 15 + 21 + 1 and all(f.agrees for f in counts)
    result = {f.where: f.result for f in counts}
    assert result["Table 3, FreqCNN, AU"] == "294 of 332"
    assert result["Table 8, FreqCNN, #2, ACC"] == "1294 of 1296"


def test_claims_that_the_tables_contradict(findings):
    claims = {f.where: f for f in findings if f.check == "claim"}
    false = {where for where, f in claims.items() if not f.agrees}
    of_3 = "I-vector and VGG-11 have better recognition performance in the data set #3"
    assert false == {
        "Sec. 5.1: 'Compared with only local … or only global …, the combination … indeed improves "
        "(than the same number of local parts alone)'",
        "Sec. 5.1: 'overall recognition for frequency-distributed … is higher than time-… (every cell)'",
        "Sec. 5.1: 'attention … indeed improves … accuracy and UAR, compared with no attention "
        "(frequency, every cell)'",
        "Sec. 5.1: 'attention … indeed improves … accuracy and UAR, compared with no attention "
        "(time, every cell)'",
        f"Sec. 5.2: '{of_3} (i-Vector, than in #1 and #2)'",
        f"Sec. 5.2: '{of_3} (VGG-11, than in #1 and #2)'",
        "Sec. 5.2: 'the best result when … both local and global … is a sigmoid (in each fold)'",
    }
    result = {where: claims[where].result for where in false}
    (than_time,) = (words for where, words in result.items() if "(every cell)" in where)
    assert than_time == "13 of 16; not 1 AC feature UAR, 2 AC spatial ACC, 3 AC spatial UAR"
    (by_fold,) = (words for where, words in result.items() if "(in each fold)" in where)
    assert by_fold == "16 of 18; not #1 tanh/relu, #3 tanh/sigmoid"
    (than_local,) = (words for where, words in result.items() if "local parts alone" in where)
    assert than_local == "5 of 6; not ACC n = 2"


@pytest.mark.parametrize(
    "change, finding",  # file without 'table', row, column, the altered cell; kind and place of the finding
    [
        (("03_ut_podcast_models", "UK", "FNN", "50.57"), ("whole count", "Table 3, FNN, UK")),
        (("03_ut_podcast_models", "UAR", "CNN", "62.91"), ("UAR", "Table 3, CNN, UAR")),
        (("08_chains_models", "VGG-11", "fold1_ACC", "70.51"), ("whole count", "Table 8, VGG-11, #1, ACC")),
        (("08_chains_models", "VGG-11", "average_UAR", "75.21"), ("average", "Table 8, VGG-11, UAR")),
        (("08_chains_models", "ResNet-34", "average_ACC", "66.06"), ("average", "Table 8, ResNet-34, ACC")),
        (("06_chains_folds", 2, "training_samples", "2719"), ("sum", "Table 6, #2, training")),
        (("06_chains_folds", 1, "training", "f03 f04 s01 f01"), ("sum", "Table 6, #1, paragraphs")),
        (("12_confusion", "Fear", "Angry", "5"), ("sum", "Table 12, Fear, row")),
        (("01_ut_podcast_counts", "training", "total_oversampled", "1348"),
         ("sum", "Table 1, training, total_oversampled")),
        (("02_architecture", 14, "Global convolution", "4-way softmax"), ("claim", "Table 2, Softmax")),
    ],
    ids=lambda value: value[1] if len(value) == 2 else None,
)  # fmt: skip
def test_an_altered_digit_is_reported_in_its_cell_alone(findings, change, finding):
    file, row, column, value = change
    assert wrong(altered(f"table{file}", row, column, value)) - wrong(findings) == {finding}


def test_an_altered_accuracy_differs_from_the_text_and_from_its_count(findings):
    result = wrong(altered("table04_segments", "local", "4", "79.28", measure="ACC")) - wrong(findings)
    quoted = "Sec. 5.1: 'better accuracy of 79.27% when the number of local parts is 4'"
    assert result == {("whole count", "Table 4, local, 4, ACC"), ("text", quoted)}


def test_an_altered_ranking_is_found(findings):
    result = wrong(altered("table12_confusion", "Fear", "Fear", "183")) - wrong(findings)
    (ranking,) = (where for check, where in result if check == "claim")
    assert "surprise, followed by angry" in ranking
    assert ("equal", "Table 11, FreqCNN, ACC; Table 12, diagonal") in result


def test_a_truncated_percentage_is_distinguished_from_a_wrong_one():
    result = {
        cell: next(f for f in altered("table03_ut_podcast_models", "AU", "FNN", cell) if "FNN, AU" in f.where)
        for cell in ("69.57", "69.58", "69.59")  # 231 of 332 is 69.5783...
    }
    assert result["69.57"].result == "truncated, not rounded, from 231 of 332; 231 would have to be 69.58"
    assert result["69.58"].result == "231 of 332"
    assert result["69.59"].result == "not a whole count of 332; 231 would have to be 69.58"
    assert [f.agrees for f in result.values()] == [False, True, False]


def test_an_altered_row_no_longer_equals_its_twin(findings):
    result = wrong(altered("table09_activations", "sigmoid", "fold1_UAR", "99.09", local_f="sigmoid"))
    assert ("equal", "Table 8, FreqCNN, fold1 UAR; Table 9, sigmoid/sigmoid") in result - wrong(findings)


def test_an_impossible_uar_is_found(findings):
    result = wrong(altered("table04_segments", "local", "4", "90.00", measure="UAR")) - wrong(findings)
    assert ("UAR", "Table 4, local, 4, UAR") in result


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


def next_digit(cell):
    return cell[:-1] + str((int(cell[-1]) + 3) % 10)


def numeric(frame):
    return [
        (row, column)
        for row, column in product(range(len(frame)), range(frame.shape[1]))
        if frame.columns[column] != "attention_blocks"  # a name
        and re.fullmatch(r"-?[\d.]+", frame.iloc[row, column])
    ]


def touched(findings, table):
    return {f for f in findings if f.where.startswith("Table") and f"Table {table}, " in f.where}


def test_every_cell_is_checked_except_those_that_the_report_names(monkeypatch):
    """Altering any numeric cell, except those that the report names, alters a finding of its table."""
    monkeypatch.setattr(
        module_of_audit, "claims", lambda *_: []
    )  # claims in words are about ranks, not digits
    tables, untouched = printed(), set()
    findings = audit(tables, [])
    # tables of one group share no check except claims in words
    for names in (("03", "08_chains_m", "12"), ("04", "09", "11"), ("05", "06"), ("01", "08_chains_i")):
        files = [file for file in tables if file.removeprefix("table").startswith(names)]
        cells = {file: numeric(tables[file]) for file in files}
        for place in range(max(map(len, cells.values()))):
            changed = dict(tables)
            for file in files:
                if place < len(cells[file]):
                    changed[file] = tables[file].copy()
                    cell = cells[file][place]
                    changed[file].iloc[cell] = next_digit(tables[file].iloc[cell])
            again = audit(changed, [])
            for file in files:
                number = int(file[5:7])
                if place < len(cells[file]) and touched(again, number) == touched(findings, number):
                    row, column = cells[file][place]
                    untouched.add((number, tables[file].index[row], tables[file].columns[column]))
    cited = tables["table11_enterface_methods"]
    assert untouched == {
        *((8, fold, column) for fold in (1, 2, 3) for column in ("one_minus_EER", "threshold")),
        *((11, row, "ACC") for row in cited.index[:-1]),
    }


def test_the_audit_uses_no_floats():
    of_claims = (module_of_claim, module_of_claims, module_of_quantities)
    for module in (module_of_audit, module_of_checks, *of_claims):
        nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
        assert not [
            node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)
        ]
        assert not [node for node in nodes if isinstance(node, ast.Name) and node.id == "float"]
    assert all(isinstance(cell, str) for frame in printed().values() for cell in frame.to_numpy().ravel())


def test_the_report(findings, tmp_path):
    rendered = write(findings, tmp_path / "audit")
    right = sum(finding.agrees for finding in findings)
    assert (
        f"{len(findings)} checks, in exact arithmetic: {right} agree, {len(findings) - right} do not."
        in rendered
    )
    assert rendered == markdown(findings) == (tmp_path / "audit.md").read_text()
    places = [rendered.index(text) for text in ("AlexNet, UAR", "## Agreements", "Table 3, FreqCNN ")]
    assert places == sorted(places)
    assert len(pd.read_csv(tmp_path / "audit.csv")) == len(findings)
