"""The command line where nothing is trained."""

import subprocess
import sys
from pathlib import Path

import pytest
from tones import write_tones

from reproduce.__main__ import main


def test_tables_that_count_and_describe(tmp_path, capsys):
    corpus = write_tones(tmp_path / "Tones")
    words = ["--ut-podcast", str(corpus), "--data", str(tmp_path / "d"), "--results", str(tmp_path / "r")]
    assert main(["table", "1", *words]) == 0
    captured = capsys.readouterr().out
    assert "492 [here: 12]" in captured and "STAND-IN" not in captured and "differ" in captured
    assert main(["table", "1", *words, "--no-check-counts"]) == 0
    assert "NOT THE PAPER'S CORPUS" in capsys.readouterr().out
    assert not (tmp_path / "d").exists()  # nothing is computed for it
    assert main(["table", "7", *words]) == 0
    assert "Table 7: Best parameters" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "r").glob("*/*.md")} == {"table01.md", "table07.md"}
    assert main(["table", "7", *words, "--assume", "conv_pool_activation=relu"]) == 0
    assert "[+ relu]" in capsys.readouterr().out
    assert main(["table", "7", *words, "--assume", "schedule=step"]) == 1
    assert "'schedule' does not affect table 7" in capsys.readouterr().err


def test_audit_and_assumptions(tmp_path, capsys):
    assert main(["audit", "--results", str(tmp_path)]) == 0
    assert "AlexNet" in capsys.readouterr().out and (tmp_path / "audit.csv").exists()
    assert main(["assumptions"]) == 0
    assert "`window` (tables 6, 8, 9)" in capsys.readouterr().out


def test_bad_input_is_one_message_and_leaves_nothing(tmp_path, capsys):
    words = ["table", "3", "--device", "cpu", "--data", str(tmp_path / "data")]
    words += ["--results", str(tmp_path / "results")]
    (tmp_path / "empty").mkdir()
    for root in ("missing", "empty"):
        assert main([*words, "--ut-podcast", str(tmp_path / root)]) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ") and root in captured.err and "Traceback" not in captured.err
    assert main([*words, "--device", "tpu"]) == 1
    assert "'tpu' is not understood" in capsys.readouterr().err
    assert main(["table", "99"]) == 1
    assert main(["sensitivity", "7"]) == 1
    assert "no table 99" in capsys.readouterr().err
    assert not (tmp_path / "data").exists() and not (tmp_path / "results").exists()


def test_the_help_does_not_wait_for_large_libraries():
    program = (
        "import sys; from reproduce.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    )
    program += "print({'numpy', 'pandas', 'scipy', 'mxnet'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, text=True, capture_output=True, check=True
    )
    assert done.stdout.endswith("\nset()\n")


@pytest.mark.parametrize(
    "command, argument",
    [("table 2.5", "N"), ("sensitivity 2.5", "N"), ("compare a.csv --size 2.5", "--size")],
)
def test_arguments_that_are_not_numbers_are_named(command, argument, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    fault = f"argument {argument}: '2.5' is not a whole number of 1 or more\n"
    assert ended.value.code == 2 and capsys.readouterr().err.endswith(fault)
