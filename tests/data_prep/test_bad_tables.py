"""Whatever a table or a folder holds: a valid manifest, or faults that name it."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.corpora import chains, enterface, own, ut_podcast
from data_prep.sound.spectrogram import ImageSettings

FIELDS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"], include_characters='\n\r\t\0,";/\\'),
    max_size=8,
) | st.sampled_from(
    ["a.wav", "../a.wav", "/etc/passwd", "train", "test", "0", "1.5", "-1", "nan", "1e999", "x"]
)
HEADS = st.lists(
    st.sampled_from([*manifest.COLUMNS, "fold", "copies", "mood", "", "Path", "path"]), max_size=9
)


def table(data):
    head = data.draw(HEADS | st.just(list(manifest.COLUMNS)) | st.just(["path", "label"]))
    rows = data.draw(st.lists(st.lists(FIELDS, min_size=len(head), max_size=len(head)), max_size=4))
    quote = data.draw(st.booleans())

    def line(cells):
        return ",".join('"' + cell.replace('"', '""') + '"' if quote else cell for cell in cells)

    return "\n".join(map(line, [head, *rows])).encode("utf-8", "surrogatepass")


@settings(max_examples=75)
@given(st.data())
def test_any_table_is_a_valid_manifest_or_faults_by_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("tables") / "clips.csv"
    path.write_bytes(data.draw(st.binary(max_size=200)) if data.draw(st.booleans()) else table(data))
    try:
        frame = manifest.read(path)
    except Faults as faults:
        assert all(str(path) in fault for fault in faults.faults)
    else:
        manifest.validate(frame)
        assert not any(".." in each.split("/") or each.startswith("/") for each in frame["path"])
        again = path.with_name("again.csv")
        manifest.write(frame, again)
        assert manifest.read(again).equals(frame)
    try:
        found = own.scan(path)
    except Faults as faults:
        assert all(str(path) in fault for fault in faults.faults)
    else:
        manifest.validate(found.manifest)


NAMES = st.sampled_from(
    "audio train test AU UK US AU-1__2.wav UK-1_2__3.WAV .AU-1__1.wav US-x__1.wav data solo frf01 FRF01 "
    "frf01_f01_solo.wav frf01_s01_solo.wav frf01_s34_solo.wav anger happiness neutral Thumbs.db a.avi".split()
    + ["enterface database", "subject 1", "subject 99", "subject x", "sentence 1", "Sentence 1"]
)


@settings(max_examples=40)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=5), max_size=12), st.data())
@pytest.mark.parametrize("corpus", [ut_podcast, chains, enterface, own])
def test_any_folder_is_a_manifest_or_faults(corpus, tmp_path_factory, paths, data):
    root = tmp_path_factory.mktemp("corpora") / "root"
    root.mkdir()
    for parts in paths:
        path = root.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if data.draw(st.integers(0, 9)) == 0:
                path.symlink_to(data.draw(st.sampled_from([root, root / "nowhere", root / parts[0]])))
            else:
                path.touch()
        except OSError:
            pass  # a name that is a file already, or a loop
    try:
        found = corpus.scan(root)
    except Faults as faults:
        assert faults.faults
        return
    assert found.faults or len(found.manifest)
    if not found.faults:
        manifest.validate(found.manifest)
    assert sorted(root.parent.iterdir()) == [root]


def test_a_clip_that_is_there_twice_or_cannot_be_read_is_reported_with_the_others(tmp_path, capsys):
    import soundfile

    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4000)
    for name in ("a/one.wav", "a/two.wav", "b/three.wav", "b/four.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, noise, 8000)
    (tmp_path / "b/three.wav").unlink()
    (tmp_path / "b/three.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "b/five.wav").symlink_to(tmp_path / "a/one.wav")
    found = own.scan(tmp_path)
    assert found.manifest["path"].tolist() == [
        "a/one.wav",
        "a/two.wav",
        "b/five.wav",
        "b/four.wav",
        "b/three.wav",
    ]
    (tmp_path / "a/two.wav").write_bytes(b"")
    (tmp_path / "b/four.wav").write_bytes(b"RIFF" + os.urandom(100))
    with pytest.raises(Faults) as faults:
        store.build(found.manifest, tmp_path, tmp_path / "store", ImageSettings(16), 1)
    empty, damaged, missing = faults.value.faults
    assert "two.wav: is an empty file" in empty and "four.wav: cannot be read" in damaged
    assert "three.wav: is missing" in missing
    assert not (tmp_path / "store").exists()
