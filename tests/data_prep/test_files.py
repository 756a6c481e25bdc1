"""Files whole or not at all, whoever dies meanwhile; folders for one at a time."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.base import files
from data_prep.base.files import locked, whole

PROJECT = Path(__file__).parents[2]
WRITER = """
import sys
from data_prep.base.files import locked, whole
with {what} as got:
    if {writes}:
        got.write_text("half")
    print("in", flush=True)
    sys.stdin.read()
"""


def other(what, writes=False):
    """Another process within ``what``."""
    script = WRITER.format(what=what, writes=writes)
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "in\n"
    return process


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_and_its_folders_are_synced_in_that_order(tmp_path, monkeypatch):
    synced, replaced = [], []
    fsync, replace = os.fsync, os.replace

    def noting(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", noting)
    monkeypatch.setattr(
        files.os, "replace", lambda *names: replaced.append((len(synced), *names)) or replace(*names)
    )
    path = tmp_path / "new" / "newer" / "file"
    with whole(path) as aside:
        aside.write_text("all")
    assert path.read_text() == "all"
    assert synced == [str(aside), *map(str, (path.parent, path.parent.parent, tmp_path))]
    assert replaced == [(1, aside, path)]


def test_after_an_exception_the_old_file_is_there_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("old")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)), whole(tmp_path / "file") as aside:
            aside.write_text("half")
            raise error
        assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_what_a_killed_writer_left_is_swept_and_a_living_ones_is_not(tmp_path):
    writers = [other(f"whole({str(tmp_path / name)!r})", True) for name in ("dead", "alive")]
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate()
    left = [f".{name}.{writer.pid}.tmp" for name, writer in zip(("dead", "alive"), writers)]
    assert names(tmp_path) == sorted(left)
    with whole(tmp_path / "mine") as aside:
        aside.write_text("mine")
    assert names(tmp_path) == sorted([left[1], "mine"])
    writers[1].communicate()
    assert names(tmp_path) == ["alive", "mine"] and (tmp_path / "alive").read_text() == "half"


def test_files_of_other_programs_are_not_swept(tmp_path):
    others = [".syncthing.talk.wav.tmp", ".notes.tmp", ".7.tmp", "file.7.tmp"]
    for name in others:
        (tmp_path / name).touch()
    with whole(tmp_path / "mine") as aside:
        aside.write_text("mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "mine"])


def test_a_writer_whose_file_is_swept_before_its_lock_makes_another(tmp_path, monkeypatch):
    lock, swept = files._lock, []

    def late(file):
        if not swept:
            swept.append(Path(file.name).unlink())
        return lock(file)

    monkeypatch.setattr(files, "_lock", late)
    with whole(tmp_path / "file") as aside:
        aside.write_text("all")
        files._sweep(tmp_path)
    assert swept and (tmp_path / "file").read_text() == "all"


def test_a_locked_folder_is_waited_for_or_left(tmp_path, capfd):
    holder = other(f"locked(__import__('pathlib').Path({str(tmp_path / 'run')!r}), '')")
    with locked(tmp_path / "run", "has it", wait=False) as held:
        assert not held
    holder.send_signal(signal.SIGKILL)  # the lock ends with it
    holder.communicate()
    with locked(tmp_path / "run", "has it", wait=False) as held:
        assert held
    assert capfd.readouterr().err == ""


def test_waiting_is_reported(tmp_path, capfd):
    holder = other(f"locked(__import__('pathlib').Path({str(tmp_path)!r}), '')")
    os.set_blocking(holder.stdin.fileno(), True)
    lock = files.fcntl.flock

    def release(file, how):
        if not how & files.fcntl.LOCK_NB:  # the one that waits
            holder.communicate()
        return lock(file, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.fcntl, "flock", release)
        with locked(tmp_path, "has this run") as held:
            assert held
    assert f"{tmp_path}: another process has this run; waiting for it" in capfd.readouterr().err


def test_a_write_that_fails_is_reported_with_its_file(tmp_path):
    with pytest.raises(OSError) as refused, whole(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert refused.value.filename == str(tmp_path / "file")
    with pytest.raises(FileNotFoundError) as refused, whole(tmp_path / "file"):
        (tmp_path / "other" / "one").read_text()
    assert refused.value.filename == str(tmp_path / "other" / "one")
    assert not list(tmp_path.iterdir())


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole(tmp_path / "out.csv"):
        (tmp_path / "other.wav").read_bytes()
    assert caught.value.filename == str(tmp_path / "other.wav")


def test_checksum_is_sha256_of_the_whole_file_behind_its_prefix(tmp_path):
    content = bytes(range(256)) * 2**13  # two parts
    (tmp_path / "file").write_bytes(content + b"end")
    assert files.checksum(tmp_path / "file") == hashlib.sha256(content + b"end").hexdigest()
    assert files.checksum(tmp_path / "file", b"x") == hashlib.sha256(b"x" + content + b"end").hexdigest()
