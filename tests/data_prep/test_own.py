"""Anybody's recordings as a manifest: folders, CSV files, and all that is wrong with them."""

import os

import numpy as np
import pytest

from data_prep.base.faults import Faults
from data_prep.corpora.own import recordings, scan
from data_prep.manifest import clips


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def test_a_folder_s_folders_are_the_labels(tmp_path):
    touch(tmp_path, "cat/a.wav", "cat/deep/b.FLAC", "dog/c.mp3", "dog/notes.txt", "dog/.d.wav", ".git/e.wav")
    frame = scan(tmp_path).manifest
    assert dict(zip(frame["path"], frame["label"])) == {
        "cat/a.wav": "cat",
        "cat/deep/b.FLAC": "cat",
        "dog/c.mp3": "dog",
    }
    assert frame["clip"].is_unique and (frame["speaker"] == "").all() and (frame["partition"] == "").all()
    assert [path.name for path in recordings(tmp_path / "cat")[0]] == ["a.wav", "b.FLAC"]
    assert [path.name for path in recordings(tmp_path / "dog")[1]] == ["notes.txt"]


def test_files_of_other_suffixes_are_reported(tmp_path):
    touch(tmp_path, "cat/a.wav", "cat/b.WMA", "dog/c.opus", "dog/d.wma", "dog/noted", "docs/about.txt")
    (note,) = scan(tmp_path).notes
    assert note.startswith(
        f"{tmp_path}: 4 files are skipped because of their suffixes (2 .wma, 1 .txt, 1 without a suffix); "
    )
    touch(tmp_path, "bird/e.wma", "bird/deep/f.wma", "fish/g.amr")
    with pytest.raises(Faults) as caught:
        scan(tmp_path)
    assert [fault.split(";")[0] for fault in caught.value.faults] == [
        f"{tmp_path}/bird: its recordings cannot be read (2 .wma)",
        f"{tmp_path}/fish: its recordings cannot be read (1 .amr)",
    ]


def test_a_table_s_paths_are_below_its_folder_or_absolute(tmp_path):
    (tmp_path / "lists").mkdir()
    table = tmp_path / "lists" / "clips.csv"
    away = tmp_path / "away" / "b.wav"
    table.write_text(
        "label,path,speaker,start,stop,mood\n"
        f"x,../audio/a.wav,ann,0.5,2,fine\nx,../audio/a.wav,ann,2,3.5,fine\ny,{away},bob,,,bad\n"
    )
    found = scan(table)
    assert clips(found.manifest, found.root) == [
        (tmp_path / "audio" / "a.wav", 0.5, 2.0),
        (tmp_path / "audio" / "a.wav", 2.0, 3.5),
        (away, None, None),
    ]
    assert found.manifest["clip"].is_unique and found.manifest["speaker"].tolist() == ["ann", "ann", "bob"]
    assert np.isnan(found.manifest["start"][2]) and "mood" not in found.manifest


def test_a_table_s_transcripts_are_passed_over(tmp_path):
    (tmp_path / "clips.csv").write_text('path,label,text\na.wav,x,"Well,\n I never."\n')
    assert scan(tmp_path / "clips.csv").manifest["text"].tolist() == [""]


@pytest.mark.parametrize(
    "text, message",
    [
        ("path,label\na\0b/c.wav,x\n", "line 2: a field has a control character in it"),
        ("path,tag\na.wav,x\n", "lacks the columns label; it has path, tag"),
        ("path,label\n,x\n", "line 2: path is empty"),
        ("path,label\na.wav,\nb.wav, \n", "2 faults:.*line 2: label is empty.*line 3: label is empty"),
        (
            "path,label,start\na.wav,x,1\na.wav,x,2\na.wav,x,1\n",
            "csv, line 4: names the same recording as line 2; delete one of the two lines$",
        ),
        (
            "path,label\na.wav,x\n./a.wav ,y\na.wav,x\n",
            "2 faults:.*line 3: names the same recording as line 2, with the labels x and y; keep the "
            "line with the right one\n.*line 4: names the same recording as line 2; delete one",
        ),
        ("path,label\n,x\n,y\n", "2 faults:.*line 2: path is empty; .*line 3: path is empty; "),
        ("path,label,start\na.wav,x,soon\n", "start 'soon' is not a number of seconds"),
        (
            "path,label,partition\na.wav,x,train\nb.wav,y,\n",
            "line 3: has no partition, but other lines have",
        ),
        ("path,label,partition\na.wav,x,dev\n", "partition 'dev' is not valid; give train, test"),
        ("path,label\na.wav,x,y\n", "line 2: has 3 fields but the header has 2"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_reported_by_line(tmp_path, text, message):
    (tmp_path / "clips.csv").write_text(text)
    with pytest.raises(Faults, match=f"(?s){message}"):
        scan(tmp_path / "clips.csv")


def test_what_is_wrong_with_a_folder(tmp_path):
    with pytest.raises(Faults, match="nowhere: is missing"):
        scan(tmp_path / "nowhere")
    with pytest.raises(Faults) as caught:
        scan(tmp_path)
    folder = "give a folder that has one subfolder of recordings for each label"
    assert caught.value.faults == [f"{tmp_path}: the folder is empty; {folder}"]
    touch(tmp_path, "x/notes.txt")
    with pytest.raises(Faults, match=f"holds no recordings .* but x; {folder}"):
        scan(tmp_path)
    touch(tmp_path, "a.wav", "x/b.wav")
    with pytest.raises(Faults, match="1 recordings such as a.wav are not in a label's folder"):
        scan(tmp_path)


@pytest.mark.parametrize("name, content", [("a.wav", b""), ("A.MP3", b"x"), ("a.m4a", b"x"), ("a", b"fLaC")])
def test_a_sound_file_instead_of_a_table_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Faults) as caught:
        scan(tmp_path / name)
    assert caught.value.faults == [
        f"{tmp_path / name}: is a sound file; give a folder that has one subfolder of recordings for each "
        "label, or a CSV file with the columns path and label"
    ]


def test_a_table_may_come_through_a_pipe(tmp_path):
    """A pipe is read once, so the test for sound must not open it."""
    read, write = os.pipe()
    with open(write, "w") as pipe:
        pipe.write("path,label\na.wav,x\nb.wav,y\n")
    assert scan(f"/dev/fd/{read}").manifest["label"].tolist() == ["x", "y"]
    os.close(read)


def test_spaces_around_values_and_capitals_in_partitions_are_ignored_with_one_note(tmp_path):
    touch(tmp_path, "a.wav", " b.wav", "c.wav")
    table = tmp_path / "clips.csv"
    rows = "a.wav ,x ,ann,Train,t1\nc.wav,x,ann,test,t2 \nb.wav,y, ann\t,TEST ,t1\n"
    table.write_text("path,label,speaker,partition,text\n" + rows.replace("b.wav", " b.wav"))
    with pytest.raises(Faults, match="line 4: path ' b.wav' begins or ends with a space; remove it"):
        scan(table)  # there is such a file
    (tmp_path / " b.wav").rename(tmp_path / "b.wav")
    found = scan(table, ["text"])
    assert found.manifest["path"].tolist() == ["a.wav", "c.wav", "b.wav"]
    assert found.manifest["label"].tolist() == ["x", "x", "y"]
    assert found.manifest["speaker"].tolist() == ["ann"] * 3
    assert found.manifest["partition"].tolist() == ["train", "test", "test"]
    assert found.manifest["text"].tolist() == ["t1", "t2", "t1"]
    assert found.notes == (
        f"note: {table}: spaces around a path or a label or a speaker or a partition or a text and capitals "
        "in a partition are ignored.",
    )
    table.write_text("path,label,partition\na.wav,x,Train\nb.wav,y,TEST\n")
    assert scan(table).notes == (f"note: {table}: capitals in a partition are ignored.",)
    table.write_text("path,label,partition\na.wav,x,train\nb.wav,y,test\n")
    assert scan(table).notes == ()


def test_a_note_says_where_relative_paths_begin_if_there_is_no_file(tmp_path):
    touch(tmp_path, "data/a.wav", "lists/b.wav")
    table = tmp_path / "lists" / "clips.csv"
    rows = f"data/a.wav,x\n{tmp_path}/nowhere.wav,x\nb.wav,y\n"
    table.write_text("path,label\n" + rows)
    assert scan(table).notes == (
        f"note: {table}: there is no file at 1 of 2 relative paths, such as 'data/a.wav'. Relative paths "
        f"begin at the folder of the CSV file, {tmp_path}/lists.",
    )
    table.write_text("path,label\n" + rows.replace("data/", "../data/"))
    assert scan(table).notes == ()
