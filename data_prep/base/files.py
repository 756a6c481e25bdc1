"""Files that appear whole or not at all, and folders in which one process works at a time.

Both rest on ``flock``, whose locks end with the process that holds them, however it ends. On NFS they hold
between machines only where the mount carries locks over (version 4, or 3 without ``nolock``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

OWN = re.compile(r"\..+\.\d+\.tmp")  # Syncthing, for one, has a .*.tmp too

__all__ = ["alive", "checksum", "in_place", "locked", "naming", "whole"]


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; on success it is synced and renamed to ``path``.

    The folder's entry is synced too, so that a power cut afterwards takes nothing back. After an exception
    nothing is left behind; what a killed writer left behind, the next one in the folder sweeps away. The
    process number keeps two writers apart.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path), alive(aside):
            yield aside
            with open(aside, "rb") as written:
                os.fsync(written.fileno())
            os.replace(aside, path)
        for folder in (path.parent, *(each.parent for each in made)):
            _sync(folder)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let what the system refuses within be said of ``path``: a failed write does not tell which file's."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(error.filename).parent == path.parent:  # the file aside
            error.filename = str(path)
        raise


@contextlib.contextmanager
def locked(folder: Path, busy: str, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of ``folder``, the file .lock in it, which is made where it is not there.

    While another process holds it, that is told (``busy``: what that one does) and waited for; without
    ``wait``, False is yielded instead of True and nothing is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", opener=in_place) as file:
        held = _lock(file)
        if not held and wait:
            print(f"{folder}: another process {busy}; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
            held = True
        yield held


def checksum(path: Path | str) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def in_place(path: str, flags: int) -> int:
    """An opener for what is not written as a whole: a link would lead the writing out of the folder."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _lock(file) -> bool:
    """Whether ``file`` is now locked by this process, or its file system knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def alive(aside: Path) -> Iterator[None]:
    """Make ``aside``, whose name is OWN, and hold its lock: a sign that its writer lives, or it is swept."""
    while True:
        with open(aside, "wb") as file:
            _lock(file)
            if aside.exists() and os.path.samestat(os.fstat(file.fileno()), aside.stat()):
                yield
                return
        # it was swept between its making and its locking


def _sweep(folder: Path) -> None:
    """Remove what writers who no longer live have left in ``folder``."""
    for left in filter(lambda path: OWN.fullmatch(path.name), folder.glob(".*.tmp")):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while the writer lives
            left.unlink()


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot; the file itself is safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
