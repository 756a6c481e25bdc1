"""The notebooks run, show pictures, match their .py files, and have no outputs in git."""

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
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.util import run_sync
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


# Forgets the notebook before: its names, and what it has imported from this project. Other packages stay
# imported, because MXNet and matplotlib take seconds.
FRESH = """%reset -f
import sys
sys.path[:] = [path for path in sys.path if path != {root!r}]
for name in [name for name in sys.modules if name.partition(".")[0] in {packages}]:
    del sys.modules[name]
%reset -f
""".format(root=str(ROOT), packages=("data_prep", "freqcnn_gluon", "reproduce"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Make small corpora in the layouts of the real ones; return the notebooks' environment variables."""
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
        "RESULTS": str(tmp_path_factory.mktemp("results")),  # empty, so that the committed results are shown
        "EPOCHS": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def kernel(environment):
    """Return one kernel for all notebooks."""
    manager = AsyncKernelManager(kernel_name="python3")
    run_sync(manager.start_kernel)(cwd=str(ROOT / "notebooks"), env=os.environ | environment)
    yield manager
    run_sync(manager.shutdown_kernel)(now=True)


def test_every_notebook_is_tested():
    assert [path.stem for path in NOTEBOOKS] == sorted(PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_its_pictures(path, kernel):
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(FRESH))
    NotebookClient(notebook, km=kernel, timeout=120).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PICTURES[path.stem]
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
        assert pixels.shape[1] > 600 and pixels.std() > 15  # an empty picture has a deviation near 0
    if path.stem == "tables":
        shown = "".join(output.data.get("text/markdown", "") for output in outputs if "data" in output)
        assert shown.count("STAND-IN") == 7 and "79.32" in shown  # the paper's UAR of FreqCNN in Table 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_matches_its_script_and_keeps_no_output(path):
    notebook, script = nbformat.read(path, 4), jupytext.read(path.with_suffix(".py"))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
