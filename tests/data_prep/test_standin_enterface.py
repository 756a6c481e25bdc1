"""The stand-in for eNTERFACE'05: its layout, oddities and films, and emotions that are prosody alone."""

import errno
import hashlib
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.base.cores import cores
from data_prep.base.faults import Faults
from data_prep.corpora import enterface as corpus
from data_prep.sound import audio
from data_prep.standin import enterface
from data_prep.standin.emotions import MANNERS, acted
from data_prep.standin.folder import is_standin

FEW = (3, 6, 11, 23)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    root = tmp_path_factory.mktemp("standin")
    enterface.write(root, subjects=FEW, sentences=1, jobs=2)
    return root


def films(root):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.avi")}


def test_it_has_the_layout_and_the_irregularities_of_enterface(standin):
    found = corpus.scan(standin)
    assert is_standin(standin) and found.faults == []
    assert found.notes == ("speakers left out: s06 (0 of 6 records), s23 (5 of 6 records).",)
    frame = found.manifest
    assert sorted(frame["speaker"].unique()) == ["s03", "s11"] and len(frame) == 12
    assert set(frame["label"]) == set(corpus.LABELS)
    names = {speaker: group["path"].iloc[0].rpartition("/")[2] for speaker, group in frame.groupby("speaker")}
    assert names["s03"].startswith("s_3_") and names["s11"].startswith("s12_")
    database = standin / "enterface database"
    assert (database / "subject 6/anger/s6_an.avi").is_file()
    assert (database / "subject 3/neutral").is_dir() and (database / "subject 3/anger/Thumbs.db").is_file()


def test_a_finished_one_is_not_written_to(standin, monkeypatch):
    def refused(self, *arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "touch", refused)
    enterface.write(standin, subjects=FEW, sentences=1, jobs=2)


def test_the_default_is_the_papers_speakers():
    plan = [record for subject in enterface.SUBJECTS for record in enterface._records(subject, 2)]
    whole = [n for n in enterface.SUBJECTS if len(enterface._records(n, 2)) == 12]
    assert len(whole) == 42 and len(plan) == 42 * 12 + 6 + 10


def test_films_have_stereo_sound_and_pictures(standin):
    for path in standin.rglob("*.avi"):
        with av.open(str(path)) as container:
            sound, pictures = container.streams.audio[0], container.streams.video[0]
            assert (sound.rate, sound.channels, sound.codec_context.name) == (48000, 2, "pcm_s16le")
            assert pictures.average_rate == 25
            assert sum(1 for _ in container.decode(pictures)) >= 20
        samples, rate = audio.load(path)
        assert rate == 48000 and 0.6 < len(samples) / rate < 5
        assert -31 < 20 * np.log10(samples.std()) < -13


def test_same_seed_same_bytes_one_by_one_too(standin, tmp_path):
    enterface.write(tmp_path, subjects=(11,), sentences=1, jobs=1)
    first = {name: digest for name, digest in films(standin).items() if name.startswith("s12_")}
    assert films(tmp_path) == first and len(first) == 6


@pytest.mark.skipif(cores() < 2, reason="one core cannot be compared with several")
def test_the_bytes_of_a_film_do_not_depend_on_the_number_of_cores(tmp_path):
    code = """
import os, sys
from pathlib import Path
import numpy as np
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
from data_prep.standin.enterface import _write_avi
_write_avi(Path(sys.argv[1]), np.random.default_rng(0).uniform(-0.5, 0.5, 48000))
"""
    for name, count in (("one", "1"), ("all", "64")):
        subprocess.run([sys.executable, "-c", code, tmp_path / name, count], cwd=ROOT, check=True, timeout=60)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "all").read_bytes()


def test_all_emotions_say_the_same():
    assert set(MANNERS) == set(corpus.EMOTIONS) == set(enterface.SHORT)
    assert len(set(enterface.SENTENCES)) == 5  # as many as in the real corpus


def test_five_sentences_are_the_maximum(tmp_path):
    enterface.write(tmp_path, subjects=(1,), sentences=5, jobs=1)
    frame = corpus.scan(tmp_path).manifest
    assert len(frame) == 30 and set(frame["text"]) == set("12345")
    with pytest.raises(Faults, match="the number of sentences is 6"):
        enterface.write(tmp_path / "more", sentences=6)


@pytest.mark.parametrize(
    "calmer, stronger, measure",
    [
        ("sadness", "anger", "bright"),
        ("disgust", "surprise", "late"),
        ("anger", "fear", "tremble"),
    ],
)
def test_emotions_change_a_voice_in_the_expected_direction(calmer, stronger, measure):
    """The voice is noise, and the measures are averaged over twelve takes."""
    rate = 48000
    spoken = np.random.default_rng(0).standard_normal(2 * rate)

    def of(emotion):
        takes = []
        for seed in range(12):
            take = acted(np.random.default_rng(seed), spoken, MANNERS[emotion], rate)
            power = np.abs(np.fft.rfft(take)) ** 2
            loud = (take.reshape(-1, rate // 50) ** 2).mean(axis=1)
            swing = np.abs(np.fft.rfft(np.log(loud)))[10:18].max()  # 5 to 9 Hz
            takes.append(
                {
                    "bright": power[len(power) // 2 :].sum() / power.sum(),
                    "late": np.log(loud[-20:].mean() / loud[:20].mean()),
                    "tremble": swing,
                }[measure]
            )
        return np.mean(takes)

    assert of(stronger) > 1.2 * of(calmer)
