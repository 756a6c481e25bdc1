"""Build the commands' parsers: help with examples, and the options that several commands have."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from data_prep.base.commands import positive
from data_prep.base.faults import Faults

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
PROGRAM = "freqcnn" if Path(sys.argv[0]).name == "freqcnn" else "python -m freqcnn_gluon"
WIDTH = 78  # characters of a line of a command's description, as argparse has in a terminal of 80


class Parser(argparse.ArgumentParser):
    """A parser whose errors explain how to name a file that begins with a hyphen."""

    words: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):
        self.words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        if file := next((word for word in self.words if word[0:1] == "-" and Path(word).is_file()), None):
            message += f" ({file} is a file: write ./{file}, or -- before it)"
        super().error(message)


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    details: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add a command.

    Args:
        commands: The program's subparsers.
        name: The command's name.
        run: Runs the command with its options and returns the exit code, None for 0.
        summary: One line for the program's help, in lower case.
        details: More sentences for the command's own help, with a blank line between paragraphs.
        examples: Arguments of example calls.
    """
    paragraphs = f"{summary[0].upper()}{summary[1:]}. {details}".split("\n\n")
    command = commands.add_parser(
        name,
        help=summary,
        description="\n\n".join(
            textwrap.fill(paragraph, WIDTH, break_on_hyphens=False) for paragraph in paragraphs
        ),
        epilog="\n  ".join(["examples:", *(f"{PROGRAM} {name} {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def check_folder(path: Path, purpose: str) -> None:
    """Raise Faults if ``path``, the folder for a ``purpose`` such as 'the model', is a file."""
    if path.exists() and not path.is_dir():
        raise Faults(f"{path}: is a file, not a folder; name a new folder for {purpose}")


def add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device", default="auto", help="auto, cpu, gpu, or numbers as in gpu:0 (default: auto)"
    )


def add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs", type=positive, help="number of processes that read audio (default: one per core)"
    )
