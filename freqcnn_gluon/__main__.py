"""``python -m freqcnn_gluon``: the network from the command line."""

from __future__ import annotations

import argparse

from data_prep.faults import told_plainly


@told_plainly
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m freqcnn_gluon", description="FreqCNN as a network: look at it layer for layer."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "describe",
        help="print an architecture in its table's own rows",
        description="Print an architecture in its table's own rows, with output shapes and parameter counts.",
        epilog="example: python -m freqcnn_gluon describe table7 --size 64 --segments 4",
    )
    command.add_argument("architecture", help="table2, table7 or table10")
    command.add_argument("--classes", type=int, help="width of the softmax (default: the paper's)")
    command.add_argument("--size", type=int, help="side of the spectrogram in pixels (default: the paper's)")
    command.add_argument("--segments", type=int, default=2, help="parts of each split, n (default: 2)")
    command.set_defaults(run=_describe)
    options = parser.parse_args(arguments)
    options.run(options)


def _describe(options: argparse.Namespace) -> None:
    from .architectures import architecture
    from .describe import describe, parameter_count
    from .network import FreqCNN

    table = architecture(options.architecture)
    net = FreqCNN(table, classes=options.classes, size=options.size, segments=options.segments)
    rows = describe(net)
    rows["Parameters"] = rows["Parameters"].map("{:,}".format)
    print(f"FreqCNN for {table.title}; input 1 × {net.size} × {net.size} (channels × frequency × time)\n")
    print(_text(rows))
    print(f"\n{parameter_count(net):,} parameters")


def _text(rows) -> str:
    """A plain table, left-aligned but for the numbers."""
    lines = [list(rows.columns), *rows.astype(str).values.tolist()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == len(widths) - 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    raise SystemExit(main())
