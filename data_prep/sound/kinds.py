"""Recognise the kind of a file by its first bytes, because its name may be wrong."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from data_prep.base.faults import Faults, printable

HEAD = 512  # number of first bytes that are examined
READ = {  # kinds that ``reader`` treats specially, by their first bytes; libsndfile recognises all others
    "AVI": rb"RIFF.{4}AVI ",
    "MP4": rb".{4}ftyp",  # also M4A, MOV and 3GP
    "WebM": rb"\x1aE\xdf\xa3",  # also Matroska
    "WAV": rb"RIFF.{4}WAVE",
    "RF64": rb"RF64.{4}WAVE",
    "W64": rb"riff\x2e\x91\xcf\x11",
    "AIFF": rb"FORM.{4}AIF[FC]",
    "AU": rb"\.snd|dns\.",
    "CAF": rb"caff\x00\x01",
    "FLAC": rb"fLaC",
    "OGG": rb"OggS\x00",
}
FORMATS = "WAV, FLAC, MP3, M4A, MP4, WebM, OGG, Opus, AIFF, AU, CAF or AVI"  # README names the same
CONVERT = "convert it to WAV (ffmpeg -i in -c:a pcm_s16le out.wav)"
REFUSED = (  # first bytes, name and remedy
    (
        rb"version https://git-lfs",
        "a Git LFS pointer and not the recording",
        "run git lfs pull in its repository",
    ),
    (rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]", "a web page or XML", "download the recording again"),
    (rb"\s*[{\[]\s*[\"{\[]", "JSON text", "download the recording again"),
    (rb"0&\xb2u\x8ef\xcf\x11", "WMA or WMV", CONVERT),
    (rb"\xff[\xf0\xf1\xf8\xf9]|ADIF", "AAC", CONVERT),
    (rb"#!AMR", "AMR", CONVERT),
    (rb"wvpk", "WavPack", CONVERT),
    (rb"TTA1", "True Audio", CONVERT),
    (rb"MAC ", "Monkey's Audio", CONVERT),
    (rb"\x1f\x8b|PK\x03\x04|BZh|\xfd7zXZ|7z\xbc\xaf", "a compressed archive", "unpack it"),
)
WAV_CODECS = {  # by the format tag of a WAV's 'fmt ' chunk
    0x0002: "MS ADPCM",
    0x0050: "MP1 or MP2",
    0x0055: "MP3",
    0x00FF: "AAC",
    0x0160: "WMA",
    0x0161: "WMA",
    0x0162: "WMA",
    0x1610: "AAC",
    0x2000: "AC3",
    0x2001: "DTS",
    0xA106: "AAC",
    0xF1AC: "FLAC",
}
PLAIN = (
    0x0001,
    0x0003,
    0x0006,
    0x0007,
    0xFFFE,
)  # integers, floats, A-law, mu-law, and the tag that refers to a later field
OGG_CODECS = (b"Speex", b"theora", b"FLAC", b"OpusHead", b"vorbis", b"CELT", b"fishead")


def tags_end(file: BinaryIO) -> int:
    """Return the position behind the ID3v2 tags at the beginning of a file."""
    at = 0
    while True:
        file.seek(at)
        tag = file.read(10)
        if len(tag) < 10 or tag[:3] != b"ID3" or max(tag[6:]) > 127:
            return at
        at += 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])


def kind_at(file: BinaryIO, at: int) -> str:
    """Return the kind, one of READ, of the file that begins at the position ``at``, or ''."""
    file.seek(at)
    head = file.read(16)
    return next((kind for kind, start in READ.items() if re.match(start, head, re.DOTALL)), "")


def refuse(path: Path, file: BinaryIO, at: int) -> None:
    """Raise Faults with the reason if the bytes from ``at`` show that the file at ``path`` cannot be read."""
    file.seek(at)
    head = file.read(HEAD)
    for start, name, remedy in REFUSED:
        if re.match(start, head, re.DOTALL):
            raise Faults(f"{path}: is {name}, which cannot be read; {remedy}")


def unknown(path: Path, file: BinaryIO) -> Faults:
    """Describe a file that libsndfile does not read. libsndfile's own reasons name internals of its code."""
    known = kind_at(file, tags_end(file))
    file.seek(0)
    head = file.read(HEAD)
    if known:
        reason = "its header is damaged or unusual"
    elif not re.search(rb"[^\t\n\r\x20-\x7e]", head):
        reason = f"it is text that begins with {printable(head[:30].decode('ascii').strip())!r}"
    elif not head.strip(b"\0"):
        reason = "it begins with zeros only"
    else:
        reason = "its format is not known"
    return Faults(f"{path}: cannot be read as audio ({reason}); give {FORMATS}")


def codec(file: BinaryIO, kind: str) -> str:
    """Return the name of the codec in a WAV, CAF or OGG, for messages; '' for PCM or an unknown codec."""
    file.seek(0)
    head = file.read(HEAD)
    if kind == "CAF" and head[8:12] == b"desc":
        return printable(head[28:32].decode("latin-1")).strip()
    if kind == "OGG":
        names = [name.decode() for name in OGG_CODECS if name in head]
        return names[0] if names else ""
    place = head.find(b"fmt ") + 8
    if place < 8 or len(head) < place + 2:
        return ""
    (tag,) = struct.unpack("<H", head[place : place + 2])
    return "" if tag in PLAIN else WAV_CODECS.get(tag, f"codec 0x{tag:04x}")
