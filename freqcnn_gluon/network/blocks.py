"""The convolutional building blocks of FreqCNN (Sec. 4.1, Figs. 6 and 7a).

All arrays are (batch, channel, freq, time). Index 0 of ``freq`` is the lowest frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import BlockRow, Conv, PoolRow

__all__ = [
    "AXES",
    "BATCHNORM_DEFAULTS",
    "PLACEMENTS",
    "Activation",
    "BasicBlock",
    "ConvAndPool",
    "ConvUnit",
    "Dropout",
    "Norm",
    "activation",
    "replace_dropout",
]

AXES = {"frequency": 2, "time": 3}
PLACEMENTS = ("both", "convolution")
# The defaults of BatchNorm in Gluon, and those of ``mx.sym.BatchNorm`` for MXNet's Module (MXNet 1.0 to 1.9)
BATCHNORM_DEFAULTS = {
    "gluon": {"epsilon": 1e-5, "scale": True},
    "module": {"epsilon": 1e-3, "scale": False},  # fix_gamma=True: gamma is 1 and is not trained
}
_BUILTIN = ("relu", "sigmoid", "tanh", "softrelu", "softsign")
_OTHERS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "identity": lambda: nn.HybridLambda("identity"),
    "leaky": lambda: nn.LeakyReLU(0.01),
    "selu": nn.SELU,
    "swish": nn.Swish,
}


class Activation(nn.Activation):
    """An activation that can save memory on a GPU.

    The gradient of MXNet's ``Activation`` keeps the input of sigmoid and tanh besides the output
    (src/operator/nn/activation.cc, ``ActivationGrad``). The operators ``sigmoid`` and ``tanh`` compute the
    same and keep the output alone. On a CPU they need more memory, because they leave oneDNN's layouts.
    """

    _plain = False

    def use_plain_operator(self) -> None:
        """Use the operator ``sigmoid`` or ``tanh`` in new graphs, if this is one of these activations."""
        self._plain = self._act_type in ("sigmoid", "tanh")

    def hybrid_forward(self, F, x):
        if self._plain:
            return getattr(F, self._act_type)(x, name="fwd")
        return super().hybrid_forward(F, x)


class Dropout(nn.Dropout):
    """Dropout that follows ``runtime.seed`` on a GPU, too. On a CPU, its draws are those of MXNet's layer.

    cuDNN's dropout has a state of its own, which MXNet 1.9.1 seeds once per process and ``mx.random.seed``
    never reaches (src/resource.cc, ``SeedRandom``). With it, resuming would not be exact, and the masks of a
    run would depend on the runs before it.
    """

    def hybrid_forward(self, F, x):
        if self._rate > 0:
            return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=True)
        return F.identity(x)


def replace_dropout(net: HybridBlock) -> None:
    """Turn MXNet's dropout layers in ``net``, which another library has built, into ours."""

    def replace(layer: HybridBlock) -> None:
        if type(layer) is nn.Dropout:
            layer.__class__ = Dropout  # a new layer would have another name, and its owner may refer to it

    net.apply(replace)


def activation(name: str) -> HybridBlock:
    """Return the activation called ``name``. Faults for an unknown name list all names."""
    if name in _BUILTIN:
        return Activation(name)
    if name in _OTHERS:
        return _OTHERS[name]()
    raise Faults(f"there is no activation '{name}': choose one of {', '.join(sorted((*_BUILTIN, *_OTHERS)))}")


@dataclass(frozen=True)
class Norm:
    """The placement, the initial scale and the remaining settings of BatchNorm.

    Attributes:
        placement: 'both': right before each activation and each convolution (Sec. 5.1). 'convolution': right
            before each convolution, which Sec. 5.2 can mean.
        gamma: Initial scale of the BatchNorm before an activation. With 1, the inputs of tanh lie outside its
            linear part from the start, gradients grow from block to block, and the first steps make the
            outputs of the lower blocks useless (docs/learning.md). It has no effect with 'module'.
        defaults: 'gluon' or 'module', a key of BATCHNORM_DEFAULTS.
    """

    placement: str = "both"
    gamma: float = 0.1
    defaults: str = "gluon"

    def __post_init__(self):
        if self.placement not in PLACEMENTS:
            raise Faults(
                f"there is no BatchNorm placement '{self.placement}': choose one of {', '.join(PLACEMENTS)}"
            )
        if self.defaults not in BATCHNORM_DEFAULTS:
            raise Faults(
                f"there are no BatchNorm defaults '{self.defaults}': choose one of "
                f"{', '.join(BATCHNORM_DEFAULTS)}"
            )

    def before_convolution(self, channels: int) -> nn.BatchNorm:
        """Return a BatchNorm whose scale starts at 1."""
        return nn.BatchNorm(in_channels=channels, **BATCHNORM_DEFAULTS[self.defaults])

    def before_activation(self, channels: int) -> nn.BatchNorm:
        """Return a BatchNorm whose scale starts at ``gamma``, or is always 1 with the defaults 'module'."""
        settings = BATCHNORM_DEFAULTS[self.defaults]
        start = mx.init.Constant(self.gamma) if settings["scale"] else "ones"
        return nn.BatchNorm(in_channels=channels, gamma_initializer=start, **settings)


class ConvUnit(nn.HybridSequential):
    """BatchNorm, convolution, BatchNorm and activation.

    (batch, in_channels, freq, time) -> (batch, conv.channels, ceil(freq / stride), ceil(time / stride))

    Zero padding keeps the size (Sec. 5.1). With the placement 'convolution', the second BatchNorm is left
    out.

    Args:
        conv: The table's cell.
        in_channels: Number of input channels.
        norm: Placement and settings of BatchNorm.
    """

    def __init__(self, conv: Conv, in_channels: int, norm: Norm = Norm(), **kwargs):
        super().__init__(**kwargs)
        self._lifted = False
        with self.name_scope():
            self.add(norm.before_convolution(in_channels))
            self.add(
                nn.Conv2D(conv.channels, conv.kernel, conv.stride, conv.kernel // 2, in_channels=in_channels)
            )
            if norm.placement == "both":
                self.add(norm.before_activation(conv.channels))
            self.add(activation(conv.activation))

    def lift(self) -> None:
        """Rewrite the graph of a unit whose input has one channel as a convolution of two channels.

        Other units stay unchanged.

        W * (gamma x + beta) = [gamma W, beta W] * [x, 1], with x normalised and zeros padded around x and 1.

        The results are the same, and the image needs no gradient. In bfloat16, oneDNN is slow on one channel
        and fast on two, and it passes its output on in the memory layout in which it is fast.
        """
        self._lifted = self[0].gamma.shape == (1,)

    def hybrid_forward(self, F, x):
        if not (self._lifted and F is mx.sym):
            return super().hybrid_forward(F, x)  # layer by layer, as in the table
        norm, conv, *others = self
        gamma, beta = norm.gamma.var(), norm.beta.var()
        mean, variance = norm.running_mean.var(), norm.running_var.var()
        weight, bias = conv.weight.var(), conv.bias.var()
        # On a CPU, the only device for bfloat16, MXNet updates the running statistics in BatchNorm's backward
        # pass, so the terms 0 * ... keep BatchNorm on the gradient's path.
        x = F.BatchNorm(x, F.ones_like(gamma), 0 * beta, mean, variance, **norm._kwargs)
        bias = F.broadcast_add(bias, 0 * F.mean(x))
        x = F.concat(F.BlockGrad(x), F.ones_like(x), dim=1)  # (batch, 2, freq, time)
        weight = F.broadcast_mul(weight, F.reshape(F.concat(gamma, beta, dim=0), (1, 2, 1, 1)))
        x = F.Convolution(x, weight, bias, **conv._kwargs)  # (batch, conv.channels, freq, time) at stride 1
        for layer in others:
            x = layer(x)
        return x

    def fold(self) -> None:
        """Fold the BatchNorm after the convolution into its weights, for prediction only.

        gamma (w x + b - mean) / sqrt(var + eps) + beta = (s w) x + s (b - mean) + beta, with
        s = gamma / sqrt(var + eps).

        This saves a pass over the feature map. The BatchNorm before the convolution cannot be folded, because
        the zeros around the map are padded after it.
        """
        _, conv, *others, _ = self
        if not others:
            return
        (norm,) = others

        def numbers(parameter: mx.gluon.Parameter) -> np.ndarray:
            return parameter.data(parameter.list_ctx()[0]).asnumpy().astype(np.float64)

        scale = numbers(norm.gamma) / np.sqrt(numbers(norm.running_var) + norm._kwargs["eps"])
        bias = scale * (numbers(conv.bias) - numbers(norm.running_mean)) + numbers(norm.beta)
        conv.weight.set_data(mx.nd.array(scale[:, None, None, None] * numbers(conv.weight)))
        conv.bias.set_data(mx.nd.array(bias))
        del self._children[next(key for key, layer in self._children.items() if layer is norm)]


def local_path(row: BlockRow, in_channels: int, segments: int, norm: Norm) -> nn.HybridSequential:
    """Return the local path: a ConvUnit f(w_k s_k + b_k) for each part k = 1..n (Eq. 7)."""
    units = nn.HybridSequential()
    for _ in range(segments):
        units.add(ConvUnit(row.local, in_channels, norm))
    return units


def global_path(row: BlockRow, in_channels: int, norm: Norm) -> nn.HybridSequential:
    """Return the global path: two ConvUnits g(w S + b) in sequence on the whole input (Eq. 7, Sec. 5.1)."""
    units = nn.HybridSequential()
    for number in range(row.global_convolutions):
        units.add(ConvUnit(row.global_, in_channels if number == 0 else row.global_.channels, norm))
    return units


class BasicBlock(HybridBlock):
    """The basic block A = A^g + [a_1; a_2; ...; a_n] (Eqs. 7 and 8).

    (batch, in_channels, freq, time) -> (batch, channels, freq, time)

    Args:
        row: A table's row; its attention is not used.
        in_channels: Number of input channels.
        segments: n, the number of equal parts along ``axis``. With 0, there is only the global path (Table 4,
            column '0').
        axis: 'frequency' or 'time' (Fig. 5).
        local_only: Whether the output is the local path alone (Table 4's upper half).
        norm: Placement and settings of BatchNorm.

    Raises:
        Faults: For an unknown ``axis``, and for ``local_only`` without segments.
    """

    def __init__(
        self,
        row: BlockRow,
        in_channels: int,
        segments: int = 2,
        axis: str = "frequency",
        local_only: bool = False,
        norm: Norm = Norm(),
        **kwargs,
    ):
        if axis not in AXES:
            raise Faults(f"there is no split along '{axis}': choose one of {', '.join(AXES)}")
        if local_only and not segments:
            raise Faults("a block without local parts (segments 0) cannot be local only")
        super().__init__(**kwargs)
        self._axis = AXES[axis]
        with self.name_scope():
            self.local = local_path(row, in_channels, segments, norm) if segments else None
            self.global_ = None if local_only else global_path(row, in_channels, norm)

    def local_features(self, F, x) -> list:
        """Return a_1 .. a_n, each (batch, channels, freq / n, time) for a split along frequency."""
        units = list(self.local or ())
        if len(units) == 1:
            return [units[0](x)]  # (batch, channels, freq, time)
        parts = F.split(
            x, num_outputs=len(units), axis=self._axis
        )  # n of (batch, in_channels, freq / n, time)
        return [unit(part) for unit, part in zip(units, parts)]

    def hybrid_forward(self, F, x):
        total = None if self.global_ is None else self.global_(x)  # (batch, channels, freq, time)
        if self.local is not None:
            local = F.concat(*self.local_features(F, x), dim=self._axis)  # (batch, channels, freq, time)
            total = local if total is None else total + local
        return total


class ConvAndPool(nn.HybridSequential):
    """A 'Conv. and pool' row: ConvUnits on a block's output, pooling, dropout.

    (batch, in_channels, freq, time) -> (batch, channels, freq / 2, time / 2) with max pooling,
    (batch, in_channels, freq, time) -> (batch, channels) with global average pooling

    Args:
        row: The table's row.
        in_channels: Number of the block's output channels.
        norm: Placement and settings of BatchNorm.
    """

    def __init__(self, row: PoolRow, in_channels: int, norm: Norm = Norm(), **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            for conv in row.convs:
                self.add(ConvUnit(conv, in_channels, norm))
                in_channels = conv.channels
            if row.pool == "max":
                self.add(nn.MaxPool2D(2, 2))
            else:
                self.add(nn.GlobalAvgPool2D(), nn.Flatten())
            if row.dropout:
                self.add(Dropout(row.dropout))
