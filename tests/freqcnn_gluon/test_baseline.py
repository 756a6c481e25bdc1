"""The baseline against Kaldi's MFCCs and scikit-learn's SVM, and the intervals against scipy's."""

import json

import kaldi_native_fbank as kaldi
import numpy as np
import pytest
import recordings
from scipy.stats import binomtest, norm, sem, t
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from data_prep.base.faults import Faults
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.mfcc import cepstra, statistics
from freqcnn_gluon.own.output import comparison
from freqcnn_gluon.own.scores import interval, scored
from freqcnn_gluon.own.svm import Svm, train_svm


def test_mfccs_are_kaldis():
    samples = recordings.tone(440, 0.5, np.random.default_rng(0))
    options = kaldi.MfccOptions()
    frames, mel = options.frame_opts, options.mel_opts
    frames.dither, frames.preemph_coeff, frames.remove_dc_offset, frames.window_type = 0, 0, False, "hamming"
    mel.num_bins, mel.low_freq, mel.high_freq = 40, 20, 0
    options.num_ceps, options.use_energy, options.cepstral_lifter = 20, False, 0
    computer = kaldi.OnlineMfcc(options)
    computer.accept_waveform(16000, samples.astype(np.float32).tolist())
    computer.input_finished()
    expected = np.stack([computer.get_frame(frame) for frame in range(computer.num_frames_ready)])
    # Kaldi's Hamming window is symmetric, as scipy's is by default.
    np.testing.assert_allclose(cepstra(samples, 16000), expected, atol=2e-3)


def test_statistics_are_finite_for_the_shortest_clips_and_for_silence():
    for samples in (np.zeros(1), np.zeros(16000), np.ones(300)):
        values = statistics(samples, 16000)
        assert values.shape == (80,) and np.isfinite(values).all()


@pytest.mark.parametrize("count", [2, 3])
def test_a_saved_svm_decides_as_scikit_learns(tmp_path, count):
    recordings.write(tmp_path / "clips", each=5)
    labels = tuple(sorted(recordings.PITCHES))[:count]
    paths = [path for label in labels for path in sorted((tmp_path / "clips" / label).iterdir())]
    numbers = np.repeat(np.arange(count), 5)[1:]  # classes of different sizes, which have different weights
    clips = [(path, None, None) for path in paths[1:]]
    about = About(labels, "table7", ImageSettings(32), 0.4, 0.4)
    train_svm(about, clips, numbers, jobs=1).save(tmp_path / "model")
    svm = Svm.load(tmp_path / "model")

    waves = [audio.read(path, 16000) for path in paths[1:]]
    values = np.stack([statistics(wave, 16000) for wave in waves])
    machine = make_pipeline(StandardScaler(), SVC(class_weight="balanced")).fit(values, numbers)
    others = values + np.random.default_rng(0).normal(0, values.std(axis=0), values.shape)
    decisions = svm.decisions(others)
    if count == 2:
        decisions = decisions[:, 1] - decisions[:, 0]
    np.testing.assert_allclose(decisions, machine.decision_function(others), atol=1e-9)
    probabilities = svm.probabilities(waves)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert (probabilities.argmax(axis=1) == machine.predict(values)).all()

    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(Faults, match="the model is damaged .its checksum"):
        Svm.load(tmp_path / "model")


def test_the_interval_of_accuracy_over_clips_is_wilsons():
    for right, total in ((0, 5), (7, 9), (40, 40), (151, 200)):
        predicted = (np.arange(total) >= right).astype(int)
        expected = binomtest(right, total).proportion_ci(0.95, method="wilson")
        assert interval(np.zeros(total), predicted, by_class=False) == pytest.approx(
            (expected.low, expected.high)
        )


def test_intervals_over_speakers_count_speakers():
    """Of speakers with equally many clips, the variance is that of their accuracies."""
    random = np.random.default_rng(0)
    shares = random.uniform(0.2, 1, 8)
    right = random.random((8, 50)) < shares[:, None]
    labels, predicted, speakers = np.zeros(400), 1 - right.ravel(), np.repeat(np.arange(8), 50).astype(str)
    low, high = interval(labels, predicted, False, speakers)
    mean, error = right.mean(), sem(right.mean(axis=1))
    clips = mean * (1 - mean) / error**2 * (norm.ppf(0.975) / t.ppf(0.975, 7)) ** 2
    z = norm.ppf(0.975)  # the limits are the proportions p with (mean - p)² = z² p (1 - p) / clips
    roots = np.roots([1 + z**2 / clips, -2 * mean - z**2 / clips, mean**2])
    assert (low, high) == pytest.approx(sorted(roots))
    of_clips = interval(labels, predicted, False)
    assert low < of_clips[0] < mean < of_clips[1] < high


def test_intervals_over_speakers_cover_the_truth_where_those_over_clips_do_not():
    """Eight speakers of a population whose mean is 0.7, three classes of different sizes."""
    random = np.random.default_rng(1)
    speakers, labels = np.repeat(np.arange(8), 30).astype(str), np.tile(np.repeat([0, 1, 2], [5, 10, 15]), 8)
    covered = []
    for _ in range(200):
        right = random.random(240) < np.repeat(random.beta(3.5, 1.5, 8), 30)
        predicted = np.where(right, labels, (labels + 1) % 3)
        limits = interval(labels, predicted, True, speakers), interval(labels, predicted, True)
        covered.append([low <= 0.7 <= high for low, high in limits])
    of_speakers, of_clips = np.mean(covered, axis=0)
    assert 0.9 <= of_speakers and of_clips < 0.7


def test_scores_are_scikit_learns_and_one_speaker_gives_no_interval():
    labels, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    result = scored(labels, predicted, 3, np.array(["a", "b", "a", "b", "a"]))
    assert json.loads(json.dumps(result))["metrics"]["accuracy"] == accuracy_score(labels, predicted)
    assert result["metrics"]["uar"] == pytest.approx(recall_score(labels, predicted, average="macro"))
    low, high = result["intervals"]["uar"]["speakers"]
    assert low < result["metrics"]["uar"] < high
    for speakers in (["a"] * 5, ["", "b", "a", "b", "a"]):
        assert scored(labels, predicted, 3, np.array(speakers))["intervals"]["uar"]["speakers"] is None


def test_labels_with_one_speaker_each_give_no_interval_over_speakers():
    labels = np.repeat(np.arange(4), 25)
    predicted = np.where(np.arange(100) % 25 < 20, labels, (labels + 1) % 4)
    for speakers, known in (["a"] * 25, False), (["a"] * 24 + ["e"], True):  # the last label's
        names = np.array([*np.array(list("bcd")).repeat(25), *speakers])
        intervals = scored(labels, predicted, 4, names)["intervals"]
        assert [intervals[name]["speakers"] is not None for name in ("uar", "accuracy")] == [known, known]


def test_the_output_states_which_baseline_is_ahead():
    labels, speakers = np.array([0, 0, 0, 1, 1, 1]), np.array(list("abcabc"))
    right, wrong = (scored(labels, predicted, 2, speakers) for predicted in (labels, 1 - labels))
    majority = scored(labels, np.zeros(6, int), 2, speakers)
    text = comparison("freqcnn", {**wrong, "baselines": {"svm": right, "majority": majority}}, "Use it.")
    assert "The baseline svm is ahead of freqcnn: UAR 100.0 % against 0.0 %. Use it." in text
    low, high = binomtest(6, 6).proportion_ci(0.95, method="wilson")
    assert "over clips and over speakers:" in text and f"100.0  {100 * low:.1f}-{100 * high:.1f}" in text
    text = comparison("freqcnn", {**wrong, "baselines": {"majority": majority}}, "Use it.")
    assert text.endswith("UAR 50.0 % against 0.0 %. The model is of no use yet.")
    for baseline in (right, majority):  # equal is not ahead
        assert "ahead" not in comparison("freqcnn", {**right, "baselines": {"svm": baseline}}, "Use it.")
