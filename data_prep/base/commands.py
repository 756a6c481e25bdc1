"""Error messages, exit codes, Ctrl-C and argparse types, the same for every command."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from data_prep.base.faults import SHOWN, Faults, printable
from data_prep.base.files import whole


def with_plain_errors(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's ``main`` so that faults end it with a message and exit code 1, without a traceback.

    Errors of the operating system, such as a full disk, are reported in the same form. If there are more
    faults than fit on a screen, all of them go to a file, whose name is printed. If the reader of stdout
    has gone, as behind ``| head``, the command ends silently.

    Args:
        main: The command. It may return an exit code.

    Returns:
        A function that takes the arguments of ``main`` and returns the exit code.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        hook, sys.unraisablehook = sys.unraisablehook, _repeat_interrupt
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # file names may be in any encoding
        try:
            code = main(*args, **kwargs) or 0
            if sys.stdout:
                sys.stdout.flush()  # Python's own flush at exit would print a traceback for a closed pipe
            return code
        except BrokenPipeError:
            with open(os.devnull, "w") as devnull:
                os.dup2(devnull.fileno(), 1)  # Python flushes stdout once more when it exits
            return 128 + signal.SIGPIPE
        except Faults as faults:
            message, code = f"error: {faults}{_write_all(faults)}", 1
        except OSError as error:
            cause = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            message, code = f"error: {cause}; check the disk and permissions", 1
        except KeyboardInterrupt as stop:
            message, code = "; ".join(("stopped", *stop.args)), 130
        finally:
            sys.unraisablehook = hook
        # The exception is freed here, and with it the progress bars, which then end their lines.
        print(printable(message), file=sys.stderr)
        return code

    return wrapped


def _write_all(faults: Faults) -> str:
    """Write the faults to a file if there are more than are shown; return a clause that names the file."""
    if len(faults.faults) <= SHOWN:
        return ""
    path = Path(f"{faults.out}-faults.txt" if faults.out else "faults.txt")
    try:
        with whole(path) as aside:
            aside.write_text("".join(f"{printable(fault)}\n" for fault in faults.faults), encoding="utf-8")
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
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run the same command again to resume") from None


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


def positive(text: str) -> int:
    """Parse a whole number of 1 or more, as an argparse ``type``."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
