"""Show why Table 2's network learns or does not: measure the gradient of each block in the first steps.

    python benchmarks/gradients.py --gamma 1 0.1

This program trains on the stand-in for UT-Podcast, which it synthesises if necessary, or on the corpus in
--ut-podcast. Every 15 steps it records the mean loss since the last record, and the norm of the gradient on
the last convolution of each block's global path. It writes results/gradients.json, and
``benchmarks/learning.py render`` copies the values into docs/learning.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import freqcnn_gluon  # noqa: F401  must be imported before MXNet
from data_prep.base.commands import with_plain_errors
from data_prep.base.files import whole
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from reproduce.assumptions import choices
from reproduce.corpora import Corpus, prepare

RESULTS = Path(__file__).resolve().parent / "results"


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--gamma", type=float, nargs="+", default=[1.0, 0.1], help="initial scales of BatchNorm to compare"
    )
    parser.add_argument("--steps", type=int, default=61)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--ut-podcast", type=Path, help="folder of the corpus (default: its stand-in)")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for gradients.json")
    options = parser.parse_args(arguments)
    chosen = choices(3)
    image = ImageSettings(options.size, **chosen["image"])
    corpus = prepare(
        "ut_podcast", options.ut_podcast, options.data, image, chosen["data"], check_counts=False
    )
    measured = {
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "setting": {"size": options.size, "batch_size": options.batch_size, "source": corpus.source},
        "values": {f"{gamma:g}": list(first_steps(corpus, gamma, options)) for gamma in options.gamma},
    }
    with whole(options.results / "gradients.json") as path:
        path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def first_steps(corpus: Corpus, gamma: float, options: argparse.Namespace) -> Iterator[dict]:
    """Yield the step, the mean loss since the last yield, and the gradient's norm for each block."""
    import mxnet as mx
    from mxnet import autograd, gluon

    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.examples import Examples
    from freqcnn_gluon.training.settings import INITIALIZERS

    runtime.seed(0)
    examples = Examples(corpus.store.images, *corpus.part("test", "train"))
    net = build("table2", len(corpus.split.labels), options.size, gamma=gamma)
    net.initialize(INITIALIZERS["xavier"]())
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-8})
    softmax_loss, losses = gluon.loss.SoftmaxCrossEntropyLoss(), []
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(examples)), options.steps))
    for step in range(options.steps):
        batch = order[step * options.batch_size : (step + 1) * options.batch_size]
        images, labels = map(mx.nd.array, examples.batch(batch))
        with autograd.record():
            loss = softmax_loss(net(images), labels)
        loss.backward()
        losses.append(float(loss.mean().asscalar()))
        if step % 15 == 0:
            convolutions = [block.global_[-1][1].weight for block in list(net.stages)[0::2]]
            gradients = [weight.grad().asnumpy() / len(batch) for weight in convolutions]
            norms = [float(np.linalg.norm(gradient)) for gradient in gradients]
            yield {"step": step, "loss": float(np.mean(losses)), "norms": norms}
            losses = []
        trainer.step(len(batch))


if __name__ == "__main__":
    raise SystemExit(main())
