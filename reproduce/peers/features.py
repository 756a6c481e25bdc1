"""Features of every clip, computed once for a corpus and kept on disk.

    data/<source>/<corpus>/<name>-<hash>/values.f32, about.json

The hash covers the kind of features and each clip's key in the store of images. That key also covers the
image settings, so with other image settings the features are computed again, although they are equal.
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
    """One kind of features.

    Attributes:
        name: Name of the kind, part of its folder's name.
        compute: ``compute(samples, rate)`` returns float32 (n, *shape), n >= 1, for a clip's mono samples
            (full scale 1) at ``rate`` Hz. It must be a function of a module: other processes call it.
        version: Raise it whenever ``compute`` would return other values.
    """

    name: str
    compute: Callable[[np.ndarray, int], np.ndarray]
    version: int = 1


@dataclass(frozen=True)
class Features:
    """The features of all clips of a corpus.

    Attributes:
        values: (N, *shape) float32, memory-mapped, the clips in the manifest's order.
        starts: (clips + 1,) clip i has the rows ``starts[i]`` to ``starts[i + 1]``.
        rate: Sample rate in Hz of the samples that the features were computed from.
    """

    values: np.ndarray
    starts: np.ndarray
    rate: int

    def of(self, clips: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the row numbers (n,) of the chosen clips in their order, and the rows per clip (clips,)."""
        chosen = np.asarray(clips)
        counts = np.diff(self.starts)[chosen]
        ends = counts.cumsum()
        return np.arange(counts.sum()) + np.repeat(self.starts[chosen] - (ends - counts), counts), counts


def extract(kind: Kind, corpus: Corpus, jobs: int | None = None) -> Features:
    """Return the features of a corpus's clips in its manifest's order. Compute them if they are not on disk.

    All clips are resampled to one rate: the lowest rate of all files, at most HIGHEST. A higher rate would
    have empty bands in some files, which would be noise in a cepstrum.

    Args:
        kind: Kind of features.
        corpus: Prepared corpus.
        jobs: Processes that read audio; None is one for each core.

    Raises:
        Faults: a file cannot be read, or the features on disk are damaged.
    """
    frame = corpus.split.manifest
    content = [kind.name, kind.version, *corpus.store.keys(frame["clip"])]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
    folder = corpus.folder / f"{kind.name}-{digest}"
    if not (folder / "about.json").exists():
        with locked(folder, "is computing these features"):
            if not (folder / "about.json").exists():  # Another process may have computed them meanwhile.
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
    """Write values.f32, then about.json, which marks the folder as complete."""
    clips = manifest.clips(corpus.split.manifest, corpus.root)
    with pool(jobs, len(clips)) as stream, whole(folder / "values.f32") as temporary:
        rate = min(HIGHEST, *stream(audio.rate_of, dict.fromkeys(path for path, *_ in clips)))
        computed = stream(functools.partial(_features, kind, rate), clips)
        counts: list[int] = []
        shape: tuple[int, ...] = ()
        with open(temporary, "wb") as file:
            for shape, count, content in Bar(computed, kind.name, len(clips), unit="clip"):
                counts.append(count)
                file.write(content)
    with whole(folder / "about.json") as temporary:
        about = {"rate": rate, "shape": shape, "counts": counts}
        temporary.write_text(json.dumps(about), encoding="utf-8")


def _features(kind: Kind, rate: int, clip: manifest.Clip) -> tuple[tuple[int, ...], int, bytes]:
    """Return the shape of one feature, the number of features of a clip, and their bytes."""
    path, start, stop = clip
    values = kind.compute(audio.read(path, rate, start, stop), rate).astype("<f4")
    return values.shape[1:], len(values), values.tobytes()
