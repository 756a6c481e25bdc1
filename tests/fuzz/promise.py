"""The promise that whatever reads a file is held to: a value, or Faults that name the file; no other
exception, nothing that takes long, nothing run and nothing written outside the folder.

Imported before the project, it says where that is.
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
    str(Path(__file__).parents[1] / each) for each in ("data_prep", "freqcnn_gluon", "reproduce", "..")
]

from data_prep.base.faults import Faults  # noqa: E402

SECONDS = 20  # that one input may take
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")


class Finding(BaseException):
    """The promise was broken. No Exception, so that nothing under test takes it for its own."""


@dataclass(frozen=True)
class Target:
    """``read(content, folder)`` may return or raise Faults; ``seeds``: valid contents to begin with."""

    read: Callable[[bytes, Path], object]
    seeds: Callable[[], list[bytes]]


def tried(target: Target, content: bytes) -> None:
    """Raises whatever breaks the promise."""
    target.seeds()  # what is made once for all inputs is not theirs
    with tempfile.TemporaryDirectory() as aside:
        folder, started = Path(aside) / "folder", time.monotonic()
        folder.mkdir()
        with _watched(folder):
            try:
                target.read(content, folder)
            except Faults as faults:
                if strange := [each for each in faults.faults or [""] if str(folder) not in each]:
                    raise Finding(f"a fault names no file: {strange[0]!r}") from None
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
    sys.dont_write_bytecode = True  # modules that are imported late
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
