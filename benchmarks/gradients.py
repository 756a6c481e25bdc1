"""Show why Table 2's network learns or does not: print the gradient of each block in the first steps.

    python benchmarks/gradients.py --gamma 1 0.1

This program trains on the stand-in for UT-Podcast, which it synthesises if necessary, or on the corpus in
--ut-podcast. Every 15 steps it prints the mean loss since the last line, and the norm of the gradient on the
last convolution of each block's global path.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import freqcnn_gluon  # noqa: F401  must be imported before MXNet
from data_prep.base.commands import with_plain_errors
from data_prep.sound.spectrogram import ImageSettings
from reproduce.assumptions import choices
from reproduce.corpora import prepare


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--gamma", type=float, nargs="+", default=[1.0, 0.1], help="initial scales of BatchNorm to compare"
    )
    parser.add_argument("--steps", type=int, default=91)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--ut-podcast", type=Path, help="folder of the corpus (default: its stand-in)")
    parser.add_argument("--data", type=Path, default=Path("data"))
    options = parser.parse_args(arguments)
    chosen = choices(3)
    image = ImageSettings(options.size, **chosen["image"])
    corpus = prepare(
        "ut_podcast", options.ut_podcast, options.data, image, chosen["data"], check_counts=False
    )
    for gamma in options.gamma:
        print(f"gamma {gamma:g}\n step  loss   block 1  block 2  block 3  block 4  block 5")
        for step, loss, norms in first_steps(corpus, gamma, options):
            print(f"{step:5}  {loss:.3f}  " + "  ".join(f"{norm:7.3f}" for norm in norms), flush=True)


def first_steps(corpus, gamma: float, options: argparse.Namespace):
    """Yield the step, the mean loss since the last yield, and the gradient's norm for each block."""
    import mxnet as mx
    from mxnet import autograd, gluon

    from freqcnn_gluon import runtime
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
            norms = [np.linalg.norm(weight.grad().asnumpy()) / len(batch) for weight in convolutions]
            yield step, np.mean(losses), norms
            losses = []
        trainer.step(len(batch))


if __name__ == "__main__":
    raise SystemExit(main())
