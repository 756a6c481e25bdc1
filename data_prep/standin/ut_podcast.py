"""A stand-in for UT-Podcast with its layout, names and format, and half of its clips. No voice is real.

Voices, timbre, pitch, rate, level, noise and length are drawn in the same way for all three accents. So only
the accent itself, from accents.py, distinguishes the classes.
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

RECIPE = 2  # increase it whenever the same settings give other bytes
WHAT = "Synthesised by eSpeak NG: a stand-in for UT-Podcast with no real speaker. It is not UT-Podcast."

CLIPS = {"train": {"AU": 224, "US": 203, "UK": 123}, "test": {"AU": 166, "US": 120, "UK": 44}}
"""Half of Table 1's counts, with their imbalance."""

RATE = 8000  # Hz, as in UT-Podcast
PARTITIONS, ACCENTS = ("train", "test"), ("AU", "US", "UK")  # the seeds of the draws depend on their order
FIRST_SPEAKER = {"train": 1, "test": 301}

# eSpeak's own variants, without whispering, robotic and singing ones. Training and test share none.
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
    """Write ``audio/<partition>/<accent>/<accent>-<speaker>__<number>.wav`` below ``out``.

    The files are 8 kHz mono PCM16. A file's bytes depend only on ``seed``, ``seconds`` and its name.
    See ``folder.fill`` for the files that are kept.

    Args:
        out: The folder of the stand-in.
        clips: Partition -> accent -> number of clips.
        seconds: The lengths in s of the shortest and the longest clip.
        seed: The seed of every random draw.
        jobs: The number of processes; None for one per processor.

    Raises:
        Faults: ``out`` holds clips but is not a stand-in, or eSpeak NG fails.
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
    """List the clips, each with its path and its speaker's properties."""
    rows = []
    for partition, per_accent in clips.items():
        for accent, total in per_accent.items():
            speakers = (_speaker(partition, accent, index, seed) for index in count())
            numbered = (
                (speaker, number) for speaker in speakers for number in range(1, 1 + speaker.pop("clips"))
            )
            for speaker, number in islice(numbered, total):
                path = f"audio/{partition}/{accent}/{speaker['speaker']}__{number}.wav"
                rows.append({**speaker, "number": number, "path": path})
    return rows


def _rng(seed: int, partition: str, accent: str, *ids: int) -> np.random.Generator:
    return np.random.default_rng([seed, PARTITIONS.index(partition), ACCENTS.index(accent), *ids])


def _speaker(partition: str, accent: str, index: int, seed: int) -> dict:
    """Draw the properties of an accent's speaker, which depend only on the arguments."""
    rng = _rng(seed, partition, accent, index)
    variants, voices = VARIANTS[partition], accents.VOICES[accent]
    number = FIRST_SPEAKER[partition] + index
    return {
        "speaker": f"{accent}-{number}"
        + ("_1" if index % 4 == 3 else ""),  # some podcasts have two speakers: UK-17_1
        "partition": partition,
        "accent": accent,
        "index": index,
        "voice": voices[index % len(voices)],
        "variant": variants[index % len(variants)],
        "rate": int(rng.integers(105, 150)),  # words a minute
        "pitch": int(rng.integers(35, 66)),
        "pitch_range": int(rng.integers(35, 66)),
        "tract": rng.uniform(0.96, 1.04),  # the factor of all frequencies: a shorter or longer vocal tract
        **{f"eq_{band}": rng.normal(0, 1.5) for band in EQ_BANDS},  # dB: microphone and room
        "clips": int(rng.integers(4, 7)),
    }


def _make(out: Path, seconds: tuple[float, float], seed: int, row: dict) -> None:
    """Write one clip, in a fresh process."""
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
    """Speak sentences for at least ``seconds`` s, at 22.05 kHz."""
    espeak = ESpeak()
    rate = row["rate"] + int(rng.integers(-10, 11))
    pitch = row["pitch"] + int(rng.integers(-5, 6))
    sentences, words = [], 0
    while words < 1.5 * seconds * rate / 60 + 3:
        sentence = texts.sentence(rng, row["partition"])
        words += len(sentence.split())
        sentences.append(
            accents.pronounce(
                espeak,
                row["accent"],
                row["voice"],
                sentence,
                rising=row["accent"] == "AU" and rng.random() < accents.RISING,
            )
        )
    samples, _ = espeak.say(
        " ".join(sentences), row["voice"], row["variant"], rate, pitch, row["pitch_range"]
    )
    return samples
