"""The notebooks run, show pictures, match their .py files, and keep the outputs of their sources."""

import base64
import io
import os
import sys
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
sys.path.insert(0, str(ROOT / "tools"))

from keep_outputs import HASH, sources, with_outputs  # noqa: E402

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
        shown = _markdown(notebook)
        assert shown.count("STAND-IN") == 7 and "79.32" in shown  # the paper's UAR of FreqCNN in Table 3
        assert shown == _markdown(nbformat.read(path, 4))  # the committed outputs show the committed results


def _markdown(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.data.get("text/markdown", "") for output in outputs if "data" in output)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_matches_its_script_and_shows_the_outputs_of_its_sources(path):
    notebook, script = nbformat.read(path, 4), jupytext.read(path.with_suffix(".py"))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]
    assert notebook.metadata[HASH] == sources(notebook)
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == PICTURES[path.stem]
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_only_outputs_of_the_same_sources_and_without_paths_of_the_machine_are_kept():
    path = NOTEBOOKS[0]
    notebook, executed = nbformat.read(path, 4), nbformat.read(path, 4)
    code = [cell for cell in executed.cells if cell.cell_type == "code"][0]
    code.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="50 %"),
        nbformat.v4.new_output("stream", text="a result"),
    ]
    kept = with_outputs(notebook, executed)
    (first, *_) = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [output.text for output in first.outputs] == ["a result"]
    code.outputs[1].text = f"written to {ROOT}/results"
    with pytest.raises(ValueError, match="contains a path of this machine"):
        with_outputs(notebook, executed)
    code.source += "\n"
    with pytest.raises(ValueError, match="its sources have changed"):
        with_outputs(notebook, executed)
