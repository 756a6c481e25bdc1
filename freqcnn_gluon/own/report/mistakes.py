"""Show the most confident mistakes on the report page, with the spectrogram and a player for the sound."""

from __future__ import annotations

import io
from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd
import soundfile

from data_prep.base.embedded import data_uri, shades
from data_prep.base.faults import Faults
from data_prep.manifest import Clip
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon.own.report.html import name, percent, section, tag

__all__ = ["MOST", "SECONDS", "mistakes"]

MOST, SECONDS, RATE = 10, 10.0, 16000  # clips on a page; seconds and sampling rate in Hz of each
PICTURE = ImageSettings(size=160, rate=RATE)  # finer than the network's image, for people


def mistakes(labels: Sequence[str], clips: pd.DataFrame, recordings: Sequence[Clip]) -> Element:
    """Return the section with the wrong predictions that have the highest probability.

    Args:
        labels: The labels in the order of the classes.
        clips: The evaluated clips with ``label``, ``predicted`` and the columns ``p(label)``.
        recordings: The file, start and stop in s of each clip.
    """
    confidence = clips[[f"p({label})" for label in labels]].to_numpy(float).max(axis=1)
    wrong = np.flatnonzero((clips["predicted"] != clips["label"]).to_numpy())
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST]
    title = "The most confident mistakes"
    if not len(chosen):
        return section("mistakes", title, tag("p", "There are none: every clip is recognised."))
    items = [
        _mistake(clips.iloc[index], float(confidence[index]), recordings[index]) for index in chosen.tolist()
    ]
    words = (
        f"{len(chosen)} of {len(wrong)} mistakes, the highest probability first. Each has its sound, mono at "
        f"{RATE / 1000:g} kHz and {SECONDS:g} s at most. In its spectrogram, frequencies rise from 0 to "
        f"{RATE / 2000:g} kHz, time runs from left to right, and loud is dark (bright on a dark screen). A "
        "label may be wrong, too."
    )
    warning = "This page contains these recordings. Give it only to people who may hear them."
    return section(
        "mistakes",
        title,
        tag("p", words),
        tag("p", warning, class_="warning"),
        tag("ol", *items, class_="mistakes"),
    )


def _mistake(clip: pd.Series, confidence: float, recording: Clip) -> Element:
    """Return a mistake with its spectrogram and sound, or with the reason why these are missing."""
    try:
        samples, length = _samples(recording)
        shown = len(samples) / RATE
        part = f"the first {shown:.1f} of {length:.1f} s" if length > SECONDS else f"{shown:.1f} s"
        alt = f"Spectrogram of {clip['clip']}, {part}"
        media = [
            tag("img", src=shades(image(samples, PICTURE)[::-1]), alt=alt),
            tag("audio", controls="", preload="metadata", src=_flac(samples), aria_label=clip["clip"]),
        ]
    except (Faults, OSError) as error:
        part, media = "not shown", [tag("p", f"No sound: {error}", class_="note")]
    words = tag(
        "p",
        name(clip["label"]),
        " recognised as ",
        name(clip["predicted"]),
        f" with probability {percent(confidence)}",
        *((" (speaker ", name(clip["speaker"]), ")") if clip["speaker"] else ()),
        f"; {part}",
    )
    return tag("li", tag("h3", name(clip["clip"])), *media, words)


def _samples(recording: Clip) -> tuple[np.ndarray, float]:
    """Return the samples (n,) of the first seconds of a clip at RATE, and the length of the clip in s."""
    path, start, stop = recording
    length = audio.seconds(path, start, stop)
    if length > SECONDS:
        stop = (start or 0.0) + SECONDS
    return audio.read(path, RATE, start, stop), length


def _flac(samples: np.ndarray) -> str:
    """Return samples (n,) at RATE as the data URI of a FLAC file, half as large as WAV."""
    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="FLAC", subtype="PCM_16")
    return data_uri("audio/flac", out.getvalue())
