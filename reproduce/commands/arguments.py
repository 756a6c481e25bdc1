"""The arguments that several commands of ``python -m reproduce`` share."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.commands import positive
from reproduce.options import COMPARABLE, OWN, PROFILES, STEPS, VARIANTS, Comparison, Options

if TYPE_CHECKING:  # argparse has no public name for this type.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = [
    "AUDIO_JOBS",
    "COMMAND",
    "add_command",
    "add_comparison",
    "add_corpora",
    "add_data",
    "add_numbers",
    "add_options",
    "add_results",
    "comparison_of",
    "options_of",
    "roots_of",
]

COMMAND = "python -m reproduce"
AUDIO_JOBS = "number of processes that prepare audio (default: one for each core)"
RUN_JOBS = (
    "number of processes that prepare audio (default: one for each core), and number of runs at a time, "
    "which share cores, memory and devices (default: one on GPUs; on a CPU, as many as there are cores)"
)


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    details: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add a command. Its help shows ``summary`` and ``details``; the list of commands shows ``summary``."""
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{textwrap.fill(details, 79)}",
        epilog="\n  ".join(["examples:", *(f"{COMMAND} {name} {example}".rstrip() for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_numbers(command: argparse.ArgumentParser, tables: str) -> None:
    command.add_argument(
        "numbers",
        type=positive,
        nargs="*",
        metavar="N",
        help=f"number of a table: {tables} (default: all of them)",
    )


def add_results(command: argparse.ArgumentParser, default: str = "results") -> None:
    command.add_argument(
        "--results",
        type=Path,
        default=Path(default),
        metavar="DIR",
        help="folder of reports and tables (default: %(default)s)",
    )


def add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of prepared data: manifests, spectrograms, stand-ins (default: %(default)s)",
    )


def add_corpora(command: argparse.ArgumentParser, jobs: str) -> None:
    for name in ("UT-Podcast", "CHAINS", "eNTERFACE"):
        command.add_argument(
            f"--{name.lower()}",
            type=Path,
            metavar="DIR",
            help=f"folder of {name} (default: a stand-in of synthesised speech)",
        )
    _add_jobs(command, jobs)
    add_data(command)


def _add_jobs(command: argparse.ArgumentParser, help: str) -> None:
    command.add_argument("--jobs", type=positive, metavar="N", help=help)


def add_options(command: argparse.ArgumentParser, profile: str | None = None) -> None:
    """Add the options of the paper's tables; ``profile`` is the default profile."""
    add_corpora(command, RUN_JOBS)
    default = profile or "paper with a corpus, quick with a stand-in"
    command.add_argument(
        "--profile",
        choices=PROFILES,
        default=profile,
        help="paper: the paper's sizes and epochs; quick: small spectrograms and few epochs "
        f"(default: {default})",
    )
    command.add_argument(
        "--no-check-counts",
        action="store_true",
        help="accept a corpus whose numbers of clips differ from the paper's",
    )
    _add_runs(command)


def add_comparison(command: argparse.ArgumentParser) -> None:
    """Add the options of ``compare``."""
    command.add_argument(
        "speech",
        type=Path,
        metavar="SPEECH",
        help="labelled recordings: a folder with a folder for each label, or a CSV file with the columns "
        "path and label and, optionally, speaker, text, fold, start and stop; relative paths begin at the "
        "folder of the CSV file",
    )
    command.add_argument(
        "--systems",
        nargs="+",
        choices=COMPARABLE,
        default=Comparison.systems,
        metavar="NAME",
        help=f"the systems, from {', '.join(COMPARABLE)} (default: all but {', '.join(VARIANTS)}, which are "
        "FreqCNN without attention, without attention and local paths, and with local paths along time)",
    )
    command.add_argument(
        "--hold-out",
        metavar="WHAT",
        help="what is never in both training and test: speaker, text or clip; or fold, for the folds in the "
        "CSV's column fold (default: fold if there is such a column; otherwise speaker, text if the labels "
        "are the speakers, or clip if no speakers or texts are named)",
    )
    command.add_argument(
        "--folds",
        type=positive,
        default=Comparison.folds,
        metavar="N",
        help="number of folds (default: %(default)s)",
    )
    _add_networks(command)
    _add_jobs(command, RUN_JOBS)
    add_data(command)
    _add_runs(command)


def _add_networks(command: argparse.ArgumentParser) -> None:
    """Add the architecture and the sizes of the networks that ``compare`` trains."""
    command.add_argument(
        "--architecture",
        choices=("table2", "table7", "table10"),
        default=Comparison.architecture,
        help="FreqCNN's architecture: for accents, speakers or emotions (default: %(default)s)",
    )
    command.add_argument(
        "--size",
        type=positive,
        default=Comparison.size,
        metavar="N",
        help="side of the networks' spectrograms in pixels (default: %(default)s)",
    )
    command.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help=f"epochs of the networks (default: {Comparison.LEAST_EPOCHS}, or more if {STEPS} steps need "
        "more)",
    )
    command.add_argument(
        "--batch-size",
        type=positive,
        default=Comparison.batch_size,
        metavar="N",
        help="clips for each training step of the networks (default: %(default)s)",
    )


def _add_runs(command: argparse.ArgumentParser) -> None:
    """Add how runs are executed, and the choices among the assumptions."""
    command.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="trainings of each row, with the seeds 0 to N - 1 (default: %(default)s)",
    )
    command.add_argument(
        "--device", default="auto", help="auto, cpu, gpu, or several as in gpu:0,1 (default: %(default)s)"
    )
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler whose workers execute the runs, as in tcp://head:8786. Start the "
        "workers in this folder with --nthreads 1; --data and --results must be the same folders for them",
    )
    command.add_argument(
        "--dtype",
        default="float32",
        help="type of the convolutions; bfloat16 needs a CPU with AVX-512 (default: %(default)s)",
    )
    command.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="ID=VALUE",
        help="override a choice in assumptions.toml; may be repeated",
    )
    add_results(command)


def roots_of(options: argparse.Namespace) -> dict[str, Path | None]:
    return {"ut_podcast": options.ut_podcast, "chains": options.chains, "enterface": options.enterface}


def options_of(options: argparse.Namespace) -> Options:
    """Return the options of a command on the paper's tables."""
    return replace(
        _runs_of(options),
        roots=roots_of(options),
        profile=options.profile,
        check_counts=not options.no_check_counts,
    )


def comparison_of(options: argparse.Namespace) -> tuple[Options, Comparison]:
    """Return the options of ``compare``: those that it shares with the tables, and its own."""
    of_runs = replace(_runs_of(options), roots={OWN: options.speech}, profile=OWN)
    return of_runs, Comparison(
        options.systems,
        options.hold_out,
        options.folds,
        options.architecture,
        options.size,
        options.batch_size,
        options.epochs,
    )


def _runs_of(options: argparse.Namespace) -> Options:
    return Options(
        roots={},
        seeds=options.seeds,
        device=options.device,
        dtype=options.dtype,
        jobs=options.jobs,
        scheduler=options.scheduler,
        assume=options.assume,
        data=options.data,
        results=options.results,
    )
