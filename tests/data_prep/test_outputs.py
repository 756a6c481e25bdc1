"""Outputs that cannot be written are named, devices are written in place, and streams may be closed."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.base.commands import with_plain_errors
from data_prep.base.files import NAME, whole

PROJECT = Path(__file__).parents[2]


@with_plain_errors
def write(path):
    with whole(path) as aside:
        aside.write_text("all")


@pytest.mark.parametrize("character", ["x", "ö", "😂"])
@pytest.mark.parametrize("spare", [0, 1, 5, 20, 40])
def test_names_up_to_the_longest_are_written(tmp_path, character, spare):
    name = character * ((NAME - spare) // len(character.encode()))
    assert write(tmp_path / name) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "all"


def test_long_names_of_one_process_do_not_clash(tmp_path):
    names = ["x" * 250 + end for end in ("a", "b")]
    with whole(tmp_path / names[0]) as first, whole(tmp_path / names[1]) as second:
        first.write_text("a")
        second.write_text("b")
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b"]


def unwritable(tmp_path, kind):
    """Return a path that cannot be written."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    return {
        "too long": tmp_path / ("x" * (NAME + 1)),
        "a folder": tmp_path / "folder",
        "below a file": tmp_path / "file" / "a.csv",
        "far below a file": tmp_path / "file" / "b" / "a.csv",
        "no such file system": Path("/proc/here/a.csv"),
        "full": Path("/dev/full"),
    }[kind]


@pytest.mark.parametrize(
    "kind, words",
    [
        ("too long", "File name too long; give a shorter name"),
        ("a folder", "Is a folder, not a file; name a file"),
        ("below a file", "is a file, not a folder; name another place"),
        ("far below a file", "name another place"),
        ("no such file system", "No such file or directory; "),
        ("full", "No space left on device; make room"),
    ],
)
def test_an_output_that_cannot_be_written_is_named(tmp_path, capsys, kind, words):
    path = unwritable(tmp_path, kind)
    assert write(path) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"error: {path}: ") and words in message and message.count("\n") == 1
    assert ".tmp" not in message.replace(str(tmp_path), "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_folder_that_cannot_be_written_names_the_output(tmp_path, capsys, monkeypatch, code):
    def refused(name, *arguments, **keywords):
        raise OSError(code, os.strerror(code), name)

    monkeypatch.setattr("builtins.open", refused)
    assert write(tmp_path / "a.csv") == 1
    monkeypatch.undo()
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/a.csv: {os.strerror(code)}; ")


def test_devices_and_pipes_are_written_in_place(tmp_path):
    assert write("/dev/null") == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True)
    assert write(tmp_path / "pipe") == 0 and reader.communicate(timeout=20)[0] == "all"
    code = "from data_prep.base.files import whole\nwith whole('/dev/stdout') as path: path.write_text('all')"
    for target in (subprocess.PIPE, open(tmp_path / "out", "w+")):
        done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, stdout=target, text=True, check=True)
        assert (done.stdout or (tmp_path / "out").read_text()) == "all"
    assert os.path.islink("/dev/stdout")


COMMAND = """
from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults, note
@with_plain_errors
def main():
    print('result'); note('a note')
    raise Faults('wrong')
raise SystemExit(main())
"""


CLOSED = "error: standard output: is closed; send it to a file, or to /dev/null\n"


@pytest.mark.parametrize(
    "closed, out, err",
    [
        (">&-", "", CLOSED),
        ("2>&-", "result\n", ""),
        (">&- 2>&-", "", ""),
        ("<&-", "result\n", "a note\nerror: wrong\n"),
    ],
)
def test_a_closed_standard_output_is_one_sentence_and_other_streams_may_be_closed(closed, out, err):
    command = f'exec "{sys.executable}" -c "$CODE" {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=PROJECT, capture_output=True, text=True, env=os.environ | {"CODE": COMMAND}
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, out, err)


@pytest.mark.parametrize(
    "words",
    [
        "freqcnn_gluon predict model a.wav",
        "freqcnn_gluon evaluate model data",
        "freqcnn_gluon explain model a.wav",
        "freqcnn_gluon export model --onnx model.onnx",
        "freqcnn_gluon describe table7",
        "reproduce assumptions",
        "data_prep ut_podcast corpus out",
    ],
)
def test_no_command_answers_into_a_closed_standard_output(words):
    command = f'exec "{sys.executable}" -m {words} >&-'
    done = subprocess.run(["sh", "-c", command], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, CLOSED)


def test_a_full_standard_output_is_named():
    code = COMMAND.replace("; note('a note')", "").replace("    raise Faults('wrong')\n", "")
    with open("/dev/full", "w") as full:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output: No space left on device; make room on the disk\n"


def test_a_name_that_the_locale_cannot_encode_names_the_remedy(tmp_path):
    (tmp_path / "a.csv").write_text("path,label\nü.wav,x\nb.wav,y\n", encoding="utf-8")
    code = COMMAND.replace(
        "    print('result'); note('a note')\n    raise Faults('wrong')\n", "    import sys\n    {}\n"
    )
    environment = os.environ | {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for action in ("open('\\xfc.csv')", "from data_prep.corpora import own; own.scan(sys.argv[1])"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(action), tmp_path / "a.csv"],
            cwd=PROJECT, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "set PYTHONUTF8=1" in done.stderr and "Traceback" not in done.stderr
