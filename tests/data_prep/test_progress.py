"""The progress bar: a moving one on a terminal, a few lines in a log, silence where that is asked for."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
import tqdm.std

from data_prep.base import progress
from data_prep.base.progress import Bar

PROJECT = Path(__file__).parents[2]
STEPS = "from data_prep.base.progress import Bar\nfor _ in Bar(range(10_000), 'counting', unit='clip'): pass"


def run(code, stderr=subprocess.PIPE, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"} | variables
    return subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, stderr=stderr, check=True
    ).stderr


def counts(log):
    """The steps done in each line of a log."""
    return [int(re.search(r"(\d+)/", line)[1]) for line in log.splitlines()]


@pytest.fixture(autouse=True)
def loud(monkeypatch):
    """The bars of this process print, whatever the environment of the tests says."""
    monkeypatch.setattr(progress, "SILENCED", False)


@pytest.fixture
def clock(monkeypatch):
    """Seconds since some time, as the bars see them; the test moves them on."""
    seconds = [1000.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: seconds[0])
    return seconds


def on_terminal(code, **variables):
    """What a process writes on its stderr, which is a terminal."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    try:
        run(code, secondary, **variables)
        os.set_blocking(primary, False)
        content = b""
        try:
            while part := os.read(primary, 2**16):
                content += part
        except BlockingIOError:
            return content
    finally:
        os.close(primary)
        os.close(secondary)


def test_ten_thousand_steps_in_a_pipe_are_a_line_at_the_start_and_one_at_the_end():
    first, last = run(STEPS).decode().splitlines()
    assert first.startswith("counting:   0%|") and "0/10000" in first
    assert last.startswith("counting: 100%|") and "10000/10000" in last and "clip/s" in last


def test_in_a_log_there_is_a_line_every_thirty_seconds(clock):
    log = io.StringIO()
    for _ in Bar(range(100), "counting", file=log):
        clock[0] += 1
    assert counts(log.getvalue()) == [0, 30, 60, 90, 100] and log.getvalue().endswith("\n")
    assert "\r" not in log.getvalue() and "\x1b" not in log.getvalue()


def test_every_call_that_would_draw_again_keeps_the_thirty_seconds(clock):
    log = io.StringIO()
    with Bar(total=3, initial=1, desc="runs", file=log, mininterval=1, miniters=0, smoothing=0) as bar:
        with Bar(total=1, desc="inner", file=log):
            bar.set_postfix({"loss": "0.5"})
            bar.set_description("more runs")
            bar.set_postfix_str("a, b", refresh=False)
            bar.update(0)
        bar.refresh()
    lines = log.getvalue().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["runs", "inner", "inner", "more runs"]
    assert "1/3" in lines[-1] and ", a, b]" in lines[-1]


def test_a_fractional_count_in_a_format_of_its_own(clock):
    log = io.StringIO()
    bar = Bar(total=2, desc="training", bar_format="{desc}: epoch {n:.1f} of {total}", file=log)
    for step in range(1, 5):
        clock[0] += 20
        bar.n = step / 2
        bar.update(0)
    bar.close()
    bar.close()
    assert log.getvalue().splitlines() == [f"training: epoch {n} of 2" for n in ("0.0", "1.0", "2.0", "2.0")]


def test_a_message_stands_on_a_line_of_its_own(capsys):
    with Bar(total=2, desc="runs") as bar:
        bar.write("one failed", file=sys.stderr)
        bar.update(2)
    first, message, last = capsys.readouterr().err.splitlines()
    assert "0/2" in first and message == "one failed" and "2/2" in last


def test_a_bar_that_stays_open_ends_its_line_when_it_is_freed(capsys):
    bar = Bar(total=2, desc="training")
    bar.update()
    del bar
    assert counts(capsys.readouterr().err) == [0, 1]


def test_a_terminal_still_sees_a_moving_bar():
    content = on_terminal(STEPS)
    assert content.count(b"\r") > 1 and content.endswith(b"\n") and b"10000/10000" in content


@pytest.mark.parametrize("where", [run, on_terminal])
def test_silence(where):
    code = STEPS.replace("unit=", "disable=False, unit=")
    code += "\nbar = Bar(total=2); bar.update(); bar.set_postfix_str('a'); assert bar.n == 1; bar.close()"
    assert where(code, TQDM_DISABLE="1") == b""
    assert where(code, TQDM_DISABLE="0") != b""
