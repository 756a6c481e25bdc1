"""Build a store from many short WAV files, and train an epoch on it."""

from __future__ import annotations

import time
from pathlib import Path

import freqcnn_gluon  # noqa: F401  must be imported before MXNet

# isort: split
import numpy as np
import pandas as pd
import soundfile
from worker import peak_bytes

from data_prep import manifest, store
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime

SIZE = 32


class Clips:
    """Half a second of noise in each of ``clips`` files below ``folder``; existing files are used again."""

    def __init__(self, folder: str, clips: int):
        self.versions = {}
        self.folder, self.names = Path(folder) / "wav", [f"{number}.wav" for number in range(clips)]
        self.folder.mkdir(exist_ok=True)
        for number, name in enumerate(self.names):
            if not (self.folder / name).exists():
                noise = np.random.default_rng(number).standard_normal(8000) / 9
                soundfile.write(self.folder / name, noise, 16000)

    def grow(self) -> dict[str, float]:
        """Return the seconds to build the store and to train an epoch, and the peak memory in bytes."""
        frame = pd.DataFrame(
            {"clip": self.names, "path": self.names, "label": "a", "speaker": "b", "text": "c"}
        )
        frame = frame.assign(start=np.nan, stop=np.nan, partition="")[list(manifest.COLUMNS)]
        started = time.perf_counter()
        built = store.build(
            frame, self.folder, self.folder.parent / f"store-{len(self.names)}", ImageSettings(SIZE)
        )
        store_seconds = time.perf_counter() - started

        from freqcnn_gluon.network.zoo import build
        from freqcnn_gluon.training.examples import Examples
        from freqcnn_gluon.training.loop import train
        from freqcnn_gluon.training.settings import Settings

        labels = np.arange(len(self.names)) % 2
        examples = Examples(built.images, built.rows(self.names), labels)
        few = Examples(built.images, examples.rows[:2], labels[:2])
        settings = Settings(epochs=2, batch_size=min(32, len(labels)), micro_batch=32)
        outcome = train(
            build("table7", 2, SIZE),
            settings,
            examples,
            {"test": few},
            2,
            runtime.contexts("cpu"),
            title="epochs",
        )
        epoch = outcome.history[-1]["seconds"]
        return {"store_seconds": store_seconds, "epoch_seconds": epoch, "peak_bytes": peak_bytes()}
