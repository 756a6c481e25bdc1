"""The program: describe, errors, Ctrl-C, launch, the version and missing extras."""

import re
import socket
import subprocess
import sys

import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.__main__ import VERSION, main
from freqcnn_gluon.own import fit as fitting
from freqcnn_gluon.own import model
from freqcnn_gluon.training import launch


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
        # Two halves of 256 -> 128, then 256 -> 128 and 128 -> 128, each between its two BatchNorms.
        f"{3 * (2 * 256 + 9 * 256 * 128 + 128) + 2 * 128 + 9 * 128 * 128 + 128 + 4 * 2 * 128:,}",
    ]
    counts = [int(line.split()[-1].replace(",", "")) for line in lines[4:-2]]
    assert lines[-1] == f"{sum(counts):,} parameters"
    assert len({line.index("Output") for line in lines if "Output" in line}) == 1


@pytest.mark.parametrize(
    "words, message",
    [(["table3"], "table2, table7, table10"), (["table7", "--size", "100"], "multiple of 32")],
)
def test_faults_are_one_sentence(words, message, capsys):
    assert main(["describe", *words]) == 1
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.startswith("error: ") and captured.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--classes 0", "--size 0", "--size -1", "--segments -1"])
def test_describe_refuses_impossible_numbers(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["describe", "table7", *option.split()])
    assert ended.value.code == 2 and "is not a whole number of" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, resumes",
    [
        ("fit recordings --out model", True),
        ("launch --hosts localhost -- true", True),
        ("predict model a.wav", False),
        ("evaluate model recordings", False),
        ("explain model a.wav", False),
        ("export model --onnx model.onnx", False),
    ],
)
def test_ctrl_c_reports_whether_the_command_resumes(words, resumes, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "fit", stopped)
    monkeypatch.setattr(launch, "launch", stopped)
    monkeypatch.setattr(model.Model, "load", stopped)
    assert main(words.split()) == 130
    assert capsys.readouterr().err == "stopped" + "; run the same command again to resume" * resumes + "\n"


def test_launch_reports_why_a_port_cannot_be_used(capsys):
    """A port that is in use here may be free on the first host, where the scheduler runs."""
    with socket.socket() as busy:
        busy.bind(("", 0))
        busy.listen()
        port = busy.getsockname()[1]
        for port_given, reason in ((port, "Address already in use"), (99999, "there is none above 65535")):
            assert main(["launch", "--hosts", "localhost", "--port", str(port_given), "--", "true"]) == 1
            message = capsys.readouterr().err
            assert message.startswith(f"error: port {port_given} cannot be used ({reason}): ")
        assert launch._variables(["127.0.0.1"], port)["DMLC_PS_ROOT_PORT"] == str(port)
        with pytest.raises(Faults, match="port 99999 cannot be used"):
            launch._variables(["127.0.0.1"], 99999)


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"freqcnn {VERSION}\n"


@pytest.mark.parametrize(
    "words, package, extra, newest",
    [
        ("fit recordings --out model", "mxnet", "cpu", (3, 99)),
        ("fit recordings --out model", "mxnet", "cpu", (3, 9)),  # as if this Python were too new for MXNet
        ("explain model a.wav", "matplotlib", "cpu", (3, 99)),
        ("predict model.onnx a.wav", "onnxruntime", "onnx", (3, 9)),
        ("predict {folder} a.wav", "mxnet", "cpu", (3, 99)),
        ("evaluate {folder} data", "mxnet", "cpu", (3, 99)),
    ],
)
def test_a_missing_package_is_reported_with_its_extra(words, package, extra, newest, tmp_path):
    words = words.format(folder=tmp_path)
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        f"import freqcnn_gluon.__main__ as program; program.NEWEST = {newest}\n"
        "raise SystemExit(program.main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    command = words.split()[0]
    assert done.stderr.startswith(f"error: `{command}` needs the package {package}: install freqcnn-gluon ")
    assert f"with the extra {extra}" in done.stderr
    way_out = "run `export MODEL --onnx model.onnx` where MXNet is installed, and give model.onnx to"
    assert (way_out in done.stderr) == (str(tmp_path) in words)
    assert ("Python 3.9 or older" in done.stderr) == (package == "mxnet" and newest == (3, 9))
