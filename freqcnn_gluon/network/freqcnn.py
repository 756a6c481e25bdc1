"""FreqCNN: the network of Fig. 4 from a table's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import (
    BLOCKS,
    Architecture,
    AttentionRow,
    BlockRow,
    FCRow,
    check_size,
)
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.blocks import BasicBlock, ConvAndPool, ConvUnit, Norm, activation

__all__ = ["FCHead", "FreqCNN"]


class FCHead(HybridBlock):
    """The last two rows: fc with its activation and dropout, then a logit for each class. With a ``norm``
    there is a BatchNorm before the activation.

    (batch, in_units) -> (batch, classes). The softmax is the loss's (training) or the caller's
    (prediction).
    """

    def __init__(self, row: FCRow, in_units: int, classes: int, norm: Norm | None = None, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.fc = nn.HybridSequential()
            self.fc.add(nn.Dense(row.width, in_units=in_units))
            if norm:
                # As four axes: with two, MXNet 1.9.1 dies predicting after an epoch of training.
                self.fc.add(nn.HybridLambda(lambda F, x: F.reshape(x, (0, 0, 1, 1))))
                start = mx.init.Constant(norm.gamma)
                self.fc.add(nn.BatchNorm(in_channels=row.width, gamma_initializer=start))
                self.fc.add(nn.Flatten())
            self.fc.add(activation(row.activation), nn.Dropout(row.dropout))
            self.softmax = nn.Dense(classes, in_units=row.width)

    def hybrid_forward(self, F, x):
        return self.softmax(self.fc(x))


class FreqCNN(HybridBlock):
    """FreqCNN as a table states it; the keyword arguments are the paper's ablations and open points.

    (batch, 1, size, size) -> (batch, classes) logits.

    :param architecture: Table 2, 7 or 10, see ``architectures.architecture``.
    :param classes: width of the softmax; the table's own by default.
    :param size: side of the spectrogram in pixels; the paper's by default.
    :param segments: n, the parts of each split; 0 is the global path alone (Table 4). Or one number a
        block, where small spectrograms leave the last blocks fewer rows than n.
    :param axis: split along 'frequency' or 'time' (Table 5).
    :param local_only: no global path (Table 4).
    :param attention_blocks: how many of the last blocks are attention-based (Table 5: 0-3); the
        table's two by default. A block to which the table gives no fc row takes the fc row of the
        nearest block that has one.
    :param attention: 'feature' or 'spatial' (Table 5).
    :param local_activation, global_activation: f and g of Eq. (7) in place of the table's (Table 9).
    :param conv_pool_activation: activation of the 'Conv. and pool' convolutions where the table
        names none.
    :param batchnorm, gamma: placement and initial scale of BatchNorm, see ``blocks.Norm``; the placement
        'section' is the one that the architecture's section of the paper states.
    :param fc_batchnorm: BatchNorm before the fc row's activation too.

    Raises Faults for a size that the pooling and the splits do not divide, and for unknown names.
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
        batchnorm: str = "section",
        gamma: float = 0.1,
        fc_batchnorm: bool = False,
        **kwargs,
    ):
        runtime.start()  # or the engine would, with a line, at the end of what only looks at a network
        size = size or architecture.size
        parts = [segments] * BLOCKS if isinstance(segments, int) else list(segments)
        check_size(size, parts)
        norm = Norm(architecture.batchnorm if batchnorm == "section" else batchnorm, gamma)
        super().__init__(**kwargs)
        self.architecture = architecture
        self.size = size
        self.norm = norm
        rows = _with_attention([row for row, _ in architecture.rows], attention_blocks)
        channels = 1
        with self.name_scope():
            self.stages = nn.HybridSequential()
            for row, (_, pool), n in zip(rows, architecture.rows, parts):
                row = replace(
                    row,
                    local=replace(row.local, activation=local_activation or row.local.activation),
                    global_=replace(row.global_, activation=global_activation or row.global_.activation),
                )
                common = dict(segments=n, axis=axis, norm=norm)
                if row.attention:
                    if local_only:
                        raise Faults(
                            "attention reweights the global path: local only needs attention_blocks 0"
                        )
                    block = AttentionBlock(row, channels, (size, size), attention=attention, **common)
                else:
                    block = BasicBlock(row, channels, local_only=local_only, **common)
                pool = replace(
                    pool,
                    convs=tuple(
                        replace(conv, activation=conv.activation or conv_pool_activation)
                        for conv in pool.convs
                    ),
                )
                self.stages.add(block, ConvAndPool(pool, row.global_.channels, norm))
                channels = pool.convs[-1].channels
                size //= 2
            self.head = FCHead(
                architecture.fc, channels, classes or architecture.classes, norm if fc_batchnorm else None
            )

    def fold(self) -> None:
        """Fold every BatchNorm that can be, see ``ConvUnit.fold``; before hybridizing, and for good."""
        self.apply(lambda layer: layer.fold() if isinstance(layer, ConvUnit) else None)

    def hybrid_forward(self, F, x):
        return self.head(self.stages(x))


def _with_attention(rows: list[BlockRow], count: int | None) -> list[BlockRow]:
    """The rows with attention on the last ``count`` blocks."""
    if count is None:
        return rows
    if not 0 <= count <= len(rows):
        raise Faults(f"attention_blocks must be 0 to {len(rows)}, not {count}")
    given = [number for number, row in enumerate(rows) if row.attention]

    def attention(number: int) -> AttentionRow | None:
        if number < len(rows) - count:
            return None
        return rows[min(given, key=lambda other: abs(other - number))].attention

    return [replace(row, attention=attention(number)) for number, row in enumerate(rows)]
