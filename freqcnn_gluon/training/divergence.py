"""Report a training whose values are no longer finite, and the layer where this began."""

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
    """A training's loss, weights or predictions are infinite or NaN, or it cannot train on its clips."""


def first_layer(net: HybridBlock, parts: Iterable[np.ndarray], device: mx.Context, training: bool) -> str:
    """Return in words the first layer, in the order of computation, whose output is not finite.

    The batch goes through the network again, block by block, with new draws of dropout. The network loses its
    graph.

    Args:
        net: The network.
        parts: The micro-batches, (k, 1, size, size) each.
        device: The context to compute on.
        training: Whether to compute as in training, with dropout and the batch's statistics.
    """
    import mxnet as mx  # deferred, because code that only catches Diverged need not wait for MXNet
    from mxnet import autograd

    net.hybridize(active=False)
    names = {id(block): name for name, block in _named(net)}
    layers: list[str] = []

    def check(block, inputs, output) -> None:  # an inner block's hook runs before the outer block's
        outputs = output if isinstance(output, (list, tuple)) else [output]
        if not layers and not all(map(_finite, outputs)):
            parameters = block._reg_params.items()
            lost = [name for name, parameter in parameters if not _finite(parameter.data(device))]
            reason = f"; its {', '.join(lost)} is no longer finite" if lost else ""
            layers.append(f"{names[id(block)]} ({type(block).__name__}){reason}")

    hooks = [block.register_forward_hook(check) for _, block in _named(net)]
    try:
        for part in parts:
            if not np.isfinite(part).all():
                return "the spectrograms themselves"
            with autograd.train_mode() if training else autograd.predict_mode():
                net(mx.nd.array(part, ctx=device)).wait_to_read()
            if layers:
                return f"the layer {layers[0]}"
    finally:
        for hook in hooks:
            hook.detach()
    return "the loss"


def _named(block: HybridBlock, name: str = "") -> Iterable[tuple[str, HybridBlock]]:
    """Yield every block with its path, such as 'stages.0.local.1'; the network itself is 'network'."""
    yield name or "network", block
    for child, inner in block._children.items():
        yield from _named(inner, f"{name}.{child}" if name else child)


def _finite(array: mx.nd.NDArray) -> bool:
    return bool(np.isfinite(array.asnumpy()).all())
