"""What every command shares: plain errors, exit codes, Ctrl-C, and argparse types."""

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
    """Wrap a command's ``main``: faults become an error message and exit code 1, no traceback.

    So does what the system refuses (a full disk, a folder that may not be written): no code can foresee it.
    Of many faults the first are shown, and all written to a file beside what was to be made, or here.
    Where nobody reads on, as behind ``| head``, it ends without a word.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        hook, sys.unraisablehook = sys.unraisablehook, _once_more
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be in any encoding
        try:
            code = main(*args, **kwargs) or 0
            if sys.stdout:
                sys.stdout.flush()  # here, and not at Python's end, which is too late to leave quietly
            return code
        except BrokenPipeError:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)  # for what Python still writes at its end
            return 128 + signal.SIGPIPE
        except Faults as faults:
            said, code = f"error: {faults}{_written(faults)}", 1
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            said, code = f"error: {what}; check the disk and permissions", 1
        except KeyboardInterrupt as stop:
            said, code = "; ".join(("stopped", *stop.args)), 130
        finally:
            sys.unraisablehook = hook
        # Out here the exception is gone, and with it the progress bars, which end their lines.
        print(printable(said), file=sys.stderr)
        return code

    return wrapped


def _written(faults: Faults) -> str:
    """Write all of more faults than are shown to a file, and say to which."""
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
    """Around what fills ``out`` and is gone on with after a Ctrl-C, not done again: so that both are told."""
    try:
        yield
    except Faults as faults:
        faults.out = out
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None


def _once_more(lost) -> None:
    """Repeat a Ctrl-C a moment after it fell into a destructor, where Python would drop it."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        again.daemon = True
        try:
            again.start()
        except KeyboardInterrupt:  # on a busy machine a thread starts so slowly that it is back already
            _once_more(lost)
    else:
        sys.__unraisablehook__(lost)


def natural(text: str) -> int:
    """A command line's whole number from 0 up, for argparse's ``type``."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 up")
    return int(text)


def positive(text: str) -> int:
    """A command line's whole number from 1 up, for argparse's ``type``."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)
