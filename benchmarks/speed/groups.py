"""The measurements: each piece takes minutes and returns the content of ``results/<piece>.json``.

With ``tiny``, for the tests, all sizes are so small that a piece takes seconds, and its values mean nothing.
A candidate that cannot run here is skipped and named in ``missing``, with the reason: a package that is not
installed, or bfloat16 on a processor without AVX-512.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from alternate import Worker, alternating

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES

OURS, OURS_BFLOAT16 = "MXNet", "MXNet, bfloat16"
STEPS = {
    OURS: ("candidates.gluon:Step", {}),
    "PyTorch": ("candidates.pytorch:Step", {}),
    "PyTorch, channels_last": ("candidates.pytorch:Step", {"channels_last": True}),
    "torch.compile": ("candidates.pytorch:Step", {"compiled": True}),
    "torch.compile, channels_last": ("candidates.pytorch:Step", {"compiled": True, "channels_last": True}),
    OURS_BFLOAT16: ("candidates.gluon:Step", {"dtype": "bfloat16"}),
    "PyTorch, bfloat16": ("candidates.pytorch:Step", {"bfloat16": True}),
    "PyTorch, bfloat16, channels_last": (
        "candidates.pytorch:Step",
        {"bfloat16": True, "channels_last": True},
    ),
    "torch.compile, bfloat16": ("candidates.pytorch:Step", {"bfloat16": True, "compiled": True}),
    "torch.compile, bfloat16, channels_last": (
        "candidates.pytorch:Step",
        {"bfloat16": True, "compiled": True, "channels_last": True},
    ),
}
INFERENCES = {
    name: (candidate.replace("Step", "Infer"), arguments)
    for name, (candidate, arguments) in STEPS.items()
    if "bfloat16" not in name
}
# Samples per training step and per prediction. All candidates are in memory at the same time.
BATCHES = {"table2": 2, "table7": 4, "table10": 2}
PREDICTED = (1, 32)
AGREEMENT_SIZE = 64  # pixels, for the comparison of a network with its twin
TOLERANCE = 1e-4
ROUNDS = 5


def step(table: str, tiny: bool) -> dict:
    """Time a training step of ours and of the same network in PyTorch."""
    size, agreement = _size(table, tiny), _agreement(table)
    return _network(table, size, BATCHES[table], STEPS, tiny) | {"agreement": agreement}


def inference(table: str, tiny: bool) -> dict:
    """Time a prediction from numpy array to numpy array, for one clip and for many."""
    size, timed = _size(table, tiny), {}
    _agreement(table)
    for batch in (1,) if tiny else PREDICTED:
        with tempfile.TemporaryDirectory() as folder:
            exported = _exported(table, size, batch, folder)
            timed[str(batch)] = _network(table, size, batch, INFERENCES | exported, tiny)
    return timed


def memory(table: str, tiny: bool) -> dict:
    """Measure the bytes that one more sample adds to a training step's peak, from the peaks of two batches.

    The first step does not count, because its peak would be the compiler's.
    """
    few, many = (1, 2) if tiny else (BATCHES[table], 3 * BATCHES[table])
    _agreement(table)
    common = {"table": table, "size": _size(table, tiny)}
    peaks: dict[str, list[int]] = {}
    missing, versions = {}, {}
    for name, (candidate, arguments) in STEPS.items():
        if "channels_last" in name:  # the order in memory does not change how much is needed
            continue
        for batch in (few, many):
            with Worker(candidate, runtime.threads(), batch=batch, **common, **arguments) as worker:
                if worker.missing:
                    missing[name] = worker.missing
                    break
                versions |= worker.versions
                worker.ask("run")
                worker.ask("forget")
                worker.ask("run")
                peaks.setdefault(name, []).append(worker.ask("peak"))
    a_sample = {name: (peak[1] - peak[0]) / (many - few) for name, peak in peaks.items()}
    return {
        "size": common["size"],
        "batches": [few, many],
        "peaks": peaks,
        "a_sample": a_sample,
        "missing": missing,
        "versions": versions,
    }


def peak(table: str, tiny: bool) -> dict:
    """Measure the share of the machine's convolution peak that the training step of each block reaches."""
    common = {"table": table, "size": _size(table, tiny), "batch": BATCHES[table]}
    with Worker("candidates.blocks:Blocks", runtime.threads(), **common) as worker:
        return worker.ask("shares", rounds=_rounds(tiny), shrink=8 if tiny else 1) | common


def spectrograms(tiny: bool) -> dict:
    """Time spectrograms alone, on one core and on all, and the whole path from WAV files to images."""
    clips, seconds = (2, 15) if tiny else (40, 15)
    hours, results = clips * seconds / 3600, {}
    for jobs in sorted({1, runtime.threads()}):
        common = {"clips": clips, "jobs": jobs}
        chosen = {
            program: ("candidates.spectra:Spectrogram", {"program": program} | common)
            for program in ("ours", "librosa", "scipy", "fft")
        }
        chosen["torch"] = ("candidates.spectra:TorchSpectrogram", {"clips": clips})
        threads = {program: jobs if program == "torch" else 1 for program in chosen}
        with _workers(chosen, threads) as (workers, missing):
            apart = _same_spectrograms(workers)
            timed = _timed(workers, f"spectrograms, {jobs} at a time", tiny)
            result = _result(timed, workers, missing)
        results["1 core" if jobs == 1 else f"{jobs} cores"] = result | {"hours": hours, "apart": apart}
    with tempfile.TemporaryDirectory() as folder:
        count = clips if tiny else 5 * clips
        common = {"folder": folder, "clips": count, "rate": 8000, "size": 256}
        files = "candidates.spectra:Files"
        chosen = {
            "ours": (files, {"program": "ours", "jobs": runtime.threads()} | common),
            "ours, 1 core": (files, {"program": "ours", "jobs": 1} | common),
            "librosa": (files, {"program": "librosa"} | common),
        }
        with _workers(chosen, dict.fromkeys(chosen, 1)) as (workers, missing):
            timed = _timed(workers, "WAV files to images", tiny)
            results["files"] = _result(timed, workers, missing) | {"hours": count * seconds / 3600}
    return results


def clips(tiny: bool) -> dict:
    """Measure how the time and memory of a store and of an epoch grow with the number of clips."""
    with tempfile.TemporaryDirectory() as folder:
        grown = {}
        for count in (4, 8) if tiny else (100, 1000, 10000):
            with Worker("candidates.clips:Clips", runtime.threads(), folder=folder, clips=count) as worker:
                grown[count] = worker.ask("grow")
    return {
        f"clips: {title}": _curve({count: costs[kind] for count, costs in grown.items()}, unit)
        for title, kind, unit in (
            ("store", "store_seconds", "s"),
            ("epoch", "epoch_seconds", "s"),
            ("peak memory", "peak_bytes", "B"),
        )
    }


def steps(tiny: bool) -> dict:
    """Measure how the time of a training step depends on the image's size, the segments and the cores."""
    common = {"table": "table7", "size": 32 if tiny else 128, "batch": 4}
    all_cores = runtime.threads()
    varied: dict[str, dict[int, tuple[int, dict]]] = {
        "side of the image": {
            size: (all_cores, common | {"size": size}) for size in ((32, 64) if tiny else (64, 128, 256))
        },
        "segments n": {n: (all_cores, common | {"segments": n}) for n in ((1, 2) if tiny else (1, 2, 4, 8))},
        "cores": {
            n: (n, common) for n in sorted({1, *(2**i for i in range(1, 9) if 2**i < all_cores), all_cores})
        },
    }
    curves = {}
    for name, points in varied.items():
        chosen = {
            str(value): ("candidates.gluon:Step", arguments) for value, (_, arguments) in points.items()
        }
        threads = {str(value): count for value, (count, _) in points.items()}
        with _workers(chosen, threads) as (workers, _):
            timed = _timed(workers, name, tiny)
        if len(points) > 1:
            curves[f"step: {name}"] = _curve({int(n): times["median"] for n, times in timed.items()}, "s")
    return curves


GROUPS: dict[str, dict[str, Callable[[bool], dict]]] = {
    **{
        function.__name__: {f"{function.__name__}-{table}": partial(function, table) for table in BATCHES}
        for function in (step, inference, memory, peak)
    },
    "spectrograms": {"spectrograms": spectrograms},
    "growth": {"growth-clips": clips, "growth-step": steps},
}


def pieces(names: Sequence[str]) -> dict[str, Callable[[bool], dict]]:
    """Return the pieces with these names, or of the groups with these names; all if ``names`` is empty."""
    every = {name: measure for group in GROUPS.values() for name, measure in group.items()}
    if unknown := [name for name in names if name not in GROUPS and name not in every]:
        names_of_all = ", ".join(dict.fromkeys((*GROUPS, *every)))
        raise Faults(f"there is no measurement '{name}'; choose one of {names_of_all}" for name in unknown)
    chosen = [piece for name in names or GROUPS for piece in GROUPS.get(name, [name])]
    return {piece: every[piece] for piece in chosen}


def _size(table: str, tiny: bool) -> int:
    return 32 if tiny else ARCHITECTURES[table].size


def _rounds(tiny: bool) -> int:
    return 2 if tiny else ROUNDS


def _timed(workers: Mapping[str, Worker], title: str, tiny: bool) -> dict[str, dict]:
    return alternating(workers, title, _rounds(tiny), **({"seconds": 0, "pause": 0} if tiny else {}))


@contextlib.contextmanager
def _workers(
    candidates: Mapping[str, tuple[str, dict]], threads: Mapping[str, int]
) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
    """Start the candidates; yield their processes, and the failed imports of those that cannot run."""
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(candidate, threads[name], **arguments))
            for name, (candidate, arguments) in candidates.items()
        }
        missing = {name: worker.missing for name, worker in workers.items() if worker.missing}
        yield {name: worker for name, worker in workers.items() if name not in missing}, missing


def _result(timed: dict, workers: Mapping[str, Worker], missing: dict) -> dict:
    versions: dict[str, object] = {}
    for worker in workers.values():
        versions |= worker.versions
    return {"seconds": timed, "missing": missing, "versions": versions}


def _network(table: str, size: int, batch: int, candidates: Mapping, tiny: bool) -> dict:
    """Time all candidates of one network on one batch."""
    common = {"table": table, "size": size, "batch": batch}
    chosen = {name: (candidate, common | extra) for name, (candidate, extra) in candidates.items()}
    with _workers(chosen, dict.fromkeys(chosen, runtime.threads())) as (workers, missing):
        timed = _timed(workers, f"{table}, batch {batch}", tiny)
        return _result(timed, workers, missing) | {"size": size, "batch": batch}


def _agreement(table: str) -> dict:
    """Return how much the twin's logits and gradients differ from ours with our weights; {} without PyTorch.

    Raises:
        Faults: If they differ by more than TOLERANCE, because the two are then not the same network.
    """
    common = {"table": table, "size": AGREEMENT_SIZE, "batch": 2}
    with (
        tempfile.TemporaryDirectory() as folder,
        Worker("candidates.pytorch:Answer", runtime.threads(), **common) as twin,
    ):
        weights, answer = f"{folder}/weights.npz", f"{folder}/answer.npz"
        if twin.missing:
            return {}
        with Worker("candidates.gluon:Answer", runtime.threads(), **common) as worker:
            worker.ask("write", weights=weights, path=answer)
        differences = twin.ask("differences", weights=weights, path=answer)
    if not max(differences["logits"], differences["gradient"]) < TOLERANCE:
        raise Faults(
            f"{table}: the twin in PyTorch differs from our network by {differences}; nothing was timed"
        )
    return differences | {"size": AGREEMENT_SIZE}


def _exported(table: str, size: int, batch: int, folder: str) -> dict[str, tuple[str, dict]]:
    """Return onnxruntime as a candidate, with PyTorch's export of the twin; {} without PyTorch."""
    path = f"{folder}/net.onnx"
    with Worker("candidates.pytorch:Infer", runtime.threads(), table=table, size=size, batch=batch) as worker:
        if worker.missing:
            return {}
        worker.ask("export", path=path)
    return {"onnxruntime": ("candidates.onnx:Infer", {"path": path})}


def _same_spectrograms(workers: Mapping[str, Worker]) -> dict[str, float]:
    """Return each program's largest difference from ours in dB; Faults if it is more than rounding."""
    with tempfile.TemporaryDirectory() as folder:
        written = {}
        for program, worker in workers.items():
            if program != "fft":
                worker.ask("write", path=f"{folder}/{program}.npy")
                written[program] = np.load(Path(folder) / f"{program}.npy")
    apart = {program: float(np.abs(bins - written["ours"]).max()) for program, bins in written.items()}
    if max(apart.values()) > 1e-6:
        raise Faults(f"the spectrograms are not equal: they differ by {apart} dB; nothing was timed")
    return apart


def _curve(points: Mapping[int, float], unit: str) -> dict:
    """Return ``points`` in ``unit`` with the exponent of the power law that fits them by least squares."""
    x, y = np.log(list(points)), np.log(list(points.values()))
    exponent = float(np.polyfit(x, y, 1)[0])
    return {"points": {str(n): value for n, value in points.items()}, "unit": unit, "exponent": exponent}
