"""The spectrogram of some minutes of sound: ours, and other programs' with the same parameters.

All programs use frames of 50 ms with half overlap, a symmetric Hamming window, an FFT of 1024 points, and
decibels down to 80 dB below the maximum. Each ``run`` computes the spectrograms of all ``clips``. ``Files``
covers the whole path from WAV files to images.
"""

from __future__ import annotations

import functools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import soundfile
from PIL import Image
from scipy import fft, signal
from scipy.signal.windows import hamming

from data_prep import manifest, store
from data_prep.sound.spectrogram import ImageSettings, mirspectrum

RATE, FRAME, HOP, POINTS, FLOOR = 16000, 800, 400, 1024, 80.0
SECONDS = 15  # duration of a clip, about as long as UT-Podcast's clips
# librosa and torch centre a short window in the FFT's frame. This many samples come before and after it.
MARGIN = (POINTS - FRAME) // 2


def speech(number: int) -> np.ndarray:
    """Return noise (samples,) in float64 whose spectrum falls toward high frequencies, as speech does."""
    noise = np.random.default_rng(number).standard_normal(RATE * SECONDS)
    return signal.lfilter([0.1], [1, -0.9], noise)


def decibels(magnitude: np.ndarray) -> np.ndarray:
    """Convert magnitudes in place as MIRtoolbox's 'dB' does, for programs that only compute magnitudes."""
    magnitude += 1e-16
    np.log10(magnitude, out=magnitude)
    magnitude *= 20
    magnitude -= magnitude.max()
    np.maximum(magnitude, -FLOOR, out=magnitude)
    magnitude += FLOOR
    return magnitude


class Spectrogram:
    """One program's spectrogram.

    Args:
        program: 'ours', 'librosa', 'scipy', or 'fft', which computes only the FFTs of the windowed frames.
        clips: Number of clips.
        jobs: Number of threads, one clip each. numpy and scipy compute in parallel in threads.
    """

    def __init__(self, program: str, clips: int, jobs: int = 1):
        self.versions = {"numpy": np.__version__, "scipy": scipy.__version__}
        self.clips = [speech(number) for number in range(clips)]
        self.of = getattr(self, f"of_{program}")
        if program == "librosa":
            import librosa

            self.versions = {"librosa": librosa.__version__}
        self.map = ThreadPoolExecutor(jobs).map if jobs > 1 else map

    def run(self) -> None:
        for self.last in self.map(self.of, self.clips):
            pass

    def write(self, path: str) -> None:
        """Write the first clip's spectrogram (bins, frames), for the comparison with others."""
        np.save(path, np.asarray(self.of(self.clips[0])))

    @staticmethod
    def of_ours(samples: np.ndarray) -> np.ndarray:
        return mirspectrum(samples, RATE, db=FLOOR)[0]

    @staticmethod
    def of_librosa(samples: np.ndarray) -> np.ndarray:
        import librosa

        samples = np.pad(samples, MARGIN)
        bins = librosa.stft(
            samples, n_fft=POINTS, hop_length=HOP, win_length=FRAME, window=_window(), center=False
        )
        return decibels(np.abs(bins))

    @staticmethod
    def of_scipy(samples: np.ndarray) -> np.ndarray:
        window = signal.ShortTimeFFT(_window(), HOP, RATE, mfft=POINTS, fft_mode="onesided", phase_shift=None)
        first = FRAME // 2 // HOP  # index of the frame that begins at the first sample
        last = first + (len(samples) - FRAME) // HOP + 1
        return decibels(np.abs(window.stft(samples, first, last)))

    @staticmethod
    def of_fft(samples: np.ndarray) -> list[np.ndarray]:
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        padded, spectra = np.zeros((64, POINTS)), []  # a block of frames that fits into the cache
        for i in range(0, len(frames), len(padded)):
            block = padded[: len(frames) - i]
            np.multiply(frames[i : i + len(block)], _window(), out=block[:, :FRAME])
            spectra.append(fft.rfft(block, axis=1))
        return spectra


@functools.cache
def _window() -> np.ndarray:
    return hamming(FRAME)


class TorchSpectrogram:
    """The same with torch.stft, in float64 like the others, on torch's own threads."""

    def __init__(self, clips: int):
        import torch

        from freqcnn_gluon import runtime

        torch.set_num_threads(runtime.threads())
        self.torch, self.versions = torch, {"torch": torch.__version__}
        self.clips = [torch.from_numpy(speech(number)) for number in range(clips)]
        self.window = torch.hamming_window(FRAME, periodic=False, dtype=torch.float64)

    def of(self, samples):
        torch = self.torch
        padded = torch.nn.functional.pad(samples, (MARGIN, MARGIN))
        bins = torch.stft(padded, POINTS, HOP, FRAME, self.window, center=False, return_complex=True)
        magnitude = bins.abs().add_(1e-16).log10_().mul_(20)
        return magnitude.sub_(magnitude.max()).clamp_(min=-FLOOR).add_(FLOOR)

    def run(self) -> None:
        with self.torch.inference_mode():
            for samples in self.clips:
                self.last = self.of(samples)

    def write(self, path: str) -> None:
        np.save(path, self.of(self.clips[0]).numpy())


class Files:
    """The whole path from WAV files to images on disk.

    Args:
        program: 'ours', which builds a store, or 'librosa', a plain loop of load, stft, dB and resize.
        folder: Folder for the WAV files and the images.
        clips: Number of WAV files.
        rate: Their sampling rate in Hz.
        size: Side of the images in pixels.
        jobs: Number of processes of 'ours'.
    """

    def __init__(self, program: str, folder: str, clips: int, rate: int, size: int, jobs: int = 1):
        self.versions = {}
        self.folder, self.rate, self.jobs, self.program = Path(folder), rate, jobs, program
        self.settings, self.out = ImageSettings(size), Path(folder) / f"out-{program}-{jobs}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.names = [f"{number}.wav" for number in range(clips)]
        for number, name in enumerate(self.names):
            if not (self.folder / name).exists():
                samples = speech(number)
                soundfile.write(self.folder / name, samples[: len(samples) * rate // RATE], rate, "PCM_16")
        if program == "librosa":
            import librosa

            self.versions = {"librosa": librosa.__version__}

    def run(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        getattr(self, f"by_{self.program}")()

    def by_ours(self) -> None:
        frame = pd.DataFrame(
            {"clip": self.names, "path": self.names, "label": "a", "speaker": "b", "text": "c"}
        )
        frame = frame.assign(start=np.nan, stop=np.nan, partition="")[list(manifest.COLUMNS)]
        store.build(frame, self.folder, self.out, self.settings, self.jobs)

    def by_librosa(self) -> None:
        import librosa

        images, size = [], (self.settings.size, self.settings.size)
        for name in self.names:
            samples, _ = librosa.load(self.folder / name, sr=RATE)
            bins = librosa.stft(samples, n_fft=POINTS, hop_length=HOP, win_length=FRAME, window="hamming")
            scaled = librosa.amplitude_to_db(np.abs(bins), ref=np.max, top_db=FLOOR) / FLOOR + 1
            images.append(np.clip(Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC), 0, 1))
        self.out.mkdir()
        np.save(self.out / "images.npy", np.stack(images))
