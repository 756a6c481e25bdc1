"""`freqcnn describe`: print an architecture."""

from __future__ import annotations

import argparse

from data_prep.base.commands import natural, positive
from freqcnn_gluon.own.commands.parser import Commands, add_command


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "describe",
        run,
        "print an architecture as the rows of its table",
        "Each row has the layer's output shape and its number of parameters.",
        "table7 --size 64 --segments 4",
    )
    command.add_argument("architecture", help="table2, table7 or table10")
    command.add_argument("--classes", type=positive, help="number of classes (default: the paper's)")
    command.add_argument(
        "--size", type=positive, help="side of the spectrogram in pixels (default: the paper's)"
    )
    command.add_argument(
        "--segments", type=natural, default=2, help="number of parts of each split, n (default: 2)"
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.network.architectures import architecture
    from freqcnn_gluon.network.describe import describe, parameter_count
    from freqcnn_gluon.network.freqcnn import FreqCNN
    from freqcnn_gluon.own.output import table

    chosen = architecture(options.architecture)
    net = FreqCNN(chosen, classes=options.classes, size=options.size, segments=options.segments)
    rows = describe(net)
    rows["Parameters"] = rows["Parameters"].map("{:,}".format)
    print(f"FreqCNN for {chosen.title}; input 1 × {net.size} × {net.size} (channels × frequency × time)\n")
    print(table(rows))
    print(f"\n{parameter_count(net):,} parameters")
