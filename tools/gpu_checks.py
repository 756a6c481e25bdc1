"""The checks of ``make check-gpu``. ``tools/check_gpu.py`` runs each in a process of its own.

    python tools/gpu_checks.py NAME DEVICE [--trial]

The last line of stdout is a JSON object: the verdict ('ok', 'note' or 'WRONG'), a sentence and values. With
--trial, spectrograms are small and steps few, for a try on CPU contexts in the GPUs' place.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import freqcnn_gluon  # noqa: E402, F401, I001  prepares the process, so it comes before MXNet
import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from mxnet import autograd, gluon  # noqa: E402
from mxnet.gluon import nn  # noqa: E402

from freqcnn_gluon import runtime  # noqa: E402
from freqcnn_gluon.network.architectures import architecture  # noqa: E402
from freqcnn_gluon.network.blocks import Dropout  # noqa: E402
from freqcnn_gluon.network.zoo import build  # noqa: E402
from freqcnn_gluon.training import checkpoint, gpu, loop, memory  # noqa: E402
from freqcnn_gluon.training.examples import Examples  # noqa: E402
from freqcnn_gluon.training.settings import Settings  # noqa: E402
from freqcnn_gluon.training.workers import Workers  # noqa: E402

SIZE, TRIAL_SIZE = 64, 32  # side of the spectrograms in comparisons
STEPS = 4  # timed steps
# Relative differences from the CPU, as norms. Rounding can move an input of relu across 0, and with it the
# gradients below: between two ways to compute tanh on a CPU, Table 10's gradients differ by up to 0.3 %.
OUTPUTS, GRADIENTS = 1e-3, 2e-2


@dataclass
class Finding:
    """The result of a check.

    Attributes:
        verdict: 'ok', 'note' (a person should look at it) or 'WRONG'.
        sentence: The result in words.
        values: What was measured.
    """

    verdict: str
    sentence: str
    values: dict[str, Any] = field(default_factory=dict)


def graded(fine: bool, sentence: str, **values: Any) -> Finding:
    return Finding("ok" if fine else "WRONG", sentence, values)


def noise(count: int, size: int, classes: int) -> Examples:
    """Return labelled noise whose mean depends on the class."""
    images = np.random.default_rng(0).random((count, size, size), np.float32)
    labels = np.arange(count) % classes
    return Examples(images + 0.1 * labels[:, None, None].astype(np.float32), np.arange(count), labels)


def without_dropout(net: gluon.HybridBlock) -> gluon.HybridBlock:
    """Switch dropout off in ``net``, because no two devices draw the same masks."""
    net.apply(lambda layer: setattr(layer, "_rate", 0.0) if isinstance(layer, nn.Dropout) else None)
    return net


def difference(ours: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Return the norm of the difference of all arrays, relative to the norm of the ``expected`` ones."""
    ours_flat, flat = (np.concatenate([part.ravel() for part in parts]) for parts in (ours, expected))
    return float(np.linalg.norm(ours_flat - flat) / np.linalg.norm(flat))


def computed(table: str, device: mx.Context, size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return outputs, in training and in prediction, and gradients of a network with fixed weights."""
    classes = architecture(table).classes
    net = without_dropout(build(table, classes, size))
    runtime.seed(0)
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    net.collect_params().reset_ctx(device)
    loop.compute_in("float32", net, device.device_type)
    net.hybridize(static_alloc=True, static_shape=True)
    images, labels = noise(8, size, classes).batch(np.arange(8))
    x = mx.nd.array(images, ctx=device)
    with autograd.record():
        trained = net(x)
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(trained, mx.nd.array(labels, ctx=device))
    loss.backward()
    mx.nd.waitall()
    parameters = net.collect_params().values()
    gradients = [value.grad(device).asnumpy() for value in parameters if value.grad_req != "null"]
    return [trained.asnumpy(), net(x).asnumpy()], gradients


def numbers(table: str, devices: list[mx.Context], trial: bool) -> Finding:
    """Compare outputs and gradients with the CPU's."""
    size, pair = TRIAL_SIZE if trial else SIZE, (devices[0], mx.cpu())
    (outputs, gradients), (wanted, slopes) = (computed(table, device, size) for device in pair)
    off, off_slopes = difference(outputs, wanted), difference(gradients, slopes)
    return graded(
        off < OUTPUTS and off_slopes < GRADIENTS,
        f"{table} at {size} x {size}: outputs differ from the CPU's by {off:.1e} (limit {OUTPUTS:g}), "
        f"gradients by {off_slopes:.1e} (limit {GRADIENTS:g}).",
        outputs=off,
        gradients=off_slopes,
    )


def dropout(devices: list[mx.Context], trial: bool) -> Finding:
    """Check that dropout follows the seed and drops the right share."""
    layer, ones, masks = Dropout(0.5), mx.nd.ones((1000, 1000), ctx=devices[0]), []
    layer.hybridize(static_alloc=True, static_shape=True)
    for seed in (1, 1, 2):
        runtime.seed(seed)
        with autograd.train_mode():
            masks.append([layer(ones).asnumpy() for _ in range(2)])
    first, again, other = masks
    repeats, differs = np.array_equal(first, again), not np.array_equal(first, other)
    share = float(np.mean(np.array(first) == 0))
    return graded(
        repeats and differs and abs(share - 0.5) < 0.01 and not np.array_equal(*first),
        f"dropout: the same seed {'repeats' if repeats else 'does NOT repeat'} its masks, another seed gives "
        f"{'others' if differs else 'the SAME'}, and {100 * share:.1f} % of 50 % are dropped.",
        repeats=repeats,
        differs=differs,
        share=share,
    )


def trained_weights(
    devices: list[mx.Context], folder: Path | None, stop: tuple[int, ...] = (), **changes: Any
) -> list[np.ndarray]:
    """Train a small network of Table 7, interrupted before the steps ``stop``; return weights and outputs."""
    settings = Settings(**{"epochs": 3, "batch_size": 8, "micro_batch": 4, **changes})
    classes, steps, data = 4, [0], noise(3 * settings.batch_size, 32, 4)
    step = loop.Training.step

    def counted(self: loop.Training, batch: np.ndarray, done: float) -> None:
        steps[0] += 1
        if steps[0] in stop:
            raise KeyboardInterrupt
        step(self, batch, done)

    loop.Training.step = counted  # type: ignore[method-assign]
    try:
        while True:
            net = build("table7", classes, 32)
            try:
                outcome = loop.train(net, settings, data, {"test": data}, classes, devices, folder)
                break
            except KeyboardInterrupt:
                pass
    finally:
        loop.Training.step = step  # type: ignore[method-assign]
    weights = [parameter.data(devices[0]).asnumpy() for parameter in net.collect_params().values()]
    return [*weights, outcome.probabilities["test"]]


def resume(devices: list[mx.Context], trial: bool) -> Finding:
    """Compare a training that stops in an epoch, and between two, with one that does not."""
    less = {"epochs": 2, "batch_size": 4, "micro_batch": 2} if trial else {}
    gpu.PLACE = loop.PLACE = 1  # a place after every batch
    checkpoint.SECONDS_BETWEEN = 0  # and a checkpoint there
    with tempfile.TemporaryDirectory() as folder:
        # The first use of a convolution chooses its algorithm. All of these trainings then share it.
        expected = trained_weights(devices, None, **less)
        again = trained_weights(devices, None, **less)
        resumed = trained_weights(devices, Path(folder), stop=(3, 6), **less)
    same, repeats = (all(map(np.array_equal, other, expected)) for other in (resumed, again))
    off = difference(resumed, expected)
    return graded(
        same,
        f"resume: a training that stopped twice ends with {'the same' if same else 'OTHER'} bytes, and "
        f"one that is repeated with {'the same' if repeats else 'OTHER'} ones (difference: {off:.1e}).",
        same=same,
        repeats=repeats,
        difference=off,
    )


def used_bytes(device: mx.Context) -> int:
    """Return the memory in use on a GPU, whose pool keeps what it once had; on a CPU, the process's peak."""
    if device.device_type == "gpu":
        free, total = mx.context.gpu_memory_info(device.device_id)
        return total - free
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(work: Callable[[], Any], times: int) -> float:
    """Return the seconds that ``work`` takes once, on the average of ``times``."""
    mx.nd.waitall()
    start = time.perf_counter()
    for _ in range(times):
        work()
    mx.nd.waitall()
    return (time.perf_counter() - start) / times


def speed(table: str, devices: list[mx.Context], trial: bool) -> Finding:
    """Measure memory and images per second at the paper's size: forward, step, and the feed alone."""
    paper, device = architecture(table), devices[0]
    size, batch_size = (TRIAL_SIZE, 8) if trial else (paper.size, paper.batch_size)
    net, before = build(table, paper.classes, size), used_bytes(device)
    share = memory.micro_batch(net, size, batch_size, devices=[device])
    estimate = memory.needed_bytes(net, size, batch_size, devices=[device])
    with tempfile.TemporaryDirectory() as folder:
        data = noise(2 * batch_size, size, paper.classes)
        np.save(Path(folder, "images.npy"), data.images)
        data = Examples(np.load(Path(folder, "images.npy"), mmap_mode="r"), data.rows, data.labels)
        settings = Settings(epochs=1, batch_size=batch_size, micro_batch=share)
        training = loop.Training(net, settings, data, {}, paper.classes, [device], None, table, Workers())
        batch = np.arange(batch_size)
        first = timed(lambda: training.step(batch, 0.0), 1)
        step = timed(lambda: training.step(batch, 0.0), STEPS)
        settle = timed(training.settle, 1)
        used = used_bytes(device) - before
        loop.predict(net, data, [device], share)
        forward = timed(lambda: loop.predict(net, data, [device], share), 1) / 2
        feed = timed(lambda: [mx.nd.array(array, ctx=device) for array in data.batch(batch)], STEPS)
    values = {
        "size": size,
        "batch": batch_size,
        "micro_batch": share,
        "images_per_second": {
            name: batch_size / seconds
            for name, seconds in (("step", step), ("forward", forward), ("feed", feed))
        },
        "seconds": {"first_step": first, "settle": settle},
        "bytes": {"used": used, "estimate": estimate},
    }
    rates = values["images_per_second"]
    fits, fed = trial or used < estimate + memory.CONTEXT, feed < step / 2
    sentence = (
        f"{table} at {size} x {size}, batch {batch_size} in parts of {share}: {rates['step']:.1f} images/s "
        f"in training, {rates['forward']:.1f} in prediction, {rates['feed']:.0f} from the feed alone; "
        f"{used / 1e9:.2f} GB used, {estimate / 1e9:.2f} GB estimated; first step {first:.1f} s, check of "
        f"the weights {settle:.2f} s."
    )
    return Finding("ok" if fits and fed else "note", sentence, values)


def two(devices: list[mx.Context], trial: bool) -> Finding:
    """Compare two devices with one: the same micro-batches, without dropout, one epoch."""
    if len(devices) < 2:
        return Finding("note", "two GPUs: not checked, because there is one.")
    weights, seconds, size = [], [], TRIAL_SIZE if trial else SIZE
    for own in (devices[:1], devices[:2]):
        classes, data = 4, noise(32, size, 4)
        net = without_dropout(build("table7", classes, size))
        settings = Settings(epochs=1, batch_size=16, micro_batch=8)
        start = time.perf_counter()
        loop.train(net, settings, data, {}, classes, own)
        seconds.append(time.perf_counter() - start)
        parameters = net.collect_params().values()
        weights.append([value.data(own[0]).asnumpy() for value in parameters if value.grad_req != "null"])
    off = difference(weights[1], weights[0])
    return graded(
        off < OUTPUTS,
        f"{devices[0]} and {devices[1]}: weights differ from those of {devices[0]} alone by {off:.1e} (limit "
        f"{OUTPUTS:g}); {seconds[0]:.1f} s alone, {seconds[1]:.1f} s together.",
        difference=off,
        seconds=seconds,
    )


def environment(devices: list[mx.Context], trial: bool) -> Finding:
    """State the software and the machine."""
    versions = runtime.versions()
    changed = {
        name: versions.get(name)
        for name, value in runtime.GPU_DEFAULTS.items()
        if devices[0].device_type == "gpu" and versions.get(name) != value
    }
    sentence = f"{', '.join(map(str, devices))}: {versions.get('gpus', versions['cpu'])}"
    sentence += f", driver {versions['driver']}" if "driver" in versions else ""
    if changed:
        return Finding("note", f"{sentence}; other than by default: {changed}.", versions)
    return Finding("ok", f"{sentence}.", versions)


TABLES = ("table2", "table7", "table10")
CHECKS: dict[str, Callable[[list[mx.Context], bool], Finding]] = {
    "environment": environment,
    **{f"numbers-{name}": lambda devices, trial, name=name: numbers(name, devices, trial) for name in TABLES},
    "dropout": dropout,
    "resume": resume,
    **{f"speed-{name}": lambda devices, trial, name=name: speed(name, devices, trial) for name in TABLES},
    "two": two,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=CHECKS)
    parser.add_argument("device")
    parser.add_argument("--trial", action="store_true")
    options = parser.parse_args()
    finding = CHECKS[options.name](runtime.contexts(options.device), options.trial)
    print(json.dumps(asdict(finding)))


if __name__ == "__main__":
    main()
