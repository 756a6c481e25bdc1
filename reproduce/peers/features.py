"""Features of every clip, frame by frame or window by window: computed once for a corpus, kept on disk.

    data/<source>/<corpus>/<name>-<hash>/values.f32, about.json

The hash covers the kind of features and every clip by its key in the store of the images: its content, and
how these are computed, so that other images have features of their own, though equal ones.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.base.files import locked, whole
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.sound import audio
from reproduce.corpora import Corpus

__all__ = ["HIGHEST", "Features", "Kind", "extract"]

HIGHEST = 16000  # Hz


@dataclass(frozen=True)
class Kind:
    """One kind of features. ``compute(samples, rate)``: float32 (n, *shape), n >= 1, of a clip's mono samples
    (full scale 1) at ``rate`` Hz; a function of a module, since other processes call it. ``version`` is to
    be raised whenever it would give other values.
    """

    name: str
    compute: Callable[[np.ndarray, int], np.ndarray]
    version: int = 1


@dataclass(frozen=True)
class Features:
    """``values``: (N, *shape) float32, memory-mapped, the clips of a manifest one behind the other; clip i
    has rows ``starts[i]`` to ``starts[i + 1]``. ``rate``: Hz of the samples that they were computed from.
    """

    values: np.ndarray
    starts: np.ndarray
    rate: int

    def of(self, clips: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers (n,) of the chosen clips, in their order, and how many each has (clips,)."""
        clips = np.asarray(clips)
        counts = np.diff(self.starts)[clips]
        ends = counts.cumsum()
        return np.arange(counts.sum()) + np.repeat(self.starts[clips] - (ends - counts), counts), counts


def extract(kind: Kind, corpus: Corpus, jobs: int | None = None) -> Features:
    """The features of the corpus's clips, in its manifest's order; computed where they are not on disk yet.

    All clips are brought to one rate, the lowest that any of their files has, and at most HIGHEST: what a
    file does not have would be noise to a cepstrum. Raises Faults for audio that cannot be read.
    """
    frame = corpus.manifest
    stated = [kind.name, kind.version, *corpus.store.keys(frame["clip"])]
    digest = hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:8]
    folder = corpus.folder / f"{kind.name}-{digest}"
    if not (folder / "about.json").exists():
        with locked(folder, "is computing these features"):
            if not (folder / "about.json").exists():  # still
                _compute(kind, corpus, folder, jobs)
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        starts = np.array([0, *about["counts"]]).cumsum()
        shape = (int(starts[-1]), *about["shape"])
        values = np.memmap(folder / "values.f32", "<f4", "r", shape=shape)
        if values.nbytes != (folder / "values.f32").stat().st_size or len(about["counts"]) != len(frame):
            raise ValueError("values.f32 has another size")
        return Features(values, starts, int(about["rate"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Faults(f"{folder}: is damaged ({error}); delete it, and it is computed again") from None


def _compute(kind: Kind, corpus: Corpus, folder: Path, jobs: int | None) -> None:
    """Write values.f32, and then about.json, with which the folder is complete."""
    clips = manifest.clips(corpus.manifest, corpus.root)
    with pool(jobs, len(clips)) as stream, whole(folder / "values.f32") as aside:
        rate = min(HIGHEST, *stream(audio.rate_of, dict.fromkeys(path for path, *_ in clips)))
        computed = stream(functools.partial(_features, kind, rate), clips)
        counts, shape = [], ()
        with open(aside, "wb") as file:
            for shape, count, content in Bar(computed, kind.name, len(clips), unit="clip"):
                counts.append(count)
                file.write(content)
    with whole(folder / "about.json") as aside:
        aside.write_text(json.dumps({"rate": rate, "shape": shape, "counts": counts}), encoding="utf-8")


def _features(kind: Kind, rate: int, clip: manifest.Clip) -> tuple[tuple[int, ...], int, bytes]:
    path, start, stop = clip
    values = kind.compute(audio.read(path, rate, start, stop), rate).astype("<f4")
    return values.shape[1:], len(values), values.tobytes()
