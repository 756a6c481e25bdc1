"""Check whether a network learns: train it on any labelled recordings and hold some of them out.

    python benchmarks/learning.py CSV --architecture table7 --test text=digit7,digit8,digit9 --seeds 3
    python benchmarks/learning.py CSV --validation speaker=lucas --set initializer=uniform

CSV has the columns path, label, speaker and text; a manifest.csv is such a file. We chose the settings with
--validation, on parts of the training data alone. --test is for the final figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

import freqcnn_gluon  # noqa: F401  must be imported before MXNet
from data_prep import manifest, store
from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from reproduce.assumptions import choices


def held_out(frame: pd.DataFrame, condition: str) -> np.ndarray:
    """Return for each row whether it meets ``condition``, which reads 'column=value,value'."""
    column, _, values = condition.partition("=")
    if column not in frame:
        raise Faults(
            f"there is no column '{column}' to hold out by; choose one of {', '.join(frame.columns)}"
        )
    return frame[column].isin(values.split(",")).to_numpy()


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("csv", type=Path)
    parser.add_argument(
        "--root", type=Path, help="folder that the paths are relative to (default: the CSV's folder)"
    )
    parser.add_argument("--architecture", default="table2")
    parser.add_argument("--test", help="column=value,value: clips to evaluate on, not to train on")
    parser.add_argument("--validation", help="column=value,value: further clips to evaluate on")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--clips", type=int, help="number of training clips, drawn at random (default: all)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="choice for an assumption: id=value")
    parser.add_argument("--network", type=json.loads, default={}, help="keyword arguments of FreqCNN as JSON")
    parser.add_argument(
        "--dropout", type=float, default=1.0, help="factor by which every dropout rate is multiplied"
    )
    parser.add_argument("--dtype", default="float32", help="number format of convolutions")
    parser.add_argument("--out", type=Path, default=Path("data/learning"))
    parser.add_argument(
        "--report", type=Path, help="file to which each run appends its history as a line of JSON"
    )
    options = parser.parse_args(arguments)

    frame = pd.read_csv(options.csv, dtype=str, keep_default_na=False)
    parts = {
        name: held_out(frame, text) for name in ("test", "validation") if (text := getattr(options, name))
    }
    frame = frame.assign(clip=frame["path"], start=np.nan, stop=np.nan, partition="")
    frame = frame[list(manifest.COLUMNS)]
    settings = ImageSettings(options.size)
    folder = store.store_folder(options.out, settings)
    images = store.build(frame, options.root or options.csv.parent, folder, settings)

    from mxnet.gluon import nn

    from freqcnn_gluon import runtime
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.examples import Examples
    from freqcnn_gluon.training.loop import train
    from freqcnn_gluon.training.settings import Settings

    numbers, labels = pd.factorize(frame["label"], sort=True)
    training = np.flatnonzero(~np.any([*parts.values(), np.zeros(len(frame), bool)], axis=0))
    training = np.random.default_rng(0).permutation(training)[: options.clips]
    evaluated = {name: np.flatnonzero(chosen) for name, chosen in parts.items()}
    rows = images.rows(frame["clip"])
    chosen = choices({"table7": 8, "table10": 11}.get(options.architecture, 3), options.set)
    for seed in range(options.seeds):
        runtime.mixed_precision(options.dtype)
        runtime.seed(seed)
        network = chosen["network"] | options.network
        net = build(options.architecture, len(labels), options.size, **network)
        net.apply(
            lambda layer: (
                isinstance(layer, nn.Dropout) and setattr(layer, "_rate", layer._rate * options.dropout)
            )
        )
        settings = Settings(
            batch_size=options.batch_size,
            micro_batch=options.batch_size,
            seed=seed,
            dtype=options.dtype,
            **chosen["training"],
        )
        outcome = train(
            net,
            settings,
            Examples(images.images, rows[training], numbers[training]),
            {name: Examples(images.images, rows[which], numbers[which]) for name, which in evaluated.items()},
            len(labels),
            runtime.contexts("cpu"),
            title=f"{options.architecture} seed {seed}",
        )
        if options.report:
            settled = {name: str(value) for name, value in vars(options).items()}
            with open(options.report, "a") as file:
                file.write(json.dumps(settled | {"seed": seed, "history": outcome.history}) + "\n")
        curve = " ".join(f"{entry['loss']:.2f}" for entry in outcome.history)
        last = outcome.history[-1]["accuracy"]
        print(f"seed {seed}, {len(training)} clips: training loss {curve}; accuracy {last:.3f}")
        for name in evaluated:
            curve = " ".join(f"{entry[name]['uar']:.2f}" for entry in outcome.history)
            last = outcome.history[-1][name]
            print(
                f"    {name} UAR {curve}; last {last['uar']:.3f}, accuracy {last['accuracy']:.3f}", flush=True
            )


if __name__ == "__main__":
    raise SystemExit(main())
