"""A stand-in for CHAINS with its layout, names and format, and a third of its clips. No voice is real.

Thirty-six voices read the same texts. All files of a voice share an eSpeak variant, a vocal tract, a pitch
and a microphone. Level, noise and pace change from file to file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal

from data_prep.base.files import whole
from data_prep.corpora.chains import LABELS
from data_prep.standin.chains_texts import FABLES, SENTENCES
from data_prep.standin.folder import fill
from data_prep.standin.recording import equalised, recorded, write_wav
from data_prep.standin.speech import ESpeak

RECIPE = 1  # increase it whenever the same settings give other bytes
WHAT = "Synthesised by eSpeak NG: a stand-in for CHAINS with no real speaker. It is not CHAINS."

RATE = 44100  # Hz, as in CHAINS
TEXTS = FABLES | SENTENCES
SPEAKERS = LABELS
VOICES = {"fr": ("en-us", "en-gb-x-rp"), "ir": ("en", "en-gb-scotland", "en-gb-x-gbclan")}
VARIANTS = {
    "f": ("f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "aunty", "belinda", "linda", "steph"),
    "m": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Michael", "david", "paul", "Lee", "Marco"),
}
EQ_BANDS = (0, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 22050)  # Hz


def write(
    out: Path | str,
    speakers: Sequence[str] = SPEAKERS,
    texts: Sequence[str] = tuple(TEXTS),
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Write ``data/solo/<speaker>/<speaker>_<text>_solo.wav`` below ``out``, in 44.1 kHz mono PCM16.

    A file's bytes depend only on ``seed`` and its name. See ``folder.fill`` for the files that are kept.

    Args:
        out: The folder of the stand-in.
        speakers: The speakers to synthesise, some of SPEAKERS.
        texts: The texts that each of them reads, some of TEXTS.
        seed: The seed of every random draw.
        jobs: The number of processes; None for one per processor.

    Raises:
        Faults: ``out`` holds clips but is not a stand-in, or eSpeak NG fails.
    """
    settings = {
        "what": WHAT,
        "recipe": RECIPE,
        "seed": seed,
        "speakers": list(speakers),
        "texts": list(texts),
    }
    voices = pd.DataFrame([_voice(speaker, seed) for speaker in speakers])
    plan = voices.merge(pd.DataFrame({"text": list(texts)}), how="cross")
    plan["path"] = [f"data/solo/{s}/{s}_{t}_solo.wav" for s, t in zip(plan["speaker"], plan["text"])]
    make = partial(_make, Path(out), seed)
    fill(Path(out), "data", settings, voices.set_index("speaker"), plan, make, "stand-in CHAINS", jobs)


def _voice(speaker: str, seed: int) -> dict:
    """Draw a speaker's properties, which depend only on the name and ``seed``.

    Several speakers have the same variant, with different vocal tracts and pitches.
    """
    index = SPEAKERS.index(speaker)
    rng = np.random.default_rng([seed, index])
    variants, voices = VARIANTS[speaker[2]], VOICES[speaker[:2]]
    number = index % len(variants)
    return {
        "speaker": speaker,
        "voice": voices[index % len(voices)],
        "variant": variants[number],
        "rate": int(rng.integers(135, 175)),  # words a minute
        "pitch": int(rng.integers(30, 71)),
        "pitch_range": int(rng.integers(30, 71)),
        "tract": round(
            rng.uniform(0.85, 1.15), 2
        ),  # the factor of all frequencies: a shorter or longer vocal tract
        **{f"eq_{band}": rng.normal(0, 8) for band in EQ_BANDS},  # dB: microphone and room
    }


def _make(out: Path, seed: int, row: dict) -> None:
    """Write one file, in a fresh process."""
    rng = np.random.default_rng([seed, SPEAKERS.index(row["speaker"]), tuple(TEXTS).index(row["text"])])
    rate = row["rate"] + int(rng.integers(-8, 9))
    pitch = row["pitch"] + int(rng.integers(-3, 4))
    speech, _ = ESpeak().say(
        TEXTS[row["text"]], row["voice"], row["variant"], rate, pitch, row["pitch_range"]
    )
    speech = signal.resample_poly(speech, 200, round(100 * row["tract"]))  # 22.05 to 44.1 kHz, and the tract
    speech = equalised(speech, EQ_BANDS, [row[f"eq_{band}"] for band in EQ_BANDS], RATE)
    speech = np.pad(
        speech, rng.integers(RATE // 20, RATE // 4, size=2)
    )  # silence before and after the speech
    with whole(out / row["path"]) as aside:
        write_wav(aside, recorded(rng, speech, RATE), RATE)
