"""Weights on the disk: one reader and one writer, for checkpoints and models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import gluon
from safetensors.numpy import load_file, save

from data_prep.base.files import whole

__all__ = ["load_parameters", "save_parameters"]


def save_parameters(net: gluon.Block, path: Path) -> None:
    """Write ``net``'s parameters to ``path``, whole. OSError if they cannot be."""
    named = net._collect_params_with_prefix().items()
    # the first device's, as all have the same: their mean would be another by a rounding
    _save({name: parameter.list_data()[0].asnumpy() for name, parameter in named}, path)


def load_parameters(net: gluon.Block, path: Path, devices: list[mx.Context]) -> None:
    """Give ``net`` the parameters in ``path``. ValueError or SafetensorError if they are not its own."""
    found, own = load_file(path), net._collect_params_with_prefix()
    if found.keys() != own.keys() or any(value.dtype != np.float32 for value in found.values()):
        raise ValueError("its weights are of another network")
    for name, parameter in own.items():
        try:
            parameter._load_init(mx.nd.array(found[name]), devices)
        except AssertionError:
            raise ValueError(f"its weights {name} are of another network") from None


def _save(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    content = save(dict(arrays))  # not save_file, which writes to a file of its own, which nobody sweeps
    with whole(path) as aside:
        aside.write_bytes(content)
