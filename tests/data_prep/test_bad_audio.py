"""Whatever a file holds: the right samples, or a fault that names it. Nothing else, and never for long."""

import io
import math

import numpy as np
import pytest
import soundfile
from films import write_avi
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.base.faults import Faults
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image

KINDS = [
    (format, subtype)
    for format in soundfile.available_formats()
    if format != "RAW"  # which has no header
    for subtype in soundfile.available_subtypes(format)
    if "ADPCM" not in subtype and "DWVW" not in subtype  # whose lengths and places libsndfile itself confuses
]
CONTENTS = {
    "noise": lambda random, shape: random.uniform(-0.5, 0.5, shape),
    "clipped": lambda random, shape: np.clip(5 * random.standard_normal(shape), -1, 1),
    "offset": lambda random, shape: 0.5 + random.uniform(-0.1, 0.1, shape),
    "silence": lambda random, shape: np.zeros(shape),
    "constant": lambda random, shape: np.full(shape, 0.25),
    "NaN": lambda random, shape: np.where(random.random(shape) < 0.01, np.nan, 0.1),
    "infinite": lambda random, shape: np.where(random.random(shape) < 0.01, np.inf, 0.1),
}


@st.composite
def recordings(draw):
    """(kind, rate, (length, channels), content, seed)."""
    kind = draw(st.sampled_from(KINDS))
    rate = draw(st.sampled_from([4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]))
    length = draw(st.sampled_from([0, 1, 2, math.ceil(rate / 20) - 1, math.ceil(rate / 20), 3001, rate // 3]))
    floats = kind[1] in ("FLOAT", "DOUBLE")  # others have no NaN, and LAME aborts the process over one
    content = draw(st.sampled_from([each for each in CONTENTS if floats or each not in ("NaN", "infinite")]))
    return kind, rate, (length, draw(st.integers(1, 8))), content, draw(st.integers(0, 99))


def _frames_and_rate(path):
    """Return how many frames libsndfile finds in a file, and their rate; a format may change both."""
    try:
        with soundfile.SoundFile(path) as file:
            return file.frames, file.samplerate
    except soundfile.LibsndfileError:
        return 0, 1


@settings(max_examples=120)
@given(recordings())
def test_every_format_rate_and_channel_count_is_read_or_refused_by_name(tmp_path_factory, recording):
    (format, subtype), rate, shape, content, seed = recording
    samples = CONTENTS[content](np.random.default_rng(seed), shape)
    path = tmp_path_factory.mktemp("bad") / f"a.{format.lower()}"
    try:
        soundfile.write(path, samples, rate, subtype, format=format)
    except (soundfile.LibsndfileError, ValueError, AssertionError):
        return  # libsndfile writes no such file
    frames, own_rate = _frames_and_rate(path)
    try:
        found = audio.read(path, 16000)
    except Faults as faults:
        assert str(path) in str(faults)
        empty = frames < own_rate / 20 or content in ("silence", "constant")
        assert empty or not np.isfinite(samples).all(), f"{recording}: {faults}"
        return
    assert np.isfinite(samples).all() and np.isfinite(found).all() and found.ndim == 1
    if format not in ("MP3", "OGG"):
        with soundfile.SoundFile(path) as file:
            stored = file.read(file.frames, "float64", always_2d=True).mean(axis=1)
        assert len(found) == math.ceil(len(stored) * 16000 / own_rate)
        assert len(stored) >= len(samples) or format in ("PAF", "SDS")  # which libsndfile ends early
        np.testing.assert_array_equal(audio.load(path)[0], stored)
    assert image(found, ImageSettings(16)).shape == (16, 16)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """A sound file of each kind that is read, as bytes."""
    random, found = np.random.default_rng(0), {}
    samples = random.uniform(-0.5, 0.5, (4000, 2))
    for format in ("WAV", "FLAC", "OGG", "MP3", "AIFF"):
        out = io.BytesIO()
        soundfile.write(out, samples, 16000, format=format)
        found[format.lower()] = out.getvalue()
    path = tmp_path_factory.mktemp("films") / "a.avi"
    write_avi(path, (samples * 32767).astype(np.int16), rate=16000)
    return found | {"avi": path.read_bytes()}


@settings(max_examples=120)
@given(st.data())
def test_files_that_were_cut_or_changed_anywhere(wholes, tmp_path_factory, data):
    suffix = data.draw(st.sampled_from(sorted(wholes)))
    content = bytearray(wholes[suffix])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4)):
        content[place % len(content)] = value  # the header is where it matters
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.mktemp("cut") / f"a.{suffix}"
    path.write_bytes(content)
    for read in (audio.read, audio.seconds, audio.rate_of):
        try:
            found = read(path)
        except Faults as faults:
            assert str(path) in str(faults)
        else:
            assert np.all(np.isfinite(found))


def test_an_avi_cut_at_any_byte_is_a_fault_or_keeps_its_sound(wholes, tmp_path):
    whole = wholes["avi"]
    (tmp_path / "whole.avi").write_bytes(whole)
    sound = audio.read(tmp_path / "whole.avi")
    path, kept = tmp_path / "cut.avi", 0
    for cut in np.random.default_rng(1).integers(0, len(whole), 60):
        path.write_bytes(whole[:cut])
        try:
            np.testing.assert_array_equal(audio.read(path), sound)
            kept += 1
        except Faults as faults:
            assert "cut.avi" in str(faults)
    assert kept < 5


def test_an_hour_is_read_in_little_more_memory_than_its_samples(tmp_path):
    import resource

    path = tmp_path / "long.wav"
    random = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", 4000, 8) as file:
        for _ in range(60):
            file.write(random.integers(-9000, 9000, (4000 * 60, 8), np.int16))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    samples, rate = audio.load(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert (len(samples), rate) == (4000 * 3600, 4000)
    assert grown < samples.nbytes + 100e6  # all channels at once would be eight times as much
