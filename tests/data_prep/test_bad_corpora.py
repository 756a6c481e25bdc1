"""Corpora with duplicate, renamed, unreadable, linked, missing or wrongly capitalised files."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from data_prep import corpora, manifest
from data_prep.__main__ import main
from data_prep.base.faults import Faults
from data_prep.corpora import chains, enterface, own, ut_podcast
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings

FOLDERS = [f"audio/{part}/{label}" for part in ("train", "test") for label in ("AU", "US", "UK")]


def sound(path, seed=0, seconds=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, int(8000 * seconds))
    soundfile.write(os.fsencode(path), samples, 8000, format="WAV")
    return path


@pytest.fixture
def podcast(tmp_path):
    """A small UT-Podcast."""
    for number, folder in enumerate(FOLDERS):
        sound(tmp_path / "podcast" / folder / f"{folder[-2:]}-{number}__1.wav", number)
    return tmp_path / "podcast"


def solo(root, speaker, *names):
    for number, name in enumerate(names):
        sound(root / "data" / "solo" / speaker / name, number, 2.5)


def prepared(root, tmp_path, module=ut_podcast):
    frame, _ = corpora.build(module.scan(root), tmp_path / "out", ImageSettings(16), module.protocol, jobs=1)
    return frame


def refused(root, tmp_path, module=ut_podcast):
    """Return the faults of a corpus, and check that nothing was written."""
    with pytest.raises(Faults) as faults:
        prepared(root, tmp_path, module)
    assert not (tmp_path / "out").exists()
    return faults.value.faults


def test_a_recording_under_two_names_is_reported_with_both_labels(podcast, tmp_path, capsys):
    copy = (podcast / "audio/train/AU/AU-0__1.wav").read_bytes()
    (podcast / "audio/test/UK/UK-9__9.wav").write_bytes(copy)
    assert main(["ut_podcast", str(podcast), str(tmp_path / "out"), "--size", "16", "--no-check-counts"]) == 0
    output = capsys.readouterr().err
    assert "note: clips that are the same recording: AU-0__1 (AU, train) and UK-9__9 (UK, test)." in output


def test_names_that_differ_in_case_alone_are_reported_with_both_files(podcast, tmp_path):
    sound(podcast / "audio/train/AU/AU-0__1.WAV", 9)
    (fault,) = refused(podcast, tmp_path)
    assert fault.startswith(f"{podcast}/audio/train/AU/AU-0__1.wav: clip ")
    assert "is already the name of audio/train/AU/AU-0__1.WAV" in fault


def test_a_label_folder_in_another_case_is_a_fault(podcast, tmp_path):
    sound(podcast / "audio/train/au/AU-8__1.wav", 8)
    fault, _ = refused(podcast, tmp_path)
    assert f"{podcast}/audio/train/au: its name is not AU; rename it" in fault


def test_a_renamed_file_is_a_fault_and_does_not_change_its_label(podcast, tmp_path):
    os.rename(podcast / "audio/train/AU/AU-0__1.wav", podcast / "audio/train/AU/US-0__1.wav")
    (fault,) = refused(podcast, tmp_path)
    assert f"{podcast}/audio/train/AU/US-0__1.wav: its name does not begin with AU-<number>_" in fault


def test_links_are_followed_and_broken_links_are_faults(podcast, tmp_path):
    away = sound(tmp_path / "away" / "x.wav", 7)
    linked = podcast / "audio/test/US/US-7__1.wav"
    linked.symlink_to(away)
    frame = prepared(podcast, tmp_path)
    assert frame["path"].tolist().count("audio/test/US/US-7__1.wav") == 1
    away.unlink()
    (podcast / "audio/test/US/US-8__1.wav").symlink_to("US-8__1.wav")
    with pytest.raises(Faults) as faults:
        prepared(podcast, tmp_path)
    missing, loop = faults.value.faults
    assert f"{linked}: is missing" == missing
    assert f"{podcast}/audio/test/US/US-8__1.wav: cannot be read (Too many levels" in loop


def test_pipes_and_folders_named_like_recordings_are_faults(podcast, tmp_path):
    os.mkfifo(podcast / "audio/test/UK/UK-7__1.wav")
    (podcast / "audio/test/UK/UK-8__1.wav").mkdir()
    (podcast / "audio/test/UK/UK-9__1.wav").symlink_to(os.devnull)
    pipe, folder, device = refused(podcast, tmp_path)
    assert "UK-7__1.wav: is a pipe, not an audio file; write the sound to a file first" in pipe
    assert "UK-8__1.wav: is a folder" in folder
    assert "UK-9__1.wav: is a device without sound; name a recording" in device


def test_names_that_a_csv_file_cannot_hold_are_reported_with_their_file(podcast, tmp_path):
    for name in (b"AU-1_\xe9.wav", b"AU-2_\nb.wav", b"AU-3_\x1b.wav"):
        sound(podcast / "audio/train/AU" / os.fsdecode(name), 5)
    faults = refused(podcast, tmp_path)
    assert len(faults) == 3 and all(each.startswith(f"{podcast}/audio/train/AU/AU-") for each in faults)
    for words in ("line break", "control character", "not in UTF-8"):
        assert words in str(faults)


def test_the_case_of_speakers_and_texts_is_ignored(tmp_path):
    root = tmp_path / "chains"
    solo(root, "frf01", "frf01_s01_solo.wav", "FRF01_s02_solo.WAV")
    solo(root, "FRF01", "frf01_s03_solo.wav")
    assert set(chains.scan(root).manifest["speaker"]) == {"frf01"}
    solo(root, "FRF01", "frf01_S01_solo.wav")
    (fault,) = refused(root, tmp_path, chains)
    assert (
        fault.startswith(f"{root}/data/solo/")
        and "clip 'frf01_s01' is already the name of data/solo/" in fault
    )


def test_misplaced_and_renamed_readings_are_faults(tmp_path):
    root = tmp_path / "chains"
    solo(root, "frf01", "frf01_s01_solo.wav", "frf02_s02_solo.wav", "frf01_s99_solo.wav", "s01.wav")
    faults = refused(root, tmp_path, chains)
    assert [fault.split("solo/frf01/")[1].split(":")[0] for fault in faults] == [
        "frf01_s99_solo.wav",
        "frf02_s02_solo.wav",
        "s01.wav",
    ]


def test_emotions_in_two_folders_of_other_case_are_reported(tmp_path):
    for number, emotion in enumerate(("anger", "Anger")):
        sound(tmp_path / "films" / "subject 1" / emotion / "sentence 1" / "a.wav", number)
        (tmp_path / "films" / "subject 1" / emotion / "sentence 1" / "a.avi").touch()
    with pytest.raises(Faults, match="holds anger more than once, 'Anger' and 'anger'; keep one"):
        enterface.scan(tmp_path / "films")


def test_linked_label_folders_are_read_and_loops_end(tmp_path):
    sound(tmp_path / "away" / "deep" / "a.wav")
    sound(tmp_path / "data" / "dog" / "b.wav", 1)
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "away")
    (tmp_path / "away" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dog" / "again").symlink_to(tmp_path / "data" / "dog")
    frame = own.scan(tmp_path / "data").manifest
    assert dict(zip(frame["path"], frame["label"])) == {
        "cat/deep/a.wav": "cat",
        "dog/b.wav": "dog",
    }


def test_dot_dot_after_a_link_leads_to_the_parent_of_its_target(tmp_path):
    """The parent in the path's text would be another recording."""
    right, wrong = sound(tmp_path / "away" / "a.wav"), sound(tmp_path / "data" / "a.wav", 1)
    (tmp_path / "away" / "deep").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "away" / "deep")
    table = tmp_path / "data" / "clips.csv"
    table.write_text("path,label\nlink/../a.wav,x\n../data/a.wav,y\n")
    found = own.scan(table)
    assert [path for path, *_ in manifest.clips(found.manifest, found.root)] == [right, wrong]


def test_labels_that_a_csv_file_cannot_hold_are_reported_with_a_file(tmp_path):
    for label in ("a\nb", " c", os.fsdecode(b"\xff")):
        sound(tmp_path / "data" / label / "a.wav")
    with pytest.raises(Faults) as faults:
        own.scan(tmp_path / "data")
    assert len(faults.value.faults) == 4 and all(f"{tmp_path}/data/" in each for each in faults.value.faults)


def test_files_without_permission_are_reported(podcast, tmp_path):
    """The command runs as another user in its own process, because root may read everything."""
    forbidden, folder = podcast / "audio/train/AU/AU-0__1.wav", podcast / "audio/test/UK"
    data = tmp_path / "data"
    sound(data / "dog" / "a.wav")
    sound(data / "cat" / "a.wav")
    forbidden.chmod(0)
    (data / "cat").chmod(0)
    code = (
        "import os, sys; from data_prep.corpora import own; from data_prep.base.processes import pool\n"
        "from data_prep.__main__ import main; from data_prep.base.commands import with_plain_errors\n"
        "with pool(1) as stream: list(stream(abs, [1]))  # what is imported late, that user may not read\n"
        "os.geteuid() or os.setuid(65534)\n"
        "main(['ut_podcast', sys.argv[1], sys.argv[3], '--no-check-counts', '--jobs', '1'])\n"
        "with_plain_errors(lambda: print(own.scan(sys.argv[2]).manifest))()\n"
        "os.path.exists(sys.argv[3]) and print('written')"
    )
    for each in (tmp_path, *tmp_path.parents):  # pytest's own folders are for their owner alone
        if each.stat().st_uid == os.geteuid() and not each.stat().st_mode & 1:
            each.chmod(each.stat().st_mode | 0o111)
    words = [sys.executable, "-c", code, str(podcast), str(data), str(tmp_path / "out")]
    done = subprocess.run(words, text=True, capture_output=True, cwd=os.getcwd())
    assert "Traceback" not in done.stderr and not done.stdout
    assert f"error: {forbidden}: cannot be read (Permission denied)" in done.stderr
    assert f"error: {data}/cat: Permission denied" in done.stderr
    folder.chmod(0)
    done = subprocess.run(words, text=True, capture_output=True, cwd=os.getcwd())
    assert "Traceback" not in done.stderr and f"{folder}: Permission denied" in done.stderr


@pytest.mark.parametrize(
    "path", ["../x.wav", "/etc/passwd", "a/../../x.wav", "..\\x.wav", "C:\\x.wav", "C:x.wav"]
)
def test_a_manifest_s_path_never_leaves_its_folder(tmp_path, path):
    table = tmp_path / "manifest.csv"
    table.write_text(f"{','.join(manifest.COLUMNS)}\na,{path},,,x,,,\n")
    with pytest.raises(Faults, match="manifest.csv, line 2: path .* is not below the corpus folder"):
        manifest.read(table)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "CON", "x" * 5000, "a/b", "~", "$HOME", "%s", "a;b"])
def test_names_of_clips_and_labels_are_never_used_as_paths(tmp_path, name):
    root = tmp_path / "in" / "corpus"
    sound(root / "a.wav")
    row = dict.fromkeys(manifest.COLUMNS, "") | {
        "clip": name,
        "path": "a.wav",
        "label": name,
        "speaker": name,
    }
    found = corpora.Scan(root, manifest.typed(manifest.pd.DataFrame([row])), [])
    before = sorted(tmp_path.rglob("*"))
    corpora.build(found, tmp_path / "in" / "out", ImageSettings(16), lambda frame: frame, jobs=1)
    made = set(tmp_path.rglob("*")) - set(before)
    assert made and all(each.is_relative_to(tmp_path / "in" / "out") for each in made)
    assert manifest.read(tmp_path / "in" / "out" / "manifest.csv")["clip"].tolist() == [name]


def test_a_film_is_not_a_list_of_other_files(tmp_path):
    """FFmpeg recognises a playlist by its content, and would read the files that it lists."""
    sound(tmp_path / "secret.wav")
    for text in ("ffconcat version 1.0\nfile secret.wav\n", "#EXTM3U\n#EXTINF:1,\nsecret.wav\n"):
        (tmp_path / "a.avi").write_text(text)
        with pytest.raises(Faults, match="a.avi: cannot be read as audio .it is text that begins with"):
            audio.read(tmp_path / "a.avi")


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**31 - 1])
def test_an_impossible_rate_is_refused_before_memory_is_taken(tmp_path, rate):
    path = sound(tmp_path / "a.wav", seconds=20)
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(Faults, match=f"a.wav: its header states a rate of {rate} Hz"):
        audio.read(path)


def test_a_header_with_too_many_samples_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 8000)
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # STREAMINFO's count of samples
    content[22:26] = b"\xff\xff\xff\xfe"  # one more would mean an unknown number
    path.write_bytes(content)
    for read in (audio.read, audio.seconds, audio.rate_of):
        with pytest.raises(Faults, match="a.flac: breaks off"):
            read(path)


def test_an_impossible_time_is_reported_with_its_line(tmp_path):
    table = tmp_path / "clips.csv"
    table.write_text("path,label,start,stop\na.wav,x,1,1e308\nb.wav,y,1e10,\n")
    with pytest.raises(Faults) as faults:
        own.scan(table)
    first, second = faults.value.faults
    assert (
        "line 2: stop '1e308' is not a number" in first and "line 3: start '1e10' is not a number" in second
    )


@pytest.mark.parametrize("corpus", [chains, enterface, ut_podcast])
def test_a_file_instead_of_a_corpus_is_not_called_missing(corpus, tmp_path):
    (tmp_path / "corpus.zip").touch()
    for name, problem in (("corpus.zip", "is not a folder"), ("nowhere", "does not exist")):
        with pytest.raises(Faults) as faults:
            corpus.scan(tmp_path / name)
        (fault,) = faults.value.faults
        assert fault.startswith(f"{tmp_path / name}: {problem}; give the folder that holds ")
