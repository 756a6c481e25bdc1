"""MFCCs, contours and statistics against literal loops and scipy; features on disk."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import stats

from data_prep import store
from data_prep.sound.spectrogram import ImageSettings
from reproduce.corpora import Corpus, Split
from reproduce.peers import features as kept
from reproduce.peers.contours import contours, functionals
from reproduce.peers.features import Features, Kind, extract
from reproduce.peers.mfcc import MFCC, PLAIN_MFCC, cepstra, deltas, sliding_mean_normalised, voiced
from reproduce.peers.segments import clip_means, split_into_segments

RATE = 8000


def tone(pitch=200, seconds=0.5, harmonics=8, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return 0.05 * sum(np.sin(2 * np.pi * pitch * k * time) for k in range(1, harmonics + 1))


def random(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def test_cepstra_are_kaldis_recipe():
    """Frame 10 follows Kaldi's recipe from its 200 samples to the cosine transform."""
    samples = tone() + 0.01 * random(4000)
    actual = cepstra(samples, RATE)
    assert actual.shape == (50, 20)
    frame = (samples * 32768)[10 * 80 + 40 - 100 :][:200]
    frame = frame - frame.mean()
    energy = np.log((frame**2).sum())
    frame = np.concatenate([frame[:1] * 0.03, frame[1:] - 0.97 * frame[:-1]])
    frame = frame * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 199)) ** 0.85
    power = np.abs(np.fft.rfft(frame, 256)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    edges = np.linspace(mel(20), mel(RATE / 2 - 300), 25)
    places = mel(np.arange(129) * RATE / 256)
    rising = (places - edges[:-2, None]) / (edges[1] - edges[0])
    filters = np.maximum(0, np.minimum(rising, 2 - rising))
    filters[:, -1] = 0  # Kaldi leaves the Nyquist bin out
    logs = np.log(filters @ power)
    place = (np.arange(23) + 0.5) * np.pi / 23
    expected = np.sqrt(2 / 23) * np.cos(np.arange(20)[:, None] * place) @ logs
    expected *= 1 + 11 * np.sin(np.pi * np.arange(20) / 22)  # the lifter
    np.testing.assert_allclose(actual[10], [energy, *expected[1:]], rtol=2e-3, atol=2e-2)


def test_deltas():
    values = random(9, 2)
    actual = deltas(values)
    assert actual.shape == (9, 6)
    padded = np.pad(values, ((2, 2), (0, 0)), "edge")
    slope = sum(k * (padded[2 + k : 11 + k] - padded[2 - k : 11 - k]) for k in (1, 2)) / 10
    np.testing.assert_allclose(actual[:, :4], np.hstack([values, slope]), atol=1e-5)
    np.testing.assert_allclose(
        actual[2:-2, 4:],
        (np.gradient(slope, axis=0) * 2 + np.roll(slope, -2, 0) * 2 - np.roll(slope, 2, 0) * 2)[2:-2] / 10,
        atol=1e-5,
    )


@pytest.mark.parametrize("frames", [1, 5, 20, 47])
def test_sliding_mean(frames):
    values, window = random(frames, 3), 20
    expected = np.empty_like(values)
    for t in range(frames):
        first = max(0, min(t - window // 2, frames - window))
        expected[t] = values[t] - values[first : first + window].mean(axis=0)
    np.testing.assert_allclose(sliding_mean_normalised(values, window), expected, atol=1e-5)


def test_speech_is_detected():
    samples = np.concatenate([np.zeros(4000), tone(), np.zeros(4000)]) + 1e-4 * random(12000)
    speech = voiced(cepstra(samples, RATE)[:, 0])
    assert speech[52:98].all() and not speech[:48].any() and not speech[102:].any()
    energy = np.array([0.0, 10, 20])
    assert voiced(energy).tolist() == [False, False, True]  # above 5.5 + 0.5 x 10
    assert 46 <= len(PLAIN_MFCC.compute(samples, RATE)) <= 54
    assert MFCC.compute(samples, RATE).shape[1] == 60
    assert len(PLAIN_MFCC.compute(np.zeros(800), RATE)) == 10  # nothing but silence: all of it


def test_contours_of_a_tone():
    actual = contours(tone(220), RATE)
    assert actual.shape[1] == 16 and actual.dtype == np.float32
    middle = actual[10:-10]
    assert np.exp(middle[:, 2]) == pytest.approx(220, rel=0.02)
    loud = contours(2 * tone(220), RATE)[10:-10]
    assert loud[:, 0] - middle[:, 0] == pytest.approx(2 * np.log(2), abs=0.01)  # log-energy
    pure = contours(tone(1000, harmonics=1), RATE)[10:-10]
    assert pure[:, 1] == pytest.approx(2 * 1000 / RATE, rel=0.06)  # two zero crossings a period
    noise = contours(0.1 * random(4000), RATE)[10:-10]
    assert middle[:, 3].mean() < noise[:, 3].mean()  # voicing: low where voiced


def test_functionals_are_scipys():
    values = random(40, 3)
    actual = functionals(values).reshape(12, 6)
    both = deltas(values, 1).astype(float)
    for column in range(6):
        one = both[:, column]
        line = stats.linregress(np.arange(40), one)
        error = ((one - line.intercept - line.slope * np.arange(40)) ** 2).mean()
        expected = [one.mean(), one.std(), stats.skew(one), stats.kurtosis(one), one.min(), one.max()]
        expected += [one.argmin() / 39, one.argmax() / 39, np.ptp(one), line.slope, line.intercept, error]
        np.testing.assert_allclose(actual[:, column], expected, atol=1e-9)
    assert np.isfinite(functionals(np.ones((1, 3), np.float32))).all()


def test_segments_cover_everything():
    frames = np.arange(11)
    assert split_into_segments(frames, 4, 3).tolist() == [
        [0, 1, 2, 3],
        [3, 4, 5, 6],
        [6, 7, 8, 9],
        [7, 8, 9, 10],
    ]
    assert split_into_segments(frames[:3], 4, 3).tolist() == [[0, 1, 2, 2]]
    assert split_into_segments(frames[:4], 4, 3).tolist() == [[0, 1, 2, 3]]
    means = clip_means(np.array([[1.0], [3], [5]]), np.array([2, 1]))
    assert means.tolist() == [[2], [5]]


def test_rows_of_clips():
    features = Features(np.arange(9)[:, None], np.array([0, 2, 5, 9]), RATE)
    rows, counts = features.of([2, 0])
    assert rows.tolist() == [5, 6, 7, 8, 0, 1] and counts.tolist() == [4, 2]


def stopped(samples, rate):
    raise KeyboardInterrupt


def lengths(samples, rate):
    """Return one row for each tenth of a second, (n, 1)."""
    return np.full((max(1, len(samples) * 10 // rate), 1), len(samples))


@pytest.fixture
def corpus(tmp_path):
    clips = [("a.wav", 8000, 0.3), ("b.wav", 16000, 0.5), ("c.wav", 8000, 0.2)]
    for name, rate, seconds in clips:
        soundfile.write(
            tmp_path / name, 0.1 * np.random.default_rng(0).standard_normal(int(rate * seconds)), rate
        )
    texts = {"label": "x", "speaker": "x", "text": "x", "partition": ""}
    paths = [name for name, *_ in clips]
    frame = pd.DataFrame({"clip": list("abc"), "path": paths, **texts, "start": np.nan, "stop": np.nan})
    frame.loc[1, ["start", "stop"]] = 0.1, 0.4
    settings = ImageSettings(8)
    images = store.build(frame, tmp_path, store.store_folder(tmp_path / "data", settings), settings, 1)
    return Corpus("paper", Split(frame, ("x",)), images, tmp_path, tmp_path / "data")


def test_features_are_kept_and_shared(corpus, monkeypatch):
    kind = Kind("lengths", lengths)
    actual = extract(kind, corpus, 1)
    assert actual.rate == RATE  # the lowest of the files'
    assert actual.starts.tolist() == [0, 3, 6, 8]
    assert actual.values[:, 0].tolist() == [2400] * 3 + [2400] * 3 + [1600] * 2
    monkeypatch.setattr(kept, "_compute", None)  # not computed again
    assert np.array_equal(extract(kind, corpus, 1).values, actual.values)
    monkeypatch.undo()
    extract(dataclasses.replace(kind, version=2), corpus, 1)
    assert len(list(corpus.folder.glob("lengths-*"))) == 2


def test_interrupted_features_are_computed_again(corpus, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        extract(Kind("lengths", stopped), corpus, 1)
    assert not list(corpus.folder.glob("lengths-*/values.f32"))
    assert extract(Kind("lengths", lengths), corpus, 1).starts.tolist() == [0, 3, 6, 8]
