"""The package's public names."""

import subprocess
import sys

import pytest

import freqcnn_gluon


def test_every_public_name_exists_and_no_other():
    for name in freqcnn_gluon.__all__:
        assert getattr(freqcnn_gluon, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Frequency'"):
        freqcnn_gluon.Frequency  # noqa: B018


def test_architectures_need_no_mxnet():
    code = "import sys, freqcnn_gluon as f; f.architecture('table2'); assert 'mxnet' not in sys.modules"
    subprocess.run([sys.executable, "-c", code + "; f.FreqCNN"], check=True)
