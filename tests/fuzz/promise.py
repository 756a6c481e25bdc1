"""The promise of everything that reads a file: it returns a value or raises Faults that name the file.

It raises no other exception, takes little time, starts no program and writes nothing outside its folder.
Import this module before the project: it puts the project on the path.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).parents[1] / folder) for folder in ("data_prep", "freqcnn_gluon", "reproduce", "..")
]

from data_prep.base.faults import Faults  # noqa: E402

SECONDS = 20  # time limit for one input
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")


class Finding(BaseException):
    """The promise was broken. It is not an Exception, so that no code under test catches it."""


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        read: ``read(content, folder)`` reads ``content`` as a file in the empty ``folder``.
        seeds: Returns valid contents to start from.
    """

    read: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]


def check(target: Target, content: bytes) -> None:
    """Read ``content`` and raise Finding, or any other exception, if the promise is broken."""
    target.seeds()  # makes in advance what all inputs share, so that its writes and time do not count
    with tempfile.TemporaryDirectory() as aside:
        folder, started = Path(aside) / "folder", time.monotonic()
        folder.mkdir()
        with _watched(folder):
            try:
                target.read(content, folder)
            except Faults as faults:
                if unnamed := [fault for fault in faults.faults or [""] if str(folder) not in fault]:
                    raise Finding(f"a fault names no file: {unnamed[0]!r}") from None
        if time.monotonic() - started > SECONDS:
            raise Finding(f"took {time.monotonic() - started:.1f} s")


_inside: Path | None = None


def _audited(event: str, arguments: tuple) -> None:
    if _inside is None:
        return
    if event in RUNS or event == "pickle.find_class":
        raise Finding(f"{event}{arguments}")
    if (event == "open" and arguments[2] & WRITES) or event in CHANGES:
        for path in arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1]:
            if isinstance(path, (str, bytes, os.PathLike)):
                path = os.path.abspath(os.fsdecode(path))
                if path != os.devnull and not path.startswith(f"{_inside}{os.sep}") and path != str(_inside):
                    raise Finding(f"{event} outside of the folder: {path}")


@functools.cache
def _hooked() -> None:
    sys.dont_write_bytecode = True  # so that late imports do not count as writes
    sys.addaudithook(_audited)


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[None]:
    global _inside
    _hooked()
    _inside = folder
    try:
        yield
    finally:
        _inside = None
