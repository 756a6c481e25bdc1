"""What a manifest accepts, and that it says everything that is wrong at once, by line."""

import numpy as np
import pandas as pd
import pytest

from data_prep import manifest
from data_prep.base.faults import Faults

HEADER = "clip,path,start,stop,label,speaker,text,partition"


def faults(action, *arguments):
    with pytest.raises(Faults) as caught:
        action(*arguments)
    return caught.value.faults


@pytest.fixture
def table(tmp_path):
    def put(*lines, header=HEADER, encoding="utf-8"):
        path = tmp_path / "manifest.csv"
        path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
        return path

    return put


def test_round_trip(tmp_path):
    frame = pd.DataFrame(
        {
            "clip": ["a", "001", "NA"],
            "path": ["x/a.wav", 'x/b, "c".wav', "é.wav"],
            "start": [np.nan, 0.0, 0.1 + 0.2],
            "stop": [np.nan, 2.5, np.nan],
            "label": ["AU", "01", "None"],
            "speaker": ["s1", "", "nan"],
            "text": ["", "one, two", "null"],
            "partition": ["train", "test", ""],
            "copies": [2, 1, 0],
            "note": ["", "x", "007"],
        }
    )
    manifest.write(frame, tmp_path / "new" / "manifest.csv")
    again = manifest.read(tmp_path / "new" / "manifest.csv")
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "manifest.csv"]


def test_whole_numbers_with_leading_zeros_stay_text(table):
    path = table("a,a.wav,,,AU,,,,01,1", "b,b.wav,,,AU,,,,2,-2", header=HEADER + ",fold,shift")
    frame = manifest.read(path)
    assert list(frame["fold"]) == ["01", "2"] and list(frame["shift"]) == [1, -2]


def test_blank_lines_and_a_byte_order_mark_are_not_faults(table):
    frame = manifest.read(table("", "a,a.wav,,,AU,,,train", "", encoding="utf-8-sig"))
    assert list(frame["clip"]) == ["a"]


def test_everything_wrong_is_reported_at_once_with_its_line(table):
    path = table(
        "good,a.wav,0,1,AU,s,,train",
        "good,/abs.wav,,,AU,s,,train",
        "c,../up.wav,2,1,,s,,valid",
        "",
        "d,C:/x.wav,one,inf,AU,s,,test",
        "e,x\\y.wav,-1,,AU ,s,,test",
        ",a/../../b.wav,,nan,AU,s,,",
        "f,,1.5,1.5,AU,s,,",
    )
    expected = [
        (3, "clip 'good' is already on line 2"),
        (3, "path '/abs.wav' is not below the corpus folder"),
        (4, "label is empty"),
        (4, "partition 'valid' is not valid"),
        (4, "path '../up.wav' is not below"),
        (4, "start 2 is not before stop 1"),
        (6, "path 'C:/x.wav' is not below"),
        (6, "start 'one' is not a number"),
        (6, "stop 'inf' is not a number"),
        (7, "label 'AU ' begins or ends with a space"),
        (7, "path 'x\\\\y.wav' is not below"),
        (7, "start -1 is before the file's beginning"),
        (8, "clip is empty"),
        (8, "path 'a/../../b.wav' is not below"),
        (8, "stop 'nan' is not a number"),
        (9, "path is empty"),
        (9, "start 1.5 is not before stop 1.5"),
    ]
    found = faults(manifest.read, path)
    assert len(found) == len(expected)
    for fault, (line, words) in zip(found, expected, strict=True):
        assert fault.startswith(f"{path}, line {line}: {words}")


def test_missing_and_repeated_columns(table):
    found = faults(manifest.read, table("a,a.wav,AU,b", header="clip,path,label,clip"))
    assert "column 'clip' more than once" in found[0]
    assert "lacks the columns start, stop, speaker, text, partition" in found[1]


def test_copies_that_are_not_a_count(table):
    found = faults(
        manifest.read, table("a,a.wav,,,AU,,,,-1", "b,b.wav,,,AU,,,,1.5", header=HEADER + ",copies")
    )
    assert ["line 2" in found[0], "line 3" in found[1], len(found)] == [True, True, 2]


def test_files_that_are_not_tables(tmp_path, table):
    path = tmp_path / "empty.csv"
    path.touch()
    assert "is empty" in faults(manifest.read, path)[0]
    assert "cannot be read" in faults(manifest.read, tmp_path / "absent.csv")[0]
    assert "no clips below its header" in faults(manifest.read, table())[0]
    assert (
        "line 3: is not UTF-8"
        in faults(manifest.read, table("a,a.wav,,,AU,,,", "é,b.wav,,,AU,,,", encoding="latin-1"))[0]
    )
    without_mark = table("a,a.wav,,,AU,,,", encoding="utf-16-le")
    assert "like UTF-16 without a byte order mark; save" in faults(manifest.read, without_mark)[0]
    assert list(manifest.read(table("a,a.wav,,,AU,,,", encoding="utf-16"))["clip"]) == ["a"]
    ragged = faults(manifest.read, table("a,a.wav,,,AU,,,", "b,b.wav,,,AU,,one, two,", "c"))
    assert [fault.split(": ")[0][-6:] for fault in ragged] == ["line 3", "line 4"]
    assert "line 2: is not CSV" in faults(manifest.read, table('a,"a"b.wav,,,AU,,,'))[0]


def test_a_line_break_within_a_field(table):
    assert "line break" in faults(manifest.read, table('a,a.wav,,,AU,,"one\ntwo",'))[0]


def test_a_faulty_manifest_is_not_written(tmp_path):
    frame = pd.DataFrame([("a", "/a.wav", np.nan, np.nan, "AU", "", "", "")], columns=manifest.COLUMNS)
    assert "line 2" in faults(manifest.write, frame, tmp_path / "manifest.csv")[0]
    assert not list(tmp_path.iterdir())
