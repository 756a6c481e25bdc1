"""Tables 1, 2, 6, 7 and 10 agree with the paper, and a difference shows in its own cell."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data_prep.base.faults import Faults
from data_prep.corpora import chains, ut_podcast
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.freqcnn import FreqCNN
from reproduce.assumptions import choices
from reproduce.tables import TABLES


def architecture_table(number, assume=(), net=None):
    return TABLES[number].compare(choices(number, assume)["network"], net)


def verdicts(compared, verdict):
    frame = compared.frame
    return {(cell.row, cell.column) for cell in frame[frame["verdict"] == verdict].itertuples()}


@pytest.mark.parametrize("number", [2, 7, 10])
def test_the_networks_are_the_papers(number):
    compared = architecture_table(number)
    assert verdicts(compared, "different") == set()
    assert verdicts(compared, "assumed") == {(row, "Global convolution") for row in (2, 4, 6, 9)}
    assert "4 cells have an addition to the paper's" in compared.markdown()


@pytest.mark.parametrize("where, cell", [("local", "Local convolution"), ("global_", "Global convolution")])
def test_another_width_differs_in_its_cell(where, cell):
    table = architecture("table7")
    (block, pool), *others = table.rows
    wider = replace(block, **{where: replace(getattr(block, where), kernel=3)})
    net = FreqCNN(replace(table, rows=((wider, pool), *others)))
    compared = architecture_table(7, net=net)
    assert verdicts(compared, "different") == {(1, cell)}
    assert "32, 5 × 5/1, sigmoid [here: 32, 3 × 3/1, sigmoid]" in compared.markdown()


@pytest.mark.parametrize(
    ("unit", "where"),
    [
        (lambda net: net.stages[0].local[1], (1, "Local convolution")),
        (lambda net: net.stages[0].global_[1], (1, "Global convolution")),
        (lambda net: net.stages[-1][0], (12, "Global convolution")),
    ],
)
def test_one_unit_that_differs_from_its_path_is_noticed(unit, where):
    net = FreqCNN(architecture("table2"))
    unit(net)[-1]._act_type = "softsign"  # the shapes and the number of parameters stay
    compared = architecture_table(2, net=net)
    assert verdicts(compared, "different") == {where} and "softsign" in compared.markdown()


def test_another_depth_is_noticed():
    compared = architecture_table(7, net=FreqCNN(architecture("table7"), attention_blocks=1))
    assert (7, "Name") in verdicts(compared, "different")
    assert "[here: none]" in compared.markdown()


def test_another_choice_than_assumed_is_different():
    compared = architecture_table(2, net=FreqCNN(architecture("table2"), conv_pool_activation="relu"))
    assert verdicts(compared, "different") == {(row, "Global convolution") for row in (2, 4, 6, 9)}


@pytest.mark.parametrize("number", [2, 7, 10])
def test_the_network_is_built_with_the_chosen_assumptions(number):
    listed = architecture_table(number)
    rendered = architecture_table(number, ["conv_pool_activation=relu"])
    assert "[+ relu]" in rendered.markdown() and "convolutions have? Choice: relu." in rendered.markdown()
    assert verdicts(rendered, "different") == set() and len(verdicts(rendered, "assumed")) == 4
    for assume in ("batchnorm=convolution", "fc_batchnorm=true"):
        other = architecture_table(number, [assume])
        assert not other.further["Parameters"].equals(listed.further["Parameters"])
        assert f"Choice: {assume.partition('=')[2]}.".lower() in other.markdown().lower()


def test_a_choice_that_the_table_does_not_depend_on_is_refused():
    with pytest.raises(Faults) as caught:
        architecture_table(2, ["nonsense=1", "gamma=1.0", "head=one"])
    assert "no assumption" in caught.value.faults[0] and "does not affect" in caught.value.faults[1]
    assert "no alternative" in caught.value.faults[2]


def accents(missing=0):
    rows = [
        (partition, label)
        for (partition, label), count in ut_podcast.EXPECTED.items()
        for _ in range(count - (missing if (partition, label) == ("train", "UK") else 0))
    ]
    frame = pd.DataFrame(rows, columns=["partition", "label"]).assign(clip="", speaker="")
    return ut_podcast.protocol(frame)


def test_table_1_counts_the_paper():
    compared = TABLES[1].compare(accents(), "paper")
    assert verdicts(compared, "different") == set() and len(verdicts(compared, "same")) == 14
    assert "14 of 14 cells are the same as the paper's." in compared.markdown()


def test_a_missing_clip_changes_every_sum_that_includes_it():
    compared = TABLES[1].compare(accents(missing=1), "paper")
    columns = {"UK", "UK2", "Original", "Over-sampled"}
    assert verdicts(compared, "different") == {("training", column) for column in columns}
    assert "492 [here: 490]" in compared.markdown() and "4 cells differ" in compared.markdown()


def folds(missing=0):
    texts = {1: ("f01", "f02"), 2: ("f03", "f04"), 3: chains.SENTENCES}
    counts = chains.EXPECTED | {2: chains.EXPECTED[2] - missing}
    frames = [
        pd.DataFrame({"fold": fold, "text": np.resize(np.array(texts[fold]), count)})
        for fold, count in counts.items()
    ]
    return pd.concat(frames, ignore_index=True)


def test_table_6_counts_the_paper_and_reads_the_texts():
    compared = TABLES[6].compare(folds(), "paper")
    assert verdicts(compared, "different") == set() and len(verdicts(compared, "same")) == 15
    compared = TABLES[6].compare(folds(missing=2), "paper")
    assert verdicts(compared, "different") == {(1, "#Samples"), (2, "#Samples "), (3, "#Samples")}


@pytest.mark.parametrize(
    "source, banner", [("standin", "STAND-IN"), ("mine", "NOT THE PAPER'S CORPUS: 'mine'")]
)
def test_other_data_carry_a_banner_and_no_verdict(source, banner, tmp_path):
    compared = TABLES[1].compare(accents(missing=3), source)
    rendered = compared.write(tmp_path / "table01")
    assert banner.split(":")[0] in rendered and " differ:" not in rendered and "489" not in rendered
    assert set(compared.frame["verdict"]) == {""}
    assert (tmp_path / "table01.md").read_text() == rendered
    assert len(pd.read_csv(tmp_path / "table01.csv")) == 14
