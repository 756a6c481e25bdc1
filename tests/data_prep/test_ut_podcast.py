"""UT-Podcast's layout, its counts, and the command that prepares it."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep import manifest, store
from data_prep.__main__ import main
from data_prep.base.faults import Faults
from data_prep.corpora import ut_podcast

CLIPS = {
    "train/AU": ["AU-301__40", "AU-2_1__3"],
    "train/UK": ["UK-17_1__18"],
    "train/US": ["US-123_1__50", "US-1__1"],
    "test/AU": ["AU-9__1"],
    "test/UK": ["UK-5__1"],
    "test/US": ["US-7__2"],
}


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "UT-Podcast"
    for number, (folder, names) in enumerate(CLIPS.items()):
        (root / "audio" / folder).mkdir(parents=True)
        for name in names:
            samples = 0.1 * np.random.default_rng([number, *name.encode()]).standard_normal(4000)
            soundfile.write(root / "audio" / folder / f"{name}.wav", samples, 8000)
    return root


def faults(action, *arguments):
    with pytest.raises(Faults) as caught:
        action(*arguments)
    return caught.value.faults


def test_scan(corpus):
    (corpus / "audio" / "train" / "AU" / "._AU-301__40.wav").touch()
    (corpus / "audio" / "train" / "AU" / "notes.txt").touch()
    (corpus / "text").mkdir()
    frame = ut_podcast.scan(corpus).manifest
    assert tuple(frame.columns) == manifest.COLUMNS
    assert list(frame["clip"]) == [
        "AU-2_1__3",
        "AU-301__40",
        "UK-17_1__18",
        "US-123_1__50",
        "US-1__1",
        "AU-9__1",
        "UK-5__1",
        "US-7__2",
    ]
    row = frame.set_index("clip").loc["UK-17_1__18"]
    assert row["path"] == "audio/train/UK/UK-17_1__18.wav"
    assert (row["label"], row["speaker"], row["partition"]) == ("UK", "UK-17", "train")
    assert np.isnan(row["start"]) and np.isnan(row["stop"])
    assert ut_podcast.scan(str(corpus)).manifest.equals(frame)


def test_a_name_in_both_partitions_gets_its_partition(corpus):
    source = corpus / "audio" / "train" / "UK" / "UK-17_1__18.wav"
    (corpus / "audio" / "test" / "UK" / source.name).write_bytes(source.read_bytes())
    names = set(ut_podcast.scan(corpus).manifest["clip"])
    assert {"train-UK-17_1__18", "test-UK-17_1__18", "UK-5__1"} <= names and "UK-17_1__18" not in names


def test_files_in_the_wrong_folder(corpus):
    for name in ("UK-4__1", "AU4"):
        (corpus / "audio" / "train" / "AU" / f"{name}.wav").touch()
    (corpus / "audio" / "test" / "US" / "AU-4__1.wav").touch()
    found = ut_podcast.scan(corpus).faults
    assert len(found) == 3
    assert all(any(name in fault for fault in found) for name in ("UK-4__1.wav", "AU4.wav", "US/AU-4__1.wav"))


def test_all_missing_and_empty_folders_at_once(corpus):
    (corpus / "audio" / "train" / "UK").rename(corpus / "audio" / "train" / "GB")
    (corpus / "audio" / "test" / "AU" / "AU-9__1.wav").rename(
        corpus / "audio" / "test" / "AU" / "AU-9__1.mp3"
    )
    found = ut_podcast.scan(corpus).faults
    assert len(found) == 3
    assert "train/UK: does not exist" in found[0] and "holds AU, GB, US" in found[0]
    assert "test/AU: has no .wav files; it holds AU-9__1.mp3" in found[1]
    assert "{train,test}/{AU,US,UK}" in found[2]


def test_the_wrong_root(corpus):
    assert f"did you mean {corpus}?" in faults(ut_podcast.scan, corpus.parent)[0]
    assert f"did you mean {corpus}?" in faults(ut_podcast.scan, corpus / "audio")[0]
    assert "does not exist" in faults(ut_podcast.scan, corpus / "absent")[0]


def test_check_counts(corpus):
    (text,) = ut_podcast.count_faults(ut_podcast.scan(corpus).manifest)
    assert "CHECK_COUNTS=no" in text and "--no-check-counts" in text
    assert next(line.split() for line in text.splitlines() if "train" in line) == [
        "train",
        "AU",
        "449",
        "2",
        "<-",
    ]
    rows = [
        (label, partition) for (partition, label), count in ut_podcast.EXPECTED.items() for _ in range(count)
    ]
    table1 = pd.DataFrame(rows, columns=["label", "partition"])
    assert table1["partition"].value_counts().to_dict() == {"train": 1101, "test": 661}
    assert ut_podcast.count_faults(table1) == []
    assert "88  <-" in ut_podcast.count_faults(table1.iloc[:-1])[0]


def test_command(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["ut_podcast", str(corpus), str(out), "--size", "16", "--jobs", "1"]
    assert main(command) == 1
    assert "expected  found" in capsys.readouterr().err and not out.exists()
    assert main([*command, "--no-check-counts"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "8 clips; train 5: AU 2, UK 1 (used 2), US 2; test 3: AU 1, UK 1, US 1"
    assert second.startswith("0.00 hours; ") and str(out) in second
    frame = manifest.read(out / "manifest.csv")
    assert frame["copies"].tolist() == [1, 1, 2, 1, 1, 1, 1, 1]
    (folder,) = out.glob("images-16-*")
    assert len(store.Store(folder).rows(frame["clip"])) == 8
    assert json.loads((folder / "settings.json").read_text())["size"] == 16


def test_command_with_faulty_clips_writes_nothing(corpus, tmp_path, capsys):
    broken = [corpus / "audio/train/AU/AU-301__40.wav", corpus / "audio/test/US/US-7__2.wav"]
    broken[0].write_bytes(broken[0].read_bytes()[:-9])
    broken[1].write_bytes(b"")
    assert main(["ut_podcast", str(corpus), str(tmp_path / "out"), "--no-check-counts"]) == 1
    error = capsys.readouterr().err
    assert "2 faults" in error and all(str(path) in error for path in broken)
    assert "Traceback" not in error and not (tmp_path / "out").exists()


def test_command_lists_layout_counts_and_clips_at_once(corpus, tmp_path, capsys):
    (corpus / "audio/test/UK/UK-5__1.wav").unlink()
    (corpus / "audio/train/AU/AU-2_1__3.wav").rename(corpus / "audio/train/AU/UK-2__3.wav")
    (corpus / "audio/train/US/US-1__1.wav").write_bytes(b"")
    assert main(["ut_podcast", str(corpus), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    for message in ("test/UK: has no .wav", "UK-2__3.wav: its name", "expected  found", "US-1__1.wav: "):
        assert message in error
    assert not (tmp_path / "out").exists()


def test_command_where_it_cannot_write(corpus, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert main(["ut_podcast", str(corpus), str(tmp_path / "out"), "--no-check-counts", "--size", "16"]) == 1
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-h"], ["ut_podcast", "-h"], ["standin", "ut_podcast", "-h"]])
def test_help_has_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0 and "  python -m data_prep " in capsys.readouterr().out
