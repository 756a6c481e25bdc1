"""Recordings of any length in windows: where they are, and that each is what its part alone would be."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from data_prep.windows import TOGETHER, spans, windows

SETTINGS = ImageSettings(16)


def found(clips, median, longest):
    with pool(1) as stream:
        return list(windows(clips, SETTINGS, median, longest, stream))


@given(st.floats(0.06, 300), st.floats(0.05, 20), st.floats(1, 3))
def test_windows_cover_a_recording_and_have_a_clip_s_length(seconds, median, factor):
    times = spans(seconds, median, median * factor)
    assert times[0][0] == 0 and times[-1][1] == seconds
    if seconds <= median * factor:
        assert len(times) == 1
        return
    starts, stops = np.transpose(times)
    assert stops - starts == pytest.approx(median)
    gaps = np.diff(starts)
    assert gaps[:-1] == pytest.approx(median / 2)
    assert 0 < gaps[-1] <= 0.75 * median * (1 + 1e-6)  # it goes on where the one before still was


def test_each_window_is_what_its_part_alone_would_be(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 8000 * 9), 8000)
    clips = [(path, None, None), (path, 1.0, 2.0), (path, 3.0, None)]
    parts = found(clips, median=1.0, longest=2.0)
    assert [number for number, _ in parts] == [0] * 17 + [1] + [2] * 11
    for number, window in parts:
        begin = clips[number][1] or 0.0
        alone = audio.read(path, SETTINGS.rate, begin + window.start, begin + window.stop)
        np.testing.assert_array_equal(window.input, image(alone, SETTINGS))
    assert parts[17][1].start == 0 and parts[17][1].stop == 1
    assert parts[-1][1].stop == 6


def test_long_ones_come_in_pieces_and_silence_has_no_image(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8000 * 20)
    samples[8000 * 5 : 8000 * 8] = 0
    soundfile.write(tmp_path / "long.wav", samples, 8000)
    parts = [window for _, window in found([(tmp_path / "long.wav", None, None)], 0.2, 1.0)]
    assert len(parts) == 199 > 2 * TOGETHER
    silent = [window for window in parts if window.input is None]
    assert len(silent) == 29 and silent[0].start == pytest.approx(5) and silent[-1].stop == pytest.approx(8)


def test_a_broken_clip_tells_why_and_the_others_go_on(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 8000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:5000])
    parts = found([(tmp_path / name, None, None) for name in ("no.wav", "b.wav", "a.wav")], 1.0, 2.0)
    assert [number for number, _ in parts] == [0, 1, 2]
    assert isinstance(parts[0][1], Faults) and "no.wav: is missing" in str(parts[0][1])
    assert isinstance(parts[1][1], Faults) and "b.wav: is truncated" in str(parts[1][1])
    assert parts[2][1].input.shape == (16, 16)
