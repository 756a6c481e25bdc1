"""Manifest -> store: a folder with every clip's image in one memory-mapped array, and an index.

    settings.json   how the images were computed
    images.f32      raw float32 rows of size * size, only ever appended to
    rows.csv        the content key of each row, appended after the row itself is safely on disk
    index.csv       clip, row, key for the present manifest, written last: with it the store is complete

A key covers the bytes of the clip's file, its start and stop, and the settings. So a changed clip is computed
again and nothing else is, equal content shares a row, and a build that was stopped goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.base.files import checksum, in_place, locked, naming, whole
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.manifest import Clip
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image

FORMAT = 1  # to be raised whenever the same file and settings would give another image
BATCH = 64  # rows between two syncs: what a killed build can lose
KEY = re.compile(rb"[0-9a-f]{64}\n")


class Store:
    """A complete store, opened read-only.

    ``settings``: its ImageSettings. ``images``: memory-mapped float32 (rows, size, size), (row, freq, time).
    ``index``: DataFrame of clip, row, key. Raises Faults if the folder is missing, incomplete or damaged.
    """

    def __init__(self, folder: Path | str):
        self.folder = folder = Path(folder)
        if not (folder / "index.csv").is_file():
            state = "is not complete" if (folder / "settings.json").is_file() else "is not there"
            raise Faults(
                f"{folder}: the store {state}; run the command that builds it, which goes on from there"
            )
        try:
            stated = _stated_in(folder)
            self.format = stated.pop("format")
            if self.format != FORMAT:
                raise Faults(
                    f"{folder}: has format {self.format}, this program reads {FORMAT}; build the store again"
                )
            self.settings = ImageSettings(**stated)
            self.index = pd.read_csv(
                folder / "index.csv", dtype={"clip": str, "row": np.int64, "key": str}, keep_default_na=False
            )
            if self.index.columns.tolist() != ["clip", "row", "key"]:
                raise ValueError("index.csv has other columns than clip, row, key")
            keys = (folder / "rows.csv").read_bytes().split()
            held = (folder / "images.f32").stat().st_size
            size, rows, wanted = self.settings.size, len(keys), self.index["row"].max() + 1
            if not isinstance(size, int) or self.index.empty or self.index["clip"].duplicated().any():
                raise ValueError("its size is no whole number, or index.csv has a clip twice or none")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise Faults(f"{folder}: the store is damaged ({error}); delete it and build it again") from None
        if held != rows * 4 * size**2 or rows < wanted:
            raise Faults(
                f"{folder}: the store is damaged (images.f32 has {held} bytes, rows.csv {rows} rows, "
                f"index.csv asks for {wanted}); run the command that builds it, which mends it"
            )
        of_rows = [keys[row].decode("ascii", "replace") if row >= 0 else "" for row in self.index["row"]]
        if of_rows != self.index["key"].tolist():
            raise Faults(
                f"{folder}: the store is damaged (index.csv speaks of other images than rows.csv); run the "
                "command that builds it, which mends it"
            )
        self.images = np.memmap(folder / "images.f32", "<f4", "r", shape=(rows, size, size))
        self._by_clip = self.index.set_index("clip")

    def rows(self, clips: Iterable[str]) -> np.ndarray:
        """Row of each clip, int64 (n,). Raises Faults naming the clips that the store does not have."""
        return self._of(clips)["row"].to_numpy()

    def keys(self, clips: Iterable[str]) -> list[str]:
        """Content key of each clip. Raises Faults as ``rows`` does."""
        return self._of(clips)["key"].tolist()

    def fingerprint(self, frame: pd.DataFrame) -> str:
        """SHA-256 (hex) of all that training can see of a manifest: its clips in order, with their content.

        Paths and times are left out, as the key covers what they lead to. Raises Faults as ``rows`` does.
        """
        seen = frame.drop(columns=["path", "start", "stop"]).assign(key=self.keys(frame["clip"]))
        return hashlib.sha256(seen[sorted(seen.columns)].to_csv(index=False).encode()).hexdigest()

    def _of(self, clips: Iterable[str]) -> pd.DataFrame:
        clips = list(clips)
        if unknown := sorted(set(clips) - set(self._by_clip.index)):
            raise Faults(
                f"{self.folder}: has no clip {clip!r}; build the store from this manifest" for clip in unknown
            )
        return self._by_clip.loc[clips]


def store_folder(out: Path | str, settings: ImageSettings) -> Path:
    """Where below ``out`` the store with these settings belongs: ``images-<size>-<hash of the settings>``."""
    return Path(out) / f"images-{settings.size}-{_settings_hash(settings)[:8]}"


def build(
    frame: pd.DataFrame,
    root: Path | str,
    folder: Path | str,
    settings: ImageSettings,
    jobs: int | None = None,
    known: Sequence[str] = (),
) -> Store:
    """Bring the store in ``folder`` up to the manifest ``frame``, with paths below ``root``, and open it.

    First every clip is read and checked; Faults lists all that is wrong, after the faults that are ``known``
    already, and nothing has been written then.
    Then the images that the store lacks are computed, by ``jobs`` processes (default: one a core). A second
    process building the same folder waits for the first.
    """
    root, folder = Path(root), Path(folder)
    try:
        manifest.validate(frame, root)
    except Faults as faults:
        raise Faults([*known, *faults.faults]) from None
    clips = manifest.clips(frame, root)
    with pool(jobs, len(clips)) as stream:
        keys, faults = [], list(known)
        checked = stream(functools.partial(_check, settings), clips)
        for key, wrong in Bar(checked, "checking", len(clips), unit="clip"):
            keys.append(key)
            faults += wrong
        if faults:
            raise Faults(dict.fromkeys(faults))  # clips of one file may share its fault

        with locked(folder, "is building this store"):
            _write_settings(folder, settings)
            row = {key: i for i, key in enumerate(_whole_rows(folder, 4 * settings.size**2))}
            new = [(key, clip) for key, clip in dict(zip(keys, clips, strict=True)).items() if key not in row]
            if new:
                _check_space(folder, len(new) * 4 * settings.size**2)
                (folder / "index.csv").unlink(missing_ok=True)
                images = stream(functools.partial(_image, settings), new)
                with naming(folder / "images.f32"):
                    _append(folder, Bar(images, "computing", len(new), unit="clip"))
                row.update({key: len(row) + i for i, (key, _) in enumerate(new)})
            index = pd.DataFrame(
                {"clip": frame["clip"].to_numpy(), "row": [row[key] for key in keys], "key": keys}
            )
            text = index.to_csv(index=False, lineterminator="\n")
            path = folder / "index.csv"
            if not path.is_file() or path.read_bytes() != text.encode():
                with whole(path) as aside:
                    aside.write_text(text, encoding="utf-8")
            return Store(folder)


def content_keys(clips: Sequence[Clip], settings: ImageSettings, jobs: int | None = None) -> list[str]:
    """``content_key`` of each clip; empty for a file that cannot be read."""
    with pool(jobs, len(clips)) as stream:
        return list(stream(functools.partial(_key_or_none, settings), clips))


def file_hashes(paths: Sequence[Path], jobs: int | None = None) -> list[str | None]:
    """SHA-256 (hex) of the bytes of each file; None for one that cannot be read."""
    once = list(dict.fromkeys(paths))
    with pool(jobs, len(once)) as stream:
        found = dict(zip(once, stream(_file_hash_or_none, once)))
    return [found[path] for path in paths]


# What the worker processes do: plain functions of picklable arguments.


def _check(settings: ImageSettings, clip: Clip) -> tuple[str, list[str]]:
    """A clip's key, and what is wrong with it."""
    try:
        audio.load(*clip)
        return content_key(settings, clip), []
    except Faults as faults:
        return "", faults.faults


def _image(settings: ImageSettings, item: tuple[str, Clip]) -> tuple[str, bytes]:
    key, (path, start, stop) = item
    pixels = image(audio.read(path, settings.rate, start, stop), settings)
    if content_key(settings, (path, start, stop)) != key:
        raise Faults(f"{path}: was changed while the store was being built; run the same command again")
    return key, pixels.astype("<f4").tobytes()


def _key_or_none(settings: ImageSettings, clip: Clip) -> str:
    try:
        return content_key(settings, clip)
    except OSError:
        return ""


def content_key(settings: ImageSettings, clip: Clip) -> str:
    """SHA-256 (hex) of all that decides a clip's image: its file's bytes, start, stop, and the settings."""
    path, start, stop = clip
    times = [None if time is None else float(time) for time in (start, stop)]
    return checksum(path, json.dumps([_settings_hash(settings), *times]).encode())


def _file_hash_or_none(path: Path) -> str | None:
    try:
        return checksum(path)
    except OSError:
        return None


def _settings_hash(settings: ImageSettings) -> str:
    stated = {
        name: value if isinstance(value, str) else float(value) for name, value in _stated(settings).items()
    }
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def _stated(settings: ImageSettings) -> dict:
    return {**dataclasses.asdict(settings), "format": FORMAT}


# What is on disk.


def _write_settings(folder: Path, settings: ImageSettings) -> None:
    path = folder / "settings.json"
    if not path.is_file():
        with whole(path) as aside:
            aside.write_text(json.dumps(_stated(settings), indent=1))
        return
    try:
        found = _stated_in(folder)
    except (OSError, ValueError) as error:
        raise Faults(f"{path}: is damaged ({error}); delete {folder} to build it again") from None
    if found != _stated(settings):
        raise Faults(f"{folder}: holds images of other settings ({path.name}); name another folder")


def _stated_in(folder: Path) -> dict:
    """What settings.json says. Raises OSError, or ValueError for what is no such file."""
    try:
        stated = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except RecursionError:
        stated = None
    if not isinstance(stated, dict):
        raise ValueError("settings.json is no list of settings")
    return stated


def _whole_rows(folder: Path, row_bytes: int) -> list[str]:
    """Keys of the rows that are whole on disk, after cutting off what a stopped build left torn."""
    with (
        open(folder / "images.f32", "ab", opener=in_place) as images,
        open(folder / "rows.csv", "a+b", opener=in_place) as rows,
    ):
        rows.seek(0)
        lines = rows.read().splitlines(keepends=True)
        good = next((i for i, line in enumerate(lines) if not KEY.fullmatch(line)), len(lines))
        good = min(good, images.tell() // row_bytes)
        for file, size in ((images, good * row_bytes), (rows, good * 65)):
            if file.tell() != size:
                file.truncate(size)
    return [line[:64].decode() for line in lines[:good]]


def _append(folder: Path, images: Iterable[tuple[str, bytes]]) -> None:
    """Append rows, in batches; a key is only written once its image is on disk."""
    with (
        open(folder / "images.f32", "ab", opener=in_place) as data,
        open(folder / "rows.csv", "ab", opener=in_place) as rows,
    ):

        def settle(keys: list[str]) -> None:
            data.flush()
            os.fsync(data.fileno())
            rows.write("".join(f"{key}\n" for key in keys).encode())
            rows.flush()
            os.fsync(rows.fileno())

        batch = []
        try:
            for key, pixels in images:
                data.write(pixels)
                batch.append(key)
                if len(batch) == BATCH:
                    settle(batch)
                    batch = []
        finally:  # a build that is interrupted keeps what it has
            settle(batch)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Faults(
            f"{folder}: the images need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free on that disk; "
            "make room or name a folder elsewhere"
        )
