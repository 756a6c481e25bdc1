"""`freqcnn explain`: show the parts of a recording that the attention emphasises."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.base.files import as_stored
from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command, add_device


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "explain",
        run,
        "show the bands and feature maps that the attention emphasises",
        "Draw a picture on top of the spectrogram, and print the mean weight of each band (Eqs. 9 to 11).",
        "model/ a.wav --out a.png",
    )
    command.add_argument("model", type=as_stored, metavar="MODEL", help="the folder that `fit` wrote")
    command.add_argument("file", type=as_stored, metavar="FILE", help="a recording")
    command.add_argument(
        "--out",
        type=Path,
        metavar="PNG",
        help="file of the picture (default: FILE-attention.png in the current folder)",
    )
    add_device(command)


def run(options: argparse.Namespace) -> None:
    from data_prep.base.faults import one_line
    from data_prep.sound import audio
    from data_prep.sound.spectrogram import image, row_edges
    from freqcnn_gluon.network.explain import attended, draw
    from freqcnn_gluon.own.model import Model
    from freqcnn_gluon.own.output import most_likely

    model = Model.load(recogniser.folder(options.model), options.device)
    settings = model.about.images
    samples = audio.read(options.file, settings.rate)
    spectrogram = image(samples, settings)
    blocks = attended(model.net, spectrogram)
    labels = most_likely(model.probabilities(spectrogram[None])[0], model.about.labels)
    out = options.out or Path(f"{options.file.stem}-attention.png")
    seconds, frequencies = len(samples) / settings.rate, row_edges(settings).tolist()
    draw(spectrogram, blocks, f"{options.file.name}: {labels}", out, seconds, frequencies)
    print(one_line(f"{options.file}: {labels}"))
    for attention in blocks:
        print(f"block {attention.block}: {attention.summary(seconds, frequencies)}")
    print(one_line(f"picture: {out}"))
