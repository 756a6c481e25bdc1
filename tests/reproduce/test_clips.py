"""Pictures show the clips and the network of a report; without them the page gives the reason."""

import base64
import io
import shutil

import mxnet as mx
import numpy as np
import pytest
from made import report as made
from PIL import Image
from test_schedule import corpus  # noqa: F401

from data_prep import manifest
from data_prep.store import Store
from freqcnn_gluon.network.explain import attended
from freqcnn_gluon.network.weights import load_parameters
from freqcnn_gluon.network.zoo import build
from reproduce.options import Options
from reproduce.page.clips import pictures
from reproduce.runs.report import Report
from reproduce.runs.resolve import resolve
from reproduce.runs.schedule import run_all
from reproduce.tables import TABLES

TABLE = TABLES[3]


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):  # noqa: F811
    """Train FreqCNN for an epoch on tones; return its reports, its source's folder and the prepared data."""
    out = tmp_path_factory.mktemp("trained")
    options = Options(
        {"ut_podcast": corpus},
        profile="quick",
        device="cpu",
        jobs=1,
        check_counts=False,
        assume=["epochs=1"],
        data=out / "data",
        results=out / "results",
    )
    return run_all(resolve(TABLE, options), [TABLE.claim]), out / "results" / "Tones", out / "data"


def decoded(picture):
    kind, _, content = picture.uri.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert kind == f"data:image/{image.format.lower()}"
    return np.asarray(image)


def test_spectrograms_are_the_stores_images_of_the_clips_named(trained):
    reports, folder, data = trained
    shown = pictures(TABLE, reports, folder, data).clips
    (store,) = (data / "Tones" / "ut_podcast").glob("images-32-*")
    store = Store(store)
    assert [picture.caption.split(":")[0] for picture in shown] == ["AU", "UK", "US"]
    for picture in shown:
        label, clip = picture.caption.split(": ")
        assert reports[0].content["predictions"][clip]["true"] == label and clip in picture.alt
        (row,) = store.rows([clip])
        loud = 1 - decoded(picture)[::-1] / 255  # low frequencies below
        np.testing.assert_allclose(loud, store.images[row], atol=0.5 / 255 + 1e-6)


def test_attention_is_what_the_kept_network_weights(trained):
    reports, folder, data = trained
    shown = pictures(TABLE, reports, folder, data)
    assert not shown.missing and decoded(shown.attention).shape[1] > 600
    run, clip = reports[0].content["run"], shown.clips[0].caption.split(": ")[1]
    net = build(run["system"], 3, run["size"], **run["choices"]["network"])
    load_parameters(net, (folder / reports[0].link).with_name("model.safetensors"), [mx.cpu()])
    (store,) = (data / "Tones" / "ut_podcast").glob("images-32-*")
    store = Store(store)
    for one in attended(net, np.array(store.images[store.rows([clip])[0]])):
        parts = ", ".join(f"{part:.2f}" for part in one.parts)
        assert f"block {one.block}, frequency parts: {parts}" in shown.attention.alt


def test_without_the_weights_there_are_spectrograms_only(trained, tmp_path):
    reports, _, data = trained
    shown = pictures(TABLE, reports, tmp_path, data)
    assert len(shown.clips) == 3 and shown.attention is None
    assert "model.safetensors is not beside the report" in shown.missing[0]


def test_weights_that_cannot_be_used_cost_the_attention_only(trained, tmp_path):
    reports, folder, data = trained
    weights = (tmp_path / reports[0].link).with_name("model.safetensors")
    weights.parent.mkdir(parents=True)
    whole = (folder / reports[0].link).with_name("model.safetensors").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"x" * 64):
        weights.write_bytes(content)
        shown = pictures(TABLE, reports, tmp_path, data)
        assert len(shown.clips) == 3 and shown.attention is None
        assert f"{weights} cannot be used" in shown.missing[0]


def test_other_clips_than_the_runs_are_not_shown(trained, tmp_path):
    reports, folder, data = trained
    other = {**reports[0].content, "run": {**reports[0].content["run"], "data": "0" * 64}}
    shown = pictures(TABLE, [Report(reports[0].link, other)], folder, data)
    assert not shown.clips and shown.attention is None and "No spectrograms" in shown.missing[0]
    shutil.copytree(data, tmp_path / "data")
    clips = tmp_path / "data" / "Tones" / "ut_podcast" / "manifest.csv"
    frame = manifest.read(clips)
    clips.write_text(frame[frame["label"] != "AU"].to_csv(index=False))
    assert not pictures(TABLE, reports, folder, tmp_path / "data").clips


def test_missing_data_are_reported(tmp_path):
    shown = pictures(TABLE, [made()], tmp_path, tmp_path)
    folder = f"{tmp_path}/paper/ut_podcast"
    assert shown.missing == [f"No spectrograms: the images of these clips are not in {folder}."]
