"""The peers learn, are deterministic, and match scikit-learn and their equations."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.svm import SVC, LinearSVC

from data_prep import store
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from reproduce.cells import cells
from reproduce.corpora import Corpus, Split
from reproduce.options import Options
from reproduce.peers import NETWORKS, PEERS, peer, rbf
from reproduce.peers.features import Features, extract
from reproduce.peers.peer import Task, softmax
from reproduce.peers.rbf import RadialBasis, bidirectional_pca
from reproduce.render.table import markdown
from reproduce.runs.execute import execute
from reproduce.runs.report import Report
from reproduce.runs.resolve import resolve, runs_of
from reproduce.runs.run import Run
from reproduce.tables import TABLES

ROOT = Path(__file__).parents[2]
LABELS, CLIPS, RATE = ("low", "mid", "high"), 20, 8000
QUICK = {"dnn_epochs": 40, "cnn_epochs": 6, "dbn_epochs": 3, "gmm_components": 4}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Write buzzes in noise with a formant that alternates between two frequencies, by label."""
    root = tmp_path_factory.mktemp("buzzes")
    random, lines = np.random.default_rng(0), []
    for number, label in enumerate(LABELS):
        for clip in range(CLIPS):
            time = np.arange(RATE // 2 + 300 * (clip % 3)) / RATE
            formant = np.where(
                np.sin(2 * np.pi * 5 * time + clip) > 0, *((600, 900), (600, 1800), (1800, 2800))[number]
            )
            harmonics = np.arange(1, 26) * random.uniform(100, 180)
            weight = np.exp(-(((harmonics[:, None] - formant) / 200) ** 2))
            sound = (weight * np.sin(2 * np.pi * harmonics[:, None] * time)).sum(axis=0)
            sound = 0.1 * sound * np.sin(np.pi * time / time[-1]) + 0.003 * random.standard_normal(len(time))
            path = f"{label}{clip}.wav"
            soundfile.write(root / path, sound, RATE)
            partition = "test" if clip % 2 else "train"
            lines.append(dict(clip=path, path=path, label=label, speaker=f"{clip}", partition=partition))
    frame = pd.DataFrame(lines).assign(start=np.nan, stop=np.nan, text="")
    settings = ImageSettings(16)
    images = store.build(frame, root, store.store_folder(root / "data", settings), settings, 1)
    return Corpus("buzzes", Split(frame, LABELS), images, root, root / "data")


def task(corpus, name, folder, **changed):
    parts = {part: corpus.split.numbers("test", part) for part in ("train", "test")}
    arguments = dict(
        features=extract(peer(name).features, corpus, 1),
        train=parts["train"][0],
        train_labels=parts["train"][1],
        test=parts["test"][0],
        test_labels=parts["test"][1],
        classes=3,
        seed=0,
        title=name,
        folder=folder,
    )
    return Task(**arguments | changed)


def quick(name):
    code = peer(name).recognise.__code__
    names = code.co_varnames[1 : code.co_argcount]
    return {key: value for key, value in QUICK.items() if key in names}


@pytest.mark.parametrize("name", PEERS)
def test_each_learns_and_repeats_its_answer(corpus, name, tmp_path):
    answers = [
        peer(name).recognise(task(corpus, name, tmp_path / str(time)), **quick(name)) for time in range(2)
    ]
    assert np.array_equal(answers[0].scores, answers[1].scores)
    labels = corpus.split.numbers("test", "test")[1]
    assert answers[0].scores.shape == (len(labels), 3)
    assert (answers[0].scores.argmax(axis=1) == labels).mean() > (
        0.6 if name == "ivector" else 0.8
    )  # see test_ivector for it
    if name == "spectrogram_dnn":  # logarithms of probabilities
        np.testing.assert_allclose(np.exp(answers[0].scores).sum(axis=1), 1, rtol=1e-5)
    assert answers[0].sizes["rate"] == RATE
    json.dumps(answers[0].sizes)


@pytest.mark.parametrize("name", PEERS)
def test_nothing_is_learnt_from_the_test(corpus, name, tmp_path):
    """The scores of a clip do not depend on the sound and the labels of the other test clips."""
    whole = task(corpus, name, tmp_path / "whole")
    values = np.array(whole.features.values)
    values[whole.features.of(whole.test[5:])[0]] *= -3
    others = dataclasses.replace(whole.features, values=values)
    few = task(
        corpus, name, tmp_path / "few", features=others, test=whole.test[:5], test_labels=np.zeros(5, int)
    )
    choices = quick(name)
    actual = peer(name).recognise(whole, **choices).scores[:5], peer(name).recognise(few, **choices).scores
    np.testing.assert_allclose(*actual, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("missing", [0, 2])  # 0 has a sub-path of [5] with another, 2 one of its own
def test_a_class_without_training_clips_is_never_predicted(corpus, name, missing, tmp_path):
    whole = task(corpus, name, tmp_path)
    kept = whole.train_labels != missing
    fewer = task(corpus, name, tmp_path, train=whole.train[kept], train_labels=whole.train_labels[kept])
    actual = peer(name).recognise(fewer, **quick(name)).scores
    assert missing not in actual.argmax(axis=1)
    assert name == "spectrogram_dnn" or np.isneginf(actual[:, missing]).all()  # a softmax is never 0


def test_a_mixture_of_one_is_the_mean_and_the_variance(tmp_path):
    random = np.random.default_rng(0)
    values = random.standard_normal((60, 2)).astype(np.float32) * 2 + 1
    features = Features(values, np.arange(0, 61, 10), RATE)
    arguments = np.array([0, 1]), np.array([0, 1]), np.array([2, 3]), np.array([0, 1])
    actual = peer("gmm").recognise(Task(features, *arguments, 2, 0, "", tmp_path), gmm_components=1).scores
    for label in range(2):
        own = values[10 * label : 10 * label + 10].astype(float)
        mean, variance = own.mean(axis=0), own.var(axis=0) + 1e-6
        for clip in (2, 3):
            frames = values[10 * clip : 10 * clip + 10]
            density = -0.5 * ((frames - mean) ** 2 / variance + np.log(2 * np.pi * variance)).sum(axis=1)
            assert actual[clip - 2, label] == pytest.approx(density.mean(), rel=1e-4)


def test_the_svm_is_the_textbooks(corpus, tmp_path):
    """On classes of different sizes, the clips are weighted so that the classes have equal weight."""
    svm_task = task(corpus, "functionals_svm", tmp_path)
    svm_task = dataclasses.replace(svm_task, train=svm_task.train[7:], train_labels=svm_task.train_labels[7:])
    values = np.asarray(svm_task.features.values, float)
    assert values.shape[1] == 384
    train = values[svm_task.train]
    scaled = (values - train.mean(axis=0)) / np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    weight = 23 / 3 / np.array([3, 10, 10])[svm_task.train_labels]
    machine = SVC(C=0.01, kernel="linear").fit(scaled[svm_task.train], svm_task.train_labels, weight)
    actual = peer("functionals_svm").recognise(svm_task).scores
    np.testing.assert_allclose(actual, machine.decision_function(scaled[svm_task.test]), atol=1e-3)


def test_bidirectional_pca():
    """The axes of all columns are those of scikit-learn's PCA on the stacked columns."""
    random = np.random.default_rng(0)
    strong = np.linalg.qr(random.standard_normal((6, 6)))[0] * [9, 5, 0.1, 0.1, 0.1, 0.1]
    matrices = strong @ random.standard_normal((50, 6, 8))
    rows, columns = bidirectional_pca(matrices, 0.95)
    assert rows.shape == (6, 2) and columns.shape[1] == 8 or columns.shape[1] >= 6
    centred = matrices - matrices.mean(axis=0)
    stacked = PCA(2).fit(np.concatenate([centred, -centred]).transpose(0, 2, 1).reshape(-1, 6))  # mean zero
    np.testing.assert_allclose(np.abs(stacked.components_ @ rows), np.eye(2), atol=1e-6)
    everything, _ = bidirectional_pca(matrices, 1.0)
    np.testing.assert_allclose(everything.T @ everything, np.eye(everything.shape[1]), atol=1e-9)


def test_radial_units_learn_what_no_line_can():
    random = np.random.default_rng(0)
    inputs = random.uniform(-1, 1, (400, 2))
    targets = (inputs[:, :1] * inputs[:, 1:] > 0).astype(float)  # exclusive or
    network = RadialBasis(30, seed=0).fit(inputs, targets)
    fresh = random.uniform(-1, 1, (400, 2))
    right = (network.predict(fresh)[:, 0] > 0.5) == (fresh[:, 0] * fresh[:, 1] > 0)
    assert right.mean() > 0.9


@pytest.mark.parametrize("deaf", ["mfcc", "prosody"])
def test_both_paths_of_the_radial_networks_are_heard(corpus, deaf, monkeypatch, tmp_path):
    """With noise in one path the other still recognises; a sub-path separates two classes and the rest."""
    rbf_task = task(corpus, "bdpca_rbf", tmp_path)
    values, split = np.array(rbf_task.features.values), rbf.COEFFICIENTS * rbf.FRAMES
    noise = np.random.default_rng(0).standard_normal(values.shape)
    path = slice(split) if deaf == "mfcc" else slice(split, None)
    values[:, path] = noise[:, path]
    rbf_task = dataclasses.replace(rbf_task, features=dataclasses.replace(rbf_task.features, values=values))
    seen = []

    class Spy(LinearDiscriminantAnalysis):
        def fit(self, inputs, kind):
            seen.append(set(kind))
            return super().fit(inputs, kind)

    monkeypatch.setattr(rbf, "LinearDiscriminantAnalysis", Spy)
    actual = peer("bdpca_rbf").recognise(rbf_task).scores.argmax(axis=1)
    assert (actual == rbf_task.test_labels).mean() > 0.6  # a third is chance
    assert seen == [{-1, 0, 1}, {-1, 2}] * 2


def test_the_belief_network_starts_from_its_machines():
    from mxnet import init, nd

    from reproduce.peers.mel_dbn import _belief_network

    inputs, machines = np.random.default_rng(0).random((40, 6)).astype(np.float32), []
    hidden = inputs
    for units in (5, 3):
        machines.append(BernoulliRBM(units, learning_rate=0.5, n_iter=3, random_state=0))
        hidden = machines[-1].fit_transform(hidden)
    net = _belief_network(machines)
    net.initialize(init.Xavier(), force_reinit=True)  # as training does
    np.testing.assert_allclose(net(nd.array(inputs)).asnumpy(), hidden, atol=1e-6)


def test_the_mel_systems_svm_sees_the_belief_networks_last_layer(corpus, monkeypatch, tmp_path):
    from reproduce.peers import mel_dbn

    seen = []

    class Spy(LinearSVC):
        def fit(self, inputs, labels):
            seen.append(inputs.shape)
            return super().fit(inputs, labels)

    monkeypatch.setattr(mel_dbn, "LinearSVC", Spy)
    peer("mel_dbn").recognise(task(corpus, "mel_dbn", tmp_path), cnn_epochs=1, dbn_epochs=1)
    assert seen == [(30, 128)]  # a row a clip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_compute_in_the_given_dtype(corpus, name, monkeypatch, tmp_path):
    dtypes = []
    monkeypatch.setattr(runtime, "mixed_precision", dtypes.append)  # which is for the whole process
    epochs = {"spectrogram_dnn": ["dnn_epochs"], "mel_dbn": ["cnn_epochs", "dbn_epochs"]}[name]
    peer(name).recognise(task(corpus, name, tmp_path), **dict.fromkeys(epochs, 1), dtype="bfloat16")
    assert set(dtypes) == {"bfloat16"}


def test_all_networks_of_a_table_compute_in_one_dtype():
    def runs(dtype: str) -> dict[str, Run]:
        actual = runs_of(resolve(TABLES[11], Options({}, dtype=dtype)), TABLES[11].systems(), "standin", "")
        return {run.system: run for run in actual}

    usual, fewer_bits = runs("float32"), runs("bfloat16")
    dtype_of = {
        name: (run.choices.get("training") or run.choices["peer"]).get("dtype")
        for name, run in fewer_bits.items()
    }
    trained = {"table10", "spectrogram_dnn", "mel_dbn"}
    assert dtype_of == {name: "bfloat16" if name in trained else None for name in usual}
    assert {name for name in usual if usual[name] != fewer_bits[name]} == trained


def test_unknown_names_and_softmax():
    with pytest.raises(Faults, match="there is no system 'hmm': choose one of ivector, gmm"):
        peer("hmm")
    odds = softmax(np.log([[0.2, 0.8], [0.5, 0.5]]) + 900)
    assert odds == pytest.approx(np.array([[0.2, 0.8], [0.5, 0.5]]))


def ivector_run(fold, source="buzzes"):
    choices = {"data": {}, "peer": {"scoring": "plda", "enrolled": 3}}
    return Run(source, 8, "i-Vector", "ivector", fold, 0, "quick", None, None, "0" * 64, choices)


def test_a_report_and_its_cells(corpus, tmp_path):
    report = execute(ivector_run("test"), corpus, tmp_path)
    assert json.loads((ivector_run("test").folder(tmp_path) / "report.json").read_text()) == json.loads(
        json.dumps(report)
    )
    assert report["clips"] == {"train": 30, "test": 30} and len(report["predictions"]) == 30
    stated = {clip: speaker for speaker, clips in report["speakers"].items() for clip in clips}
    tested = corpus.split.clips("test", "test")
    assert stated == dict(zip(tested["clip"], tested["speaker"]))
    assert report["measures"]["targets"] == 30 - 9 and report["history"] == []
    assert report["settings"]["speakers_enrolled"] == 3
    for entry in report["predictions"].values():
        assert sum(entry["probability"]) == pytest.approx(1, abs=1e-3)
    report["measures"] = {"1-EER": 0.75, "threshold": -1.5, "targets": 40}
    for source, verdict in (("paper", "one seed: not judged"), ("standin", "")):
        report["run"]["source"] = source
        reports = [
            Report(f"{fold}/report.json", report | {"run": report["run"] | {"fold": fold}}) for fold in "123"
        ]
        frame = cells(TABLES[8], reports)
        own = frame[(frame["system"] == "i-Vector") & (frame["fold"] == "1")].set_index("measure")
        rate = own.loc["1-EER"]
        assert rate["ours"] == 75 and rate["paper"] == 72.93 and 58 < rate["low"] < 75 < rate["high"] < 88
        assert rate["verdict"] == verdict
        assert own.loc["threshold", "ours"] == -1.5 and own.loc["threshold", "verdict"] == ""
        assert np.isnan(own.loc["threshold", "low"]) and own.loc["ACC", "verdict"] == ""
        text = markdown(TABLES[8], reports)
        assert "- i-Vector: rate 8000, gaussians 32, rank 7" in text  # once: all folds are equal


def test_over_sampled_clips_are_learnt_from_once(corpus, tmp_path):
    copies = corpus.split.manifest.assign(copies=1 + np.arange(len(corpus.split.manifest)) // 2 % 3)
    repeated = dataclasses.replace(corpus, split=Split(copies, LABELS))
    alone, often = (
        execute(ivector_run("test"), prepared, tmp_path / name)
        for name, prepared in (("alone", corpus), ("often", repeated))
    )
    assert alone["clips"] == often["clips"] and alone["predictions"] == often["predictions"]


def test_where_nobody_can_be_enrolled_the_table_has_no_verification(corpus, tmp_path):
    frame = corpus.split.manifest.groupby("label").head(6)  # 3 for the test
    few = dataclasses.replace(corpus, split=Split(frame, LABELS))
    report = execute(ivector_run("test"), few, tmp_path)
    assert report["measures"] == {} and report["settings"]["speakers_enrolled"] == 0
    reports = [
        Report(f"{fold}/report.json", report | {"run": report["run"] | {"fold": fold}}) for fold in "123"
    ]
    frame = cells(TABLES[8], reports)
    own = frame[(frame["system"] == "i-Vector") & (frame["fold"] == "1")].set_index("measure")
    assert own.loc[["1-EER", "threshold"], ["ours", "low", "high"]].isna().all(axis=None)
    reports[0].content["measures"] = {"1-EER": 0.75, "threshold": -1.5, "targets": 40}
    rates = cells(TABLES[8], reports).query("system == 'i-Vector' and measure == '1-EER'")["ours"]
    assert rates.dropna().tolist() == [75] and len(rates) == 3  # the other folds need none
    assert own.loc["ACC", "ours"] == pytest.approx(100 * report["metrics"]["accuracy"])
    assert "speakers enrolled 0." in markdown(TABLES[8], reports)


def test_any_peer_may_be_the_first_to_import_mxnet():
    code = "from reproduce.peers import peer; print(peer('mel_dbn').features.name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "mel-segments\n", done.stderr
