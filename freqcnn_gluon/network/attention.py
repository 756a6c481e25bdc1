"""The attention-based convolutional block (Sec. 4.2, Eqs. 9-11, Figs. 3, 7b and 8)."""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import AttentionRow, BlockRow
from freqcnn_gluon.network.blocks import BasicBlock, Norm, activation

__all__ = ["ATTENTIONS", "Attention", "AttentionBlock"]

ATTENTIONS = ("feature", "spatial")


class Attention(HybridBlock):
    """h_i^(k) = g(W2 f(W1 [p_i; a_k] + b1) + b2) (Eq. 9), with as many layers as the table's row has.

    parts (batch, m, P), local (batch, n, Q) -> weights (batch, n, m); W1, W2, ... are shared over
    i and k. W1 [p_i; a_k] = W1p p_i + W1a a_k, so that W1a a_k is computed once a sample and part
    and never tiled m times: the columns of W1 are held as the two weights W1p and W1a.
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
    """A = A^g + sum_k h^(k) * A^g (Eqs. 10 and 11).

    (batch, in_channels, freq, time) -> (batch, channels, freq, time).

    :param size: (freq, time) of the input, which fixes the widths of W1.
    :param attention: 'feature': p_i is feature map i, flattened (Fig. 3b); 'spatial': p_i is the
        channel vector at location i (Fig. 3a).
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
            raise Faults("an attention block needs local parts to attend by: segments must be at least 1")
        if row.attention.layers[-1][0] != 1:
            raise Faults(
                f"the last attention layer must have width 1, a weight, not {row.attention.layers[-1][0]}"
            )
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
        """A^g (batch, channels, freq, time) and h (batch, n, m): what Eq. (11) weights, and by how much."""
        global_ = self.global_(x)
        local = F.stack(*[F.flatten(a) for a in self.local_features(F, x)], axis=1)  # (batch, n, Q)
        maps = F.reshape(global_, (0, 0, -1))  # (batch, channels, freq * time)
        parts = maps if self.feature_based else F.transpose(maps, (0, 2, 1))  # (batch, m, P)
        return global_, self.attention(parts, local)

    def hybrid_forward(self, F, x):
        global_, weights = self.attend(F, x)
        maps = F.reshape(global_, (0, 0, -1))
        weight = F.sum(weights, axis=1)  # (batch, m): the sum over k of Eq. (11)
        weight = F.expand_dims(weight, axis=2 if self.feature_based else 1)
        return F.reshape_like(F.broadcast_mul(maps, 1 + weight), global_)
