"""CHAINS's two layouts, its windows and folds, and the search for the paper's rules for cutting."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep import corpora, manifest
from data_prep.__main__ import main
from data_prep.base.faults import Faults
from data_prep.corpora import chains
from data_prep.sound.spectrogram import ImageSettings

RATE = 1000
SECONDS = {"f01": 5.0, "f03": 4.5, "s01": 1.2, "s33": 3.0}


def write(root, seconds=SECONDS, speakers=("frf01", "irm16"), layout="data/solo"):
    for speaker in speakers:
        folder = root / layout / speaker
        folder.mkdir(parents=True, exist_ok=True)
        for text, length in seconds.items():
            samples = 0.1 * np.random.default_rng([*text.encode()]).standard_normal(round(length * RATE))
            soundfile.write(folder / f"{speaker}_{text}_solo.wav", samples, RATE)
    return root


@pytest.fixture
def corpus(tmp_path):
    return write(tmp_path / "CHAINS")


def faults(action, *arguments, **keywords):
    with pytest.raises(Faults) as caught:
        action(*arguments, **keywords)
    return caught.value.faults


def test_scan(corpus):
    (corpus / "data/solo/frf01/._frf01_f01_solo.wav").touch()
    (corpus / "data/solo/frf01/readme.txt").touch()
    (corpus / "data/whsp/frf01").mkdir(parents=True)
    frame = chains.scan(corpus).manifest
    assert tuple(frame.columns) == (*manifest.COLUMNS, "fold")
    first = frame[frame["speaker"] == "frf01"]
    assert first["clip"].tolist() == [
        *("frf01_f01_001", "frf01_f01_002", "frf01_f03_001", "frf01_f03_002", "frf01_s01", "frf01_s33")
    ]
    assert first["start"].tolist()[:4] == [0, 2, 0, 2] and first["stop"].tolist()[:4] == [2, 4, 2, 4]
    assert first["start"].isna().tolist() == [False] * 4 + [True] * 2
    assert first["fold"].tolist() == [1, 1, 2, 2, 3, 3]
    assert set(first["path"]) == {f"data/solo/frf01/frf01_{text}_solo.wav" for text in SECONDS}
    assert (first["label"] == "frf01").all() and len(frame) == 12
    manifest.validate(frame)


def test_archives_may_each_have_a_data_folder(corpus, tmp_path):
    other = write(tmp_path / "other", layout="solo/data/solo")
    here, there = chains.scan(corpus).manifest, chains.scan(other).manifest
    assert there.drop(columns="path").equals(here.drop(columns="path"))
    assert set(there["path"]) == {f"solo/{path}" for path in here["path"]}


@pytest.mark.parametrize(
    "rule, f01, f03, s33",
    [
        ({}, [(0, 2), (2, 4)], [(0, 2), (2, 4)], 1),
        ({"rest": "keep"}, [(0, 2), (2, 4), (4, 5)], [(0, 2), (2, 4), (4, 4.5)], 1),
        ({"rest": "half"}, [(0, 2), (2, 4), (4, 5)], [(0, 2), (2, 4)], 1),
        ({"window": 2.5}, [(0, 2.5), (2.5, 5)], [(0, 2.5)], 1),
        ({"window": 0.9, "rest": "half"}, 6, 5, 1),
        ({"sentences": "cut", "window": 1.5}, 3, 3, 2),
    ],
)
def test_windows_by_hand(corpus, rule, f01, f03, s33):
    frame = chains.scan(corpus, **rule).manifest
    frame = frame[frame["speaker"] == "irm16"].set_index("text")
    for text, wanted in (("f01", f01), ("f03", f03)):
        found = list(frame.loc[[text], ["start", "stop"]].itertuples(index=False, name=None))
        if isinstance(wanted, int):
            assert len(found) == wanted
        else:
            assert found == wanted
    assert len(frame.loc[["s33"]]) == s33


def durations(first, second):
    """Files whose fables give these window counts per fold over all speakers, and 33 sentences each."""
    rows = []
    for index, speaker in enumerate(chains.LABELS):
        windows = {"f01": first // 36 + (index < first % 36), "f03": second // 36, "f02": 0, "f04": 0}
        rows += [("", speaker, text, 2.0 * count + 1.1) for text, count in windows.items()]
        rows += [("", speaker, text, 1.9) for text in chains.SENTENCES]
    return pd.DataFrame(rows, columns=["path", "speaker", "text", "seconds"])


def test_calibrate_finds_how_a_corpus_was_cut(monkeypatch, tmp_path):
    monkeypatch.setattr(chains, "_files", lambda root: (durations(1530, 1296), []))
    frame = chains.calibrate(tmp_path)
    best = frame[frame["distance"] == 0]
    assert {(2.0, "drop", "whole")} <= set(zip(best["window"], best["rest"], best["sentences"]))
    assert frame["distance"].is_monotonic_increasing
    cut = frame[(frame["window"] == 2.0) & (frame["sentences"] == "cut")].set_index("rest")
    assert cut["3"].to_dict() == {"drop": 0, "keep": 1188, "half": 1188}
    half = frame[(frame["window"] == 2.0) & (frame["sentences"] == "whole")].set_index("rest")
    assert half.loc["half", "1"] == 1530 + 72 and half.loc["half", "2"] == 1296 + 72


@pytest.mark.parametrize("window, rest", [(2.0, "drop"), (0.7, "half"), (1.35, "keep")])
@pytest.mark.parametrize("sentences", ["whole", "cut"])
def test_calibrate_counts_what_scan_cuts(corpus, window, rest, sentences):
    scanned = chains.scan(corpus, window, rest, sentences).manifest["fold"].value_counts()
    frame = chains.calibrate(corpus).set_index(["window", "rest", "sentences"])
    counted = frame.loc[(window, rest, sentences)]
    assert [counted[str(fold)] for fold in (1, 2, 3)] == [scanned.get(fold, 0) for fold in (1, 2, 3)]


def test_counts(corpus):
    found = chains.scan(corpus)
    (text,) = found.counts
    assert (
        "CHECK_COUNTS=no" in text
        and "37 readings of each of 36 speakers, but this corpus has 8 readings of 2 speakers" in text
    )
    assert next(line.split() for line in text.splitlines() if "f03 f04" in line) == [
        *("2", "f03", "f04", "72", "2", "<-")
    ]
    assert found.notes == ()  # an incomplete corpus gets no note on the rules for cutting
    right = durations(1530, 1296)
    assert chains.count_faults(right) == []
    assert "1187  <-" in chains.count_faults(right.iloc[:-1])[0]
    assert len(chains.LABELS) == 36 and len(chains.SENTENCES) == 33


@pytest.mark.parametrize(
    "rule, clips",
    [
        ({}, None),
        ({"window": 1.0}, "3132, 2664 and 1188"),
        ({"rest": "half"}, "1602, 1368 and 1188"),
        ({"sentences": "cut"}, "1530, 1296 and 0"),
    ],
)
def test_counts_other_than_table_6s_give_a_note_but_no_fault(rule, clips, monkeypatch, tmp_path):
    """The numbers of clips depend on assumptions. The readings alone identify the paper's corpus."""
    monkeypatch.setattr(chains, "_files", lambda root: (durations(1530, 1296), []))
    found = chains.scan(tmp_path, **rule)
    assert found.counts == []
    if clips is None:
        assert found.notes == ()
    else:
        (note,) = found.notes
        assert f"hold {clips} clips; Table 6 has 1530, 1296 and 1188" in note and "--calibrate" in note


def test_misplaced_and_misnamed_files_are_faults(corpus):
    folder = corpus / "data/solo/frf01"
    for name in ("frf02_f01_solo.wav", "frf01_f01_whsp.wav", "frf01_f09_solo.wav"):
        (folder / name).write_bytes((folder / "frf01_f01_solo.wav").read_bytes())
    (folder / "frf01_f02_solo.wav").write_bytes(b"")
    found = chains.scan(corpus).faults
    assert len(found) == 4 and all(str(folder) in fault for fault in found)
    assert any("its name has the speaker frf02, but its folder is frf01" in fault for fault in found)


def test_a_fable_shorter_than_a_window_is_a_fault(corpus):
    (fault, _) = chains.scan(corpus, window=4.8).faults
    assert "frf01_f03_solo.wav: lasts 4.50 s, less than one window" in fault


def test_the_wrong_root(corpus):
    assert f"did you mean {corpus}?" in faults(chains.scan, corpus.parent)[0]
    assert f"did you mean {corpus}?" in faults(chains.scan, corpus / "data/solo")[0]
    assert "does not exist" in faults(chains.scan, corpus / "absent")[0]
    (corpus / "empty").mkdir()
    (fault,) = faults(chains.scan, corpus / "empty")
    assert fault.endswith(f"; it holds nothing; did you mean {corpus}?")
    write(corpus, layout="solo/data/solo")
    assert "twice" in faults(chains.scan, corpus)[0]


def test_an_unknown_rule_is_a_fault(corpus):
    found = faults(chains.scan, corpus, window=0.01, rest="some", sentences="half")
    assert len(found) == 3 and "drop, keep, half" in found[1] and "cut, whole" in found[2]


def test_windows_of_one_file_have_images_of_their_own(corpus, tmp_path):
    found = chains.scan(corpus)
    frame, images = corpora.build(found, tmp_path / "out", ImageSettings(16), chains.protocol, jobs=1)
    rows = images.rows(frame["clip"])
    assert len(set(rows)) == len(frame) // 2  # the files of both speakers have the same content
    assert not np.array_equal(images.images[rows[0]], images.images[rows[1]])


def test_command(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["chains", str(corpus), str(out), "--size", "16"]) == 1
    assert "expected  actual" in capsys.readouterr().err and not out.exists()
    words = ["chains", str(corpus), str(out), "--size", "16", "--jobs", "1", "--no-check-counts"]
    assert main([*words, "--window", "1"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("22 clips; fold 1 10: frf01 5, irm16 5; fold 2 8: ")
    assert manifest.read(out / "manifest.csv")["fold"].dtype == np.int64


def test_command_calibrates_without_writing(corpus, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    assert main(["chains", str(corpus), "--calibrate"]) == 0
    output = capsys.readouterr().out
    assert "1530, 1296, 1188" in output and 'ASSUME="window=' in output and "the default:" in output
    assert f"make table8 CHAINS={corpus} " in output  # a command that works as it stands
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["chains", str(corpus)]) == 1
    assert "OUT is missing" in capsys.readouterr().err
