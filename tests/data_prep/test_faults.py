"""Faults reported plainly, and files that appear whole or not at all."""

import argparse
import contextlib
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from data_prep.base.commands import number, positive, resumable, with_plain_errors
from data_prep.base.faults import SHOWN, Faults
from data_prep.base.files import whole
from data_prep.base.progress import Bar
from data_prep.corpora import chains, enterface, ut_podcast


def test_one_fault_is_its_own_message():
    assert str(Faults("a.wav: is missing")) == "a.wav: is missing"
    assert Faults("a.wav: is missing").faults == ["a.wav: is missing"]


def test_several_are_listed_and_the_rest_counted():
    assert str(Faults(["one", "two"])) == "2 faults:\n  one\n  two"
    lines = str(Faults(f"fault {i}" for i in range(SHOWN + 3))).splitlines()
    assert lines[0] == f"{SHOWN + 3} faults:" and lines[-1] == "  ... and 3 more" and len(lines) == SHOWN + 2


@pytest.mark.parametrize("out, name", [("", "faults.txt"), ("models/mine", "models/mine-faults.txt")])
def test_all_of_many_are_written_beside_what_was_to_be_made(tmp_path, monkeypatch, capsys, out, name):
    monkeypatch.chdir(tmp_path)
    found = [f"fault {i} in a\rb\udcff.wav" for i in range(SHOWN + 3)]

    @with_plain_errors
    def main(faults):
        with resumable(Path(out)) if out else contextlib.nullcontext():
            raise Faults(faults)

    assert main(found[:SHOWN]) == 1 and not list(tmp_path.iterdir())
    capsys.readouterr()
    assert main(found) == 1
    assert capsys.readouterr().err.endswith(f"\n  ... and 3 more; all are in {name}\n")
    assert (tmp_path / name).read_text() == "".join(
        f"fault {i} in a\\rb\\udcff.wav\n" for i in range(SHOWN + 3)
    )
    (tmp_path / "faults.txt").unlink(missing_ok=True)
    (tmp_path / "faults.txt").mkdir()
    if not out:  # where no file can be written, the number of other faults is reported still
        assert main(found) == 1 and capsys.readouterr().err.endswith("\n  ... and 3 more\n")


def test_faults_come_back_from_another_process():
    again = pickle.loads(pickle.dumps(Faults(["one", "two"])))
    assert isinstance(again, Faults) and again.faults == ["one", "two"]


@pytest.mark.parametrize(
    "error, code, words",
    [
        (Faults(["one", "two"]), 1, "error: 2 faults:\n  one\n  two\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_reported_plainly(error, code, words, capsys):
    @with_plain_errors
    def main():
        raise error

    assert main() == code
    assert capsys.readouterr() == ("", words)


def test_a_name_s_control_characters_are_spelt_out(capsys):
    names = ["a\x1b[2Jb.wav", "c\rd.wav", "e\udcff.wav", "f\x9b.wav", "ö\tü.wav"]
    for raised in (Faults(names), OSError(2, "is not there", names[0])):

        @with_plain_errors
        def failing(error=raised):
            raise error

        assert failing() == 1
        output = capsys.readouterr().err
        assert "a\\x1b[2Jb.wav" in output and not set(output) & set("\x1b\r\udcff\x9b")
        if raised.args[0] == names:
            assert all(each in output for each in (r"c\rd.wav", r"e\udcff.wav", r"f\x9b.wav", "ö\tü.wav"))


@pytest.mark.parametrize("corpus", [ut_podcast, chains, enterface])
def test_a_table_of_counts_keeps_its_lines(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (table,) = corpus.count_faults(pd.DataFrame(columns=["partition", "label", "speaker", "text"], dtype=str))
    first, *others = table.split("\n")

    @with_plain_errors
    def main(faults):
        raise Faults(faults)

    assert main([table]) == 1
    assert capsys.readouterr().err.splitlines() == [f"error: {first}", *others] and len(others) > 3
    assert main([table, "a\nb.wav: is missing"]) == 1
    shown = ["error: 2 faults:", f"  {first}", *(f"  {line}" for line in others), r"  a\nb.wav: is missing"]
    assert capsys.readouterr().err.splitlines() == shown
    main([table] * (SHOWN + 1))
    assert (tmp_path / "faults.txt").read_text().splitlines() == [first, *others] * (SHOWN + 1)


def test_reported_plainly_leaves_success_and_defects_alone():
    assert with_plain_errors(lambda: None)() == 0
    assert with_plain_errors(lambda: 3)() == 3
    with pytest.raises(ZeroDivisionError):
        with_plain_errors(lambda: 1 / 0)()


def test_whole_appears_at_the_end(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with whole(path) as aside:
        aside.write_text("content")
        assert aside.parent == path.parent and not path.exists()
    assert path.read_text() == "content" and list(path.parent.iterdir()) == [path]


def test_whole_leaves_the_old_content_after_a_failure(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_reported_plainly(tmp_path, capsys):
    (tmp_path / "file").touch()

    @with_plain_errors
    def main():
        (tmp_path / "file" / "below").write_text("")

    assert main() == 1
    output = capsys.readouterr().err
    assert output.startswith(f"error: {tmp_path}/file/below: Not a directory") and output.count("\n") == 1


def test_an_error_under_a_progress_bar_has_a_line_of_its_own(capsys):
    @with_plain_errors
    def main():
        bar = Bar(total=2, desc="training")
        for _ in Bar(range(3), "counting"):
            bar.update()
            raise Faults("there is none")

    assert main() == 1
    assert capsys.readouterr().err.endswith("\nerror: there is none\n")


def test_ctrl_c_in_a_destructor_is_not_lost(capsys):
    class Slow:
        def __del__(self):
            raise KeyboardInterrupt  # what its handler does where a signal arrives here

    @with_plain_errors
    def main():
        Slow()
        time.sleep(5)

    assert main() == 130
    assert capsys.readouterr().err == "stopped\n"


def test_ctrl_c_says_that_a_command_resumes_if_it_does(capsys):
    @with_plain_errors
    def main(*kept):
        with resumable():
            raise KeyboardInterrupt(*kept)

    for kept in ([], ["a checkpoint is kept"]):
        assert main(*kept) == 130
        words = ["stopped", *kept, "run the same command again to resume"]
        assert capsys.readouterr().err == "; ".join(words) + "\n"


@pytest.mark.parametrize("shown", ["[print(i, flush=True) for i in range(10**6)]", "print(1)"])
def test_a_reader_who_has_read_enough_is_left_quietly(shown):
    code = "from data_prep.base.commands import with_plain_errors\n"
    code += f"exit(with_plain_errors(lambda: {shown} and None)())"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 128 + signal.SIGPIPE)


def test_ctrl_c_that_comes_back_too_early_is_not_lost_either(capsys, monkeypatch):
    start, slow = threading.Timer.start, [True]

    def slowly(timer):
        start(timer)
        if slow.pop():
            time.sleep(5)  # as if this thread had to wait for a core

    monkeypatch.setattr(threading.Timer, "start", lambda timer: slowly(timer) if slow else start(timer))
    test_ctrl_c_in_a_destructor_is_not_lost(capsys)
    assert not slow


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_positive(text):
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="whole number of 1 or more"):
        positive(text)


def test_number():
    assert [number(text) for text in ("0.5", "-1", "1e-3")] == [0.5, -1.0, 0.001]
    for text in ("", "many", "0,5"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"^'{text}' is not a number$"):
            number(text)
