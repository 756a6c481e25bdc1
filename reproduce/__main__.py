"""``python -m reproduce``: the paper's tables, from corpus folder to rendered result, and checks on them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from data_prep.base.commands import natural, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults
from reproduce.options import PROFILES, Options


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reproduce", description="The paper's tables with our numbers beside the paper's."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, summary: str, description: str, example: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=f"example: python -m reproduce {example}" if example else None,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    added = command(
        "table",
        _table,
        "run what a table needs and print it",
        "Tables 3, 4, 5, 8, 9, 11, 12: prepare the corpus, train and evaluate what is not done yet, print "
        "the table. Tables 1 and 6 count the corpus, 2, 7 and 10 are read off the network. Tables share the "
        "runs that they have in common. Several runs go at a time with --jobs or --scheduler.",
        "table 3 --ut-podcast /data/UT-Podcast --seeds 3 --device gpu:0",
    )
    added.add_argument("numbers", type=int, nargs="*", metavar="N", help="the table's number; none: all")
    _add_options(added)
    added = command(
        "sensitivity",
        _sensitivity,
        "what each open point of the paper is worth",
        "Run the system that a table is about with each alternative of each assumption, one at a time, and "
        "print the difference to the choices of assumptions.toml.",
        "sensitivity 3 --seeds 3",
    )
    added.add_argument("number", type=int, metavar="N", help="the table's number: 3, 4, 5, 8, 9, 11 or 12")
    _add_options(added)
    added = command(
        "plan",
        _plan,
        "what the tables will cost, before anything starts",
        "Runs, and those done already, hours on this machine, memory, disk, and hours on GPUs, of each table "
        "that networks are trained for. Takes about a minute: a few samples of each network are timed. "
        "Corpora are listed, not read; the paper's counts stand for those that are not there.",
        "plan 3 8 --gpu A100 --gpus 4",
    )
    added.add_argument("numbers", type=int, nargs="*", metavar="N", help="the table's number; none: all")
    _add_options(added)
    added.set_defaults(profile="paper")
    added.add_argument("--gpu", choices=("T4", "V100", "A100"), default="V100", help="kind to estimate for")
    added.add_argument("--gpus", type=positive, default=1, help="how many of them")
    added = command(
        "audit",
        _audit,
        "check the paper's numbers against each other",
        "Check the paper against itself with exact arithmetic; needs no corpus and no training.",
    )
    added.add_argument("--results", type=Path, default=Path("results"), help="where audit.md and .csv go")
    added = command(
        "report",
        _report,
        "all results on one page",
        "Write index.html below the results: every table with its intervals and verdicts, training curves, "
        "confusion matrices, runs, the audit and the assumptions, on one page that needs no network. "
        "Spectrograms and attention are shown of clips that are prepared and networks that are kept.",
        "report --results results/reference",
    )
    added.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="where reports and tables are, and the page goes",
    )
    added.add_argument("--data", type=Path, default=Path("data"), help="where prepared data are")
    command(
        "assumptions",
        _assumptions,
        "what the paper leaves open, and what was chosen",
        "Print every assumption with the tables it touches, the choice and its alternatives.",
    )
    command(
        "reference",
        _reference,
        "render the committed results and README.md again",
        "Render results/reference and the tables in README.md again from the committed reports.",
    )
    added = command(
        "verify",
        _verify,
        "run some committed results again and compare",
        "Run reports of a folder of results again, aside, and compare history, metrics and predictions. On "
        "the machine and with the versions that they state, all bytes must be the same, else the exit code "
        "is 1; elsewhere it is told what is different, and by how much the results are.",
        "verify --sample 5 --seed 1",
    )
    added.add_argument(
        "--results", type=Path, default=Path("results/reference"), help="the folder of results"
    )
    added.add_argument("--sample", type=positive, default=3, help="how many of the runs of up to a minute")
    added.add_argument("--seed", type=natural, default=0, help="of the draw of the sample")
    added.add_argument("--all", action="store_true", help="every run, however long it takes")
    _add_corpora(added)
    options = parser.parse_args(arguments)
    options.run(options)


def _add_corpora(command: argparse.ArgumentParser) -> None:
    for name in ("UT-Podcast", "CHAINS", "eNTERFACE"):
        command.add_argument(
            f"--{name.lower()}", type=Path, help=f"{name}'s folder; without it its stand-in is used"
        )
    command.add_argument(
        "--jobs",
        type=positive,
        help="processes at a time: they prepare audio (default: one a core), and each takes a run of a table "
        "with its share of cores, memory and devices (default: one run at a time, with all of them)",
    )
    command.add_argument("--data", type=Path, default=Path("data"), help="where prepared data go")


def _add_options(command: argparse.ArgumentParser) -> None:
    _add_corpora(command)
    command.add_argument(
        "--profile",
        choices=PROFILES,
        help="sizes and epochs: 'paper' with a corpus, 'quick' without, unless said",
    )
    command.add_argument(
        "--seeds", type=positive, default=1, help="how many seeds to train each row with, from 0"
    )
    command.add_argument("--device", default="auto", help="auto, cpu, gpu, or several such as gpu:0,1")
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="hand the runs to a Dask cluster, as in tcp://head:8786; its workers start in this folder, "
        "take one run at a time (--nthreads 1) and see --data and --results at the same place",
    )
    command.add_argument(
        "--dtype",
        default="float32",
        help="what convolutions compute in; bfloat16 is for CPUs with AVX-512",
    )
    command.add_argument(
        "--no-check-counts", action="store_true", help="go on with counts that are not the paper's"
    )
    command.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="ID=VALUE",
        help="choose otherwise than assumptions.toml",
    )
    command.add_argument("--results", type=Path, default=Path("results"), help="where reports and tables go")


def _roots(options: argparse.Namespace) -> dict[str, Path | None]:
    return {
        "ut_podcast": options.ut_podcast,
        "chains": options.chains,
        "enterface": options.enterface,
    }


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


def _table(options: argparse.Namespace) -> None:
    from reproduce.assumptions import choices, shared
    from reproduce.commands.table import produce
    from reproduce.tables import TABLES, known

    numbers = known(options.numbers or tuple(TABLES))
    asked = _options(options)
    assumed = {number: shared(asked.assume, number, numbers) for number in numbers}
    for number in numbers:  # what the last table refuses is told before the first one's hours
        choices(number, assumed[number])
    for number in numbers:
        with resumable(options.results):
            text = produce(number, replace(asked, assume=assumed[number]))
        print(text)


def _sensitivity(options: argparse.Namespace) -> None:
    from reproduce.commands.sensitivity import sensitivity
    from reproduce.tables import trained

    with resumable(options.results):
        text = sensitivity(trained(options.number), _options(options))
    print(text)


def _plan(options: argparse.Namespace) -> None:
    from reproduce.commands.plan import plan
    from reproduce.tables import TRAINED, trained

    tables = [trained(number) for number in options.numbers or TRAINED]
    print(plan(tables, _options(options), options.gpu, options.gpus))


def _audit(options: argparse.Namespace) -> None:
    from reproduce.paper.audit import audit, write

    print(write(audit(), options.results / "audit"))


def _report(options: argparse.Namespace) -> None:
    from reproduce.page.page import report

    path = report(options.results, options.data)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open {path.resolve().as_uri()} in a browser")


def _assumptions(options: argparse.Namespace) -> None:
    from reproduce.assumptions import markdown

    print(markdown())


def _reference(options: argparse.Namespace) -> None:
    from reproduce.commands.reference import refresh

    for path in refresh(Path(__file__).resolve().parents[1]):
        print(path)


def _verify(options: argparse.Namespace) -> None:
    from reproduce.commands.verify import markdown, verify

    sample = None if options.all else options.sample
    found = list(verify(options.results, _roots(options), options.data, sample, options.seed, options.jobs))
    print(markdown(found))
    if faults := [each for each in found if each.fault]:
        raise Faults(
            f"{options.results / each.report.content['run']['source'] / each.report.link}: {each}, though "
            "nothing that should change them is known to be different here"
            for each in faults
        )


if __name__ == "__main__":
    raise SystemExit(main())
