"""CSV as spreadsheets, pandas and corpora write it is read by fixed rules, and no row vanishes."""

import re

import pytest

from data_prep.base.csv_tables import read_table
from data_prep.base.faults import Faults
from data_prep.corpora import own

ROWS = [(f"{label}/{number}.wav", label, f"{number}") for label in ("x", "y") for number in range(3)]
HEADER = ("path", "label", "start")


def written(delimiter=",", header=HEADER, rows=ROWS, end="\n", tail="", before=""):
    return before + "".join(delimiter.join(row) + tail + end for row in (header, *rows))


def read(tmp_path, content):
    path = tmp_path / "clips.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, ("path", "label"), ("start",))


def faults(tmp_path, content):
    with pytest.raises(Faults) as caught:
        read(tmp_path, content)
    return [fault.removeprefix(f"{tmp_path}/clips.csv") for fault in caught.value.faults]


DIALECTS = {
    "plain": written(),
    "semicolons": written(";"),
    "tabs": written("\t"),
    "bars": written("|"),
    "stated semicolons": written(";", before="sep=;\n"),
    "stated commas": written(before="SEP=,\r\n", end="\r\n"),
    "stated delimiter that no rule lists": written("^", before="sep=^\n"),
    "old Macintosh": written(end="\r"),
    "byte order mark": written(before="\ufeff"),
    "Excel's Unicode text": written("\t", end="\r\n").encode("utf-16"),
    "UTF-16, the high byte first": "\ufeff".encode("utf-16-be") + written().encode("utf-16-be"),
    "empty columns": written(tail=",,"),
    "empty rows": written() + ",,\n , ,\n\n",
    "capitals": written(header=("Path", "LABEL", "Start")),
    "blanks in the header": written(header=(" path", "label ", "start")),
    "blanks after commas": written(", "),
    "blanks after commas and quotes": written(", ", rows=[[f'"{cell}"' for cell in row] for row in ROWS]),
    "an empty column in the middle": written(header=("path", "", "label", "start"), rows=[
        (path, "", label, start) for path, label, start in ROWS
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_the_same_table(tmp_path, name):
    table = read(tmp_path, DIALECTS[name])
    assert list(table.frame.columns) == list(HEADER)
    assert list(table.frame.itertuples(index=False, name=None)) == ROWS
    first = 3 if name.startswith("stated") else 2
    assert table.lines == list(range(first, first + len(ROWS)))


@pytest.mark.parametrize(
    "content, fault",
    [
        (b"PK\x03\x04\0\0", ": is a spreadsheet or another ZIP archive, not CSV; save the table as CSV "),
        (b"\xff\xfea\0b", ", line 1: is not UTF-16; save"),
        (
            "path,label\na.wav,w\xfctend".encode("latin-1"),
            ", line 2: is not UTF-8; save the table as CSV with encoding UTF-8 (in Excel: Save As, CSV UTF-8",
        ),
        (written().encode("utf-16-le"), ", line 1: has NUL characters in it, like UTF-16 without a byte"),
        ("# mine\n" + written(), ", line 1: lacks the columns path, label; it has # mine"),
        ("sep=;\npath,label\n", ", line 2: lacks the columns path, label; it has path,label"),
        (
            "file;emotion;mood\n",
            ", line 1: lacks the columns path, label; it has file, emotion, mood. Did you mean path by file? "
            "Did you mean label by emotion? If so, rename it.",
        ),
        ("Path;path;label\n", ", line 1: has the column 'path' more than once; keep one"),
        ("path;label\na.wav;x;1\n", ", line 2: has 3 fields but the header has 2; quote fields that have"),
        ('path,label\na.wav,x\nb.wav,"x\n' + "c.wav,x\n" * 5, ", line 3: opens a quotation that never ends"),
        (f'path,label\na.wav,x\nb.wav,"{"x" * 200_000}"\n', ", line 3: has a field of more than 131072 char"),
        ('path,label\na.wav,"x"y\n', ", line 2: is not CSV ("),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence_with_its_line(tmp_path, content, fault):
    (only,) = faults(tmp_path, content)
    assert only.startswith(fault) and "\n" not in only


def transcribed(opening, closing, path="{}.wav", delimiter=","):
    texts = [*["words"] * opening, '"I go', *["words"] * (closing - opening - 1), 'and back"', "words"]
    rows = [delimiter.join((path.format(number), "x", text)) for number, text in enumerate(texts)]
    return "\n".join([delimiter.join(("path", "label", "text")), *rows, ""])


@pytest.mark.parametrize("opening, closing", [(0, 1), (2, 13), (2, 3), (5, 7)])
@pytest.mark.parametrize(
    "path, delimiter", [("{}.wav", ","), ("{}", ","), ("data/{}.WAV", ";"), ("{}.wav", "\t")]
)
def test_a_quotation_over_rows_is_a_fault_that_names_both_lines(tmp_path, opening, closing, path, delimiter):
    (fault,) = faults(tmp_path, transcribed(opening, closing, path, delimiter))
    assert fault.startswith(
        f", line {opening + 2}: opens a quotation that ends on line {closing + 2}, and line "
        f"{opening + 3} in it looks like a row"
    )


def test_a_quotation_from_the_header_or_in_a_path_is_a_fault_too(tmp_path):
    content = 'path,label,"text\na.wav,x,words\nb.wav,y,words"\nc.wav,y,words\n'
    assert faults(tmp_path, content)[0].startswith(", line 1: opens a quotation that ends on line 3")
    content = 'path,label\na.wav,x\n"b.wav,x\nc.wav,x\nd.wav",y\n'
    assert faults(tmp_path, content)[0].startswith(", line 3: opens a quotation that ends on line 5")


def test_true_line_breaks_in_a_transcript_are_read(tmp_path):
    texts = [
        "one\ntwo",
        "Well, I\nnever, ever, go",
        "a\r\n\r\nb",
        "so, he said,\nand, then, left.",
        'a "b"\nc',
    ]
    rows = "".join(
        '{}.wav,x,"{}"\n'.format(number, text.replace('"', '""')) for number, text in enumerate(texts)
    )
    table = read(tmp_path, "path,label,text\n" + rows)
    assert table.frame["text"].tolist() == texts
    assert table.lines == [2, 4, 6, 9, 11]


def scanned(tmp_path, content):
    for name in re.findall(r"\b\w+\.wav", content):
        (tmp_path / name).touch()
    (tmp_path / "clips.csv").write_text(content, encoding="utf-8")
    return own.scan(tmp_path / "clips.csv")


def test_times_of_spreadsheets_and_pandas_are_read(tmp_path):
    frame = scanned(
        tmp_path, "path;label;start;stop\na.wav;x;0,25;NaN\nb.wav;y;nan;1.5\nc.wav;y;;<NA>\n"
    ).manifest
    assert frame["start"].fillna(-1).tolist() == [0.25, -1, -1]
    assert frame["stop"].fillna(-1).tolist() == [-1, 1.5, -1]
    for content in ('path,label,start\na.wav,x,"0,25"\n', "path;label;start\na.wav;x;1.000,5\n"):
        with pytest.raises(Faults, match="is not a number of seconds"):  # a decimal comma is not guessed
            scanned(tmp_path, content)
    with pytest.raises(Faults) as caught:
        scanned(tmp_path, "path,label,start,stop\na.wav,x,0,-1\n")
    assert [fault.partition(": ")[2] for fault in caught.value.faults] == [
        "stop -1 is before the file's beginning; leave it empty for the file's end"
    ]


def test_ignored_columns_are_named(tmp_path):
    content = ",path,label,Split,mood\n0,a.wav,x,train,good\n1,b.wav,y,test,bad\n"
    source = tmp_path / "clips.csv"
    (note,) = scanned(tmp_path, content).notes
    assert note == (
        f"note: {source}: the columns Split, mood are ignored. Did you mean partition by Split? If so, "
        "rename it."
    )
    content = content.replace("Split", "partition")
    assert scanned(tmp_path, content).notes == (f"note: {source}: the column mood is ignored.",)
    assert scanned(tmp_path, content.replace("mood", "set")).notes == (
        f"note: {source}: the column set is ignored.",
    )


@pytest.mark.parametrize(
    "labels", ["Sad sad", "sad sa\u200bd", "1 1.0", "01 1", "\uff53ad sad", "stra\u00dfe STRASSE"]
)
def test_labels_that_look_the_same_are_named(tmp_path, labels):
    rows = "".join(f"{number}.wav,{label}\n" for number, label in enumerate([*labels.split(), "other"]))
    (note,) = scanned(tmp_path, "path,label\n" + rows).notes
    assert all(ascii(label) in note for label in labels.split()) and "other" not in note


def test_one_label_in_two_unicode_forms_is_one_class(tmp_path):
    content = "path,label,speaker\na.wav,tr\u00e4urig,J\u00f6\nb.wav,tra\u0308urig,Jo\u0308\n"
    frame = scanned(tmp_path, content).manifest
    assert set(frame["label"]) == {"tr\u00e4urig"} and set(frame["speaker"]) == {"J\u00f6"}
    for number, label in enumerate(("tr\u00e4urig", "tra\u0308urig")):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / f"{number}.wav").touch()
    scan = own.scan(tmp_path / "data")
    assert set(scan.manifest["label"]) == {"tr\u00e4urig"} and scan.notes == ()
    assert all((scan.root / path).exists() for path in scan.manifest["path"])  # paths are kept as they are


@pytest.mark.parametrize("label", ["nan", "NaN", "NA", "None", "#N/A"])
def test_labels_for_missing_values_are_named(tmp_path, label):
    scan = scanned(tmp_path, f"path,label\na.wav,{label}\nb.wav,y\n")
    assert f"the label {label!r}, which 1 clips have" in scan.notes[0]
    assert scan.manifest["label"].tolist() == [label, "y"]


@pytest.mark.parametrize(
    "path, fault",
    [("file:///a.wav", "is a URL; give"), ("https://a.b/c.wav", "is a URL"), ("~/a.wav", "begins with ~")],
)
def test_paths_that_another_program_would_follow_are_faults(tmp_path, path, fault):
    with pytest.raises(Faults, match=f"line 3: path '{path}' {fault}"):
        scanned(tmp_path, f"path,label\na.wav,x\n{path},y\n")
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "a.wav").touch()
    assert scanned(tmp_path, "path,label\n~/a.wav,x\n").manifest["path"].tolist() == ["a.wav"]
