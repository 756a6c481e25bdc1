"""A training that no longer computes with numbers, and where that began."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from data_prep.base.faults import Faults

if TYPE_CHECKING:
    import mxnet as mx
    from mxnet.gluon import HybridBlock

__all__ = ["Diverged", "first_layer"]


class Diverged(Faults):
    """A training's loss or answers are infinite or no numbers."""


def first_layer(net: HybridBlock, parts: Iterable[np.ndarray], device: mx.Context, training: bool) -> str:
    """The first layer, in the order of computation, whose output is not finite, in words.

    ``parts``: the batch, (k, 1, size, size) each, as it went through the ``net``. They go through it again
    block by block, with new draws of dropout in ``training``; the net is left without its graph.
    """
    import mxnet as mx  # here, since who only looks for Diverged need not wait for it
    from mxnet import autograd

    net.hybridize(active=False)
    names = {id(block): name for name, block in _named(net)}
    found: list[str] = []

    def look(block, inputs, output) -> None:  # an inner block ends before the one around it
        outputs = output if isinstance(output, (list, tuple)) else [output]
        if not found and not all(map(_finite, outputs)):
            own = block._reg_params.items()
            bad = [name for name, parameter in own if not _finite(parameter.data(device))]
            why = f"; its {', '.join(bad)} is no longer finite" if bad else ""
            found.append(f"{names[id(block)]} ({type(block).__name__}){why}")

    hooks = [block.register_forward_hook(look) for _, block in _named(net)]
    try:
        for part in parts:
            if not np.isfinite(part).all():
                return "the spectrograms themselves"
            with autograd.train_mode() if training else autograd.predict_mode():
                net(mx.nd.array(part, ctx=device)).wait_to_read()
            if found:
                return f"the layer {found[0]}"
    finally:
        for hook in hooks:
            hook.detach()
    return "the loss"


def _named(block: HybridBlock, name: str = "") -> Iterable[tuple[str, HybridBlock]]:
    """Every block with its path in the net, such as 'stages.0.local.1'; the net's own is 'network'."""
    yield name or "network", block
    for child, inner in block._children.items():
        yield from _named(inner, f"{name}.{child}" if name else child)


def _finite(array: mx.nd.NDArray) -> bool:
    return bool(np.isfinite(array.asnumpy()).all())
