"""The store: a folder with every clip's image in one memory-mapped array, and an index of the clips.

    settings.json   how the images were computed
    images.f32      rows of size * size raw float32, which are only ever appended to
    rows.csv        the key of each row, appended once the row itself is safely on disk
    index.csv       clip, row and key of the present manifest; it is written last, and completes the store.
                    A clip that was cut into windows has a line for each window.

A content key covers the bytes of the clip's file, its start and stop, the settings, and whether the clip's
channels cancel each other. So only a changed clip is computed again, equal content shares a row, and an
interrupted build resumes where it stopped. It is the key of the clip's row, or of its first window's; further
windows have keys that are derived from it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, windows
from data_prep.base.faults import Faults
from data_prep.base.files import checksum, in_place, locked, naming, whole
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.manifest import Clip
from data_prep.sound import audio, remarks
from data_prep.sound.spectrogram import ImageSettings

FORMAT = 1  # increase it whenever the same file and settings give another image
BATCH = 64  # rows between two syncs, which a killed build may lose
KEY = re.compile(rb"[0-9a-f]{64}\n")

Keys = tuple[str, ...]  # of the rows of a clip, in the order of its windows


class Store:
    """A complete store, opened read-only.

    Attributes:
        folder: Its folder.
        settings: Its ImageSettings.
        images: Memory-mapped float32 (rows, size, size), as (row, freq, time).
        index: A frame of clip, row and key.

    Raises:
        Faults: The folder is missing, incomplete or damaged.
    """

    def __init__(self, folder: Path | str):
        self.folder = folder = Path(folder)
        if not (folder / "index.csv").is_file():
            state = "is not complete" if (folder / "settings.json").is_file() else "does not exist"
            raise Faults(f"{folder}: the store {state}; run the command that builds it")
        try:
            self.settings, self.index, keys = _read(folder)
            stored = (folder / "images.f32").stat().st_size
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise Faults(f"{folder}: the store is damaged ({error}); delete it and build it again") from None
        size, rows, needed = self.settings.size, len(keys), self.index["row"].max() + 1
        if stored != rows * 4 * size**2 or rows < needed:
            raise Faults(
                f"{folder}: the store is damaged (images.f32 has {stored} bytes, rows.csv {rows} rows, "
                f"index.csv needs {needed}); run the command that builds it, which repairs it"
            )
        of_rows = [keys[row].decode("ascii", "replace") if row >= 0 else "" for row in self.index["row"]]
        if of_rows != self.index["key"].tolist():
            raise Faults(
                f"{folder}: the store is damaged (index.csv and rows.csv name different images); run the "
                "command that builds it, which repairs it"
            )
        self.images = np.memmap(folder / "images.f32", "<f4", "r", shape=(rows, size, size))
        self._by_clip = self.index.drop_duplicates("clip").set_index("clip")

    def rows(self, clips: Iterable[str]) -> np.ndarray:
        """Return the row of each clip, or of its first window, int64 (n,).

        Raises:
            Faults: The store does not have all of the clips.
        """
        return self._of(clips)["row"].to_numpy()

    def windows(self, clips: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return all rows of the clips, clip after clip, int64 (m,), and the number of each clip's (n,).

        Raises:
            Faults: The store does not have all of the clips.
        """
        rows = self.index.groupby("clip")["row"].apply(np.array).loc[self._of(clips).index]
        return np.concatenate(rows.to_numpy()), rows.map(len).to_numpy()

    def keys(self, clips: Iterable[str]) -> list[str]:
        """Return the content key of each clip.

        Raises:
            Faults: The store does not have all of the clips.
        """
        return self._of(clips)["key"].tolist()

    def fingerprint(self, frame: pd.DataFrame) -> str:
        """Return the SHA-256 (hex) of the parts of a manifest that a training depends on.

        These are the clips and their content. Paths and times are left out, because the content keys cover
        them.

        Raises:
            Faults: The store does not have all of the clips.
        """
        parts = frame.drop(columns=["path", "start", "stop"]).assign(key=self.keys(frame["clip"]))
        return hashlib.sha256(parts[sorted(parts.columns)].to_csv(index=False).encode()).hexdigest()

    def _of(self, clips: Iterable[str]) -> pd.DataFrame:
        clips = list(clips)
        if unknown := sorted(set(clips) - set(self._by_clip.index)):
            raise Faults(
                f"{self.folder}: has no clip {clip!r}; build the store from this manifest" for clip in unknown
            )
        return self._by_clip.loc[clips]


def store_folder(out: Path | str, settings: ImageSettings) -> Path:
    """Return the store's folder below ``out``: ``images-<size>-<hash of the settings>``."""
    return Path(out) / f"images-{settings.size}-{_settings_hash(settings)[:8]}"


def build(
    frame: pd.DataFrame,
    root: Path | str,
    folder: Path | str,
    settings: ImageSettings,
    jobs: int | None = None,
    earlier_faults: Sequence[str] = (),
) -> Store:
    """Bring a store up to date with a manifest, and open it.

    First every clip is read and checked. Then the images that the store lacks are computed. A second process
    that builds the same folder waits for the first.

    Args:
        frame: The manifest.
        root: The folder that contains the manifest's paths.
        folder: The store's folder.
        settings: The images' settings.
        jobs: The number of processes; None for one per processor.
        earlier_faults: Faults that were detected before.

    Returns:
        The store.

    Raises:
        Faults: Everything that is wrong, the ``earlier_faults`` first. In that case nothing is written.
    """
    root, folder = Path(root), Path(folder)
    try:
        manifest.validate(frame, root)
    except Faults as invalid:
        raise Faults([*earlier_faults, *invalid.faults]) from None
    clips = manifest.clips(frame, root)
    with pool(jobs, len(clips)) as stream:
        checks = Bar(stream(functools.partial(_check, settings), clips), "checking", len(clips), unit="clip")
        keys = _report(list(checks), clips, settings, earlier_faults)
        with locked(folder, "is building this store"):
            _write_settings(folder, settings)
            row = _add_images(folder, settings, dict(zip(keys, clips, strict=True)), stream)
            lines = [(clip, row[key], key) for clip, own in zip(frame["clip"], keys) for key in own]
            index = pd.DataFrame(lines, columns=["clip", "row", "key"])
            text = index.to_csv(index=False, lineterminator="\n")
            path = folder / "index.csv"
            if not path.is_file() or path.read_bytes() != text.encode():
                with whole(path) as aside:
                    aside.write_text(text, encoding="utf-8")
            return Store(folder)


def _report(
    checks: list[_Check], clips: list[Clip], settings: ImageSettings, earlier_faults: Sequence[str]
) -> list[Keys]:
    """Raise the faults of all clips, print the remarks on them, and return their rows' keys."""
    faults = [*earlier_faults, *(fault for check in checks for fault in check.faults)]
    if faults:
        raise Faults(dict.fromkeys(faults))  # clips of one file may share its fault
    files: dict[str, list[Path]] = {}
    highest = min(settings.rate, max((check.rate for check in checks), default=0))
    for check, (path, *_) in zip(checks, clips, strict=True):
        narrow = {remarks.narrow(check.rate, highest)} if check.rate < highest else set()
        for remark in check.remarks | narrow:
            files.setdefault(remark, []).append(path)
    remarks.report(files)
    return [check.keys for check in checks]


def _add_images(
    folder: Path, settings: ImageSettings, clips: dict[Keys, Clip], stream: Callable
) -> dict[str, int]:
    """Compute the images of the ``clips``, by key, that the store lacks. Return the row of each key."""
    row = {key: i for i, key in enumerate(_whole_rows(folder, 4 * settings.size**2))}
    new = [(keys, clip) for keys, clip in clips.items() if not row.keys() >= set(keys)]
    lacking = [key for keys, _ in new for key in keys if key not in row]
    if new:
        _check_space(folder, len(lacking) * 4 * settings.size**2)
        (folder / "index.csv").unlink(missing_ok=True)
        computed = Bar(stream(functools.partial(_images, settings), new), "computing", len(new), unit="clip")
        with naming(folder / "images.f32"):
            _append(folder, (item for of_clip in computed for item in of_clip if item[0] not in row))
        row.update({key: len(row) + i for i, key in enumerate(lacking)})
    return row


def content_keys(clips: Sequence[Clip], settings: ImageSettings, jobs: int | None = None) -> list[str]:
    """Return the ``content_key`` of each clip, or '' for a file that cannot be read."""
    with pool(jobs, len(clips)) as stream:
        return list(stream(functools.partial(_key_or_none, settings), clips))


# The functions that run in the processes of the pool. Their arguments can be pickled.


@dataclasses.dataclass(frozen=True)
class _Check:
    """The keys of a clip's rows, its rate in Hz, the remarks on its sound (``sound.remarks``), its faults."""

    keys: Keys
    rate: int
    remarks: frozenset[str]
    faults: list[str]


def _check(settings: ImageSettings, clip: Clip) -> _Check:
    sound_remarks: set[str] = set()
    try:
        samples, rate = audio.load(*clip, remarks=sound_remarks)
    except Faults as faults:
        return _Check((), 0, frozenset(), faults.faults)
    key = content_key(settings, clip, remarks.INVERTED in sound_remarks)
    others = range(1, windows.image_count(len(samples), rate, settings))
    keys = (key, *(hashlib.sha256(f"{key} {number}".encode()).hexdigest() for number in others))
    return _Check(keys, rate, frozenset(sound_remarks), [])


def _images(settings: ImageSettings, item: tuple[Keys, Clip]) -> list[tuple[str, bytes]]:
    """Return the key and the bytes of each of a clip's images."""
    keys, (path, start, stop) = item
    sound_remarks: set[str] = set()
    pixels = windows.images(audio.read(path, settings.rate, start, stop, sound_remarks), settings)
    if content_key(settings, (path, start, stop), remarks.INVERTED in sound_remarks) != keys[0]:
        raise Faults(f"{path}: was changed while the store was being built; run the same command again")
    return [(key, image.astype("<f4").tobytes()) for key, image in zip(keys, pixels, strict=True)]


def _key_or_none(settings: ImageSettings, clip: Clip) -> str:
    try:
        inverted = audio.inverted(*clip)
    except Faults:  # reported when the clip is read
        inverted = False
    try:
        return content_key(settings, clip, inverted)
    except OSError:
        return ""


def content_key(settings: ImageSettings, clip: Clip, inverted: bool) -> str:
    """Return the SHA-256 (hex) of all that determines a clip's image: file, start, stop and settings.

    Args:
        settings: The images' settings.
        clip: The clip.
        inverted: Whether its image is of one channel, because the channels cancel each other. Earlier
            versions stored the image of the mean instead, so this changes the key.

    Raises:
        OSError: The file cannot be read.
    """
    path, start, stop = clip
    times = [None if time is None else float(time) for time in (start, stop)]
    cancelled = ["one channel"] if inverted else []
    return checksum(path, json.dumps([_settings_hash(settings), *times, *cancelled]).encode())


def _settings_hash(settings: ImageSettings) -> str:
    values = {
        name: value if isinstance(value, str) else float(value) for name, value in _as_json(settings).items()
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _as_json(settings: ImageSettings) -> dict:
    """Return the content of settings.json."""
    return {**settings.as_json(), "format": FORMAT}


# The files of a store.


def _write_settings(folder: Path, settings: ImageSettings) -> None:
    """Write settings.json, or check that it has these settings."""
    path = folder / "settings.json"
    if not path.is_file():
        with whole(path) as aside:
            aside.write_text(json.dumps(_as_json(settings), indent=1))
        return
    try:
        stored = _read_settings(folder)
    except (OSError, ValueError) as error:
        raise Faults(f"{path}: is damaged ({error}); delete {folder} to build it again") from None
    if stored != _as_json(settings):
        raise Faults(f"{folder}: holds images of other settings ({path.name}); name another folder")


def _read_settings(folder: Path) -> dict:
    """Read settings.json. Raise OSError or ValueError if that is not possible."""
    try:
        stored = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except RecursionError:
        stored = None
    if not isinstance(stored, dict):
        raise ValueError("settings.json is not an object of settings")
    return stored


def _read(folder: Path) -> tuple[ImageSettings, pd.DataFrame, list[bytes]]:
    """Read settings, index and the rows' keys. Raise OSError, ValueError, ... if the store is damaged."""
    stored = _read_settings(folder)
    version = stored.pop("format")
    if version != FORMAT:
        raise Faults(
            f"{folder}: has format {version}, but this program reads {FORMAT}; build the store again"
        )
    settings = ImageSettings(**stored)
    index = pd.read_csv(
        folder / "index.csv", dtype={"clip": str, "row": np.int64, "key": str}, keep_default_na=False
    )
    if index.columns.tolist() != ["clip", "row", "key"]:
        raise ValueError("index.csv has other columns than clip, row, key")
    if not isinstance(settings.size, int):
        raise ValueError("its size is not a whole number")
    if index.empty or (settings.time_axis == "whole" and index["clip"].duplicated().any()):
        raise ValueError("index.csv has no clips, or a clip twice")
    return settings, index, (folder / "rows.csv").read_bytes().split()


def _whole_rows(folder: Path, row_bytes: int) -> list[str]:
    """Cut off incomplete rows, which an interrupted build leaves, and return the keys of the others."""
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
    """Append rows, in batches. A key is written only when its image is on disk."""
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
        finally:  # an interrupted build keeps the images that it has
            settle(batch)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Faults(
            f"{folder}: the images need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free on that disk; "
            "make room or name a folder elsewhere"
        )
