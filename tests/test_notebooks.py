"""The notebooks run to their end, show pictures, hold no outputs in git and match their .py halves."""

import base64
import io
import os
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
import recordings
import soundfile
from films import write_avi
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = {
    "figure1_spectrograms": 1,
    "figure5_splits": 2,
    "one_clip": 2,
    "attention_by_band": 1,
    "tables": 0,
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Corpora of a few clips in the real ones' layouts, as the notebooks' variables name them."""
    here, random = tmp_path_factory.mktemp("notebooks"), np.random.default_rng(0)
    emotions = {
        "anger": "an",
        "disgust": "di",
        "fear": "fe",
        "happiness": "ha",
        "sadness": "sa",
        "surprise": "su",
    }
    for subject in range(1, 3):
        for emotion, short in emotions.items():
            folder = here / "eNTERFACE" / f"subject {subject}" / emotion / "sentence 1"
            samples = (9000 * random.standard_normal((24000, 2))).astype(np.int16)
            write_avi(folder / f"s{subject}_{short}_1.avi", samples)
    for partition, first in (("train", 1), ("test", 50)):
        for label, pitch in (("AU", 300), ("UK", 1500), ("US", 3000)):
            folder = here / "UT-Podcast" / "audio" / partition / label
            folder.mkdir(parents=True)
            for speaker in range(first, first + 5):
                tone = recordings.tone(pitch, 0.5, random, 8000)
                soundfile.write(folder / f"{label}-{speaker}__1.wav", tone, 8000)
    return {
        "DATA": str(here / "data"),
        "ENTERFACE": str(here / "eNTERFACE"),
        "UT_PODCAST": str(here / "UT-Podcast"),
        "MODEL": str(here / "model"),
        "EPOCHS": "1",
        "OMP_NUM_THREADS": "1",
    }


def test_they_are_the_ones_there_are():
    assert [path.stem for path in NOTEBOOKS] == sorted(PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_its_pictures(path, environment, monkeypatch, tmp_path):
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setitem(os.environ, "RESULTS", str(tmp_path))  # nothing was run: the committed are shown
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PICTURES[path.stem]
    for each in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("L"))
        assert pixels.shape[1] > 600 and pixels.std() > 15  # something is drawn
    if path.stem == "tables":
        shown = "".join(output.data.get("text/markdown", "") for output in outputs if "data" in output)
        assert shown.count("STAND-IN") == 7 and "79.32" in shown  # Table 3's UAR of FreqCNN, the paper's


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_halves_say_the_same_and_no_output_is_kept(path):
    notebook, script = nbformat.read(path, 4), jupytext.read(path.with_suffix(".py"))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
