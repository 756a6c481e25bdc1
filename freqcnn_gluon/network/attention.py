"""The attention-based convolutional block (Sec. 4.2, Eqs. 9-11, Figs. 3, 7b and 8)."""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import AttentionRow, BlockRow
from freqcnn_gluon.network.blocks import BasicBlock, Norm, activation

__all__ = ["ATTENTIONS", "INPUTS", "Attention", "AttentionBlock"]

ATTENTIONS = ("feature", "spatial")
INPUTS = ("flatten", "pooled", "same")


class Attention(HybridBlock):
    """The weights h_i^(k) = g(W2 f(W1 [p_i; a_k] + b1) + b2) (Eq. 9), with as many layers as the table's row.

    parts (batch, m, P), local (batch, n, q, Q) -> weights (batch, n, m)

    All i and k share W1, W2, ... W1 is stored as two matrices, W1p and W1a, because
    W1 [p_i; a_k] = W1p p_i + W1a a_k. W1a a_k is then computed q times per sample and part, not m times.

    Args:
        row: The width and activation of each layer.
        part_length: P, the length of p_i.
        local_length: Q, the length of the vectors that represent a_k.
        places: (rows, bands, columns), whose product is m, if the q vectors are those of the rows and columns
            of one band and each band of the p_i takes them in turn; None if q is m, or 1 for all p_i.
    """

    def __init__(
        self,
        row: AttentionRow,
        part_length: int,
        local_length: int,
        places: tuple[int, int, int] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        (width, first), *others = row.layers
        self._places = places
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
        of_local = self.of_local(local)  # (batch, n, q, width)
        if self._places:
            rows, bands, columns = self._places
            of_parts = F.reshape(of_parts, (0, 0, rows, bands, columns, -1))
            of_local = F.reshape(of_local, (0, 0, rows, 1, columns, -1))
        hidden = self.first(F.broadcast_add(of_parts, of_local))  # (batch, n, m, width), m as in ``places``
        return F.reshape(self.others(hidden), (0, 0, -1))  # (batch, n, m)


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
        norm: Placement and settings of BatchNorm.
        attention_input: The part of a_k that [p_i; a_k] has (Eq. 9).
            'flatten': the whole a_k.
            'pooled': for feature-based attention its mean over the maps, for spatial-based its mean over the
            locations.
            'same': map i of a_k for feature-based attention. For spatial-based attention, the channel vector
            of a_k at the place within its part where location i lies within its own part: for a split
            along frequency, location (f, t) takes row f mod (freq / n) of each a_k. Eqs. (10) and (11) need a
            weight for each location and each part, and so each a_k has a vector for each location.

    Raises:
        Faults: For an unknown ``axis``, ``attention`` or ``attention_input``, no segments, a row whose last
            layer is not 1 wide, or 'same' with different numbers of local and global maps.
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
        attention_input: str = "flatten",
        **kwargs,
    ):
        if attention not in ATTENTIONS:
            raise Faults(f"there is no attention '{attention}': choose one of {', '.join(ATTENTIONS)}")
        if attention_input not in INPUTS:
            raise Faults(
                f"there is no attention input '{attention_input}': choose one of {', '.join(INPUTS)}"
            )
        if not segments:
            raise Faults("an attention block needs local parts: set segments to 1 or more")
        if row.attention is None or row.attention.layers[-1][0] != 1:
            raise Faults("an attention block's row must end with a layer of width 1, which is the weight")
        if attention_input == "same" and row.local.channels != row.global_.channels:
            raise Faults(
                f"attention_input=same needs as many local as global maps, not {row.local.channels} and "
                f"{row.global_.channels}: choose flatten or pooled"
            )
        super().__init__(row, in_channels, segments, axis, norm=norm, **kwargs)
        self.feature_based = attention == "feature"
        self.split_along = axis
        self._input = attention_input
        (freq, time), channels = size, row.local.channels
        locations = freq * time // segments  # of a part
        length, self._pooled = (locations, channels) if self.feature_based else (channels, locations)
        places = None
        if attention_input == "same" and not self.feature_based:
            along_frequency = 1, segments, freq // segments * time
            places = along_frequency if axis == "frequency" else (freq, segments, time // segments)
        with self.name_scope():
            self.attention = Attention(
                row.attention,
                part_length=freq * time if self.feature_based else row.global_.channels,
                local_length=channels * locations if attention_input == "flatten" else length,
                places=places,
            )

    def attend(self, F, x):
        """Return A^g (batch, channels, freq, time) and its weights h (batch, n, m) of Eq. (11)."""
        global_ = self.global_(x)  # (batch, channels, freq, time)
        vectors = [self._vectors(F, a) for a in self.local_features(F, x)]  # n of (batch, q, Q)
        local = F.stack(*vectors, axis=1)  # (batch, n, q, Q)
        maps = F.reshape(global_, (0, 0, -1))  # (batch, channels, freq * time)
        parts = maps if self.feature_based else F.transpose(maps, (0, 2, 1))  # (batch, m, P)
        return global_, self.attention(parts, local)

    def _vectors(self, F, a):
        """Return the vectors (batch, q, Q) for Eq. (9) of a_k (batch, channels, freq / n, time)."""
        if self._input == "flatten":
            return F.reshape(a, (0, 1, -1))  # (batch, 1, channels * freq / n * time)
        maps = F.reshape(a, (0, 0, -1))  # (batch, channels, freq / n * time)
        if self._input == "pooled":
            # The checker of ONNX refuses what MXNet writes for F.mean.
            mean = F.sum(maps, axis=1 if self.feature_based else 2) / self._pooled
            return F.expand_dims(mean, axis=1)  # (batch, 1, freq / n * time) or (batch, 1, channels)
        return maps if self.feature_based else F.transpose(maps, (0, 2, 1))

    def hybrid_forward(self, F, x):
        global_, weights = self.attend(F, x)  # (batch, channels, freq, time), (batch, n, m)
        maps = F.reshape(global_, (0, 0, -1))  # (batch, channels, freq * time)
        weight = F.sum(weights, axis=1)  # (batch, m): the sum over k of Eq. (11)
        weight = F.expand_dims(weight, axis=2 if self.feature_based else 1)  # (batch, m, 1) or (batch, 1, m)
        return F.reshape_like(F.broadcast_mul(maps, 1 + weight), global_)  # (batch, channels, freq, time)
