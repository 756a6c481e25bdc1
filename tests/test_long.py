"""Memory, open files and threads stay constant over long runs: ``make test-long``."""

import os
import statistics
import threading
from pathlib import Path

import mxnet as mx
import numpy as np
import pandas as pd
import pytest
import soundfile
import test_training

from data_prep import manifest, store
from data_prep.base import processes
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import checkpoint
from freqcnn_gluon.training.loop import train

pytestmark = pytest.mark.long
EPOCHS, CLIPS = 200, 10_000
SETTLING = 250  # epochs in which the allocator of a training still grows
GROWTH = 10e6  # bytes that the allocator may keep; leaking a batch per epoch or all images would be more
FILES = 10  # open files by which stages differ; a leak of one per clip or epoch would be more


def measured():
    """Return (memory in bytes, open files, threads) of this process and its children together."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    total = np.zeros(3, int)
    for process in (Path(f"/proc/{number}") for number in (own, *children)):
        try:
            pages = int((process / "statm").read_text().split()[1])
            counts = [len(os.listdir(process / folder)) for folder in ("fd", "task")]
        except OSError:  # the process has ended
            continue
        total += [pages * os.sysconf("SC_PAGE_SIZE"), *counts]
    return total


def check_flat(title, samples):
    """Compare the medians of the last fifth of ``samples`` (n, 3) with those of the first."""
    fifth = len(samples) // 5
    early, late = (
        [statistics.median(column) for column in zip(*part)] for part in (samples[:fifth], samples[-fifth:])
    )
    print(
        f"{title}: memory {early[0] / 1e6:.1f} -> {late[0] / 1e6:.1f} MB, open files {early[1]:.0f} -> "
        f"{late[1]:.0f}, threads {early[2]:.0f} -> {late[2]:.0f}, {len(samples)} samples"
    )
    assert late[0] - early[0] < GROWTH and late[1] <= early[1] + FILES and late[2] <= early[2]


def test_200_epochs(tmp_path, monkeypatch, capfd):
    """Table 7's network, evaluated and saved after every epoch."""
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    net, data = build("table7", 3, 32), test_training.examples(24, 32)
    chosen = test_training.settings(epochs=SETTLING + EPOCHS, batch_size=12, micro_batch=6)
    samples = []
    train(
        net,
        chosen,
        data,
        {"test": data},
        3,
        [mx.cpu()],
        tmp_path,
        callback=lambda entry: samples.append(measured()),
    )
    with capfd.disabled():
        check_flat(f"\n{EPOCHS} epochs", samples[SETTLING:])
    assert len(samples) == SETTLING + EPOCHS


def test_a_store_of_10_000_clips(tmp_path, capfd, monkeypatch):
    """Every clip differs. The images take 40 MB. Samples count once the processes have started."""
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    draws, root = np.random.default_rng(0), tmp_path / "corpus"
    root.mkdir()
    for number in range(CLIPS):
        soundfile.write(root / f"{number}.wav", 0.1 * draws.standard_normal(1600), 8000)
    clips = [
        (f"c{number}", f"{number}.wav", np.nan, np.nan, "ab"[number % 2], "", "", "train")
        for number in range(CLIPS)
    ]
    samples, finished = [], threading.Event()

    def watch():
        while not finished.wait(0.1):
            samples.append(measured())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        made = store.build(
            pd.DataFrame(clips, columns=manifest.COLUMNS), root, tmp_path / "store", ImageSettings(32), jobs=2
        )
    finally:
        finished.set()
        watching.join()
    assert len(made.images) == CLIPS
    with capfd.disabled():
        check_flat(f"\n{CLIPS} clips", samples[len(samples) // 2 :])
