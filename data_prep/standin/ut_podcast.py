"""A stand-in for UT-Podcast: its layout, names and format, half of its clips, and no real voice in it.

What differs between the accents is accents.py alone. Voices, timbre, pitch, rate, level, noise and length
are drawn alike for all three, so nothing but the accent gives a clip's class away.
"""

from __future__ import annotations

from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal

from data_prep.base.files import whole
from data_prep.standin import accents
from data_prep.standin import ut_podcast_texts as texts
from data_prep.standin.folder import fill
from data_prep.standin.recording import equalised, recorded, write_wav
from data_prep.standin.speech import ESpeak

RECIPE = 2  # count up whenever other bytes come out of the same settings
WHAT = "Synthesised by eSpeak NG: a stand-in for UT-Podcast with no real speaker. It is not UT-Podcast."

CLIPS = {"train": {"AU": 224, "US": 203, "UK": 123}, "test": {"AU": 166, "US": 120, "UK": 44}}
"""Half of Table 1's counts, imbalance and all."""

RATE = 8000  # Hz, as in UT-Podcast
PARTITIONS, ACCENTS = ("train", "test"), ("AU", "US", "UK")  # their order feeds the random numbers
FIRST_SPEAKER = {"train": 1, "test": 301}

# eSpeak's own variants, without whisperers, robots and singers; those in testing are not in training.
VARIANTS = {
    "train": (
        "m1",
        "f1",
        "m3",
        "f3",
        "m5",
        "f4",
        "m7",
        "Andrea",
        "Alex",
        "steph",
        "Michael",
        "belinda",
        "david",
        "linda",
        "paul",
        "aunty",
    ),
    "test": ("m2", "f2", "m4", "f5", "m6", "Annie", "m8", "Alicia", "Lee", "steph2"),
}
EQ_BANDS = (0, 250, 500, 1000, 2000, 3000, 4000)  # Hz


def write(
    out: Path | str,
    clips: dict[str, dict[str, int]] = CLIPS,
    seconds: tuple[float, float] = (3.0, 5.0),
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Write ``clips[partition][accent]`` clips of ``seconds`` (shortest, longest) below ``out``.

    A clip is ``audio/<partition>/<accent>/<accent>-<speaker>__<number>.wav``, 8 kHz mono PCM16, and its
    bytes hang on ``seed``, ``seconds`` and its name alone. Clips that are there already are kept, unless
    the settings in ``out``'s STAND-IN.json are others: then all are made anew. ``jobs`` processes work at
    once, by default one a core. Raises ``Faults`` where ``out`` holds audio that is no stand-in's, and
    where eSpeak NG fails.
    """
    settings = {"what": WHAT, "recipe": RECIPE, "seed": seed, "seconds": list(seconds), "clips": clips}
    plan = pd.DataFrame(_plan(clips, seed))
    columns = plan.columns.drop(["speaker", "path", "index", "number"])
    speakers = plan.groupby("speaker", sort=False).agg(
        clips=("path", "size"), **{column: (column, "first") for column in columns}
    )
    make = partial(_make, Path(out), seconds, seed)
    fill(Path(out), "audio", settings, speakers, plan, make, "stand-in UT-Podcast", jobs)


def _plan(clips: dict[str, dict[str, int]], seed: int) -> list[dict]:
    """A row a clip: its path and everything that its speaker brings along."""
    rows = []
    for partition, per_accent in clips.items():
        for accent, wanted in per_accent.items():
            speakers = (_speaker(partition, accent, index, seed) for index in count())
            each = (
                (speaker, number) for speaker in speakers for number in range(1, 1 + speaker.pop("clips"))
            )
            for speaker, number in islice(each, wanted):
                path = f"audio/{partition}/{accent}/{speaker['speaker']}__{number}.wav"
                rows.append({**speaker, "number": number, "path": path})
    return rows


def _rng(seed: int, partition: str, accent: str, *ids: int) -> np.random.Generator:
    return np.random.default_rng([seed, PARTITIONS.index(partition), ACCENTS.index(accent), *ids])


def _speaker(partition: str, accent: str, index: int, seed: int) -> dict:
    """The ``index``-th speaker of an accent: who that is hangs on nothing else."""
    rng = _rng(seed, partition, accent, index)
    variants, voices = VARIANTS[partition], accents.VOICES[accent]
    number = FIRST_SPEAKER[partition] + index
    return {
        "speaker": f"{accent}-{number}" + ("_1" if index % 4 == 3 else ""),  # two of a podcast: UK-17_1
        "partition": partition,
        "accent": accent,
        "index": index,
        "voice": voices[index % len(voices)],
        "variant": variants[index % len(variants)],
        "rate": int(rng.integers(105, 150)),  # words a minute
        "pitch": int(rng.integers(35, 66)),
        "pitch_range": int(rng.integers(35, 66)),
        "tract": rng.uniform(0.96, 1.04),  # all frequencies times this: a shorter or longer vocal tract
        **{f"eq_{band}": rng.normal(0, 1.5) for band in EQ_BANDS},  # dB: microphone and room
        "clips": int(rng.integers(4, 7)),
    }


def _make(out: Path, seconds: tuple[float, float], seed: int, row: dict) -> None:
    """Write one clip. Runs in a fresh process."""
    rng = _rng(seed, row["partition"], row["accent"], row["index"], row["number"])
    length = int(rng.uniform(*seconds) * RATE)
    speech = _speech(rng, row, 1.3 * seconds[1])
    speech = signal.resample_poly(speech, 160, round(441 * row["tract"]))  # 22.05 kHz to 8 kHz, and the tract
    speech = equalised(speech, EQ_BANDS, [row[f"eq_{band}"] for band in EQ_BANDS], RATE)
    start = rng.integers(0, RATE // 2)
    clip = recorded(rng, speech[start : start + length], RATE)
    with whole(out / row["path"]) as aside:
        write_wav(aside, clip, RATE)


def _speech(rng: np.random.Generator, row: dict, seconds: float) -> np.ndarray:
    """Sentences for at least ``seconds`` seconds at 22.05 kHz."""
    espeak = ESpeak()
    rate = row["rate"] + int(rng.integers(-10, 11))
    pitch = row["pitch"] + int(rng.integers(-5, 6))
    said, words = [], 0
    while words < 1.5 * seconds * rate / 60 + 3:
        sentence = texts.sentence(rng, row["partition"])
        words += len(sentence.split())
        said.append(
            accents.pronounce(
                espeak,
                row["accent"],
                row["voice"],
                sentence,
                rising=row["accent"] == "AU" and rng.random() < accents.RISING,
            )
        )
    samples, _ = espeak.say(" ".join(said), row["voice"], row["variant"], rate, pitch, row["pitch_range"])
    return samples
