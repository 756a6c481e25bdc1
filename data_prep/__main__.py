"""``python -m data_prep``: a corpus folder in, its manifest and spectrogram store out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import audio, splits
from data_prep.corpora import ut_podcast
from data_prep.faults import positive, told_plainly
from data_prep.spectrogram import ImageSettings


def _summary(frame: pd.DataFrame, root: Path, out: Path, folder: Path) -> str:
    """Clips per label and partition; then hours and where everything is."""
    clips = frame[["path", "start", "stop"]].replace(np.nan, None).itertuples(index=False)
    hours = sum(audio.seconds(root / path, start, stop) for path, start, stop in clips) / 3600
    parts = []
    for partition, group in frame.groupby("partition", sort=False):
        counts, used = group.groupby("label").size(), group.groupby("label")["copies"].sum()
        of = (
            f"{label} {n}" + (f" (used {used[label]})" if used[label] != n else "")
            for label, n in counts.items()
        )
        parts.append(f"{partition} {len(group)}: {', '.join(of)}")
    return f"{len(frame)} clips; {'; '.join(parts)}\n{hours:.2f} hours; {out / 'manifest.csv'}, {folder}"


def _ut_podcast(arguments: argparse.Namespace) -> None:
    frame, images = ut_podcast.prepare(
        ut_podcast.scan(arguments.root),
        arguments.out,
        ImageSettings(arguments.size),
        check_counts=arguments.check_counts,
        seed=arguments.seed,
        jobs=arguments.jobs,
    )
    if crossing := splits.crossing_speakers(frame):  # the split is the corpus's own: told, not refused
        names = ", ".join(crossing[:8])
        print(f"note: {len(crossing)} speakers are in both partitions: {names}", file=sys.stderr)
    print(_summary(frame, arguments.root, arguments.out, images.folder))


def _standin_ut_podcast(arguments: argparse.Namespace) -> None:
    from data_prep.standin import ut_podcast as standin  # the only part that needs the speech synthesiser

    standin.write(arguments.out, seed=arguments.seed, jobs=arguments.jobs)


def _parser() -> argparse.ArgumentParser:
    def command(commands, name: str, summary: str, run, example: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example:\n  python -m data_prep {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(run=run)
        return parser

    def common(parser: argparse.ArgumentParser, what: str) -> None:
        parser.add_argument("out", type=Path, metavar="OUT", help=what)
        parser.add_argument("--seed", type=int, default=0, help="of every random draw (default: %(default)s)")
        parser.add_argument("--jobs", type=positive, metavar="N", help="processes (default: one a core)")

    example = "ut_podcast /data/UT-Podcast data/ut_podcast"
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Corpus folders in, manifests and spectrogram stores out. "
        "A stopped command goes on when it is run again.",
        epilog=f"examples:\n  python -m data_prep {example}\n"
        "  python -m data_prep standin ut_podcast data/standin   # no corpus at hand: synthesise one",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="CORPUS")

    ut = command(
        commands,
        "ut_podcast",
        "UT-Podcast (Table 1): check it, write OUT/manifest.csv and OUT/images-...",
        _ut_podcast,
        f"{example} --size 256",
    )
    ut.add_argument(
        "root", type=Path, metavar="ROOT", help="folder that holds audio/{train,test}/{AU,UK,US}/*.wav"
    )
    common(ut, "folder to write to")
    ut.add_argument(
        "--size", type=positive, default=256, help="rows and columns of an image (default: %(default)s)"
    )
    ut.add_argument(
        "--no-check-counts",
        dest="check_counts",
        action="store_false",
        help="go on with a corpus whose clips do not number as in Table 1",
    )

    synthesised = commands.add_parser("standin", help="synthesise speech in a corpus's own layout")
    corpora = synthesised.add_subparsers(required=True, metavar="CORPUS")
    standin = command(
        corpora,
        "ut_podcast",
        "synthesised accents, laid out as UT-Podcast is",
        _standin_ut_podcast,
        "standin ut_podcast data/standin/UT-Podcast",
    )
    common(standin, "folder to write audio/{train,test}/{AU,UK,US}/*.wav to")
    return parser


@told_plainly
def main(arguments: list[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    parsed.run(parsed)


if __name__ == "__main__":
    raise SystemExit(main())
