"""Open a sound file for decoding. The file's bytes decide which library reads it, never its name."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import soundfile

from data_prep.base.faults import Faults
from data_prep.sound import counting, ffmpeg, flac, headers, kinds, mp3, ogg, streamed

# Hz. A damaged header may state a rate outside of this range, and resampling could then take all memory.
RATES = (1000, 1_000_000)
BLOCK = 2**20  # values decoded at a time
# Samples per byte. If a header states more, the file is decoded to check it. Speech has 12 samples per byte
# in the smallest MP3 and some 60 in Opus, but long silence has thousands in FLAC.
DENSE = 256


def opened(path: Path) -> soundfile.SoundFile:
    """Open a file for decoding, and check its rate and that it is complete.

    Raises:
        Faults: The file is missing, unreadable or truncated.
    """
    try:
        length = _check_file(path)
        with open(path, "rb") as file:
            try:
                sound = _read(path, file, length)
            except soundfile.LibsndfileError:
                raise kinds.unknown(path, file) from None
    except FileNotFoundError:
        raise Faults(f"{path}: is missing") from None
    except OSError as error:
        raise Faults(
            f"{path}: cannot be read ({error.strerror}); check its permissions and the disk"
        ) from None
    try:
        _check_header(path, sound, length)
    except Faults:
        sound.close()
        raise
    return sound


def seekable(path: Path) -> soundfile.SoundFile:
    """Open a file for decoding from any sample. If libsndfile cannot seek in it, decode all of it first.

    Raises:
        Faults: As ``opened`` does.
    """
    file = opened(path)
    if file.seekable():
        return file
    wav, decoded = io.BytesIO(), 0
    with file, soundfile.SoundFile(wav, "w", file.samplerate, file.channels, "PCM_16", format="WAV") as copy:
        try:  # GSM, G.721 and similar formats, which all decode to 16 bits
            while len(block := file.read(BLOCK // file.channels, "int16", always_2d=True)):
                copy.write(block)
                decoded += len(block)
        except soundfile.LibsndfileError:
            raise counting.damaged(path) from None
    if decoded < file.frames:
        raise counting.breaks_off(path, file.frames - decoded)
    wav.seek(0)
    return soundfile.SoundFile(wav)


def _check_file(path: Path) -> int:
    """Return the size in bytes of a file. Raise Faults for a folder, a device, a pipe or an empty file."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise Faults(f"{path}: is a folder, not an audio file")
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise Faults(f"{path}: is a device without sound; name a recording")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
        raise Faults(f"{path}: is a pipe, not an audio file; write the sound to a file first")
    if not status.st_size:
        raise Faults(f"{path}: is an empty file (0 bytes); replace it or leave it out")
    return status.st_size


def _read(path: Path, file: BinaryIO, length: int) -> soundfile.SoundFile:
    """Choose the reader of the file by its bytes, and open it. ``length`` is its size in bytes."""
    start = kinds.tags_end(file)
    kinds.refuse(path, file, start)
    kind = kinds.kind_at(file, start)
    if kind == "FLAC":
        return flac.opened(path, start)
    if start:  # libsndfile itself skips the tags before other kinds
        kind = ""
    if kind in ffmpeg.FILMS:
        return ffmpeg.film(path, kind, length)
    if kind == "OGG":
        if headers.breaks_off(file):
            raise Faults(f"{path}: is truncated: its last page is incomplete; copy it again")
        return ogg.opened(path)
    changes = streamed.repairs(file, kind)
    stated = 0 if changes else headers.stated_size(file, kind)
    if stated > length:
        raise headers.truncated(path, stated - length)
    if stated and kind in (kinds.kind_at(file, end) for end in headers.ends(file, kind, stated)):
        raise headers.in_a_row(path)
    sound = _open(path, file, kind, changes)
    if sound.format == "MP3":
        return mp3.whole(path, sound)
    if sound.subtype.startswith("MPEG_LAYER"):  # in a WAV, whose number of samples libsndfile estimates
        sound.close()
        return ffmpeg.other(path, file, kind) or sound
    return sound


def _open(path: Path, file: BinaryIO, kind: str, changes: dict[int, bytes]) -> soundfile.SoundFile:
    """Open a file with libsndfile, after ``changes`` to its header (bytes by position), or with FFmpeg."""
    if not changes:
        source: bytes | BinaryIO = os.fsencode(path)  # the name may be in any encoding
    else:
        file.seek(0)
        content = bytearray(file.read())
        for place, new in changes.items():
            content[place : place + len(new)] = new
        source = io.BytesIO(content)
    try:
        return soundfile.SoundFile(source)
    except soundfile.LibsndfileError:
        sound = ffmpeg.other(path, file, kind) if kind in ("WAV", "CAF") else None
        if sound is None:
            raise
        return sound


def _check_header(path: Path, sound: soundfile.SoundFile, length: int) -> None:
    """Check the rate and the number of samples that a header states. The file has ``length`` bytes."""
    if not RATES[0] <= sound.samplerate <= RATES[1]:
        raise Faults(
            f"{path}: its header states a rate of {sound.samplerate} Hz, which no recording has; write it "
            "again"
        )
    if sound.frames > DENSE * length:
        stated = sound.frames
        samples = counting.count(path, sound)
        if samples < stated:
            raise counting.breaks_off(path, stated - samples)
        sound.seek(0)
