import re

import pytest

from freqcnn_gluon.__main__ import main


def test_describe_prints_the_table_with_shapes_and_counts(capsys):
    assert main(["describe", "table7", "--size", "64", "--classes", "6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 × 64 × 64" in lines[0]
    block = next(line for line in lines if line.startswith("Attention-based block 5"))
    assert re.split(r"  +", block) == [
        "Attention-based block 5",
        "128, 3 × 3/1, sigmoid",
        "128, 3 × 3/1, sigmoid",
        "128 × 4 × 4",
        # Two halves of 256 -> 128, then 256 -> 128 and 128 -> 128, each after its BatchNorm.
        f"{3 * (2 * 256 + 9 * 256 * 128 + 128) + 2 * 128 + 9 * 128 * 128 + 128:,}",
    ]
    counts = [int(line.split()[-1].replace(",", "")) for line in lines[4:-2]]
    assert lines[-1] == f"{sum(counts):,} parameters"
    assert len({line.index("Output") for line in lines if "Output" in line}) == 1


@pytest.mark.parametrize(
    "words, said", [(["table3"], "table2, table7, table10"), (["table7", "--size", "100"], "multiple of 32")]
)
def test_faults_are_one_sentence(words, said, capsys):
    assert main(["describe", *words]) == 1
    captured = capsys.readouterr()
    assert said in captured.err and captured.err.startswith("error: ") and captured.err.count("\n") == 1
