"""The programs in docs/onnx.md that feed samples print this project's probabilities."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_export import model
from test_waveform import RATE, speech

from data_prep.sound import audio, spectrogram
from freqcnn_gluon.own import export

PAGE = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the programs read, and the expected probabilities."""
    root, made = tmp_path_factory.mktemp("programs"), model()
    made.save(root / "model")
    export.to_onnx(made, root / "model.onnx", "waveform")
    soundfile.write(root / "new.wav", speech(int(1.7 * RATE)), RATE, "PCM_16")
    image = spectrogram.image(audio.read(root / "new.wav", RATE), made.about.images)
    return root, dict(zip(made.about.labels, made.probabilities(image[None])[0]))


def program(language):
    """The first program on the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)[0]


def check(command, folder):
    """Run a program in the folder, and compare the label and probability on each line of its output."""
    root, expected = folder
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    lines = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    assert [label for label, _ in lines] == list(expected)
    np.testing.assert_allclose([float(value) for _, value in lines], list(expected.values()), atol=1e-5)


def test_the_python_program(folder):
    check([sys.executable, "-c", program("python")], folder)


@pytest.mark.parametrize("package", ["onnxruntime-node", "onnxruntime-web"])
def test_the_javascript_program(folder, package):
    if not (node := shutil.which("node")):
        pytest.skip("node is not installed")
    found = subprocess.run([node, "-e", f"require.resolve('{package}')"], cwd=folder[0], capture_output=True)
    if found.returncode:
        pytest.skip(f"node does not find {package}; install it with npm and set NODE_PATH to node_modules")
    check([node, "-e", program("javascript").replace("onnxruntime-node", package)], folder)


def test_the_programs_have_about_ten_lines():
    for language in ("python", "javascript", "csharp"):
        assert len([line for line in program(language).splitlines() if line]) <= 15
