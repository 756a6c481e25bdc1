"""``python -m data_prep``: a corpus folder in, its manifest and spectrogram store out."""

from __future__ import annotations

import argparse
import importlib
import shlex
from functools import partial
from pathlib import Path

import pandas as pd

from data_prep import corpora, manifest, splits
from data_prep.base.commands import natural, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults, note
from data_prep.corpora import chains, enterface, ut_podcast
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings


def _summary(frame: pd.DataFrame, root: Path, out: Path, folder: Path) -> str:
    """Clips per part (partition or fold) and, where they are few, per label; hours; where everything is."""
    hours = sum(audio.seconds(*clip) for clip in manifest.clips(frame, root)) / 3600
    parts = []
    for part, group in frame.groupby("fold" if "fold" in frame else "partition", sort=False):
        name = f"fold {part}" if "fold" in frame else part
        labels = f": {_labels(group)}" if frame["label"].nunique() <= 6 else ""
        parts.append(f"{name} {len(group)}{labels}")
    return f"{len(frame)} clips; {'; '.join(parts)}\n{hours:.2f} hours; {out / 'manifest.csv'}, {folder}"


def _labels(group: pd.DataFrame) -> str:
    counts = group.groupby("label").size()
    used = group.groupby("label")["copies"].sum() if "copies" in group else counts
    return ", ".join(
        f"{label} {n}" + (f" (used {used[label]})" if used[label] != n else "") for label, n in counts.items()
    )


def _prepared(arguments: argparse.Namespace, found: corpora.Scan, protocol) -> pd.DataFrame:
    """Write manifest and store, and say what they hold."""
    with resumable(arguments.out):
        frame, images = corpora.build(
            found,
            arguments.out,
            ImageSettings(arguments.size),
            protocol,
            found.counts if arguments.check_counts else (),
            arguments.jobs,
        )
    for each in (*found.notes, *corpora.repeated(frame, images)):
        note(f"note: {each}")
    print(_summary(frame, arguments.root, arguments.out, images.folder))
    return frame


def _ut_podcast(arguments: argparse.Namespace) -> None:
    protocol = partial(ut_podcast.protocol, seed=arguments.seed)
    frame = _prepared(arguments, ut_podcast.scan(arguments.root), protocol)
    if crossing := splits.crossing_speakers(frame):  # the split is the corpus's own: told, not refused
        names = ", ".join(crossing[:8])
        note(f"note: {len(crossing)} speakers are in both partitions: {names}")


def _chains(arguments: argparse.Namespace) -> None:
    if arguments.calibrate:
        print(_calibration(chains.calibrate(arguments.root), arguments.root))
        return
    if arguments.out is None:
        raise Faults("OUT is missing: name a folder to write to, or ask for --calibrate")
    found = chains.scan(arguments.root, arguments.window, arguments.rest, arguments.sentences)
    _prepared(arguments, found, chains.protocol)


def _calibration(frame: pd.DataFrame, root: Path, most: int = 10) -> str:
    """The nearest ways to cut the corpus in ``root``, and the default beside them."""
    rule = dict(window=2.0, rest="drop", sentences="whole")
    default = frame[(frame[list(rule)] == pd.Series(rule)).all(axis=1)]
    best = frame.iloc[0]
    expected = ", ".join(map(str, chains.EXPECTED.values()))
    return "\n".join(
        [
            f"ways to cut this corpus, the nearest to Table 6's {expected} first (distance: clips in all):",
            frame.head(most).to_string(index=False),
            "",
            "the default:",
            default.to_string(index=False),
            "",
            f"to use the nearest: make table8 CHAINS={shlex.quote(str(root))} "
            f'ASSUME="window={best["window"]:g} rest={best["rest"]} sentences={best["sentences"]}"',
        ]
    )


def _enterface(arguments: argparse.Namespace) -> None:
    protocol = partial(enterface.protocol, folds_seed=arguments.seed)
    frame = _prepared(arguments, enterface.scan(arguments.root), protocol)
    print(enterface.folds_text(frame))


def _standin(arguments: argparse.Namespace) -> None:
    # the only part that needs the speech synthesiser
    standin = importlib.import_module(f"data_prep.standin.{arguments.corpus}")
    with resumable(arguments.out):
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
        parser.set_defaults(run=run, corpus=name)
        return parser

    def common(parser: argparse.ArgumentParser, what: str, needed: bool = True) -> None:
        parser.add_argument("out", type=Path, metavar="OUT", help=what, nargs=None if needed else "?")
        parser.add_argument("--jobs", type=positive, metavar="N", help="processes (default: one a core)")

    def seeded(parser: argparse.ArgumentParser, what: str) -> None:
        parser.add_argument("--seed", type=natural, default=0, help=f"of {what} (default: %(default)s)")

    def corpus(name: str, summary: str, run, example: str, layout: str, size: int) -> argparse.ArgumentParser:
        parser = command(commands, name, summary, run, example)
        parser.add_argument("root", type=Path, metavar="ROOT", help=f"folder that holds {layout}")
        common(parser, "folder to write to", needed=name != "chains")
        parser.add_argument(
            "--size", type=positive, default=size, help="rows and columns of an image (default: %(default)s)"
        )
        parser.add_argument(
            "--no-check-counts",
            dest="check_counts",
            action="store_false",
            help="go on with a corpus whose clips do not number as in the paper",
        )
        return parser

    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Corpus folders in, manifests and spectrogram stores out. "
        "A stopped command goes on when it is run again.",
        epilog="examples:\n  python -m data_prep ut_podcast /data/UT-Podcast data/ut_podcast\n"
        "  python -m data_prep chains /data/CHAINS --calibrate\n"
        "  python -m data_prep standin enterface data/standin   # no corpus at hand: synthesise one",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="CORPUS")
    seeded(
        corpus(
            "ut_podcast",
            "UT-Podcast (Table 1): check it, write OUT/manifest.csv and OUT/images-...",
            _ut_podcast,
            "ut_podcast /data/UT-Podcast data/ut_podcast --size 256",
            "audio/{train,test}/{AU,UK,US}/*.wav",
            256,
        ),
        "the over-sampling",
    )
    cut = corpus(
        "chains",
        "CHAINS (Table 6): check its solo readings, cut them, write OUT/manifest.csv and OUT/images-...",
        _chains,
        "chains /data/CHAINS --calibrate\n  python -m data_prep chains /data/CHAINS data/chains --window 2",
        "data/solo/<speaker>/*.wav or solo/data/solo/<speaker>/*.wav",
        224,
    )
    cut.add_argument(
        "--window", type=float, default=2.0, help="length of the clips cut from a fable, in s (default: 2)"
    )
    cut.add_argument(
        "--rest", choices=chains.RESTS, default="drop", help="what becomes of a fable's rest (default: drop)"
    )
    cut.add_argument(
        "--sentences", choices=chains.SENTENCE_RULES, default="whole", help="cut too, or not (default: whole)"
    )
    cut.add_argument(
        "--calibrate",
        action="store_true",
        help="write nothing; tell which way to cut comes nearest to the paper's counts",
    )
    seeded(
        corpus(
            "enterface",
            "eNTERFACE'05 (Table 12): check it, deal its speakers into ten folds, write OUT/manifest.csv and "
            "OUT/images-...",
            _enterface,
            "enterface /data/enterface data/enterface --size 224",
            "subject N/<emotion>/sentence K/*.avi, or 'enterface database' with them",
            224,
        ),
        "the draw of the folds",
    )
    synthesised = commands.add_parser("standin", help="synthesise speech in a corpus's own layout")
    corpora_of = synthesised.add_subparsers(required=True, metavar="CORPUS")
    for name, what in (
        ("ut_podcast", "accents, laid out as UT-Podcast is"),
        ("chains", "speakers, laid out as CHAINS is"),
        ("enterface", "emotions, laid out as eNTERFACE'05 is"),
    ):
        made = command(corpora_of, name, f"synthesised {what}", _standin, f"standin {name} data/my-standin")
        common(made, "folder to write the corpus to")
        seeded(made, "every random draw")
    return parser


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    parsed.run(parsed)


if __name__ == "__main__":
    raise SystemExit(main())
