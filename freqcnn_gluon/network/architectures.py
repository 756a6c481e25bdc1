"""The architectures of Tables 2, 7 and 10 as data, row for row.

The printed tables' columns are shifted: the convolution of a 'Conv. and pool' row stands under 'Global
convolution', but it applies to the whole block's output, as Fig. 4 and Sec. 5 show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.base.faults import Faults

__all__ = [
    "Architecture",
    "AttentionRow",
    "BlockRow",
    "Conv",
    "PoolRow",
    "FCRow",
    "architecture",
    "ARCHITECTURES",
    "BLOCKS",
    "check_size",
]

BLOCKS = 5  # in every table


@dataclass(frozen=True)
class Conv:
    """A cell such as '64, 5 × 5/1, sigmoid'.

    Attributes:
        channels: Number of output channels.
        kernel: Side of the square kernel.
        activation: Name of the activation, empty where the table names none.
        stride: Stride along both axes.
    """

    channels: int
    kernel: int
    activation: str = ""
    stride: int = 1


@dataclass(frozen=True)
class AttentionRow:
    """A row such as 'fc: 512, tanh; 256, tanh; 1, sigmoid': (width, activation) of each layer of Eq. (9)."""

    layers: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class BlockRow:
    """A 'Basic block' row, or with ``attention`` an 'Attention-based block' row, with its two cells."""

    local: Conv
    global_: Conv
    attention: AttentionRow | None = None

    global_convolutions = 2  # 'two convolutional layers for global features extraction' (Sec. 5.1)


@dataclass(frozen=True)
class PoolRow:
    """A 'Conv. and pool' row; ``pool`` is 'max' (2 × 2, stride 2) or 'avg' (global)."""

    convs: tuple[Conv, ...]
    pool: str = "max"
    dropout: float = 0.0


@dataclass(frozen=True)
class FCRow:
    """A row such as 'fc 512, relu, dropout 0.5'."""

    width: int
    activation: str
    dropout: float


@dataclass(frozen=True)
class Architecture:
    """One table: five blocks, each followed by its 'Conv. and pool' row, then the fc row.

    Attributes:
        name: 'table2', 'table7' or 'table10'.
        title: The task and the table.
        size: Side of the square spectrogram in pixels.
        batch_size: The paper's batch size for this task (Secs. 5.1 to 5.3).
        classes: The task's number of classes.
        rows: The five blocks with their 'Conv. and pool' rows.
        fc: The fc row.
    """

    name: str
    title: str
    size: int
    batch_size: int
    classes: int
    rows: tuple[tuple[BlockRow, PoolRow], ...]
    fc: FCRow


def _attention(*layers: tuple[int, str]) -> AttentionRow:
    return AttentionRow(layers)


_TABLE_2 = Architecture(
    name="table2",
    title="accent classification on the UT-Podcast (Table 2)",
    size=256,
    batch_size=48,
    classes=3,
    rows=(
        (BlockRow(Conv(64, 5, "sigmoid"), Conv(64, 5, "tanh")), PoolRow((Conv(64, 7),))),
        (BlockRow(Conv(64, 5, "sigmoid"), Conv(64, 5, "tanh")), PoolRow((Conv(96, 7),))),
        (BlockRow(Conv(96, 5, "sigmoid"), Conv(96, 5, "tanh")), PoolRow((Conv(128, 7),), dropout=0.2)),
        (
            BlockRow(
                Conv(128, 5, "sigmoid"),
                Conv(128, 3, "tanh"),
                _attention((512, "tanh"), (256, "tanh"), (1, "sigmoid")),
            ),
            PoolRow((Conv(256, 5),), dropout=0.2),
        ),
        (
            BlockRow(
                Conv(256, 3, "sigmoid"), Conv(256, 3, "tanh"), _attention((256, "tanh"), (1, "sigmoid"))
            ),
            PoolRow((Conv(256, 5, "tanh", 2), Conv(512, 5, "tanh", 2)), pool="avg", dropout=0.5),
        ),
    ),
    fc=FCRow(512, "relu", 0.5),
)

_TABLE_7 = Architecture(
    name="table7",
    title="speaker identification on the CHAINS (Table 7)",
    size=224,
    batch_size=128,
    classes=36,
    rows=(
        (BlockRow(Conv(32, 5, "sigmoid"), Conv(32, 5, "sigmoid")), PoolRow((Conv(32, 7),))),
        (BlockRow(Conv(32, 5, "sigmoid"), Conv(32, 5, "sigmoid")), PoolRow((Conv(32, 7),))),
        (BlockRow(Conv(64, 5, "sigmoid"), Conv(64, 5, "sigmoid")), PoolRow((Conv(64, 7),), dropout=0.2)),
        (
            BlockRow(
                Conv(96, 5, "sigmoid"),
                Conv(96, 3, "sigmoid"),
                _attention((256, "tanh"), (128, "tanh"), (1, "sigmoid")),
            ),
            PoolRow((Conv(256, 5),), dropout=0.2),
        ),
        (
            BlockRow(
                Conv(128, 3, "sigmoid"), Conv(128, 3, "sigmoid"), _attention((128, "tanh"), (1, "sigmoid"))
            ),
            PoolRow((Conv(256, 5, "tanh", 2),), pool="avg", dropout=0.5),
        ),
    ),
    fc=FCRow(128, "relu", 0.5),
)

_TABLE_10 = Architecture(
    name="table10",
    title="speech emotion recognition on the eNTERFACE (Table 10)",
    size=224,
    batch_size=48,
    classes=6,
    rows=(
        (BlockRow(Conv(64, 5, "sigmoid"), Conv(64, 5, "tanh")), PoolRow((Conv(96, 7),))),
        (BlockRow(Conv(96, 5, "sigmoid"), Conv(96, 5, "tanh")), PoolRow((Conv(128, 7),))),
        (BlockRow(Conv(128, 5, "sigmoid"), Conv(128, 5, "tanh")), PoolRow((Conv(128, 7),), dropout=0.2)),
        (
            BlockRow(
                Conv(256, 5, "sigmoid"),
                Conv(256, 3, "tanh"),
                _attention((256, "tanh"), (128, "tanh"), (1, "sigmoid")),
            ),
            PoolRow((Conv(256, 5),), dropout=0.2),
        ),
        (
            BlockRow(
                Conv(256, 5, "sigmoid"), Conv(256, 3, "tanh"), _attention((256, "tanh"), (1, "sigmoid"))
            ),
            PoolRow((Conv(512, 5, "tanh", 2), Conv(512, 5, "tanh", 2)), pool="avg", dropout=0.5),
        ),
    ),
    fc=FCRow(512, "relu", 0.5),
)

ARCHITECTURES = {table.name: table for table in (_TABLE_2, _TABLE_7, _TABLE_10)}


def architecture(name: str) -> Architecture:
    """Return the architecture of 'table2', 'table7' or 'table10'; Faults lists these for another name."""
    if name not in ARCHITECTURES:
        raise Faults(f"there is no architecture '{name}': choose one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def check_size(size: int, parts: Sequence[int] = (2,) * BLOCKS) -> None:
    """Raise Faults unless each block's input halves evenly and divides into equal parts.

    Args:
        size: Side of the spectrogram in pixels.
        parts: Number of parts of each block's split; 0 for a block without a local path.
    """
    if len(parts) != BLOCKS:
        raise Faults(f"segments must be one number or one for each of the {BLOCKS} blocks, not {len(parts)}")
    sizes = [size / 2**number for number in range(BLOCKS)]  # each block's pooling halves its input
    if any(side != int(side) or (n and side % n) for side, n in zip(sizes, parts)):
        step = math.lcm(*(max(n, 1) << number for number, n in enumerate(parts)), 1 << (BLOCKS - 1))
        counts = ", ".join(map(str, dict.fromkeys(max(n, 1) for n in parts)))
        raise Faults(
            f"a spectrogram of {size} x {size} reaches the {BLOCKS} blocks as "
            f"{', '.join(f'{side:g}' for side in sizes)} rows, which do not all divide into "
            f"{counts} equal parts: use a multiple of {step}"
        )
