"""eNTERFACE'05: the true list of its files, oddity by oddity, and real AVI files to a store."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from films import write_avi

from data_prep import corpora, manifest
from data_prep.__main__ import main
from data_prep.base.faults import Faults
from data_prep.corpora import enterface
from data_prep.sound.spectrogram import ImageSettings

LISTED = (
    gzip.decompress(Path(__file__).with_name("enterface_files.txt.gz").read_bytes()).decode().splitlines()
)


BOTH = "speakers left out: s06 (0 of 30 records), s23 (27 of 30 records)."


def tree(root, paths, content=b""):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The corpus's own 1293 files, empty, with what else lies about."""
    root = tree(tmp_path_factory.mktemp("enterface"), [f"enterface database/{path}" for path in LISTED])
    tree(root / "enterface database", ["subject 1/anger/Thumbs.db", "subject 5/fear/sentence 2/Thumbs.db"])
    (root / "enterface database/subject 7/neutral").mkdir()
    return root


@pytest.fixture(scope="module")
def frame(whole):
    return enterface.scan(whole).manifest


def path_of(frame, clip):
    return frame.set_index("clip").loc[clip, "path"].removeprefix("enterface database/")


def test_the_papers_1260_records(whole, frame):
    found = enterface.scan(whole)
    assert len(LISTED) == 1293 and len(frame) == 1260 and found.faults == []
    assert frame["speaker"].nunique() == 42
    assert frame["label"].value_counts().to_dict() == dict.fromkeys(enterface.LABELS, 210)
    assert (frame.groupby(["speaker", "label"]).size() == 5).all()
    assert enterface.count_faults(frame) == []
    manifest.validate(frame)


def test_the_folder_itself_is_as_good(whole, frame):
    inner = enterface.scan(whole / "enterface database").manifest
    assert inner.drop(columns="path").equals(frame.drop(columns="path"))


def test_subject_6_is_uncut_and_left_out(frame):
    assert sum(path.startswith("subject 6/") for path in LISTED) == 6
    assert "s06" not in set(frame["speaker"])


def test_subject_23_lacks_three_records_and_is_left_out(whole, frame):
    assert sum(path.startswith("subject 23/") for path in LISTED) == 27
    assert "s23" not in set(frame["speaker"])
    assert enterface.scan(whole).notes == (BOTH,)


def test_subject_11s_files_are_named_after_another(frame):
    own = frame[frame["speaker"] == "s11"]
    assert len(own) == 30
    names = {Path(path).name.partition("_")[0] for path in own["path"]}
    assert names == {"s12"}
    assert len(frame[frame["speaker"] == "s12"]) == 30


def test_names_that_are_spelt_otherwise(frame):
    assert any(Path(path).name.startswith("s_3_") for path in frame["path"][frame["speaker"] == "s03"])
    (odd,) = [path for path in frame["path"] if path.endswith("s16_su_3avi.avi")]
    row = frame[frame["path"] == odd].iloc[0]
    assert (row["speaker"], row["label"], row["text"]) == ("s16", "Surprise", "3")


def test_subject_2s_swapped_names_do_not_matter(frame):
    for sentence in (1, 2):
        path = path_of(frame, f"s02_anger_{sentence}")
        assert path.startswith(f"subject 2/anger/sentence {sentence}/")
    assert Path(path_of(frame, "s02_anger_1")).stem.endswith("2")


def test_every_listed_record_is_read_or_left_out_by_rule(frame):
    read = {path.removeprefix("enterface database/") for path in frame["path"]}
    rest = set(LISTED) - read
    assert {path.split("/")[0] for path in rest} == {"subject 6", "subject 23"} and len(rest) == 33


def test_ten_folds_of_four_or_five_speakers(frame):
    folds = enterface.protocol(frame)
    speakers = folds.groupby("fold")["speaker"].nunique()
    assert list(speakers.index) == list(range(1, 11))
    assert sorted(speakers) == [4] * 8 + [5] * 2
    assert (folds.groupby("speaker")["fold"].nunique() == 1).all()
    assert enterface.folds_text(folds).count("\n") == 9


def test_a_missing_record_is_counted_with_its_speaker(tmp_path):
    root = tree(tmp_path, [path for path in LISTED if "subject 40/fear/sentence 2" not in path])
    found = enterface.scan(root)
    (fault,) = enterface.count_faults(found.manifest)
    assert (
        "1230 of 41" in fault
        and "205  <-" in fault
        and found.notes == (f"{BOTH[:-1]}, s40 (29 of 30 records).",)
    )


def test_an_uneven_corpus_of_ones_own_is_kept_whole(tmp_path):
    paths = [
        f"Subject {n} /Anger/Sentence {k}/a.AVI"
        for n, many in enumerate((5, 4, 3), 1)
        for k in range(1, many + 1)
    ]
    found = enterface.scan(tree(tmp_path, paths))
    assert len(found.manifest) == 12 and found.notes == ()
    (tmp_path / "subject 4/anger").mkdir(parents=True)
    found = enterface.scan(tmp_path)
    assert len(found.manifest) == 12 and found.notes == ("speakers left out: s04 (0 of 5 records).",)


@pytest.mark.parametrize("sentences", [1, 2, 4])
def test_speakers_are_left_out_by_name_in_a_corpus_of_other_counts(tmp_path, sentences):
    kept = tuple(f"sentence {number}/" for number in range(1, 1 + sentences))
    paths = [path for path in LISTED if path.startswith("subject 6/") or any(each in path for each in kept)]
    found = enterface.scan(tree(tmp_path, paths))
    assert found.manifest["speaker"].nunique() == 42 and len(found.manifest) == 42 * 6 * sentences
    lacking = min(sentences, 3)
    assert found.notes == (
        f"speakers left out: s06 (0 of {6 * sentences} records), "
        f"s23 ({6 * sentences - lacking} of {6 * sentences} records).",
    )


def test_a_speaker_who_has_only_hidden_files_or_other_kinds_is_named(tmp_path):
    paths = [path for path in LISTED if path.split("/")[0] in ("subject 1", "subject 2")]
    others = ["subject 3/anger/sentence 1/.a.avi", "subject 4/fear/sentence 2/a.mp4", "subject 5/Thumbs.db"]
    found = enterface.scan(tree(tmp_path, [*paths, *others]))
    names = ", ".join(f"s0{number} (0 of 30 records)" for number in (3, 4, 5))
    assert set(found.manifest["speaker"]) == {"s01", "s02"}
    assert found.notes == (f"speakers left out: {names}.",)


def test_two_records_in_one_place(tmp_path):
    paths = [f"subject {n}/anger/sentence 1/{name}.avi" for n in (1, 2) for name in ("a", ".hidden")]
    root = tree(tmp_path, [*paths, "subject 2/anger/sentence 1/b.avi"])
    (fault,) = enterface.scan(root).faults
    assert "subject 2" in fault and "holds 2 records" in fault


@pytest.mark.parametrize(
    "again", ["Subject 1 /anger/sentence 1", "subject 1/Anger/sentence 1", "subject 1/anger/sentence 01"]
)
def test_a_folder_that_is_there_twice(tmp_path, again):
    root = tree(tmp_path, ["subject 1/anger/sentence 1/a.avi", f"{again}/b.avi"])
    with pytest.raises(Faults, match="keep one"):
        enterface.scan(root)


def test_the_wrong_root(tmp_path):
    with pytest.raises(Faults, match="does not exist"):
        enterface.scan(tmp_path / "absent")
    (tmp_path / "music").mkdir()
    with pytest.raises(Faults, match="has no records.*it holds music"):
        enterface.scan(tmp_path)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Ten subjects who say two emotions once each, in true AVI files."""
    root = tmp_path_factory.mktemp("small")
    for subject in range(1, 11):
        for emotion in ("anger", "fear"):
            random = np.random.default_rng([subject, len(emotion)])
            samples = random.integers(-9000, 9000, (9600, 2)).astype(np.int16)
            write_avi(root / f"subject {subject}/{emotion}/sentence 1/s.avi", samples)
    return root


def test_from_films_to_images(small, tmp_path):
    found = enterface.scan(small)
    frame, images = corpora.build(found, tmp_path / "out", ImageSettings(16), enterface.protocol, jobs=1)
    assert len(frame) == 20 and sorted(frame["fold"]) == sorted([*range(1, 11)] * 2)
    assert images.images[images.rows(frame["clip"])].shape == (20, 16, 16)


def test_command_prints_the_folds(small, tmp_path, capsys):
    words = ["enterface", str(small), str(tmp_path / "out"), "--size", "16", "--jobs", "1"]
    assert main(words) == 1 and "here: 20 of 10" in capsys.readouterr().err
    assert main([*words, "--no-check-counts"]) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith("20 clips; ") and sum(line.startswith("fold ") for line in output) == 10
    assert "fold  1: s" in "\n".join(output) and "(2 records)" in output[-1]


def test_fewer_speakers_than_folds_is_reported_plainly(small, tmp_path, capsys):
    root = tmp_path / "few"
    (root / "subject 1").parent.mkdir()
    (root / "subject 1").symlink_to(small / "subject 1")
    words = [
        "enterface",
        str(root),
        str(tmp_path / "out"),
        "--size",
        "16",
        "--no-check-counts",
        "--jobs",
        "1",
    ]
    assert main(words) == 1
    assert "1 speakers cannot fill 10 folds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()  # reported before any image is computed
