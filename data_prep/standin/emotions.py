"""Six emotions made by prosody and voice quality, on the same sentences.

The directions are those that reviews agree on (I. Murray and J. Arnott, 'Toward the simulation of emotion
in synthetic speech', JASA 93, 1993; K. Scherer, 'Vocal communication of emotion', Speech Communication 40,
2003): anger is fast, loud and bright; fear fast, high and trembling; sadness slow, low, narrow and dull;
happiness fast, high and wide; surprise higher and wider still, rising to its end; disgust slow and low.
The sizes are exaggerated, as by amateur actors, and overlap between speakers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from data_prep.standin.recording import equalised

OCTAVES = np.array([0.0, 250, 500, 1000, 2000, 4000, 8000, 24000])  # Hz


@dataclass(frozen=True)
class Manner:
    """How an emotion is spoken.

    Attributes:
        rate: The factor of the speaker's own rate.
        pitch: The steps added to the speaker's pitch, in eSpeak's unit.
        pitch_range: The steps added to the speaker's pitch range, in eSpeak's unit.
        tilt: The slope of the spectrum above 500 Hz, in dB per octave.
        swell: The change of the level from the clip's beginning to its end, in dB.
        tremor: Frequency (Hz) and depth of the loudness's modulation.
        breath: The level of the breath in dB.
        pauses: Whether there are pauses between words.
    """

    rate: float
    pitch: int
    pitch_range: int
    tilt: float
    swell: float
    tremor: tuple[float, float]
    breath: float
    pauses: bool = False


MANNERS = {
    "anger": Manner(1.15, 8, 15, 4.5, 0, (0, 0), -45),
    "disgust": Manner(0.82, -15, -5, -2, -18, (0, 0), -40),
    "sadness": Manner(0.80, -10, -25, -6, -3, (0, 0), -26, True),
    "surprise": Manner(0.95, 25, 35, 1.5, 18, (0, 0), -40),
    "fear": Manner(1.25, 18, -10, 0, 0, (7, 0.9), -16),
    "happiness": Manner(1.05, 14, 25, 1.5, 0, (3, 0.9), -45),
}


def acted(rng: np.random.Generator, speech: np.ndarray, manner: Manner, rate: int) -> np.ndarray:
    """Give ``speech`` (n,) at ``rate`` Hz the voice quality and loudness of a manner, varied at random."""
    seconds = np.arange(len(speech)) / rate
    tilt = manner.tilt + rng.normal(0, 1.5)
    speech = equalised(speech, OCTAVES, tilt * np.log2(np.clip(OCTAVES, 500, 8000) / 500), rate)
    swell = manner.swell + rng.normal(0, 5)
    loudness = 10 ** (swell * (seconds / seconds[-1] - 0.5) / 20)
    pulse, depth = manner.tremor
    if depth:
        pulse, depth = pulse * rng.uniform(0.9, 1.1), depth * rng.uniform(0.3, 1.1)
        loudness *= 10 ** (depth * np.sin(2 * np.pi * (pulse * seconds + rng.random())) / 2)
    breath = signal.sosfilt(
        signal.butter(2, 2000, "high", fs=rate, output="sos"), rng.standard_normal(len(speech))
    )
    envelope = np.sqrt(
        np.maximum(signal.sosfiltfilt(signal.butter(2, 12, fs=rate, output="sos"), speech**2), 0)
    )
    level = 10 ** ((manner.breath + rng.normal(0, 6)) / 20)
    return loudness * (speech + level * breath * (0.5 * speech.std() + envelope))
