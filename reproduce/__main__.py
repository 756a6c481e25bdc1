"""``python -m reproduce``: make the paper's tables, from corpus folder to rendered result, and check them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.commands import natural, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults
from reproduce.commands.arguments import (
    AUDIO_JOBS,
    COMMAND,
    add_command,
    add_comparison,
    add_corpora,
    add_data,
    add_numbers,
    add_options,
    add_results,
    comparison_of,
    options_of,
    roots_of,
)

if TYPE_CHECKING:  # argparse has no public name for this type.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


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
    _add_compare(commands)
    _add_sensitivity(commands)
    _add_plan(commands)
    _add_report(commands)
    _add_claims(commands)
    _add_audit(commands)
    _add_assumptions(commands)
    _add_verify(commands)
    _add_reference(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    finally:
        if sys.modules.get("mxnet"):
            from freqcnn_gluon.runtime import start

            start()  # as in ``freqcnn_gluon.__main__``


def _add_table(commands: Commands) -> None:
    command = add_command(
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
    add_numbers(command, "1 to 12")
    add_options(command)


def _table(options: argparse.Namespace) -> None:
    from reproduce.assumptions import choices, shared
    from reproduce.commands.table import produce
    from reproduce.tables import TABLES, check_numbers

    numbers = check_numbers(options.numbers or tuple(TABLES))
    general = options_of(options)
    assumed = {number: shared(general.assume, number, numbers) for number in numbers}
    for number in numbers:  # Otherwise a wrong choice for the last table would be reported hours later.
        choices(number, assumed[number])
    for number in numbers:
        with resumable(options.results):
            page = produce(TABLES[number], replace(general, assume=assumed[number]))
        print(page)


def _add_compare(commands: Commands) -> None:
    command = add_command(
        commands,
        "compare",
        _compare,
        "compare the systems of Tables 3, 8 and 11 on labelled recordings of your own",
        "Every system is trained and tested on the same clips and folds, and each clip is tested once. The "
        "table has the unweighted average recall (UAR) and the accuracy over all folds with their 95 % "
        "intervals, the training accuracy, the number of parameters, the seconds of a training, and tests "
        "against FreqCNN on the same clips. It is written to compare.md and compare.csv in the folder of "
        "results, below the name of the recordings; `report` shows it in a browser. A system that cannot be "
        "trained on the clips is shown as failed. After an interruption the same command resumes.",
        "clips.csv",
        "recordings/ --systems freqcnn svm resnet18 --folds 10 --seeds 3",
        "clips.csv --hold-out text --size 128 --jobs 2",
    )
    add_comparison(command)


def _compare(options: argparse.Namespace) -> None:
    from reproduce.commands.compare import compare

    with resumable(options.results):
        page = compare(*comparison_of(options))
    print(page)


def _add_sensitivity(commands: Commands) -> None:
    command = add_command(
        commands,
        "sensitivity",
        _sensitivity,
        "measure the effect of each assumption on a table",
        "Train the table's claimed system with each alternative of each assumption, one at a time. Print how "
        "much each result differs from that with the choices of assumptions.toml.",
        "3 --seeds 3",
        "3 --together attention_input --together gamma",
    )
    numbers = "3, 4, 5, 8, 9, 11 or 12"
    command.add_argument("number", type=positive, metavar="N", help=f"number of the table: {numbers}")
    help = "also run all combinations of this assumption and the others that are given so; may be repeated"
    command.add_argument("--together", action="append", default=[], metavar="ID", help=help)
    add_options(command)


def _sensitivity(options: argparse.Namespace) -> None:
    from reproduce.commands.sensitivity import sensitivity
    from reproduce.tables import trained

    with resumable(options.results):
        page = sensitivity(trained(options.number), options_of(options), options.together)
    print(page)


def _add_plan(commands: Commands) -> None:
    command = add_command(
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
    add_numbers(command, "3, 4, 5, 8, 9, 11 or 12")
    add_options(command, profile="paper")
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
    print(plan(tables, options_of(options), options.gpu, options.gpus))


def _add_report(commands: Commands) -> None:
    command = add_command(
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
    add_results(command)
    add_data(command)


def _report(options: argparse.Namespace) -> None:
    from reproduce.page.page import report

    path = report(options.results, options.data)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open {path.resolve().as_uri()} in a browser")


def _add_claims(commands: Commands) -> None:
    command = add_command(
        commands,
        "claims",
        _claims,
        "check the paper's claims on our numbers",
        "The claims are those that the audit checks on the paper's numbers. A claim holds, does not hold or "
        "cannot be told, by a rule over the seeds of the runs. Only finished runs are read; nothing is "
        "trained. The results are also written to claims.md and claims.csv in each source's folder.",
        "",
        "paper --results results",
    )
    command.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="folder below the folder of results, such as paper or standin (default: all that have results)",
    )
    add_results(command)


def _claims(options: argparse.Namespace) -> None:
    from reproduce.commands.claims import claims

    print(claims(options.results, options.sources))


def _add_audit(commands: Commands) -> None:
    command = add_command(
        commands,
        "audit",
        _audit,
        "check the paper's numbers against each other",
        "The checks use exact arithmetic. They need no corpus and no training. The findings are also "
        "written to audit.md and audit.csv in the folder of results.",
        "",
    )
    add_results(command)


def _audit(options: argparse.Namespace) -> None:
    from reproduce.paper.audit import audit, write

    print(write(audit(), options.results / "audit"))


def _add_assumptions(commands: Commands) -> None:
    add_command(
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
    command = add_command(
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
    add_results(command, "results/reference")
    command.add_argument(
        "--sample",
        type=positive,
        default=3,
        metavar="N",
        help="number of runs, drawn from those that took up to two minutes (default: %(default)s)",
    )
    command.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="seed of the draw (default: %(default)s)"
    )
    command.add_argument("--all", action="store_true", help="rerun all runs, whatever their length")
    add_corpora(command, AUDIO_JOBS)


def _verify(options: argparse.Namespace) -> None:
    from reproduce.commands.verify import markdown, verify

    sample = None if options.all else options.sample
    verified = list(
        verify(options.results, roots_of(options), options.data, sample, options.seed, options.jobs)
    )
    print(markdown(verified))
    if faults := [item for item in verified if item.fault]:
        raise Faults(
            f"{options.results / item.report.content['run']['source'] / item.report.link}: {item}. No known "
            "difference of the environment explains it"
            for item in faults
        )


def _add_reference(commands: Commands) -> None:
    add_command(
        commands,
        "reference",
        _reference,
        "render results/reference, README.md and docs/protocol.md from the committed reports",
        "It renders the tables and claims in results/reference, the marked tables in README.md and the "
        "paper's claims in docs/protocol.md. It runs nothing.",
        "",
    )


def _reference(options: argparse.Namespace) -> None:
    from reproduce.commands.reference import render_reference

    for path in render_reference(Path(__file__).resolve().parents[1]):
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
