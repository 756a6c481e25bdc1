"""A model serves several threads, forked processes and bad requests."""

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import Model, OnnxModel, predictions
from freqcnn_gluon.own import model as module
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.export import to_onnx

HERE = Path(__file__)
IMAGES = np.random.default_rng(0).random((12, 32, 32)).astype("f4")


def made():
    """Return a model that has not predicted yet."""
    mx.random.seed(0)
    model = Model.blank(About(("a", "b", "c"), "table7", ImageSettings(32), 1.0, 1.0), [mx.cpu()])
    model.net.initialize(mx.init.Xavier())
    model.net(mx.nd.zeros((1, 1, 32, 32)))
    model.net.hybridize(static_alloc=True, static_shape=True)
    return model


@pytest.fixture
def cold():
    return made()


def test_threads_may_use_a_cold_model(cold):
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda i: cold.probabilities(IMAGES[i % 12 : i % 12 + 1]), range(48)))
    expected = np.concatenate([cold.probabilities(IMAGES[i : i + 1]) for i in range(12)])
    np.testing.assert_allclose(np.concatenate(parts), np.tile(expected, (4, 1)), atol=1e-5)


def test_one_thread_at_a_time_computes(cold, monkeypatch):
    inside, most = [], []

    def predict(*_):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()

    monkeypatch.setattr(module, "predict", predict)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(cold.probabilities, [IMAGES[:1]] * 8))
    assert most == [1] * 8


def test_a_model_predicts_in_a_process_that_was_forked_after_it_was_loaded():
    code = """
import multiprocessing, os
import freqcnn_gluon, numpy
from test_serving import IMAGES, made
model = made()
expected = model.probabilities(IMAGES)
context = multiprocessing.get_context("fork")
queue = context.Queue()
children = [context.Process(target=lambda: queue.put(model.probabilities(IMAGES)), daemon=True) for _ in "ab"]
for child in children:
    child.start()
results = [queue.get(timeout=60) for _ in children]
print(os.environ["MXNET_ENGINE_TYPE"], all(numpy.allclose(one, expected, atol=1e-5) for one in results))
"""
    environment = os.environ | {
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        text=True,
        capture_output=True,
        timeout=150,
    )
    assert done.stdout == "NaiveEngine True\n", done.stderr


def test_both_runtimes_refuse_the_same_images_and_can_be_pickled(cold, tmp_path):
    to_onnx(cold, tmp_path / "model.onnx")
    exported = OnnxModel(tmp_path / "model.onnx")
    nan = np.where(IMAGES > 0.99, np.nan, IMAGES)
    for model in (cold, exported):
        for images in (nan, np.full((1, 32, 32), 1e300), IMAGES[0], IMAGES[:, :16], IMAGES[:0], ["a"]):
            with pytest.raises(ValueError, match="^the images have") as refused:
                model.probabilities(images)
            assert isinstance(refused.value, Faults)
    (tmp_path / "model.onnx").unlink()
    again = pickle.loads(pickle.dumps(exported))
    np.testing.assert_array_equal(again.probabilities(IMAGES), exported.probabilities(IMAGES))


@pytest.mark.parametrize(
    "recording", [b"RIFF", open(__file__, "rb"), [("a.wav", float("nan"), None)], [("a.wav", 2, 1)], [3]]
)
def test_what_is_no_recording_is_refused_at_the_call(cold, recording):
    with pytest.raises(ValueError) as refused:
        predictions(cold, recording)
    assert isinstance(refused.value, Faults)
