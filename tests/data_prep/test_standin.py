"""The synthesised stand-in: layout, repeatability, resuming, and the phonemes that eSpeak NG speaks."""

import csv
import hashlib
import itertools
import json
import multiprocessing
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from spoken import LOCK, count_up, die, say, spoken_in, take_lock

from data_prep.base.faults import Faults
from data_prep.standin import accents, folder, ut_podcast
from data_prep.standin import ut_podcast_texts as texts
from data_prep.standin.speech import ESpeak, each_in_fresh_process

FEW = {"train": {"AU": 6, "US": 5, "UK": 3}, "test": {"AU": 3, "US": 2, "UK": 2}}
SECONDS = (0.6, 0.9)


def few(out, **changes):
    """Write few clips, one at a time unless ``changes`` say otherwise, because helpers start slowly."""
    ut_podcast.write(out, **{"clips": FEW, "seconds": SECONDS, "jobs": 1, **changes})


def contents(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def sounds(root):
    return {path: digest for path, digest in contents(root).items() if path.endswith(".wav")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("standin")
    few(root, jobs=2)
    return root


def test_layout_names_and_format_are_ut_podcasts(corpus):
    paths = sounds(corpus)
    for partition, accent in itertools.product(("train", "test"), ("AU", "US", "UK")):
        here = [path for path in paths if path.startswith(f"audio/{partition}/{accent}/")]
        assert len(here) == FEW[partition][accent]
        assert all(re.fullmatch(rf"{accent}-\d+(_\d)?__\d+\.wav", Path(path).name) for path in here)
    assert len(paths) == 21
    for path in paths:
        info = soundfile.info(corpus / path)
        assert (info.samplerate, info.channels, info.format, info.subtype) == (8000, 1, "WAV", "PCM_16")
        assert SECONDS[0] <= info.duration <= SECONDS[1]
        samples, _ = soundfile.read(corpus / path)
        assert -31 < 20 * np.log10(samples.std()) < -14
        assert np.abs(samples).max() < 1


def test_default_plan_keeps_table_1s_imbalance_and_speakers_apart():
    published = {"train": {"AU": 449, "US": 406, "UK": 246}, "test": {"AU": 332, "US": 240, "UK": 89}}
    for partition, accent in itertools.product(published, ("AU", "US", "UK")):
        half = published[partition][accent] / 2
        assert ut_podcast.CLIPS[partition][accent] == pytest.approx(half, abs=0.75)
    plan = ut_podcast._plan(ut_podcast.CLIPS, seed=0)
    assert len({row["path"] for row in plan}) == len(plan) == 880
    who = {
        partition: {row["speaker"] for row in plan if row["partition"] == partition}
        for partition in published
    }
    assert not who["train"] & who["test"]
    assert not set(ut_podcast.VARIANTS["train"]) & set(ut_podcast.VARIANTS["test"])
    assert not set(texts.SUBJECTS["train"]) & set(texts.SUBJECTS["test"])
    clips_of = [sum(row["speaker"] == speaker for row in plan) for speaker in who["train"] | who["test"]]
    assert np.median(clips_of) in (4, 5, 6) and max(clips_of) <= 6


def test_all_accents_have_the_same_distribution_of_voices():
    plan = ut_podcast._plan({"train": dict.fromkeys(("AU", "US", "UK"), 1500)}, seed=3)
    speakers = {row["speaker"]: row for row in plan}.values()
    for key in ("rate", "pitch", "pitch_range", "tract", "eq_1000"):
        by = [[row[key] for row in speakers if row["accent"] == accent] for accent in ("AU", "US", "UK")]
        spread = np.std(np.concatenate(by))
        assert max(map(np.mean, by)) - min(map(np.mean, by)) < 0.35 * spread
    used = [{row["variant"] for row in speakers if row["accent"] == accent} for accent in ("AU", "US", "UK")]
    assert used[0] == used[1] == used[2] == set(ut_podcast.VARIANTS["train"])


def test_bytes_depend_on_seed_and_name_only(corpus, tmp_path):
    few(tmp_path / "one")
    assert contents(tmp_path / "one") == contents(corpus)
    fewer = {"test": {"UK": 2, "AU": 1}, "train": {"AU": 2}}
    few(tmp_path / "fewer", clips=fewer)
    assert len(sounds(tmp_path / "fewer")) == 5
    assert sounds(tmp_path / "fewer").items() <= sounds(corpus).items()
    few(tmp_path / "other", clips=fewer, seed=1)
    assert not set(sounds(tmp_path / "other").values()) & set(sounds(corpus).values())


def test_same_arguments_same_samples():
    call = ("[[h@l'oU w'3:ld]].", "en-us", "f2", 150, 50, 50)
    (first, spoken), (again, _) = each_in_fresh_process(say, [call, call], jobs=2)
    ((later, _),) = each_in_fresh_process(say, [call])
    assert first.dtype == np.float64 and np.abs(first).max() <= 1
    assert 0.7 < len(first) / 22050 < 1.8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, later)
    assert heard("".join(spoken)) == "h@loUw3:ld"


def test_a_variants_samples_do_not_depend_on_the_time():
    calls = [
        ("[[D@ b'eIk3]].", "en", variant, 130, 50, 50)
        for variant in itertools.chain(*ut_podcast.VARIANTS.values())
    ]
    first, later = [], []
    for found in (first, later):
        found += [samples.tobytes() for samples, _ in each_in_fresh_process(say, calls)]
        time.sleep(1.1)  # the library's own random numbers begin with the time in seconds
    different = [call[2] for call, one, other in zip(calls, first, later) if one != other]
    assert different == []


def test_the_marker_identifies_the_standin(corpus, tmp_path):
    assert folder.is_standin(corpus) and not folder.is_standin(tmp_path)
    marker = json.loads((corpus / "STAND-IN.json").read_text())
    assert "not UT-Podcast" in marker["what"] and "no real speaker" in marker["what"]
    assert marker["clips"] == FEW and marker["seconds"] == list(SECONDS) and marker["seed"] == 0
    assert marker["espeak_ng"].startswith("1.")
    with open(corpus / "speakers.csv", newline="") as table:
        speakers = list(csv.DictReader(table))
    of_files = {re.sub(r"__\d+\.wav$", "", Path(path).name) for path in sounds(corpus)}
    assert {row["speaker"] for row in speakers} == of_files
    assert sum(int(row["clips"]) for row in speakers) == 21


def test_missing_files_are_made_again_and_the_others_kept(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    first, *others = [tmp_path / path for path in sounds(tmp_path)]
    first.unlink()
    (tmp_path / "speakers.csv").unlink()
    kept = {path: path.stat().st_mtime_ns for path in others}
    few(tmp_path)
    assert contents(tmp_path) == contents(corpus)
    assert {path: path.stat().st_mtime_ns for path in others} == kept


def test_an_interrupted_standin_resumes(corpus, tmp_path, monkeypatch):
    def stopped(made, *_, **__):
        yield from itertools.islice(made, 5)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder, "Bar", stopped)
        with pytest.raises(KeyboardInterrupt):
            few(tmp_path, jobs=2)
    there = sounds(tmp_path)
    assert 5 <= len(there) < 21 and there.items() <= sounds(corpus).items()
    assert not list(tmp_path.rglob(".*.tmp"))
    few(tmp_path)
    assert contents(tmp_path) == contents(corpus)


def test_other_settings_replace_all_clips(corpus, tmp_path):
    other = {"seed": 5, "clips": {"train": {"US": 2}}}
    shutil.copytree(corpus, tmp_path / "replaced")
    few(tmp_path / "replaced", **other)
    few(tmp_path / "new", **other)
    assert contents(tmp_path / "replaced") == contents(tmp_path / "new")
    assert len(sounds(tmp_path / "new")) == 2


def test_a_real_corpus_is_left_alone(tmp_path):
    real = tmp_path / "audio" / "train" / "AU" / "AU-1__1.wav"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"somebody's voice")
    with pytest.raises(Faults, match="left alone"):
        few(tmp_path)
    assert list(contents(tmp_path)) == ["audio/train/AU/AU-1__1.wav"]
    assert real.read_bytes() == b"somebody's voice"


def heard(phonemes):
    """Remove brackets, stress, pauses, linking r and glides, so that only the sounds are compared."""
    return re.sub(r"_:|[\[\]|,'.%=;_ ]|r-", "", phonemes).replace("E2", "E")


def test_every_australian_vowel_is_spoken_and_none_is_spelled_out():
    vowels = sorted(set(accents.AUSTRALIAN.values()))
    calls = [(f"[[b|'{vowel}|d]].", "en", "m3", 120, 50, 50) for vowel in vowels]
    calls = [("[[b|'&|d]].", *calls[0][1:]), *calls]  # not a phoneme of voice en, so this one must fail
    results = {
        call[0]: heard("".join(spoken)) for call, (_, spoken) in zip(calls, each_in_fresh_process(say, calls))
    }
    assert [text for text, sounded in results.items() if sounded != heard(text)] == ["[[b|'&|d]]."]


def test_every_phrase_is_spoken_whole_by_australians():
    phrases = [
        *itertools.chain(*texts.SUBJECTS.values()),
        *texts.VERBS,
        *texts.ADJECTIVES,
        *texts.THINGS,
        *texts.ENDS,
    ]
    for wanted, spoken in each_in_fresh_process(spoken_in, [("AU", "en", phrase) for phrase in phrases]):
        assert heard("".join(spoken)) == heard(wanted)


def test_only_australian_is_respelled():
    assert accents.respell("UK", "D.@ d.'eI") == accents.respell("US", "D.@ d.'eI") == "D|@ d|'eI"
    assert accents.respell("AU", "D.@ d.'eI n.,aU f.'aI@.r-") == "D|@ d|'aI n|,EU f|'OI|r-"


def test_every_voice_and_variant_is_heard():
    voices = [(voice, "m3") for voice in sorted(set(itertools.chain(*accents.VOICES.values())))]
    variants = [("en", variant) for variant in itertools.chain(*ut_podcast.VARIANTS.values())]
    calls = [
        ("[[D@ b'eIk3 dr'oUv b'aI]].", voice, variant, 130, 50, 50) for voice, variant in voices + variants
    ]
    distinct = set()
    for samples, _ in each_in_fresh_process(say, calls):
        assert samples.std() > 0.01 and 0.8 < len(samples) / 22050 < 3
        distinct.add(samples.tobytes())
    assert len(distinct) == len(set(voices + variants))


@pytest.mark.parametrize("voice, variant", [("en-gb", ""), ("en-us", "nobody")])
def test_an_unknown_voice_is_a_fault(voice, variant):
    with pytest.raises(Faults, match="no voice"):
        list(each_in_fresh_process(say, [("hello", voice, variant, 150, 50, 50)]))


def test_a_child_that_dies_is_a_fault():
    with pytest.raises(Faults, match="exit code -9"):
        list(each_in_fresh_process(die, [(1,), (2,)], jobs=2))


def test_a_lock_that_a_thread_of_this_process_holds_does_not_stop_a_call():
    """A fork of this process would copy the held lock."""
    with LOCK:
        assert sorted(each_in_fresh_process(take_lock, [(number,) for number in range(5)], jobs=2)) == [
            *range(5)
        ]


def test_a_call_sees_the_memory_of_no_other_call():
    numbers = list(each_in_fresh_process(count_up, [(), (), ()]))
    assert numbers == [1, 1, 1]


def fault_in_a_daemon(_):
    try:
        return list(each_in_fresh_process(abs, [(-1,)]))
    except Faults as fault:
        return str(fault)


def test_a_daemon_is_a_fault_that_names_the_remedy():
    with multiprocessing.get_context("spawn").Pool(1) as daemons:
        (sentence,) = daemons.map(fault_in_a_daemon, [0])
    assert sentence.endswith("make the stand-in first, with `python -m data_prep standin`")
    assert list(each_in_fresh_process(abs, [(-1,)])) == [1]


def test_the_library_stays_out_of_this_process():
    with pytest.raises(RuntimeError, match="process of its own"):
        ESpeak()
    if sys.platform == "linux":
        assert "espeak" not in Path("/proc/self/maps").read_text()
