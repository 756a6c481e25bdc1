"""``python -m reproduce``: make the paper's tables, from corpus folder to rendered result, and check them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.commands import natural, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults
from reproduce.options import PROFILES, Options

if TYPE_CHECKING:  # argparse has no public name for this type.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

COMMAND = "python -m reproduce"
AUDIO_JOBS = "number of processes that prepare audio (default: one for each core)"
RUN_JOBS = (
    "number of processes that prepare audio (default: one for each core), and number of runs at a time, "
    "which share cores, memory and devices (default: one)"
)


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run its command."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Make and check the tables of the FreqCNN paper, with our numbers beside the paper's.",
        epilog="examples:\n"
        "  python -m reproduce table 3\n"
        "  python -m reproduce table 3 --ut-podcast /data/UT-Podcast --seeds 3\n"
        "examples of one command: python -m reproduce table --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_table(commands)
    _add_sensitivity(commands)
    _add_plan(commands)
    _add_report(commands)
    _add_audit(commands)
    _add_assumptions(commands)
    _add_verify(commands)
    _add_reference(commands)
    options = parser.parse_args(arguments)
    options.run(options)


def _add_command(
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


def _add_numbers(command: argparse.ArgumentParser, tables: str) -> None:
    command.add_argument(
        "numbers",
        type=int,
        nargs="*",
        metavar="N",
        help=f"number of a table: {tables} (default: all of them)",
    )


def _add_results(command: argparse.ArgumentParser, default: str = "results") -> None:
    command.add_argument(
        "--results",
        type=Path,
        default=Path(default),
        metavar="DIR",
        help="folder of reports and tables (default: %(default)s)",
    )


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of prepared data: manifests, spectrograms, stand-ins (default: %(default)s)",
    )


def _add_corpora(command: argparse.ArgumentParser, jobs: str) -> None:
    for name in ("UT-Podcast", "CHAINS", "eNTERFACE"):
        command.add_argument(
            f"--{name.lower()}",
            type=Path,
            metavar="DIR",
            help=f"folder of {name} (default: a stand-in of synthesised speech)",
        )
    command.add_argument("--jobs", type=positive, metavar="N", help=jobs)
    _add_data(command)


def _add_options(command: argparse.ArgumentParser, profile: str | None = None) -> None:
    """Add the options of the runs; ``profile`` is the default profile."""
    _add_corpora(command, RUN_JOBS)
    default = profile or "paper with a corpus, quick with a stand-in"
    command.add_argument(
        "--profile",
        choices=PROFILES,
        default=profile,
        help="paper: the paper's sizes and epochs; quick: small spectrograms and few epochs "
        f"(default: {default})",
    )
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
        "--no-check-counts",
        action="store_true",
        help="accept a corpus whose numbers of clips differ from the paper's",
    )
    command.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="ID=VALUE",
        help="override a choice in assumptions.toml; may be repeated",
    )
    _add_results(command)


def _roots(options: argparse.Namespace) -> dict[str, Path | None]:
    return {"ut_podcast": options.ut_podcast, "chains": options.chains, "enterface": options.enterface}


def _options(options: argparse.Namespace) -> Options:
    return Options(
        roots=_roots(options),
        profile=options.profile,
        seeds=options.seeds,
        device=options.device,
        dtype=options.dtype,
        jobs=options.jobs,
        scheduler=options.scheduler,
        check_counts=not options.no_check_counts,
        assume=options.assume,
        data=options.data,
        results=options.results,
    )


def _add_table(commands: Commands) -> None:
    command = _add_command(
        commands,
        "table",
        _table,
        "train and evaluate the systems of a table, and print the table",
        "Tables 3, 4, 5, 8, 9, 11 and 12 show results: systems are trained and evaluated. Tables 1 and 6 "
        "count the clips of a corpus. Tables 2, 7 and 10 describe the networks. Tables share their common "
        "runs. After an interruption the same command resumes.",
        "3",
        "3 --ut-podcast /data/UT-Podcast --seeds 3 --device gpu:0",
        '8 9 --jobs 2 --assume "schedule=step"',
    )
    _add_numbers(command, "1 to 12")
    _add_options(command)


def _table(options: argparse.Namespace) -> None:
    from reproduce.assumptions import choices, shared
    from reproduce.commands.table import produce
    from reproduce.tables import TABLES, check_numbers

    numbers = check_numbers(options.numbers or tuple(TABLES))
    general = _options(options)
    assumed = {number: shared(general.assume, number, numbers) for number in numbers}
    for number in numbers:  # Otherwise a wrong choice for the last table would be reported hours later.
        choices(number, assumed[number])
    for number in numbers:
        with resumable(options.results):
            page = produce(number, replace(general, assume=assumed[number]))
        print(page)


def _add_sensitivity(commands: Commands) -> None:
    command = _add_command(
        commands,
        "sensitivity",
        _sensitivity,
        "measure the effect of each assumption on a table",
        "Train the table's claimed system with each alternative of each assumption, one at a time. Print how "
        "much each result differs from that with the choices of assumptions.toml.",
        "3 --seeds 3",
        "3 --together attention_input --together gamma",
    )
    command.add_argument("number", type=int, metavar="N", help="number of the table: 3, 4, 5, 8, 9, 11 or 12")
    help = "also run all combinations of this assumption and the others that are given so; may be repeated"
    command.add_argument("--together", action="append", default=[], metavar="ID", help=help)
    _add_options(command)


def _sensitivity(options: argparse.Namespace) -> None:
    from reproduce.commands.sensitivity import sensitivity
    from reproduce.tables import trained

    with resumable(options.results):
        page = sensitivity(trained(options.number), _options(options), options.together)
    print(page)


def _add_plan(commands: Commands) -> None:
    command = _add_command(
        commands,
        "plan",
        _plan,
        "estimate the cost of tables before anything starts",
        "It prints the number of runs, hours on this machine, memory, disk, and hours on GPUs. It takes "
        "about a minute, because a few samples of each network are timed. The clips of a corpus are "
        "listed, but not read. Without the corpus's folder, the paper's counts are used.",
        "",
        "3 8 --gpu A100 --gpus 4",
    )
    _add_numbers(command, "3, 4, 5, 8, 9, 11 or 12")
    _add_options(command, profile="paper")
    command.add_argument(
        "--gpu",
        choices=("T4", "V100", "A100"),
        default="V100",
        help="kind of GPU for the estimate (default: %(default)s)",
    )
    command.add_argument(
        "--gpus", type=positive, default=1, metavar="N", help="number of GPUs (default: %(default)s)"
    )


def _plan(options: argparse.Namespace) -> None:
    from reproduce.commands.plan import plan
    from reproduce.tables import TRAINED, trained

    tables = [trained(number) for number in options.numbers or TRAINED]
    print(plan(tables, _options(options), options.gpu, options.gpus))


def _add_report(commands: Commands) -> None:
    command = _add_command(
        commands,
        "report",
        _report,
        "write all results on one page for a browser",
        "The page is index.html in the folder of results. It has every table with its intervals and "
        "verdicts, training curves, confusion matrices, runs, the audit and the assumptions. It needs no "
        "network connection. Spectrograms and attention are shown if prepared data and weights are on "
        "disk.",
        "",
        "--results results/reference",
    )
    _add_results(command)
    _add_data(command)


def _report(options: argparse.Namespace) -> None:
    from reproduce.page.page import report

    path = report(options.results, options.data)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open {path.resolve().as_uri()} in a browser")


def _add_audit(commands: Commands) -> None:
    command = _add_command(
        commands,
        "audit",
        _audit,
        "check the paper's numbers against each other",
        "The checks use exact arithmetic. They need no corpus and no training. The findings are also "
        "written to audit.md and audit.csv in the folder of results.",
        "",
    )
    _add_results(command)


def _audit(options: argparse.Namespace) -> None:
    from reproduce.paper.audit import audit, write

    print(write(audit(), options.results / "audit"))


def _add_assumptions(commands: Commands) -> None:
    _add_command(
        commands,
        "assumptions",
        _assumptions,
        "print the points that the paper leaves open, with our choices",
        "For each assumption, print its tables, choice, alternatives and reason.",
        "",
    )


def _assumptions(options: argparse.Namespace) -> None:
    from reproduce.assumptions import markdown

    print(markdown())


def _add_verify(commands: Commands) -> None:
    command = _add_command(
        commands,
        "verify",
        _verify,
        "rerun committed results and compare",
        "Runs are repeated in a temporary folder, and their history, metrics and predictions are compared "
        "with the reports. On the machine of a report and with its versions, they must match byte for "
        "byte. If they do not, the exit code is 1. On other machines the command reports the differences.",
        "",
        "--sample 5 --seed 1",
    )
    _add_results(command, "results/reference")
    command.add_argument(
        "--sample",
        type=positive,
        default=3,
        metavar="N",
        help="number of runs, drawn from those that took up to a minute (default: %(default)s)",
    )
    command.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="seed of the draw (default: %(default)s)"
    )
    command.add_argument("--all", action="store_true", help="rerun all runs, whatever their length")
    _add_corpora(command, AUDIO_JOBS)


def _verify(options: argparse.Namespace) -> None:
    from reproduce.commands.verify import markdown, verify

    sample = None if options.all else options.sample
    verified = list(
        verify(options.results, _roots(options), options.data, sample, options.seed, options.jobs)
    )
    print(markdown(verified))
    if faults := [item for item in verified if item.fault]:
        raise Faults(
            f"{options.results / item.report.content['run']['source'] / item.report.link}: {item}. No known "
            "difference of the environment explains it"
            for item in faults
        )


def _add_reference(commands: Commands) -> None:
    _add_command(
        commands,
        "reference",
        _reference,
        "render results/reference and README.md from the committed reports",
        "It renders the tables in results/reference and the marked tables in README.md. It runs nothing.",
        "",
    )


def _reference(options: argparse.Namespace) -> None:
    from reproduce.commands.reference import render_reference

    for path in render_reference(Path(__file__).resolve().parents[1]):
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
