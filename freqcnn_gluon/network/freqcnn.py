"""FreqCNN, the network of Fig. 4, built from a table's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import (
    BLOCKS,
    Architecture,
    AttentionRow,
    BlockRow,
    Conv,
    FCRow,
    check_size,
)
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.blocks import BasicBlock, ConvAndPool, ConvUnit, Dropout, Norm, activation
from freqcnn_gluon.network.inputs import Inputs

__all__ = ["FCHead", "FreqCNN"]


class FCHead(HybridBlock):
    """The table's last two rows: fc with its activation and dropout, then one logit per class.

    (batch, in_units) -> (batch, classes)

    The loss computes the softmax in training, and the caller computes it for predictions.

    Args:
        row: The fc row.
        in_units: Number of inputs.
        classes: Number of classes.
        norm: Settings of a BatchNorm before the activation; None leaves BatchNorm out.
    """

    def __init__(self, row: FCRow, in_units: int, classes: int, norm: Norm | None = None, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.fc = nn.HybridSequential()
            self.fc.add(nn.Dense(row.width, in_units=in_units))
            if norm:
                # With two axes, MXNet 1.9.1 crashes when it predicts after an epoch of training.
                self.fc.add(nn.HybridLambda(lambda F, x: F.reshape(x, (0, 0, 1, 1))))  # (batch, width, 1, 1)
                self.fc.add(norm.before_activation(row.width))
                self.fc.add(nn.Flatten())  # (batch, width)
            self.fc.add(activation(row.activation), Dropout(row.dropout))
            self.softmax = nn.Dense(classes, in_units=row.width)

    def hybrid_forward(self, F, x):
        return self.softmax(self.fc(x))


class FreqCNN(HybridBlock):
    """FreqCNN as a table describes it. The options are the paper's ablations and open points.

    (batch, 1, size, size) -> logits (batch, classes)

    Args:
        architecture: Table 2, 7 or 10, see ``architectures.architecture``.
        classes: Number of classes; the table's by default.
        size: Side of the spectrogram in pixels; the paper's by default.
        segments: n, the number of parts of each split. 0 is the global path alone (Table 4). A sequence gives
            one number per block, for small spectrograms whose last blocks have fewer rows than n.
        axis: Split along 'frequency' or 'time' (Table 5).
        local_only: Whether blocks have no global path (Table 4).
        attention_blocks: Number of attention-based blocks, counted from the last (Table 5: 0 to 3); the
            table's two by default. A block whose row has no attention layers takes those of the nearest block
            that has some.
        attention: 'feature' or 'spatial' (Table 5).
        local_activation: Activation f of Eq. (7); by default the table's (Table 9).
        global_activation: Activation g of Eq. (7); by default the table's (Table 9).
        conv_pool_activation: Activation of 'Conv. and pool' convolutions for which the table names none.
        batchnorm: Placement of BatchNorm, see ``blocks.Norm``.
        gamma: Initial scale of BatchNorm, see ``blocks.Norm``.
        fc_batchnorm: Whether the fc row has a BatchNorm before its activation.
        rendering: Colours of the spectrogram, see ``inputs.Inputs``.
        attention_input: The part of a_k in [p_i; a_k] (Eq. 9), see ``attention.AttentionBlock``.
        batchnorm_defaults: Settings of every BatchNorm, see ``blocks.Norm``.

    Raises:
        Faults: For a size that pooling and splits do not divide, and for unknown names.
    """

    def __init__(
        self,
        architecture: Architecture,
        classes: int | None = None,
        size: int | None = None,
        segments: int | Sequence[int] = 2,
        axis: str = "frequency",
        local_only: bool = False,
        attention_blocks: int | None = None,
        attention: str = "feature",
        local_activation: str | None = None,
        global_activation: str | None = None,
        conv_pool_activation: str = "tanh",
        batchnorm: str = "both",
        gamma: float = 0.1,
        fc_batchnorm: bool = False,
        rendering: str = "grey",
        attention_input: str = "flatten",
        batchnorm_defaults: str = "gluon",
        **kwargs,
    ):
        runtime.start()  # otherwise MXNet prints a line about its engine on stderr
        size = size or architecture.size
        parts = [segments] * BLOCKS if isinstance(segments, int) else list(segments)
        check_size(size, parts)
        norm = Norm(batchnorm, gamma, batchnorm_defaults)
        super().__init__(**kwargs)
        self.architecture = architecture
        self.size = size
        self.norm = norm
        blocks = _with_attention([block for block, _ in architecture.rows], attention_blocks)
        if local_only and any(block.attention for block in blocks):
            raise Faults("local_only leaves out the path that attention weights: set attention_blocks to 0")
        with self.name_scope():
            self.inputs = Inputs(size, rendering)
            channels = self.inputs.channels
            self.stages = nn.HybridSequential()
            for block, (_, pool), n in zip(blocks, architecture.rows, parts):
                block = _with_activations(block, local_activation, global_activation)
                if block.attention:
                    sides = (size, size)
                    self.stages.add(
                        AttentionBlock(block, channels, sides, n, axis, attention, norm, attention_input)
                    )
                else:
                    self.stages.add(BasicBlock(block, channels, n, axis, local_only, norm))
                pool = replace(pool, convs=tuple(_named(conv, conv_pool_activation) for conv in pool.convs))
                self.stages.add(ConvAndPool(pool, block.global_.channels, norm))
                channels = pool.convs[-1].channels
                size //= 2
            self.head = FCHead(
                architecture.fc, channels, classes or architecture.classes, norm if fc_batchnorm else None
            )

    def fold(self) -> None:
        """Fold every BatchNorm that can be folded, see ``ConvUnit.fold``; call it before ``hybridize``."""
        self.apply(lambda layer: layer.fold() if isinstance(layer, ConvUnit) else None)

    def hybrid_forward(self, F, x):
        return self.head(self.stages(self.inputs(x)))


def _with_attention(rows: list[BlockRow], count: int | None) -> list[BlockRow]:
    """Return the rows with attention on the last ``count`` blocks, or the table's own for None."""
    if count is None:
        return rows
    if not 0 <= count <= len(rows):
        raise Faults(f"attention_blocks must be 0 to {len(rows)}, not {count}")
    attended = [number for number, row in enumerate(rows) if row.attention]

    def attention(number: int) -> AttentionRow | None:
        if number < len(rows) - count:
            return None
        return rows[min(attended, key=lambda other: abs(other - number))].attention

    return [replace(row, attention=attention(number)) for number, row in enumerate(rows)]


def _with_activations(row: BlockRow, local: str | None, global_: str | None) -> BlockRow:
    return replace(
        row,
        local=replace(row.local, activation=local or row.local.activation),
        global_=replace(row.global_, activation=global_ or row.global_.activation),
    )


def _named(conv: Conv, activation: str) -> Conv:
    """Return ``conv`` with ``activation`` if the table names none."""
    return replace(conv, activation=conv.activation or activation)
