"""Recordings whose images may mislead: the right samples, and one note that names the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.sound import audio, remarks
from data_prep.sound.contents import contents
from data_prep.sound.spectrogram import ImageSettings, image
from data_prep.windows import windows

RATE = 16000
SETTINGS = ImageSettings(16)


def voice(seed=0, seconds=1.0):
    random, time = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 150 * k * time + random.uniform(0, 6)) / k for k in range(1, 15))
    return 0.2 * tone * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)) + 0.005 * random.standard_normal(len(time))


def put(path, samples, rate=RATE, subtype="FLOAT"):
    soundfile.write(path, samples, rate, subtype)
    return path


def seen(path, **times):
    found = set()
    samples, _ = audio.load(path, remarks=found, **times)
    return samples, found


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
@pytest.mark.parametrize("copy", [lambda x: -x, lambda x: -0.97 * x, lambda x: -x + 1e-4 * voice(1)])
def test_of_inverted_channels_one_is_read(tmp_path, copy, subtype):
    left = voice()
    path = put(tmp_path / "a.wav", np.stack([left, copy(left)], 1), subtype=subtype)
    samples, found = seen(path)
    stored = soundfile.read(path)[0]
    np.testing.assert_array_equal(samples, stored[:, 0])
    assert found == {remarks.INVERTED} and audio.inverted(path)
    again = list(audio.parts(path, RATE, [(0, 0.5), (0.5, 1.0)]))
    np.testing.assert_array_equal(np.concatenate(again), samples)


@pytest.mark.parametrize(
    "channels",
    [
        lambda x: [x, voice(1)],
        lambda x: [x, 0 * x],
        lambda x: [x] + [0 * x] * 7,
        lambda x: [x, -0.5 * x],
        lambda x: [x, x],
        lambda x: [x, np.roll(x, 8)],
    ],
)
def test_other_channels_are_averaged_without_a_remark(tmp_path, channels):
    path = put(tmp_path / "a.wav", np.stack(channels(voice()), 1))
    samples, found = seen(path)
    np.testing.assert_array_equal(samples, soundfile.read(path)[0].mean(axis=1))
    assert not found and not audio.inverted(path)


@pytest.mark.parametrize(
    "change, remark",
    [
        (lambda x: x, None),
        (lambda x: x + 0.01, None),
        (lambda x: 0.01 * x + 0.001, None),
        (lambda x: 3 * x, None),  # above full scale, as a float may be
        (lambda x: x + 0.1, remarks.OFFSET),
        (lambda x: x - 0.3, remarks.OFFSET),
        (lambda x: np.where(np.arange(len(x)) == 5000, 1e6, x), remarks.CLICK),
    ],
)
def test_offsets_and_clicks_change_no_sample_but_are_remarked(tmp_path, change, remark):
    changed = change(voice()).astype(np.float32)
    samples, found = seen(put(tmp_path / "a.wav", changed))
    np.testing.assert_array_equal(samples, changed)
    assert found == ({remark} if remark else set())


def corpus(files):
    frame = pd.DataFrame({"clip": list(files), "path": list(files)})
    frame = frame.assign(start=np.nan, stop=np.nan, label=["a", "b", "a", "b"][: len(frame)], speaker="s")
    return frame.assign(text="", partition="train")[list(manifest.COLUMNS)]


def test_the_loud_one_of_inverted_channels_is_read(tmp_path):
    """One of three is soft; the others cancel each other."""
    path = put(tmp_path / "a.wav", np.stack([1e-3 * voice(1), voice(), -voice()], 1))
    samples, found = seen(path)
    np.testing.assert_array_equal(samples, soundfile.read(path)[0][:, 1])
    assert found == {remarks.INVERTED}


def test_a_store_notes_each_remark_once_and_names_the_files(tmp_path, capsys):
    files = {"a.wav": voice(0), "b.wav": voice(1) + 0.1, "c.wav": voice(2) + 0.1, "d.wav": voice(3)[::2]}
    for name, samples in files.items():
        put(tmp_path / name, samples, 8000 if name == "d.wav" else RATE)
    store.build(corpus(files), tmp_path, tmp_path / "store", SETTINGS, jobs=2)
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: {tmp_path / 'b.wav'}, {tmp_path / 'c.wav'}: {remarks.OFFSET}.",
        f"note: {tmp_path / 'd.wav'}: {remarks.narrow(8000, 16000)}.",
    ]


def test_recordings_of_one_low_rate_are_not_remarked(tmp_path, capsys):
    for seed, name in enumerate(("a.wav", "b.wav")):
        put(tmp_path / name, voice(seed)[::2], 8000)
    frame = corpus(["a.wav", "b.wav"])
    store.build(frame, tmp_path, tmp_path / "store", SETTINGS, jobs=1)
    with pool(1) as stream:
        for lowest in (0, 8000):
            clips = manifest.clips(frame, tmp_path)
            assert len(list(windows(clips, SETTINGS, 1.0, 2.0, stream, lowest))) == 2
        assert "note: " not in capsys.readouterr().err
        list(windows(clips, SETTINGS, 1.0, 2.0, stream, 44100))
    text = capsys.readouterr().err
    assert text.count("note: ") == 1 and remarks.narrow(8000, 16000) in text


def test_only_the_keys_of_inverted_clips_are_new(tmp_path):
    """A store of an earlier version holds the image of their mean."""
    left = voice()
    put(tmp_path / "a.wav", np.stack([left, -left], 1), subtype="PCM_16")
    put(tmp_path / "b.wav", np.stack([left, left], 1), subtype="PCM_16")
    frame = corpus(["a.wav", "b.wav"])
    built = store.build(frame, tmp_path, tmp_path / "store", SETTINGS, jobs=1)
    clips = manifest.clips(frame, tmp_path)
    before = [store.content_key(SETTINGS, clip, False) for clip in clips]
    keys = store.content_keys(clips, SETTINGS, jobs=1)
    assert keys == built.keys(["a.wav", "b.wav"]) and keys[0] != before[0] and keys[1] == before[1]
    expected = image(soundfile.read(tmp_path / "a.wav")[0][:, 0], SETTINGS)
    np.testing.assert_array_equal(built.images[built.rows(["a.wav"])[0]], expected)


def test_copies_without_loss_have_the_same_sound(tmp_path):
    samples = np.random.default_rng(0).integers(-9000, 9000, (8000, 2)).astype(np.int16)
    originals = [
        put(tmp_path / f"a.{suffix}", samples, subtype="PCM_16") for suffix in ("wav", "flac", "aiff")
    ]
    wide = put(tmp_path / "b.wav", samples / 32768, subtype="FLOAT")
    other = put(tmp_path / "c.wav", samples[:, ::-1], subtype="PCM_16")
    rate = put(tmp_path / "d.wav", samples, 8000, subtype="PCM_16")
    hashed = contents([*originals, wide, other, rate, tmp_path / "no.wav"], jobs=1)
    sounds = [content.sound for content in hashed]
    assert len(set(sounds[:4])) == 1 and len(set(sounds)) == 4 and sounds[-1] is None
    assert len({content.file for content in hashed}) == 7


@pytest.mark.parametrize(
    "start, stop, sentence",
    [
        (-0.5, None, "the clip's start is -0.5 s; give a time of 0 s or more, or none"),
        (np.nan, None, "the clip's start is nan s; give a time of 0 s or more, or none"),
        (None, np.inf, "the clip's stop is inf s; give a time of 0 s or more, or none"),
        (0.8, 0.4, "the clip starts at 0.800 s, but it stops at 0.400 s; correct its times"),
        (5.0, None, "the clip starts at 5.000 s, but the recording ends at 1.200 s; correct its times"),
        (
            None,
            1.3,
            "ends at 1.200 s, before the clip's stop at 1.300 s; correct the stop or replace the file",
        ),
        (None, 1.2007, "ends at 1.200 s, before the clip's stop at 1.201 s; correct the stop or"),
    ],
)
def test_times_outside_the_recording_are_refused(tmp_path, start, stop, sentence):
    path = put(tmp_path / "a.wav", voice(seconds=1.2))
    for read in (audio.load, audio.seconds):
        with pytest.raises(Faults) as caught:
            read(path, start, stop)
        assert str(caught.value).startswith(f"{path}: {sentence}")


def test_two_times_are_printed_with_the_digits_that_tell_them_apart(tmp_path):
    path = put(tmp_path / "a.wav", voice()[:15994])
    with pytest.raises(Faults, match="ends at 0.9996 s, before the clip's stop at 1.0003 s"):
        audio.load(path, None, 1.0003)


def test_half_a_millisecond_behind_the_end_is_the_end(tmp_path):
    path = put(tmp_path / "a.wav", voice(seconds=1.2))
    for stop in (1.2, 1.20003, 1.2005):
        assert len(audio.load(path, 0.2, stop)[0]) == RATE and audio.seconds(path, 0.2, stop) == 1.0


def test_the_paths_of_many_files_are_counted(capsys):
    remarks.report({remarks.CLICK: [Path(f"{number}.wav") for number in (1, 2, 2, 3, 4, 5)]})
    assert capsys.readouterr().err == f"note: 1.wav, 2.wav, 3.wav and 2 more: {remarks.CLICK}.\n"
