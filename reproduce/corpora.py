"""From a corpus folder, or none, to what the networks read: manifest, store and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import pandas as pd

from data_prep import corpora, splits, store
from data_prep.base.faults import Faults, note
from data_prep.corpora import Scan, chains, enterface, ut_podcast
from data_prep.sound.spectrogram import ImageSettings
from data_prep.standin import chains as standin_chains
from data_prep.standin import enterface as standin_enterface
from data_prep.standin import ut_podcast as standin_ut_podcast
from data_prep.standin.folder import is_standin
from reproduce.sources import PAPER, RESERVED, STANDIN

__all__ = ["CORPORA", "Corpus", "counted", "prepare", "scanned"]


@dataclass(frozen=True)
class Kind:
    """One of the paper's corpora: how it is read, what stands in for it, below which folder name.

    ``speakers_apart``: a fold must not be tested on speakers that it was trained on.
    """

    title: str
    module: ModuleType
    write_standin: Callable
    folder: str
    speakers_apart: bool


CORPORA = {
    "ut_podcast": Kind("UT-Podcast", ut_podcast, standin_ut_podcast.write, "UT-Podcast", False),
    "chains": Kind("CHAINS", chains, standin_chains.write, "CHAINS", False),
    "enterface": Kind("eNTERFACE'05", enterface, standin_enterface.write, "eNTERFACE", True),
}
"""UT-Podcast's split is its own: speakers that are in both parts are told, not refused."""


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus. ``source``: 'paper' (the paper's counts), 'standin', or the folder's name when
    it has the layout but not the counts. ``labels``: the class names, in the order of their numbers.
    ``root``: what the manifest's paths are below; ``folder``: where what is computed from its clips is kept.
    ``notes``: what the scan left out, and who is in which fold.
    """

    source: str
    manifest: pd.DataFrame
    store: store.Store
    labels: tuple[str, ...]
    root: Path
    folder: Path
    notes: tuple[str, ...] = ()

    def clips(self, fold: str, part: str) -> pd.DataFrame:
        """The manifest's rows of 'train' (over-sampled) or 'test' in ``fold``: 'test' is the corpus's own
        split, a number leaves the clips of that fold out of training and tests on them.
        """
        if fold == "test":
            chosen = self.manifest[self.manifest["partition"] == part]
        else:
            held_out = self.manifest["fold"] == int(fold)
            chosen = self.manifest[held_out if part == "test" else ~held_out]
        if part == "train" and "copies" in chosen:
            chosen = chosen.loc[chosen.index.repeat(chosen["copies"])]
        return chosen

    def part(self, fold: str, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Store rows (n,) and class numbers (n,) of ``clips(fold, part)``."""
        return self.store.rows(self.clips(fold, part)["clip"]), self.numbers(fold, part)[1]

    def numbers(self, fold: str, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Places in the manifest (n,) and class numbers (n,) of ``clips(fold, part)``."""
        chosen = self.clips(fold, part)
        classes = {label: number for number, label in enumerate(self.labels)}
        places = pd.Index(self.manifest["clip"]).get_indexer(chosen["clip"])
        return places, chosen["label"].map(classes).to_numpy()

    def remarks(self) -> list[str]:
        """What a reader of the results should know of the clips and their split."""
        crossing = splits.crossing_speakers(self.manifest)
        said = [f"{len(crossing)} speakers are in both parts: {', '.join(crossing)}."] if crossing else []
        return [*self.notes, *said]


def _find(
    name: str, root: Path | None, data: Path, choices: Mapping[str, object], jobs: int | None = None
) -> Scan:
    """What is in ``root``, or in the stand-in, which is made below ``data`` where it is not there yet.

    ``choices``: the assumptions that the corpus's ``scan`` takes.
    """
    kind = CORPORA[name]
    if root is None:
        root = data / STANDIN / kind.folder
        kind.write_standin(root, jobs=jobs)
    return kind.module.scan(root, **choices)


def scanned(
    name: str,
    root: Path | None,
    data: Path,
    choices: Mapping[str, object] = MappingProxyType({}),
    jobs: int | None = None,
) -> Scan:
    """The clips of a corpus, or of its stand-in, which is made where it is not there yet.

    Raises Faults for a wrong layout.
    """
    found = _find(name, root, data, _taken(CORPORA[name].module.scan, choices), jobs)
    if found.faults:
        raise Faults(found.faults)
    return found


def prepare(
    name: str,
    root: Path | None,
    data: Path,
    image: ImageSettings,
    choices: Mapping[str, object],
    check_counts: bool = True,
    jobs: int | None = None,
) -> Corpus:
    """The corpus in ``root``, or its stand-in, as manifest and store below ``data``/<source>/<name>.

    ``choices``: the assumptions about its data. Raises Faults with everything that is wrong with it.
    """
    kind = CORPORA[name]
    found = _find(name, root, data, _taken(kind.module.scan, choices), jobs)
    source, check_counts = _source_of(found, check_counts)
    folder = data / source / name
    frame, images = corpora.build(
        found,
        folder,
        image,
        partial(kind.module.protocol, **_taken(kind.module.protocol, choices)),
        found.counts if check_counts else (),
        jobs,
    )
    notes = found.notes + corpora.repeated(frame, images)
    for each in found.notes:
        note(f"note: {each}")
    if kind.speakers_apart:
        _check_speakers(frame)
        notes += tuple(kind.module.folds_text(frame).splitlines())
    present = set(frame["label"])
    known = tuple(label for label in kind.module.LABELS if label in present)
    labels = known + tuple(sorted(present - set(known)))
    return Corpus(source, frame, images, labels, found.root, folder, notes)


def counted(
    name: str,
    root: Path | None,
    data: Path,
    choices: Mapping[str, object],
    check_counts: bool = True,
    jobs: int | None = None,
) -> tuple[pd.DataFrame, str]:
    """The manifest of ``prepare`` without any image, whatever its counts; and its source.

    Raises Faults for a wrong layout.
    """
    kind = CORPORA[name]
    found = scanned(name, root, data, choices, jobs)
    source, _ = _source_of(found, check_counts)
    for each in found.notes:
        note(f"note: {each}")
    return kind.module.protocol(found.manifest, **_taken(kind.module.protocol, choices)), source


def _taken(function: Callable, choices: Mapping[str, object]) -> dict[str, object]:
    """Those of the choices that ``function`` has an argument for."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return {name: value for name, value in choices.items() if name in names}


def _source_of(found: Scan, check_counts: bool) -> tuple[str, bool]:
    """Where the clips come from, and whether their counts have to be the paper's."""
    if is_standin(found.root):
        return STANDIN, False
    if check_counts or not found.counts:
        return PAPER, True
    name = found.root.resolve().name
    return (f"own-{name}" if name in RESERVED else name), False


def _check_speakers(frame: pd.DataFrame) -> None:
    folds = frame.groupby("speaker")["fold"].nunique()
    if crossing := sorted(folds.index[folds > 1]):
        raise Faults(f"the speakers {', '.join(crossing)} are in several folds; a fold must keep its own")
