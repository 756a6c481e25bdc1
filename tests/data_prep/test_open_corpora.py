"""The lists of open corpora, on trees of empty files with the corpora's own names and numbers."""

import csv
import functools
import io
import itertools
import re
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies
from open_corpus_names import crema_d, emodb, fsdd, ravdess, touch

from data_prep.__main__ import main
from data_prep.base.faults import Faults
from data_prep.corpora import corpus_files, lister, own
from data_prep.corpora.lister import list_clips
from data_prep.corpora.open_corpora import OPEN_CORPORA

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "open-corpora.md").read_text(encoding="utf-8")


@pytest.fixture
def librispeech(tmp_path):
    """Two readers of dev-clean, beside another subset."""
    root = touch(
        tmp_path / "LibriSpeech",
        "dev-clean/84/121123/84-121123-0000.flac",
        "dev-clean/84/121123/84-121123-0001.flac",
        "dev-clean/174/50561/174-50561-0000.flac",
        "test-clean/61/70968/61-70968-0000.flac",
    )
    (root / "SPEAKERS.TXT").write_text(
        "; Some pipe(|) separated metadata about all LibriSpeech speakers\n;\n"
        "; ID  |SEX| SUBSET           |MINUTES| NAME\n"
        "60   | M | train-clean-100  | 20.18 | |CBW|Simon\n"
        "61   | M | test-clean       |  8.08 | Paul-Gabriel Wiener\n"
        "84   | F | dev-clean        |  8.02 | Christie Nowak\n"
        "174  | M | dev-clean        |  8.04 | Peter Eastman\n"
        "251  | M | dev-clean        |  8.06 | Mark Nelson\n"
    )
    (root / "dev-clean/84/121123/84-121123.trans.txt").write_text(
        "84-121123-0000 GO  DO YOU HEAR\n84-121123-0001 BUT IN LESS THAN FIVE MINUTES\n"
    )
    return root


@pytest.fixture
def vctk(tmp_path):
    """Four speakers: p280 has no known accent and one microphone, p315 no transcripts."""
    sounds = [
        f"wav48_silence_trimmed/{name[:4]}/{name}_mic1.flac" for name in ("p225_001", "p280_001", "p315_001")
    ]
    root = touch(
        tmp_path / "VCTK-Corpus-0.92",
        *sounds,
        "wav48_silence_trimmed/p225/p225_001_mic2.flac",
        "wav48_silence_trimmed/s5/s5_001_mic1.flac",
        "txt/p225/p225_001.txt",
        "txt/p280/p280_001.txt",
        "txt/s5/s5_001.txt",
    )
    for path in root.glob("txt/*/*.txt"):
        path.write_text("Please call  Stella.\n")
    (root / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS \np225  23  F    English    Southern  England\n"
        "p280  25  F    Unknown  France (mic2 files are unavailable)\n"
        "p315  18  M    American  New  England\ns5  22  M    British\n"
    )
    return root


@pytest.fixture
def accents(tmp_path):
    """The columns of the Speech Accent Archive's table, and each kind of row."""
    root = touch(
        tmp_path / "archive",
        *(
            f"recordings/recordings/{name}.mp3"
            for name in ("english1", "english2", "tetun-dili1", "synthesized1")
        ),
    )
    (root / "speakers_all.csv").write_text(
        "age,age_onset,birthplace,filename,native_language,sex,speakerid,country,file_missing?,,,\n"
        '54,51,"port-au-prince, haiti",haitian,haitian,female,1169,haiti,TRUE,,,\n'
        '37,25,"baucau, timor-leste",tetun-dili1,tetun-dili,female,1001,timor-leste,FALSE,,,\n'
        '20,0,"london, uk",english1,english,male,1,uk,FALSE,,,\n'
        '21,0,"sydney, australia",english2,english,famale,2,australia,FALSE,,,no\n'
        "0,0,,synthesized1,,male,3,,FALSE,,,\n"
    )
    return root


COMPLETE = {
    "ravdess": (ravdess, 1440, 24, {"neutral": 96, "calm": 192, "surprised": 192}),
    "emodb": (
        emodb,
        535,
        10,
        dict(anger=127, boredom=81, disgust=46, fear=69, happiness=71, sadness=62, neutral=79),
    ),
    "crema-d": (crema_d, 7442, 91, {"anger": 1271 - 1, "neutral": 1087 - 1, "sad": 1271 - 1}),
    "fsdd": (fsdd, 3000, 6, {"george": 500, "yweweler": 500}),
}
EXAMPLES = {
    "ravdess": ("Actor_12/03-01-06-01-02-01-12.wav", ["fearful", "12", "dogs", "3"]),
    "emodb": ("wav/03a01Wa.wav", ["anger", "03", "a01"]),
    "crema-d": ("AudioWAV/1001_DFA_ANG_XX.wav", ["anger", "1001", "DFA"]),
    "fsdd": ("recordings/7_jackson_32.wav", ["jackson", "jackson", "7"]),
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Return a function that writes the tree of a complete corpus once, to be read only."""
    root = tmp_path_factory.mktemp("open-corpora")
    return functools.cache(lambda name: touch(root / name, *COMPLETE[name][0]()))


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_corpus_is_listed_with_its_labels_speakers_and_texts(name, trees, monkeypatch):
    names, clips, speakers, labels = COMPLETE[name]
    root = ROOT if clips > 2000 else trees(name)
    if clips > 2000:  # writing so many files takes long
        monkeypatch.setattr(lister, "recordings", lambda root: ([root / path for path in names()], []))
    frame, notes = list_clips(OPEN_CORPORA[name], root)
    left_out = len(OPEN_CORPORA[name].left_out)
    assert len(frame) == clips - left_out and len(notes) == bool(left_out)
    assert frame["speaker"].nunique() == speakers
    counts = Counter(frame["label"])
    assert {label: counts[label] for label in labels} == labels
    path, expected = EXAMPLES[name]
    row = frame[frame["path"] == str(root / path)].iloc[0]
    assert row.tolist() == [str(root / path), *expected]


def test_every_code_of_an_emotion_has_its_own_name(trees, tmp_path):
    frame, _ = list_clips(OPEN_CORPORA["ravdess"], trees("ravdess"))
    documented = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    codes = [int(Path(path).name.split("-")[2]) for path in frame["path"]]
    assert frame["label"].tolist() == [documented[code - 1] for code in codes]
    names = (f"AudioWAV/1001_IEO_{code}_XX.wav" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"))
    frame, _ = list_clips(OPEN_CORPORA["crema-d"], touch(tmp_path, *names), check_counts=False)
    assert frame["label"].tolist() == ["anger", "disgust", "fear", "happy", "neutral", "sad"]


@pytest.mark.parametrize(
    "read",
    [
        corpus_files.librispeech_speakers,
        corpus_files.vctk_speakers,
        corpus_files.accent_archive_speakers,
        lambda path: corpus_files.librispeech_transcripts([path.with_name("1-2.trans.txt")]),
    ],
)
@hypothesis.given(
    content=strategies.lists(
        strategies.sampled_from(
            [
                b"84",
                b" | ",
                b"F",
                b"dev-clean",
                b"\n",
                b";",
                b"ID",
                b" ",
                b"\0",
                b"\xeb",
                b"p225 23 F English",
                b",",
            ]
        )
        | strategies.binary(max_size=3)
    ).map(b"".join)
)
@hypothesis.settings(max_examples=50, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_whatever_a_table_holds_it_is_read_or_a_fault(read, content, tmp_path):
    folder = tmp_path / "dev-clean"
    folder.mkdir(exist_ok=True)
    for name in ("table", "1-2.trans.txt"):
        (folder / name).write_bytes(content)
    try:
        rows = read(folder / "table")
    except Faults as faults:
        assert all(str(folder) in fault for fault in faults.faults)
    else:
        assert all(isinstance(name, str) for name in rows)


def test_a_list_is_what_own_speech_reads(trees, tmp_path, capsys):
    root = tmp_path / "ravdess" / "Audio_Speech_Actors_01-24"
    root.parent.mkdir()
    root.symlink_to(trees("ravdess"))
    assert main(["list", "ravdess", str(root.parent)]) == 0
    printed = capsys.readouterr()
    assert printed.err == "1440 clips, 24 speakers, 8 labels\n"
    (tmp_path / "clips.csv").write_text(printed.out)
    scan = own.scan(tmp_path / "clips.csv")
    assert len(scan.manifest) == 1440 and scan.root == root
    row = scan.manifest.set_index("path").loc["Actor_02/03-01-05-02-01-01-02.wav"]
    assert (row["label"], row["speaker"]) == ("angry", "02")
    assert scan.notes == (f"note: {tmp_path}/clips.csv: the columns text, fold are ignored.",)


def test_each_fold_of_ravdess_has_two_men_and_two_women(trees):
    frame, _ = list_clips(OPEN_CORPORA["ravdess"], trees("ravdess"))
    folds = frame.groupby("fold")["speaker"].unique()
    assert list(folds.index) == ["1", "2", "3", "4", "5", "6"]
    assert sorted(itertools.chain(*folds)) == [f"{actor:02}" for actor in range(1, 25)]
    assert all(sorted(int(actor) % 2 for actor in fold) == [0, 0, 1, 1] for fold in folds)


def test_a_column_that_a_label_makes_useless_is_left_out(trees, tmp_path):
    speakers, _ = list_clips(OPEN_CORPORA["ravdess"], trees("ravdess"), "speaker")
    digits, _ = list_clips(
        OPEN_CORPORA["fsdd"], touch(tmp_path, "0_theo_1.wav", "1_theo_1.wav"), "digit", check_counts=False
    )
    assert list(speakers) == ["path", "label", "speaker", "text"]
    assert speakers["label"].equals(speakers["speaker"].rename("label"))
    assert list(digits) == ["path", "label", "speaker"] and digits["label"].tolist() == ["0", "1"]


def test_everything_that_is_wrong_is_reported_at_once(trees, tmp_path, capsys):
    root = tmp_path
    for actor in range(1, 24):
        if actor != 7:
            (root / f"Actor_{actor:02}").symlink_to(trees("ravdess") / f"Actor_{actor:02}")
    touch(root, *(name for name in ravdess() if name.startswith("Actor_07/")))
    (root / "Actor_07/03-01-08-01-01-01-07.wav").unlink()
    touch(root, "copy/Actor_01/03-01-01-01-01-01-01.wav", "more/Actor_06/03-02-01-01-01-01-06.wav")
    touch(root, "more/Actor_03/03-01-05-01-01-01-04.wav", "more/Actor_25/03-01-05-01-01-01-25.wav")
    with pytest.raises(Faults) as caught:
        list_clips(OPEN_CORPORA["ravdess"], root)
    misplaced, unknown, copied, missing = caught.value.faults
    assert misplaced.startswith(
        f"{root}/more/Actor_03/03-01-05-01-01-01-04.wav: is not named as RAVDESS (speech) names"
    )
    assert unknown.startswith(f"{root}/more/Actor_25/03-01-05-01-01-01-25.wav: is not named as RAVDESS")
    assert copied.startswith(
        f"{root}/copy/Actor_01/03-01-01-01-01-01-01.wav: is also {root}/Actor_01/03-01-01-01-01-01-01.wav"
    )
    assert missing == (
        f"{root}: is not the complete RAVDESS (speech): emotion angry 184 of 192, calm 184 of 192, "
        "disgust 184 of 192, fearful 184 of 192, happy 184 of 192, neutral 92 of 96, sad 184 of 192, "
        "surprised 183 of 192; speaker 07 59 of 60, 24 0 of 60. Complete the corpus, or accept it as it is "
        "with --no-check-counts."
    )
    assert main(["list", "ravdess", str(root), "--no-check-counts"]) == 1
    assert "3 faults:" in capsys.readouterr().err


def test_an_incomplete_corpus_can_be_accepted(tmp_path, capsys):
    root = touch(tmp_path, "wav/03a01Wa.wav", "wav/08b09Fd.wav", "wav/08b09Nd.wav")
    assert main(["list", "emodb", str(root)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "anger 1 of 127, boredom 0 of 81" in printed.err
    assert main(["list", "emodb", str(root), "--no-check-counts", "--only", "anger", "neutral"]) == 0
    printed = capsys.readouterr()
    assert "note: " in printed.err and "2 clips, 2 speakers, 2 labels" in printed.err
    assert list(csv.reader(io.StringIO(printed.out))) == [
        ["path", "label", "speaker", "text"],
        [f"{root}/wav/03a01Wa.wav", "anger", "03", "a01"],
        [f"{root}/wav/08b09Nd.wav", "neutral", "08", "b09"],
    ]
    assert main(["list", "emodb", str(root), "--no-check-counts", "--only", "joy"]) == 1
    assert "no clip has the label joy; the labels are anger, happiness, neutral" in capsys.readouterr().err


def test_a_folder_without_clips(tmp_path):
    with pytest.raises(Faults, match=f"{tmp_path}/nowhere: does not exist"):
        list_clips(OPEN_CORPORA["fsdd"], tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(Faults, match=f"{tmp_path}/file: is not a folder"):
        list_clips(OPEN_CORPORA["fsdd"], tmp_path / "file")
    (tmp_path / "file").unlink()
    touch(tmp_path, "a/b.wav")
    with pytest.raises(Faults, match="holds no clips of the Free Spoken Digit Dataset.*it holds a$"):
        list_clips(OPEN_CORPORA["fsdd"], tmp_path)


def test_clips_of_crema_d_with_two_emotions_are_left_out(tmp_path):
    touch(
        tmp_path,
        "AudioWAV/1006_TIE_HAP_XX.wav",
        "AudioWAV/1006_TIE_NEU_XX.wav",
        "AudioWAV/1040_ITH_SAD_X.wav",
    )
    touch(tmp_path, "AudioMP3/1040_ITH_SAD_X.mp3")
    frame, notes = list_clips(OPEN_CORPORA["crema-d"], tmp_path, check_counts=False)
    assert frame["path"].tolist() == [f"{tmp_path}/AudioWAV/1040_ITH_SAD_X.wav"]
    assert notes[1] == (
        "clips left out because two clips with different emotions are the same file: 2 (1006_TIE_HAP_XX, "
        "1006_TIE_NEU_XX)."
    )


@pytest.mark.parametrize("folder", ["", "dev-clean"])
def test_librispeech(librispeech, folder):
    frame, notes = list_clips(OPEN_CORPORA["librispeech"], librispeech / folder, check_counts=False)
    clips = librispeech / "dev-clean"
    assert frame.values.tolist() == [
        [f"{clips}/174/50561/174-50561-0000.flac", "174", "174", ""],
        [f"{clips}/84/121123/84-121123-0000.flac", "84", "84", "GO DO YOU HEAR"],
        [f"{clips}/84/121123/84-121123-0001.flac", "84", "84", "BUT IN LESS THAN FIVE MINUTES"],
    ]
    assert "3 of 2703 clips; 2 of 40 speakers" in notes[0]
    assert notes[1].endswith("speakers in SPEAKERS.TXT without a clip: 1 of 3 (251).")
    assert ("files skipped because they are other subsets: 1." in notes) == (folder == "")
    assert notes[-1].endswith("clips without a transcript, whose text is empty: 1.")
    sexes, _ = list_clips(OPEN_CORPORA["librispeech"], librispeech, "sex", check_counts=False)
    assert sexes["label"].tolist() == ["male", "female", "female"]


def test_faults_of_librispeech_s_table(librispeech):
    touch(librispeech, "dev-clean/9999/1/9999-1-0000.flac")
    table = librispeech / "SPEAKERS.TXT"
    with pytest.raises(Faults) as caught:
        list_clips(OPEN_CORPORA["librispeech"], librispeech, check_counts=False)
    assert caught.value.faults == [
        f"{librispeech}/dev-clean/9999/1/9999-1-0000.flac: its speaker 9999 is not in {table}; move the clip "
        "away"
    ]
    table.write_text("84 | F | dev-clean\n174\n")
    with pytest.raises(Faults, match="(?s)line 1: has 3 fields.*line 2: has 1 fields"):
        list_clips(OPEN_CORPORA["librispeech"], librispeech, check_counts=False)
    table.write_bytes(b"84 | F | dev-clean | 8 | Zo\xeb\n")
    with pytest.raises(Faults, match="SPEAKERS.TXT: is not in UTF-8"):
        list_clips(OPEN_CORPORA["librispeech"], librispeech, check_counts=False)
    table.unlink()
    with pytest.raises(Faults, match="(?s)lacks the table SPEAKERS.TXT.*is not the complete LibriSpeech"):
        list_clips(OPEN_CORPORA["librispeech"], librispeech)


def test_vctk(vctk):
    frame, notes = list_clips(OPEN_CORPORA["vctk"], vctk, check_counts=False)
    sounds = vctk / "wav48_silence_trimmed"
    assert frame.values.tolist() == [
        [f"{sounds}/p225/p225_001_mic1.flac", "English", "p225", "Please call Stella."],
        [f"{sounds}/p315/p315_001_mic1.flac", "American", "p315", ""],
        [f"{sounds}/s5/s5_001_mic1.flac", "British", "s5", "Please call Stella."],
    ]
    assert notes[0].endswith("4 of 44455 clips; 4 of 110 speakers.")
    assert notes[1].startswith("files skipped because they are the second microphone's")
    assert notes[-1] == "clips left out because accent is not known: 1 (p280_001_mic1)."
    speakers, _ = list_clips(OPEN_CORPORA["vctk"], vctk, "speaker", check_counts=False)
    assert speakers["label"].tolist() == ["p225", "p280", "p315", "s5"]
    (vctk / "speaker-info.txt").write_text("ID  AGE\np225  23\n")
    with pytest.raises(Faults, match="speaker-info.txt, line 2: lacks an age, a gender or an accent"):
        list_clips(OPEN_CORPORA["vctk"], vctk, check_counts=False)


@pytest.mark.parametrize(
    "label, expected",
    [
        ("accent", {"english1": "uk", "english2": "australia"}),
        ("country", {"english1": "uk", "english2": "australia", "tetun-dili1": "timor-leste"}),
        ("native_language", {"english1": "english", "english2": "english", "tetun-dili1": "tetun-dili"}),
    ],
)
def test_speech_accent_archive(accents, label, expected):
    frame, notes = list_clips(OPEN_CORPORA["speech-accent-archive"], accents, label)
    assert dict(zip(frame["speaker"], frame["label"])) == expected
    assert list(frame) == ["path", "label", "speaker"]
    assert len(notes) == 1 and "left out" in notes[0] and "synthesized1" in notes[0]


def test_a_recording_that_the_speech_accent_archive_s_table_promises_is_missed(accents):
    (accents / "recordings/recordings/english2.mp3").unlink()
    with pytest.raises(Faults, match=r"speakers in speakers_all.csv without a clip: 1 of 4 \(english2\)"):
        list_clips(OPEN_CORPORA["speech-accent-archive"], accents)


@pytest.mark.parametrize("name", OPEN_CORPORA)
def test_the_page_describes_each_corpus_and_its_command(name):
    sections = {section.partition("\n")[0]: section for section in re.split(r"^## ", PAGE, flags=re.M)[1:]}
    commands = {
        title: re.findall(r"^\.venv/bin/python -m data_prep list (\S+) .*> \S+$", text, re.M)
        for title, text in sections.items()
    }
    (title,) = [title for title, names in commands.items() if name in names]
    assert set(commands[title]) == {name}, "a section describes one corpus"
    text, corpus = sections[title], OPEN_CORPORA[name]
    for row in ("licence", "source", "size", "stands for", "difference"):
        assert f"| {row} |" in text
    assert corpus.layout in text
    assert all(f"`{label}`" in text for label in corpus.labels)
    clips = corpus.totals.get("clips") or sum(next(iter(corpus.counts.values()), {}).values())
    assert not clips or f"{clips:,} clips" in text
    documented = set(re.findall(r"--label (\w+)", text))
    assert documented <= set(corpus.labels)


def test_the_page_describes_no_other_corpus():
    assert set(re.findall(r"data_prep list (\S+) /", PAGE)) == set(OPEN_CORPORA)
