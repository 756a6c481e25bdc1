"""Read and write weights, for checkpoints and models, as safetensors files, which hold no code."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import gluon
from safetensors.numpy import load, save

from data_prep.base.files import whole

__all__ = ["get_parameters", "load_parameters", "save_arrays", "save_parameters", "set_parameters"]

# The values of ``inputs.Inputs`` that leave a spectrogram as it is, by FreqCNN's parameter.
IDENTITY = {"inputs.mean": 0, "inputs.scale": 1}
HEADER = 2**20  # bytes that the names and shapes in a file may take


def get_parameters(net: gluon.Block) -> dict[str, np.ndarray]:
    """Return copies of ``net``'s parameters, running statistics included, by name."""
    named = net._collect_params_with_prefix().items()
    # All devices hold the same values. Their mean may differ from them by a rounding.
    return {name: parameter.list_data()[0].asnumpy() for name, parameter in named}


def set_parameters(net: gluon.Block, arrays: Mapping[str, np.ndarray], devices: list[mx.Context]) -> None:
    """Set ``net``'s parameters on ``devices``, initialised or not, from ``arrays`` by name.

    Raises:
        ValueError: If names, shapes or types are not those of ``net``.
    """
    parameters = net._collect_params_with_prefix()
    # Models saved by earlier versions have no standardisation.
    identity = {
        name: np.full(parameters[name].shape, value, np.float32)
        for name, value in IDENTITY.items()
        if name in parameters
    }
    arrays = {**identity, **arrays}
    if arrays.keys() != parameters.keys() or not all(
        array.dtype == np.float32 and _fits(array.shape, parameters[name].shape)
        for name, array in arrays.items()
    ):
        raise ValueError("its weights are of another network")
    for name, parameter in parameters.items():
        parameter._load_init(mx.nd.array(arrays[name]), devices)


def save_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write ``arrays`` to ``path`` by name; the file appears complete or not at all."""
    content = save(dict(arrays))  # save_file would leave a temporary file of its own after a crash
    with whole(path) as aside:
        aside.write_bytes(content)


def save_parameters(net: gluon.Block, path: Path) -> None:
    """Write ``net``'s parameters to ``path``; the file appears complete or not at all."""
    save_arrays(get_parameters(net), path)


def load_parameters(
    net: gluon.Block, path: Path, devices: list[mx.Context], checksum: str | None = None
) -> None:
    """Set ``net``'s parameters from the file ``path``, which may come from anybody.

    The file's size is checked before the file is read. Its SHA-256 is checked before its content is parsed,
    unless ``checksum`` is None.

    Raises:
        OSError: If the file cannot be read.
        SafetensorError: If the file is not a safetensors file.
        ValueError: If the file is not the one with this checksum, or its weights are of another network.
    """
    _check_size(net, path)
    content = path.read_bytes()
    if checksum is not None and hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError("it does not match its recorded SHA-256")
    set_parameters(net, load(content), devices)


def _fits(shape: tuple[int, ...], own: tuple[int, ...]) -> bool:
    """Return whether ``shape`` is ``own``, in which 0 is a side that is unknown before the first batch."""
    return len(shape) == len(own) and all(side in (0, other) for side, other in zip(own, shape))


def _check_size(net: gluon.Block, path: Path) -> None:
    """Raise ValueError unless the file has the size of the weights, or more where shapes are unknown yet."""
    parameters = net._collect_params_with_prefix()
    shapes = [parameter.shape for name, parameter in parameters.items() if name not in IDENTITY]
    needed, size = 4 * sum(math.prod(shape) for shape in shapes), path.stat().st_size
    known = all(math.prod(shape) for shape in shapes)
    if size < needed or (known and size > needed + HEADER):
        raise ValueError(f"it has {size} bytes, but these weights take {needed}")
