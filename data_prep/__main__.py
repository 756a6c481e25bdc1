"""``python -m data_prep``: read a corpus folder, and write its manifest and spectrogram store."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from data_prep import corpora, manifest, splits
from data_prep.base.commands import natural, number, positive, resumable, with_plain_errors
from data_prep.base.faults import Faults, note
from data_prep.corpora import chains, enterface, ut_podcast
from data_prep.corpora.lister import list_clips
from data_prep.corpora.open_corpora import OPEN_CORPORA
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings

Protocol = Callable[[pd.DataFrame], pd.DataFrame]


def _summary(frame: pd.DataFrame, root: Path, out: Path, folder: Path) -> str:
    """Summarise the clips by partition or fold and, if there are few labels, by label; hours; folders."""
    hours = sum(audio.seconds(*clip) for clip in manifest.clips(frame, root)) / 3600
    parts = []
    for part, group in frame.groupby("fold" if "fold" in frame else "partition", sort=False):
        name = f"fold {part}" if "fold" in frame else part
        labels = f": {_labels(group)}" if frame["label"].nunique() <= 6 else ""
        parts.append(f"{name} {len(group)}{labels}")
    return f"{len(frame)} clips; {'; '.join(parts)}\n{hours:.2f} hours; {out / 'manifest.csv'}, {folder}"


def _labels(group: pd.DataFrame) -> str:
    """Return the number of clips of each label, and the number of uses if over-sampling changes it."""
    counts = group.groupby("label").size()
    used = group.groupby("label")["copies"].sum() if "copies" in group else counts
    return ", ".join(
        f"{label} {n}" + (f" (used {used[label]})" if used[label] != n else "") for label, n in counts.items()
    )


def _build(arguments: argparse.Namespace, scan: corpora.Scan, protocol: Protocol) -> pd.DataFrame:
    """Write manifest and store, and print a summary."""
    with resumable(arguments.out):
        frame, images = corpora.build(
            scan,
            arguments.out,
            ImageSettings(arguments.size),
            protocol,
            scan.counts if arguments.check_counts else (),
            arguments.jobs,
        )
    for sentence in (*scan.notes, *corpora.repeated(frame, images)):
        note(f"note: {sentence}")
    print(_summary(frame, arguments.root, arguments.out, images.folder))
    return frame


def _ut_podcast(arguments: argparse.Namespace) -> None:
    protocol = partial(ut_podcast.protocol, seed=arguments.seed)
    frame = _build(arguments, ut_podcast.scan(arguments.root), protocol)
    if crossing := splits.crossing_speakers(frame):  # not an error, because the corpus's own split has them
        names = ", ".join(crossing[:8])
        note(f"note: {len(crossing)} speakers are in both partitions: {names}")


def _chains(arguments: argparse.Namespace) -> None:
    if arguments.calibrate:
        print(_calibration(chains.calibrate(arguments.root), arguments.root))
        return
    if arguments.out is None:
        raise Faults("OUT is missing; name a folder to write to, or add --calibrate")
    scan = chains.scan(arguments.root, arguments.window, arguments.rest, arguments.sentences)
    _build(arguments, scan, chains.protocol)


def _calibration(frame: pd.DataFrame, root: Path, most: int = 10) -> str:
    """Return the text that ``--calibrate`` prints: the rules nearest to Table 6, and the default."""
    rule = dict(window=2.0, rest="drop", sentences="whole")
    default = frame[(frame[list(rule)] == pd.Series(rule)).all(axis=1)]
    best = frame.iloc[0]
    expected = ", ".join(map(str, chains.EXPECTED.values()))
    return "\n".join(
        [
            f"rules for cutting this corpus, the nearest to Table 6's {expected} first (distance in clips):",
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
    frame = _build(arguments, enterface.scan(arguments.root), protocol)
    print(enterface.folds_text(frame))


def _standin(arguments: argparse.Namespace) -> None:
    # imported here, because only this command needs the speech synthesiser
    standin = importlib.import_module(f"data_prep.standin.{arguments.corpus}")
    with resumable(arguments.out):
        standin.write(arguments.out, seed=arguments.seed, jobs=arguments.jobs)


def _list(arguments: argparse.Namespace) -> None:
    """Print the CSV file of an open corpus's clips."""
    corpus = OPEN_CORPORA[arguments.corpus]
    frame, notes = list_clips(corpus, arguments.root, arguments.label, arguments.check_counts)
    if arguments.only:
        labels = set(frame["label"])
        if unknown := [label for label in arguments.only if label not in labels]:
            known = ", ".join(sorted(labels))
            raise Faults(f"--only: no clip has the label {', '.join(unknown)}; the labels are {known}")
        frame = frame[frame["label"].isin(arguments.only)]
    for sentence in notes:
        note(f"note: {sentence}")
    note(f"{len(frame)} clips, {frame['speaker'].nunique()} speakers, {frame['label'].nunique()} labels")
    frame.to_csv(sys.stdout, index=False, lineterminator="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Read a corpus folder, and write its manifest and a store of its spectrograms. "
        "An interrupted command resumes when it is run again.",
        epilog="examples:\n  python -m data_prep ut_podcast /data/UT-Podcast data/ut_podcast\n"
        "  python -m data_prep chains /data/CHAINS --calibrate\n"
        "  python -m data_prep standin enterface data/standin   # without a corpus: synthesise a stand-in\n"
        "  python -m data_prep list ravdess /data/RAVDESS > clips.csv   # see docs/open-corpora.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="CORPUS")
    _add_ut_podcast(commands)
    _add_chains(commands)
    _add_enterface(commands)
    _add_standins(commands.add_parser("standin", help="synthesise speech in the layout of a corpus"))
    _add_lists(commands.add_parser("list", help="list the clips of an open corpus in a CSV file"))
    return parser


def _add_ut_podcast(commands) -> None:
    parser = _add_corpus(
        commands,
        "ut_podcast",
        "UT-Podcast (Table 1): check it, and write OUT/manifest.csv and OUT/images-...",
        "ut_podcast /data/UT-Podcast data/ut_podcast --size 256",
        layout="audio/{train,test}/{AU,UK,US}/*.wav",
        size=256,
    )
    _add_seed(parser, "the over-sampling")
    parser.set_defaults(run=_ut_podcast)


def _add_chains(commands) -> None:
    parser = _add_corpus(
        commands,
        "chains",
        "CHAINS (Table 6): check its solo readings, cut them, and write OUT/manifest.csv and OUT/images-...",
        "chains /data/CHAINS --calibrate\n  python -m data_prep chains /data/CHAINS data/chains --window 2",
        layout="data/solo/<speaker>/*.wav or solo/data/solo/<speaker>/*.wav",
        size=224,
        out_needed=False,
    )
    parser.add_argument(
        "--window", type=number, default=2.0, help="length in s of the clips cut from a fable (default: 2)"
    )
    parser.add_argument(
        "--rest",
        choices=chains.RESTS,
        default="drop",
        help="rest of a fable after its last window: drop it, keep it, or keep it if it is at least half a "
        "window long (default: drop)",
    )
    parser.add_argument(
        "--sentences",
        choices=chains.SENTENCE_RULES,
        default="whole",
        help="cut: cut sentences like fables; whole: keep each sentence as one clip (default: whole)",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="write nothing; print the rules for cutting that come nearest to the paper's counts",
    )
    parser.set_defaults(run=_chains)


def _add_enterface(commands) -> None:
    parser = _add_corpus(
        commands,
        "enterface",
        "eNTERFACE'05 (Table 12): check it, divide its speakers into ten folds, and write OUT/manifest.csv "
        "and OUT/images-...",
        "enterface /data/enterface data/enterface --size 224",
        layout="subject N/<emotion>/sentence K/*.avi, with or without 'enterface database' above",
        size=224,
    )
    _add_seed(parser, "the folds")
    parser.set_defaults(run=_enterface)


def _add_standins(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="CORPUS")
    for name, subject in (
        ("ut_podcast", "accents in the layout of UT-Podcast"),
        ("chains", "speakers in the layout of CHAINS"),
        ("enterface", "emotions in the layout of eNTERFACE'05"),
    ):
        command = _add_command(commands, name, f"synthesised {subject}", f"standin {name} data/my-standin")
        _add_output(command, "folder to write the corpus to")
        _add_seed(command, "every random draw")
        command.set_defaults(run=_standin, corpus=name)


def _add_lists(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="CORPUS")
    for name, corpus in OPEN_CORPORA.items():
        summary = f"the clips of {corpus.title}, as a CSV file on standard output"
        command = _add_command(commands, name, summary, f"list {name} /data/{name} > clips.csv")
        command.add_argument("root", type=Path, metavar="ROOT", help=f"folder that holds {corpus.layout}")
        command.add_argument(
            "--label",
            choices=corpus.labels,
            default=corpus.labels[0],
            help="what the label of a clip is (default: %(default)s)",
        )
        command.add_argument(
            "--only",
            nargs="+",
            metavar="LABEL",
            help="list the clips with these labels only; comes after ROOT",
        )
        _add_no_check_counts(command, "accept a corpus that is not complete")
        command.set_defaults(run=_list, corpus=name)


def _add_no_check_counts(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument("--no-check-counts", dest="check_counts", action="store_false", help=purpose)


def _add_corpus(
    commands, name: str, summary: str, example: str, layout: str, size: int, out_needed: bool = True
) -> argparse.ArgumentParser:
    """Add the command of a corpus, with the arguments that all corpora have."""
    parser = _add_command(commands, name, summary, example)
    parser.add_argument("root", type=Path, metavar="ROOT", help=f"folder that holds {layout}")
    _add_output(parser, "folder to write to", out_needed)
    parser.add_argument(
        "--size", type=positive, default=size, help="rows and columns of an image (default: %(default)s)"
    )
    _add_no_check_counts(parser, "accept a corpus whose numbers of clips differ from the paper's")
    return parser


def _add_command(commands, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  python -m data_prep {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_output(parser: argparse.ArgumentParser, purpose: str, needed: bool = True) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help=purpose, nargs=None if needed else "?")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="number of processes (default: one per processor)"
    )


def _add_seed(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument("--seed", type=natural, default=0, help=f"seed of {purpose} (default: %(default)s)")


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    parsed.run(parsed)


if __name__ == "__main__":
    raise SystemExit(main())
