"""Error messages, exit codes, Ctrl-C and argparse types, the same for every command."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from data_prep.base.faults import SHOWN, Faults, one_line, printable
from data_prep.base.files import naming, whole

STDOUT = Path("standard output")
REMEDIES = {
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name another place",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
}


def with_plain_errors(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's ``main`` so that faults end it with a message and exit code 1, without a traceback.

    Errors of the operating system, such as a full disk, are reported in the same form. If there are more
    faults than fit on a screen, all of them go to a file, whose name is printed. If the reader of stdout
    has gone, as behind ``| head``, the command ends silently. If stdout is closed, the command does not
    start, because its answers would be lost. If stderr is closed, its text is dropped.

    Args:
        main: The command. It may return an exit code.

    Returns:
        A function that takes the arguments of ``main`` and returns the exit code.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        if sys.stderr is None:  # Python has None for a closed stream
            sys.stderr = open(os.devnull, "w", encoding="utf-8")
        if sys.stdout is None:
            print(f"error: {STDOUT}: is closed; send it to a file, or to {os.devnull}", file=sys.stderr)
            return 1
        hook, sys.unraisablehook = sys.unraisablehook, _repeat_interrupt
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # file names may be in any encoding
        try:
            code = main(*args, **kwargs) or 0
            with naming(STDOUT):
                sys.stdout.flush()  # Python's own flush at exit would print a traceback for a closed pipe
            return code
        except BrokenPipeError:
            _drop_output()
            return 128 + signal.SIGPIPE
        except Faults as faults:
            message, code = f"error: {faults}{_write_all(faults)}", 1
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0, "check the disk and permissions")
            message, code = f"error: {_cause(error)}; {remedy}", 1
        except UnicodeEncodeError as error:
            if error.encoding.lower() in ("utf-8", "utf8"):
                raise
            message = (
                f"error: {error.object!r}: this locale's encoding, {error.encoding}, has no character for a "
                "part of it; set PYTHONUTF8=1"
            )
            code = 1
        except KeyboardInterrupt as stop:
            message, code = "; ".join(("stopped", *stop.args)), 130
        finally:
            sys.unraisablehook = hook
        # The exception is freed here, and with it the progress bars, which then end their lines.
        print(printable(message), file=sys.stderr)
        return code

    return wrapped


def _drop_output() -> None:
    """Let stdout drop what it still holds; Python flushes it once more when it exits."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), sys.stdout.fileno())


def _cause(error: OSError) -> str:
    """Return the file and the reason of an error of the operating system."""
    if error.filename == str(STDOUT):
        _drop_output()
    if not error.filename:
        return error.strerror or str(error)
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return one_line(f"{name}: {error.strerror}")


def _write_all(faults: Faults) -> str:
    """Write the faults to a file if there are more than are shown; return a clause that names the file."""
    if len(faults.faults) <= SHOWN:
        return ""
    path = Path(f"{faults.out}-faults.txt" if faults.out else "faults.txt")
    try:
        with whole(path) as aside:
            aside.write_text("".join(f"{one_line(fault)}\n" for fault in faults.faults), encoding="utf-8")
    except OSError:
        return ""
    return f"; all are in {path}"


@contextlib.contextmanager
def resumable(out: Path | None = None) -> Iterator[None]:
    """Wrap resumable work: attach ``out`` to its Faults; after Ctrl-C say that the same command resumes."""
    try:
        yield
    except Faults as faults:
        faults.out = out
        raise
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*stop.args, "run the same command again to resume") from None


def _repeat_interrupt(unraisable) -> None:
    """Send Ctrl-C again if it was raised in a destructor, where Python would drop it."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        timer = threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        timer.daemon = True
        try:
            timer.start()
        except KeyboardInterrupt:  # the timer has fired before start() returned, on a busy machine
            _repeat_interrupt(unraisable)
    else:
        sys.__unraisablehook__(unraisable)


def natural(text: str) -> int:
    """Parse a whole number of 0 or more, as an argparse ``type``."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def number(text: str) -> float:
    """Parse a number, as an argparse ``type``."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def positive(text: str) -> int:
    """Parse a whole number of 1 or more, as an argparse ``type``."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
