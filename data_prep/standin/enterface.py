"""A stand-in for eNTERFACE'05 with its layout, names, format and some of its oddities. No voice is real.

Forty-two voices act six emotions on the same sentences. Only the changes of emotions.py distinguish them.
The files are AVI with 48 kHz stereo PCM and a small moving picture.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import av
import numpy as np
import pandas as pd
from scipy import signal

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.corpora.enterface import EMOTIONS, WRAPPER
from data_prep.standin.emotions import MANNERS, acted
from data_prep.standin.folder import fill
from data_prep.standin.recording import equalised, recorded
from data_prep.standin.speech import ESpeak
from data_prep.standin.ut_podcast import VARIANTS

RECIPE = 1  # increase it whenever the same settings give other bytes
WHAT = "Synthesised by eSpeak NG: a stand-in for eNTERFACE'05 with no real speaker. It is not eNTERFACE'05."

RATE, PICTURES = 48000, 25  # Hz of sound and pictures, as in eNTERFACE'05
SUBJECTS = tuple(range(1, 45))
UNCUT, PARTIAL = 6, 23  # as in the real corpus: one has six uncut files, one lacks happiness 1 to 3
SENTENCES = (
    "Where did you put it?",
    "They are coming back.",
    "I have never seen that before.",
    "You should tell him now.",
    "We leave in the morning.",
)
SHORT = {"anger": "an", "disgust": "di", "fear": "fe", "happiness": "ha", "sadness": "sa", "surprise": "su"}
VOICES = ("en", "en-us", "en-gb-x-rp")
EQ_BANDS = (0, 250, 500, 1000, 2000, 4000, 8000, 24000)  # Hz


def write(
    out: Path | str,
    subjects: Sequence[int] = SUBJECTS,
    sentences: int = 2,
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Write ``enterface database/subject N/<emotion>/sentence K/*.avi`` below ``out``.

    A file's bytes depend only on ``seed`` and its name. See ``folder.fill`` for the files that are kept.

    Args:
        out: The folder of the stand-in.
        subjects: The numbers of the subjects to synthesise.
        sentences: The number of sentences for each emotion, 1 to 5. More than two take more disk and time.
        seed: The seed of every random draw.
        jobs: The number of processes; None for one per processor.

    Raises:
        Faults: The number of sentences is not possible, ``out`` holds clips but is not a stand-in, or eSpeak
            NG fails.
    """
    if not 1 <= sentences <= len(SENTENCES):
        raise Faults(f"the number of sentences is {sentences}; give 1 to {len(SENTENCES)}")
    out = Path(out)
    settings = {
        "what": WHAT,
        "recipe": RECIPE,
        "seed": seed,
        "subjects": list(subjects),
        "sentences": sentences,
    }
    voices = pd.DataFrame([_voice(subject, seed) for subject in subjects])
    plan = pd.DataFrame(
        [
            {**voice, **record}
            for voice in voices.to_dict("records")
            for record in _records(voice["subject"], sentences)
        ]
    )
    make = partial(_make, out, seed)
    fill(out, WRAPPER, settings, voices.set_index("subject"), plan, make, "stand-in eNTERFACE", jobs)
    first = out / WRAPPER / f"subject {subjects[0]}"  # the real corpus has such files too
    (first / "neutral").mkdir(exist_ok=True)
    if not (first / "anger" / "Thumbs.db").exists():  # a finished one may be on a disk that is read-only
        (first / "anger" / "Thumbs.db").touch()


def _records(subject: int, sentences: int) -> list[dict]:
    """List a subject's files, with the names of the real ones."""
    if subject == UNCUT:
        return [
            {
                "emotion": emotion,
                "sentence": 0,
                "path": f"{WRAPPER}/subject {subject}/{emotion}/s6_{short}.avi",
            }
            for emotion, short in SHORT.items()
        ]
    named = {11: "s12", 3: "s_3"}.get(subject, f"s{subject}")  # the files of two subjects have other names
    return [
        {
            "emotion": emotion,
            "sentence": number,
            "path": f"{WRAPPER}/subject {subject}/{emotion}/sentence {number}/{named}_{short}_{number}.avi",
        }
        for emotion, short in SHORT.items()
        for number in range(1, 1 + sentences)
        if not (subject == PARTIAL and emotion == "happiness" and number <= 3)
    ]


def _voice(subject: int, seed: int) -> dict:
    """Draw a subject's properties, which depend only on the number and ``seed``."""
    rng = np.random.default_rng([seed, subject])
    variants = (*VARIANTS["train"], *VARIANTS["test"])
    return {
        "subject": subject,
        "voice": VOICES[subject % len(VOICES)],
        "variant": variants[subject % len(variants)],
        "rate": int(rng.integers(140, 165)),  # words a minute
        "pitch": int(rng.integers(35, 61)),
        "pitch_range": int(rng.integers(40, 61)),
        "tract": round(
            rng.uniform(0.95, 1.05), 2
        ),  # the factor of all frequencies: a shorter or longer vocal tract
        **{f"eq_{band}": rng.normal(0, 1.5) for band in EQ_BANDS},  # dB: microphone and room
    }


def _make(out: Path, seed: int, row: dict) -> None:
    """Write one file, in a fresh process."""
    rng = np.random.default_rng([seed, row["subject"], list(EMOTIONS).index(row["emotion"]), row["sentence"]])
    manner = MANNERS[row["emotion"]]
    text = SENTENCES[max(row["sentence"], 1) - 1]
    if manner.pauses:
        text = text.replace(" ", ", ", 1)  # eSpeak pauses at a comma
    speech, _ = ESpeak().say(
        text,
        row["voice"],
        row["variant"],
        int(np.clip(row["rate"] * manner.rate * rng.uniform(0.88, 1.14), 80, 450)),
        int(np.clip(row["pitch"] + manner.pitch + rng.normal(0, 4), 0, 99)),
        int(np.clip(row["pitch_range"] + manner.pitch_range + rng.normal(0, 5), 0, 99)),
    )
    audible = np.flatnonzero(np.abs(speech) > 0.01)
    speech = speech[audible[0] : audible[-1] + 1]  # eSpeak's own silences depend on rate and punctuation
    speech = signal.resample_poly(speech, 320, round(147 * row["tract"]))  # 22.05 to 48 kHz, and the tract
    speech = equalised(speech, EQ_BANDS, [row[f"eq_{band}"] for band in EQ_BANDS], RATE)
    speech = np.pad(acted(rng, speech, manner, RATE), rng.integers(RATE // 20, RATE // 5, size=2))
    with whole(out / row["path"]) as aside:
        _write_avi(aside, recorded(rng, speech, RATE))


def _write_avi(path: Path, clip: np.ndarray) -> None:
    """Write ``clip`` (n,) as stereo PCM16, with pictures of a bar whose height is the loudness."""
    sound = np.round(clip * 32767).astype(np.int16)[:, None].repeat(2, axis=1)
    avi = io.BytesIO()  # in memory first, so that a full disk is reported
    with av.open(avi, "w", format="avi", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("mpeg4", rate=PICTURES)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.flags |= av.codec.context.Flags.bitexact
        video.codec_context.thread_count = 1  # several threads divide a picture, and its bytes then differ
        audio = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        loudness = np.abs(clip[: len(clip) // 1920 * 1920]).reshape(-1, RATE // PICTURES).max(axis=1)
        for number, height in enumerate((48 * loudness).astype(int)):
            picture = np.zeros((48, 64, 3), np.uint8)
            picture[48 - height :, 24:40] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="stereo")
        block.sample_rate, block.pts = RATE, 0
        container.mux(audio.encode(block))
        container.mux(audio.encode())
    path.write_bytes(avi.getvalue())
