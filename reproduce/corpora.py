"""Turn a corpus folder, or a stand-in, into the manifest and the images that systems are trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd

from data_prep import corpora, splits, store
from data_prep.base.faults import Faults, note
from data_prep.corpora import Scan, chains, enterface, own_folds, ut_podcast
from data_prep.sound.spectrogram import ImageSettings
from data_prep.standin import chains as standin_chains
from data_prep.standin import enterface as standin_enterface
from data_prep.standin import ut_podcast as standin_ut_podcast
from data_prep.standin.folder import is_standin
from reproduce.options import OWN
from reproduce.sources import PAPER, RESERVED, STANDIN

__all__ = ["CORPORA", "Corpus", "Split", "counted", "prepare", "scanned"]


@dataclass(frozen=True)
class Kind:
    """One of the paper's corpora, or the user's own recordings.

    Attributes:
        title: The corpus's own name.
        module: The module of ``data_prep.corpora`` that reads it. If it has ``folds_text``, a remark
            describes the folds.
        write_standin: Writes the stand-in into a folder.
        folder: Name of the stand-in's folder.
        speakers_apart: Whether it is an error if a fold is tested on speakers that it was trained on.
            UT-Podcast's own split has such speakers, so a remark reports them instead.
        test_clips: 'shared' if our test clips are the paper's. 'redrawn' if the paper's folds are unknown or
            its clips were cut by another rule; verdicts then need the speakers (see ``reproduce.verdict``).
    """

    title: str
    module: ModuleType
    write_standin: Callable
    folder: str
    speakers_apart: bool
    test_clips: Literal["shared", "redrawn"]


def _no_standin(root: Path, jobs: int | None) -> None:
    raise Faults("there are no recordings: give a folder with a folder for each label, or a CSV file")


CORPORA = {
    "ut_podcast": Kind("UT-Podcast", ut_podcast, standin_ut_podcast.write, "UT-Podcast", False, "shared"),
    "chains": Kind("CHAINS", chains, standin_chains.write, "CHAINS", False, "redrawn"),
    "enterface": Kind("eNTERFACE'05", enterface, standin_enterface.write, "eNTERFACE", True, "redrawn"),
    OWN: Kind("own recordings", own_folds, _no_standin, "", False, "redrawn"),
}


@dataclass(frozen=True)
class Split:
    """The clips of a corpus and how its folds divide them.

    Attributes:
        manifest: One row per clip, with the columns that the protocol adds: ``copies`` or ``fold``.
        labels: The class names; a class's number is its index.
        notes: Which clips the scan left out, and which speakers are in which fold.
    """

    manifest: pd.DataFrame
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def clips(self, fold: str, part: str) -> pd.DataFrame:
        """Return the manifest's rows of one part of a fold.

        Args:
            fold: 'test' for the corpus's own split. A number tests on the clips of that fold and trains on
                all others.
            part: 'train', in which over-sampled clips are repeated, or 'test'.
        """
        if fold == "test":
            chosen = self.manifest[self.manifest["partition"] == part]
        else:
            held_out = self.manifest["fold"] == int(fold)
            chosen = self.manifest[held_out if part == "test" else ~held_out]
        if part == "train" and "copies" in chosen:
            chosen = chosen.loc[chosen.index.repeat(chosen["copies"])]
        return chosen

    def numbers(self, fold: str, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the manifest's row numbers (n,) and the class numbers (n,) of ``clips(fold, part)``."""
        chosen = self.clips(fold, part)
        classes = {label: number for number, label in enumerate(self.labels)}
        rows = pd.Index(self.manifest["clip"]).get_indexer(chosen["clip"])
        return rows, chosen["label"].map(classes).to_numpy()

    def remarks(self) -> list[str]:
        """List what a reader of the results should know about the clips and their split."""
        remarks = list(self.notes)
        if crossing := splits.crossing_speakers(self.manifest):
            remarks.append(f"{len(crossing)} speakers are in both parts: {', '.join(crossing)}.")
        return remarks


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus.

    Attributes:
        source: 'paper' if its counts are the paper's, 'standin', or otherwise the name of its folder or CSV.
        split: Its clips and folds.
        store: Its spectrograms.
        root: The folder that the manifest's paths are relative to.
        folder: The folder for everything computed from the clips.
    """

    source: str
    split: Split
    store: store.Store
    root: Path
    folder: Path

    def part(self, fold: str, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the images of ``split.clips(fold, part)``, clip after clip.

        Returns:
            The store's row number and the class number of each image (m,), and the number of images of each
            clip (n,): 1 if ``ImageSettings.time_axis`` is 'whole'.
        """
        rows, windows = self.store.windows(self.split.clips(fold, part)["clip"])
        return rows, self.split.numbers(fold, part)[1].repeat(windows), windows

    def fingerprint(self) -> str:
        """Return a hash of the manifest and the images."""
        return self.store.fingerprint(self.split.manifest)


def scanned(
    name: str,
    root: Path | None,
    data: Path,
    choices: Mapping[str, Any] = MappingProxyType({}),
    jobs: int | None = None,
) -> Scan:
    """List the clips of a corpus without reading their audio.

    Args:
        name: A name in CORPORA.
        root: The corpus's folder; None uses the stand-in, which is written below ``data`` if it is missing.
        data: The folder for prepared data.
        choices: The assumptions about data; those that the corpus's ``scan`` does not take are ignored.
        jobs: Processes that write the stand-in; None starts one per core.

    Raises:
        Faults: The folder does not have the corpus's layout.
    """
    scan = _scan(name, root, data, choices, jobs)
    if scan.faults:
        raise Faults(scan.faults)
    return scan


def prepare(
    name: str,
    root: Path | None,
    data: Path,
    image: ImageSettings,
    choices: Mapping[str, Any],
    check_counts: bool = True,
    jobs: int | None = None,
) -> Corpus:
    """Prepare a corpus: its manifest and its store, below ``data``/<source>/<name>.

    Args:
        name: A name in CORPORA.
        root: The corpus's folder; None uses the stand-in.
        data: The folder for prepared data.
        image: How spectrograms are computed.
        choices: The assumptions about data.
        check_counts: Whether other counts than the paper's are an error.
        jobs: Processes that read audio; None starts one per core.

    Raises:
        Faults: Everything that is wrong with the corpus.
    """
    kind = CORPORA[name]
    scan = _scan(name, root, data, choices, jobs)
    _print_notes(scan)  # before the clips are read: a note may explain why there are none
    source, check_counts = _source_of(name, root, scan, check_counts)
    folder = data / source / name
    protocol = partial(kind.module.protocol, **_selected(kind.module.PROTOCOL_OPTIONS, choices))
    counts = scan.counts if check_counts else ()
    frame, images = corpora.build(scan, folder, image, protocol, counts, jobs)
    notes = scan.notes + corpora.repeated(frame, images)
    if kind.speakers_apart:
        _check_speakers(frame)
    if describe := getattr(kind.module, "folds_text", None):
        notes += tuple(describe(frame).splitlines())
    split = Split(frame, _labels(kind, frame), notes)
    return Corpus(source, split, images, scan.root, folder)


def counted(
    name: str,
    root: Path | None,
    data: Path,
    choices: Mapping[str, Any],
    check_counts: bool = True,
    jobs: int | None = None,
) -> tuple[Split, str]:
    """Return the split that ``prepare`` would make, without any image, and its source.

    The arguments are those of ``prepare``. Counts other than the paper's are never an error.

    Raises:
        Faults: The folder does not have the corpus's layout.
    """
    kind = CORPORA[name]
    scan = scanned(name, root, data, choices, jobs)
    source, _ = _source_of(name, root, scan, check_counts)
    _print_notes(scan)
    frame = kind.module.protocol(scan.manifest, **_selected(kind.module.PROTOCOL_OPTIONS, choices))
    return Split(frame, _labels(kind, frame), scan.notes), source


def _scan(name: str, root: Path | None, data: Path, choices: Mapping[str, Any], jobs: int | None) -> Scan:
    kind = CORPORA[name]
    if root is None:
        root = data / STANDIN / kind.folder
        kind.write_standin(root, jobs=jobs)
    return kind.module.scan(root, **_selected(kind.module.SCAN_OPTIONS, choices))


def _selected(options: Iterable[str], choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices that are named in ``options``."""
    return {id: choices[id] for id in options if id in choices}


def _labels(kind: Kind, frame: pd.DataFrame) -> tuple[str, ...]:
    """List the labels that occur: the corpus's own in their order, then any others, sorted."""
    present = set(frame["label"])
    ordered = tuple(label for label in kind.module.LABELS if label in present)
    return ordered + tuple(sorted(present - set(ordered)))


def _print_notes(scan: Scan) -> None:
    for line in scan.notes:
        note(f"note: {line}")


def _source_of(corpus: str, root: Path | None, scan: Scan, check_counts: bool) -> tuple[str, bool]:
    """Return the source of the clips, and whether other counts than the paper's are an error."""
    if is_standin(scan.root) or (corpus == OWN and any(map(is_standin, scan.root.parents))):
        return STANDIN, False
    if corpus == OWN and root:
        name = own_folds.source_name(root)
    elif check_counts or not scan.counts:
        return PAPER, True
    else:
        name = scan.root.resolve().name
    return (f"own-{name}" if name in RESERVED else name), False


def _check_speakers(frame: pd.DataFrame) -> None:
    folds = frame.groupby("speaker")["fold"].nunique()
    if crossing := sorted(folds.index[folds > 1]):
        raise Faults(f"the speakers {', '.join(crossing)} are in several folds; every speaker must be in one")
