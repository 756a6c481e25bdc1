"""Files that appear whole or not at all, folders in which one process works at a time, and checksums.

The locks are those of ``flock``: they end with the process that holds them, however it ends. On NFS they
hold between machines only if the mount carries locks over (version 4, or 3 without ``nolock``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

OWN = re.compile(r"\..+\.\d+\.tmp")  # other programs, such as Syncthing, also write files named .*.tmp

NAME = 255  # longest file name in bytes on Linux and macOS

__all__ = ["alive", "as_stored", "checksum", "in_place", "locked", "naming", "whole"]


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to; on success sync it and rename it to ``path``.

    The folder is synced too, so that a power cut cannot undo the rename. After an exception the temporary
    file is removed. If the writer is killed, the next writer in the same folder removes its file. The process
    number in the temporary name keeps two writers apart.

    A device, a pipe or /dev/stdout is written in place, because a renamed file would replace it.

    Raises:
        OSError: ``path`` cannot be written. The error names ``path``, before anything is yielded if possible.
    """
    path = Path(path)
    if _in_place_only(path):
        with naming(path):
            yield path
        return
    made = [folder for folder in path.parents if not folder.exists()]
    _make_folder(path)
    _sweep(path.parent)
    aside = _beside(path)
    try:
        with naming(path), alive(aside):
            yield aside
            with open(aside, "rb") as written:
                os.fsync(written.fileno())
            os.replace(aside, path)
        for folder in (path.parent, *(folder.parent for folder in made)):
            _sync(folder)
    finally:
        with contextlib.suppress(OSError):  # the error that led here is the one to report
            aside.unlink(missing_ok=True)


def _in_place_only(path: Path) -> bool:
    """Return whether ``path`` is a device, a pipe, or a link to one that is open.

    Raises:
        OSError: It is a folder, or its name is too long.
    """
    with naming(path):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a folder, not a file", str(path))
    return not stat.S_ISREG(mode) or path.absolute().parts[1:2] in (("dev",), ("proc",))


def _make_folder(path: Path) -> None:
    """Make the folder of ``path`` and those above it. An OSError names ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError):
            error = NotADirectoryError(errno.ENOTDIR, f"{path.parent} is a file, not a folder")
        error.filename = str(path)
        raise error from None


def _beside(path: Path) -> Path:
    """Return the temporary path beside ``path``. A long name is cut, and its checksum keeps it distinct."""
    end = f".{os.getpid()}.tmp"
    name = os.fsencode(path.name)
    if len(name) + len(end) + 1 > NAME:
        mark = hashlib.sha256(name).hexdigest()[:16]
        name = name[: NAME - len(end) - len(mark) - 1].decode(errors="ignore").encode() + mark.encode()
    return path.with_name(f".{os.fsdecode(name)}{end}")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put ``path`` into an OSError that names no file, as that of a failed write, or its temporary file."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) in (path, _beside(path)):
            error.filename, error.filename2 = str(path), None
        raise


@contextlib.contextmanager
def locked(folder: Path, busy: str, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of ``folder``, which is the file .lock in it. Both are made if they are missing.

    Args:
        folder: The folder to lock.
        busy: What the process that holds the lock does, for the message printed while waiting for it.
        wait: Whether to wait while another process holds the lock.

    Yields:
        Whether the lock is held. It is always True with ``wait``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", opener=in_place) as file:
        held = _lock(file)
        if not held and wait:
            print(f"{folder}: another process {busy}; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
            held = True
        yield held


def as_stored(path: Path | str) -> Path:
    """Return a path as the disk spells it.

    The same name may have several spellings in Unicode: macOS decomposes 'ü', and keyboards do not. Where
    ``path`` does not exist but a path of the same normal form NFC does, return that one.
    """
    path = Path(path)
    if str(path).isascii() or "\0" in str(path) or os.path.lexists(path):
        return path
    folder = as_stored(path.parent)
    try:
        names = _by_normal_form(folder, folder.stat().st_mtime_ns)
    except OSError:
        return path
    return folder / names.get(unicodedata.normalize("NFC", path.name), path.name)


@functools.lru_cache(64)  # a table may list many files of a folder
def _by_normal_form(folder: Path, changed: int) -> dict[str, str]:
    """Return NFC -> name for the names in a folder; its time of change makes the cache forget old names."""
    return {unicodedata.normalize("NFC", name): name for name in os.listdir(folder)}


def in_place(path: str, flags: int) -> int:
    """Open a file that is written in place, for ``open``'s opener: never follow a link out of the folder."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def checksum(path: Path | str, prefix: bytes = b"") -> str:
    """Return the SHA-256 (hex) of ``prefix`` and the bytes of a file, read in parts.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256(prefix)
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def _lock(file) -> bool:
    """Lock ``file`` if no other process holds it. Return True also where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def alive(aside: Path) -> Iterator[None]:
    """Make ``aside``, whose name matches OWN, and hold its lock: the sweep removes files without a lock."""
    while True:
        with open(aside, "wb") as file:
            _lock(file)
            if aside.exists() and os.path.samestat(os.fstat(file.fileno()), aside.stat()):
                yield
                return
        # Another process removed the file before it was locked: make it again.


def _sweep(folder: Path) -> None:
    """Remove the temporary files of writers that were killed."""
    for left in filter(lambda path: OWN.fullmatch(path.name), folder.glob(".*.tmp")):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the writer lives
            left.unlink()


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder; the file itself is safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
