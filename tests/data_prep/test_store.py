"""The store: what it holds, that it goes on where it stopped, and that faults leave nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep import manifest, store
from data_prep.base import processes
from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from data_prep.store import Store, build, store_folder

SETTINGS = ImageSettings(16)
ROW = 4 * 16**2
PROJECT = Path(__file__).parents[2]


def put(root, name, seed):
    soundfile.write(root / name, 0.1 * np.random.default_rng(seed).standard_normal(4000), 8000)


@pytest.fixture
def corpus(tmp_path):
    """Six clips of five files: c4 is the first half of c3's file."""
    root = tmp_path / "corpus"
    root.mkdir()
    for i in range(5):
        put(root, f"{i}.wav", i)
    rows = [
        (
            f"c{i}",
            f"{min(i, 3) if i < 5 else 4}.wav",
            np.nan,
            0.25 if i == 4 else np.nan,
            "ab"[i % 2],
            f"s{i}",
            "",
            "train" if i < 4 else "test",
        )
        for i in range(6)
    ]
    return root, pd.DataFrame(rows, columns=manifest.COLUMNS)


@pytest.fixture
def folder(tmp_path):
    return store_folder(tmp_path / "out", SETTINGS)


@pytest.fixture
def computed(monkeypatch):
    """Keys of the images that builds compute from here on."""
    keys = []
    append = store._append

    def noting(folder, images):
        append(folder, (keys.append(item[0]) or item for item in images))

    monkeypatch.setattr(store, "_append", noting)
    return keys


def expected(root, path, stop=None):
    return image(audio.read(root / path, stop=stop), SETTINGS)


def test_every_clip_has_its_own_image(corpus, folder):
    root, frame = corpus
    built = build(frame, root, folder, SETTINGS, jobs=2)
    opened = Store(folder)
    assert (
        opened.settings == SETTINGS
        and isinstance(opened.images, np.memmap)
        and not opened.images.flags.writeable
    )
    assert opened.images.shape == (6, 16, 16) and opened.images.dtype == np.float32
    for clip, path, stop in zip(frame["clip"], frame["path"], [None] * 4 + [0.25, None], strict=True):
        np.testing.assert_array_equal(opened.images[opened.rows([clip])[0]], expected(root, path, stop))
    np.testing.assert_array_equal(opened.rows(["c5", "c0", "c5"]), built.rows(["c5", "c0", "c5"]))
    assert list(opened.index.columns) == ["clip", "row", "key"] and list(opened.index["clip"]) == list(
        frame["clip"]
    )


def test_nothing_is_computed_twice(corpus, folder, computed):
    root, frame = corpus
    build(frame, root, folder, SETTINGS, jobs=1)
    assert len(computed) == 6

    def state():
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.glob("[!.]*")}

    before = state()
    build(frame, root, folder, SETTINGS, jobs=2)
    assert len(computed) == 6 and len(before) == 4 and before == state()


def test_only_a_changed_clip_is_computed_again(corpus, folder, computed):
    root, frame = corpus
    before = build(frame, root, folder, SETTINGS, jobs=1)
    old = np.array(before.images)
    put(root, "1.wav", 99)
    frame.loc[4, "stop"] = 0.3
    frame.loc[5, "path"], _ = "renamed.wav", (root / "4.wav").rename(root / "renamed.wav")
    after = build(frame, root, folder, SETTINGS, jobs=1)
    assert len(computed) == 8
    same = ["c0", "c2", "c3", "c5"]
    np.testing.assert_array_equal(after.rows(same), before.rows(same))
    np.testing.assert_array_equal(after.images[:6], old)
    np.testing.assert_array_equal(
        after.images[after.rows(["c1", "c4"])], [expected(root, "1.wav"), expected(root, "3.wav", 0.3)]
    )


def test_equal_content_shares_a_row(corpus, folder):
    root, frame = corpus
    (root / "2.wav").write_bytes((root / "0.wav").read_bytes())
    built = build(frame, root, folder, SETTINGS, jobs=2)
    assert len(built.images) == 5 and built.rows(["c0"]) == built.rows(["c2"])
    np.testing.assert_array_equal(built.images[built.rows(["c3"])[0]], expected(root, "3.wav"))


def test_other_settings_have_other_folders_and_keys(corpus, folder, tmp_path):
    root, frame = corpus
    other = ImageSettings(16, floor_db=60)
    assert folder != store_folder(tmp_path / "out", other) and folder.name.startswith("images-16-")
    assert store_folder("", ImageSettings(16, floor_db=80)) == store_folder(
        "", ImageSettings(16, floor_db=80.0)
    )
    first = build(frame, root, folder, SETTINGS, jobs=1)
    second = build(frame, root, store_folder(tmp_path / "out", other), other, jobs=1)
    assert not set(first.index["key"]) & set(second.index["key"])
    with pytest.raises(Faults, match="other settings"):
        build(frame, root, folder, other, jobs=1)


@pytest.mark.parametrize(
    "images, rows",
    [
        (4 * ROW + 100, 4 * 65),  # stopped within a row
        (6 * ROW, 4 * 65),  # rows on disk that have no key yet
        (4 * ROW, 4 * 65 + 30),  # stopped within a key
        (4 * ROW, 6 * 65),  # the disk lost rows whose keys it kept
    ],
)
def test_a_torn_tail_is_cut_off_and_built_again(corpus, folder, computed, images, rows):
    root, frame = corpus
    whole = build(frame, root, folder, SETTINGS, jobs=1)
    content, keys = np.array(whole.images), (folder / "rows.csv").read_bytes()
    (folder / "index.csv").unlink()
    os.truncate(folder / "images.f32", images)
    os.truncate(folder / "rows.csv", rows)
    with pytest.raises(Faults, match="is not complete"):
        Store(folder)
    again = build(frame, root, folder, SETTINGS, jobs=1)
    assert len(computed) == 8
    np.testing.assert_array_equal(again.images, content)
    assert (folder / "rows.csv").read_bytes() == keys


def test_all_faults_at_once_and_nothing_written(corpus, folder, tmp_path):
    root, frame = corpus
    (root / "0.wav").unlink()
    (root / "1.wav").write_bytes((root / "1.wav").read_bytes()[:-100])
    soundfile.write(root / "3.wav", np.zeros(4000), 8000)  # c3 and c4
    with pytest.raises(Faults) as caught:
        build(frame, root, folder, SETTINGS, jobs=2)
    found = caught.value.faults
    assert len(found) == 4
    for words in (
        "0.wav: is missing",
        "1.wav: is truncated",
        "3.wav: is silent",
        "3.wav from 0.000 to 0.250 s: is silent",
    ):
        assert sum(words in fault for fault in found) == 1
    assert not (tmp_path / "out").exists()


def test_faults_leave_a_complete_store_as_it_was(corpus, folder):
    root, frame = corpus
    build(frame, root, folder, SETTINGS, jobs=1)
    before = (folder / "index.csv").read_bytes()
    (root / "0.wav").unlink()
    with pytest.raises(Faults):
        build(frame, root, folder, SETTINGS, jobs=1)
    assert (folder / "index.csv").read_bytes() == before and len(Store(folder).images) == 6


def test_a_clip_that_changes_meanwhile(corpus, folder, monkeypatch):
    """It is refused, and the five images before it are kept."""
    root, frame = corpus
    check_space = store._check_space
    monkeypatch.setattr(store, "_check_space", lambda *a: (check_space(*a), put(root, "4.wav", 77)))
    with pytest.raises(Faults, match="was changed while"):
        build(frame, root, folder, SETTINGS, jobs=1)
    assert (folder / "images.f32").stat().st_size == 5 * ROW
    assert (folder / "rows.csv").stat().st_size == 5 * 65
    monkeypatch.undo()
    built = build(frame, root, folder, SETTINGS, jobs=1)
    np.testing.assert_array_equal(built.images[built.rows(["c5"])[0]], expected(root, "4.wav"))


def test_a_full_disk_is_foreseen(corpus, folder, monkeypatch):
    root, frame = corpus
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(Faults, match="GB are free"):
        build(frame, root, folder, SETTINGS, jobs=1)


def test_opening_what_is_not_a_store(corpus, folder, tmp_path):
    root, frame = corpus
    with pytest.raises(Faults, match="does not exist"):
        Store(tmp_path / "absent")
    build(frame, root, folder, SETTINGS, jobs=1)
    with pytest.raises(Faults) as caught:
        Store(folder).rows(["c0", "x", "y"])
    assert len(caught.value.faults) == 2
    os.truncate(folder / "images.f32", 6 * ROW - 1)
    with pytest.raises(Faults, match="damaged"):
        Store(folder)
    assert len(build(frame, root, folder, SETTINGS, jobs=1).images) == 6  # and this mends it
    (folder / "settings.json").write_text("{}")
    with pytest.raises(Faults, match="damaged"):
        Store(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", "[" * 100_000, "\udcff"])
def test_settings_that_are_none_are_reported_and_no_image_is_lost(corpus, folder, text):
    root, frame = corpus
    build(frame, root, folder, SETTINGS, jobs=1)
    content, stated = (folder / "images.f32").read_bytes(), folder / "settings.json"
    stated.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Faults, match=f"{folder}.*is damaged|other settings"):
        build(frame, root, folder, SETTINGS, jobs=1)
    with pytest.raises(Faults, match=f"{folder}: the store is damaged"):
        Store(folder)
    assert (folder / "images.f32").read_bytes() == content


@pytest.mark.parametrize("name", ["images.f32", "rows.csv", "index.csv", "settings.json", ".lock"])
def test_a_link_in_a_store_does_not_lead_the_writing_out_of_it(corpus, folder, tmp_path, name):
    root, frame = corpus
    outside = tmp_path / "outside"
    outside.write_text("mine")
    folder.mkdir(parents=True)
    (folder / name).symlink_to(outside)
    with contextlib.suppress(Faults, OSError):
        build(frame, root, folder, SETTINGS, jobs=1)
    assert outside.read_text() == "mine"


def test_an_index_of_other_images_is_reported_and_mended(corpus, folder):
    """As it would give a clip another's image."""
    root, frame = corpus
    built = build(frame, root, folder, SETTINGS, jobs=1)
    expected = built.images[built.rows(["c0"])[0]].copy()
    index = folder / "index.csv"
    whole = index.read_text()
    (first, *one), (second, *two) = (line.split(",") for line in whole.splitlines()[1:3])
    for text in (
        whole.replace(",".join(one), f"{two[0]},{one[1]}"),  # another row
        whole.replace(",".join(one), f"-1,{one[1]}"),
        whole.replace(f"{second},", f"{first},"),  # a clip twice
        whole.replace("clip,row,key", "clip,row,sum"),
        whole.splitlines()[0] + "\n",
        whole[:-70],
        whole + '"',
        "",
    ):
        index.write_text(text)
        if text == whole[:-70]:  # a line less is an index of fewer clips
            with pytest.raises(Faults, match="has no clip 'c5'|damaged"):
                Store(folder).rows(["c5"])
            continue
        with pytest.raises(Faults, match=f"{folder}: the store is damaged"):
            Store(folder)
        again = build(frame, root, folder, SETTINGS, jobs=1)
        np.testing.assert_array_equal(again.images[again.rows(["c0"])[0]], expected)


def test_fingerprint_sees_what_training_sees(corpus, folder):
    root, frame = corpus
    built = build(frame, root, folder, SETTINGS, jobs=1)
    base = built.fingerprint(frame)
    assert len(base) == 64 and base == built.fingerprint(frame.copy())
    changed = [
        frame.assign(copies=2),
        frame.assign(label="c"),
        frame.assign(partition="train"),
        frame[::-1],
        frame[:5],
    ]
    assert len({base, *(built.fingerprint(other) for other in changed)}) == 6
    assert base == built.fingerprint(frame.assign(path=[f"moved/{path}" for path in frame["path"]]))
    put(root, "0.wav", 50)
    assert base != build(frame, root, folder, SETTINGS, jobs=1).fingerprint(frame)


SCRIPT = """
import sys, time
from data_prep import manifest, store
from data_prep.sound.spectrogram import ImageSettings
if len(sys.argv) > 4:
    append = store._append
    store._append = lambda folder, images: append(
        folder, (time.sleep(float(sys.argv[4])) or print("row", flush=True) or item for item in images))
store.BATCH = 1
store.build(manifest.read(sys.argv[1]), sys.argv[2], sys.argv[3], ImageSettings(16), jobs=2)
"""


def start(corpus, folder, *pause):
    root, frame = corpus
    manifest.write(frame, root / "manifest.csv")
    command = [sys.executable, "-c", SCRIPT, root / "manifest.csv", root, folder, *pause]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_build_resumes_and_leaves_no_lock(corpus, folder, computed):
    root, frame = corpus
    process = start(corpus, folder, "0.2")
    assert [process.stdout.readline() for _ in range(3)] == ["row\n"] * 3
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)  # returns only once the workers, which hold its pipes, are gone too
    assert not (folder / "index.csv").exists()
    built = build(frame, root, folder, SETTINGS, jobs=1)
    assert 1 <= len(computed) <= 4
    np.testing.assert_array_equal(built.images[built.rows(["c5"])[0]], expected(root, "4.wav"))


def test_a_second_build_waits_and_says_so(corpus, folder, computed, capfd):
    root, frame = corpus
    process = start(corpus, folder, "0.3")
    assert process.stdout.readline() == "row\n"
    began = time.monotonic()
    built = build(frame, root, folder, SETTINGS, jobs=1)
    assert time.monotonic() - began > 0.5 and not computed
    assert "another process is building this store; waiting" in capfd.readouterr().err
    assert process.wait(20) == 0 and len(built.images) == 6
    process.communicate()


def _short(number: int) -> int:
    return number


def _long(number: int) -> int:
    time.sleep(0.06)
    return number


@pytest.mark.parametrize(("function", "count", "under_way"), [(_short, 3000, 128), (_long, 40, 8)])
def test_memory_stays_flat(function, count, under_way, monkeypatch):
    """However many clips there are, only a few of them are under way; of long ones, fewer."""
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    taken, done, most = [], [], 0
    with pool(2) as stream:
        for number in stream(function, (taken.append(i) or i for i in range(count))):
            done.append(number)
            most = max(most, len(taken) - len(done))
    assert done == taken == list(range(count)) and most <= under_way
