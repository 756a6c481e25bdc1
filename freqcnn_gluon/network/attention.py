"""The attention-based convolutional block (Sec. 4.2, Eqs. 9-11, Figs. 3, 7b and 8)."""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import AttentionRow, BlockRow
from freqcnn_gluon.network.blocks import BasicBlock, Norm, activation

__all__ = ["ATTENTIONS", "Attention", "AttentionBlock"]

ATTENTIONS = ("feature", "spatial")


class Attention(HybridBlock):
    """The weights h_i^(k) = g(W2 f(W1 [p_i; a_k] + b1) + b2) (Eq. 9), with as many layers as the table's row.

    parts (batch, m, P), local (batch, n, Q) -> weights (batch, n, m)

    All i and k share W1, W2, ... W1 is stored as two matrices, W1p and W1a, because
    W1 [p_i; a_k] = W1p p_i + W1a a_k. W1a a_k is then computed once per sample and part, not m times.

    Args:
        row: The width and activation of each layer.
        part_length: P, the length of p_i.
        local_length: Q, the length of a_k, flattened.
    """

    def __init__(self, row: AttentionRow, part_length: int, local_length: int, **kwargs):
        super().__init__(**kwargs)
        (width, first), *others = row.layers
        with self.name_scope():
            self.of_parts = nn.Dense(width, flatten=False, in_units=part_length)  # W1p, b1
            self.of_local = nn.Dense(width, flatten=False, in_units=local_length, use_bias=False)  # W1a
            self.first = activation(first)
            self.others = nn.HybridSequential()
            for units, name in others:
                self.others.add(nn.Dense(units, flatten=False, in_units=width), activation(name))
                width = units

    def hybrid_forward(self, F, parts, local):
        of_parts = F.expand_dims(self.of_parts(parts), axis=1)  # (batch, 1, m, width)
        of_local = F.expand_dims(self.of_local(local), axis=2)  # (batch, n, 1, width)
        hidden = self.first(F.broadcast_add(of_parts, of_local))  # (batch, n, m, width)
        return F.squeeze(self.others(hidden), axis=3)  # (batch, n, m)


class AttentionBlock(BasicBlock):
    """The attention-based block A = A^g + sum_k h^(k) * A^g (Eqs. 10 and 11).

    (batch, in_channels, freq, time) -> (batch, channels, freq, time)

    Args:
        row: A table's row with attention.
        in_channels: Number of input channels.
        size: (freq, time) of the input, which determines the widths of W1.
        segments: n, the number of equal parts along ``axis``, at least 1.
        axis: 'frequency' or 'time' (Fig. 5).
        attention: 'feature': p_i is feature map i, flattened (Fig. 3b). 'spatial': p_i is the channel vector
            at location i (Fig. 3a).
        norm: Placement of BatchNorm.

    Raises:
        Faults: For an unknown ``axis`` or ``attention``, no segments, or a row whose last layer is not 1
            wide.
    """

    def __init__(
        self,
        row: BlockRow,
        in_channels: int,
        size: tuple[int, int],
        segments: int = 2,
        axis: str = "frequency",
        attention: str = "feature",
        norm: Norm = Norm(),
        **kwargs,
    ):
        if attention not in ATTENTIONS:
            raise Faults(f"there is no attention '{attention}': choose one of {', '.join(ATTENTIONS)}")
        if not segments:
            raise Faults("an attention block needs local parts: set segments to 1 or more")
        if row.attention is None or row.attention.layers[-1][0] != 1:
            raise Faults("an attention block's row must end with a layer of width 1, which is the weight")
        super().__init__(row, in_channels, segments, axis, norm=norm, **kwargs)
        self.feature_based = attention == "feature"
        self.split_along = axis
        locations = size[0] * size[1]
        with self.name_scope():
            self.attention = Attention(
                row.attention,
                part_length=locations if self.feature_based else row.global_.channels,
                local_length=row.local.channels * locations // segments,
            )

    def attend(self, F, x):
        """Return A^g (batch, channels, freq, time) and its weights h (batch, n, m) of Eq. (11)."""
        global_ = self.global_(x)  # (batch, channels, freq, time)
        local = F.stack(*[F.flatten(a) for a in self.local_features(F, x)], axis=1)  # (batch, n, Q)
        maps = F.reshape(global_, (0, 0, -1))  # (batch, channels, freq * time)
        parts = maps if self.feature_based else F.transpose(maps, (0, 2, 1))  # (batch, m, P)
        return global_, self.attention(parts, local)

    def hybrid_forward(self, F, x):
        global_, weights = self.attend(F, x)  # (batch, channels, freq, time), (batch, n, m)
        maps = F.reshape(global_, (0, 0, -1))  # (batch, channels, freq * time)
        weight = F.sum(weights, axis=1)  # (batch, m): the sum over k of Eq. (11)
        weight = F.expand_dims(weight, axis=2 if self.feature_based else 1)  # (batch, m, 1) or (batch, 1, m)
        return F.reshape_like(F.broadcast_mul(maps, 1 + weight), global_)  # (batch, channels, freq, time)
