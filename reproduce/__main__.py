"""``python -m reproduce``: a table of the paper, from corpus folder to rendered result."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.faults import positive, told_plainly

from .runs import PROFILES


@told_plainly
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reproduce", description="The paper's tables with our numbers beside the paper's."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "table",
        help="run what a table needs and print it",
        description="Prepare the corpus, train and evaluate the rows that are not done yet, print the table.",
        epilog="example: python -m reproduce table 3 --ut-podcast /data/UT-Podcast --seeds 3 --device gpu:0",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("number", type=int, help="the table's number in the paper")
    command.add_argument(
        "--ut-podcast", type=Path, help="UT-Podcast's folder; without it the stand-in is used"
    )
    command.add_argument(
        "--profile",
        choices=PROFILES,
        help="sizes and epochs: 'paper' with a corpus, 'quick' without, unless said",
    )
    command.add_argument(
        "--seeds", type=positive, default=1, help="how many seeds to train each row with, from 0"
    )
    command.add_argument("--device", default="auto", help="auto, cpu, gpu, or several such as gpu:0,1")
    command.add_argument("--jobs", type=positive, help="processes that prepare audio (default: the cores)")
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
    command.add_argument("--data", type=Path, default=Path("data"), help="where prepared data go")
    command.add_argument("--results", type=Path, default=Path("results"), help="where reports and tables go")
    command.set_defaults(run=_table)
    command = commands.add_parser(
        "reference",
        help="render the committed results and README.md again",
        description="Render results/reference and the tables in README.md again from the committed reports.",
    )
    command.set_defaults(run=_reference)
    options = parser.parse_args(arguments)
    options.run(options)


def _table(options: argparse.Namespace) -> None:
    from .produce import produce
    from .tables import table

    print(
        produce(
            table(options.number),
            options.ut_podcast,
            profile=options.profile or ("paper" if options.ut_podcast else "quick"),
            seeds=options.seeds,
            device=options.device,
            jobs=options.jobs,
            check_counts=not options.no_check_counts,
            assume=options.assume,
            data=options.data,
            results=options.results,
        )
    )


def _reference(options: argparse.Namespace) -> None:
    from .readme import refresh

    for path in refresh(Path(__file__).resolve().parents[1]):
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
