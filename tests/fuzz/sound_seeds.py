"""Valid and unusual sound files from which the fuzzer starts."""

from __future__ import annotations

import functools
import io
import struct
import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile
from films import write_avi

# Containers that libsndfile does not write, or not with this codec.
KINDS = ("wav", "mp3"), ("wav", "mp2"), ("caf", "alac"), ("ogg", "speex"), ("mp4", "aac"), ("webm", "libopus")


@functools.cache
def encoded(format: str, subtype: str, channels: int) -> bytes:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (600, channels))
    out = io.BytesIO()
    soundfile.write(out, samples, 8000, subtype, format=format)
    return out.getvalue()


@functools.cache
def sounds() -> list[bytes]:
    kinds = [
        ("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM")
    ]
    kinds += [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
    kinds += [("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_16")]
    kinds += [("RF64", "PCM_16"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("WAVEX", "PCM_16")]
    return [encoded(*kind, channels) for kind in kinds for channels in (1, 2)] + _unusual_sounds()


def _unusual_sounds() -> list[bytes]:
    """Return files that state no length, that are two in a row, or that hold a codec that is rare there."""
    flac, wav = encoded("FLAC", "PCM_16", 1), encoded("WAV", "PCM_16", 1)
    vorbis, opus = encoded("OGG", "VORBIS", 1), encoded("OGG", "OPUS", 1)
    au, caf = encoded("AU", "PCM_16", 1), encoded("CAF", "PCM_16", 1)
    streamed = flac[:21] + bytes([flac[21] & 0xF0, 0, 0, 0, 0]) + flac[26:]  # 36 bits count the samples
    tag = b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10)
    made = [streamed, tag + streamed, streamed + b"TAG" + bytes(125), flac + flac]
    made += [vorbis + vorbis, opus + opus, vorbis + opus, wav + wav, au + au]
    place = wav.index(b"data") + 4
    for size in (0, 0x7FFF0000, 0xFFFFFFFF):
        made.append(wav[:place] + struct.pack("<I", size) + wav[place + 4 :])
        made.append(au[:8] + struct.pack(">I", size) + au[12:])
    place = caf.index(b"data") + 4
    made.append(caf[:place] + struct.pack(">q", -1) + caf[place + 8 :])
    return made + [_encoded_by_ffmpeg(*kind) for kind in KINDS]


def _encoded_by_ffmpeg(format: str, codec: str) -> bytes:
    """Return noise in a container with a codec that libsndfile does not write there."""
    noise = (9000 * np.random.default_rng(0).standard_normal((1, 4800))).astype(np.int16)
    out = io.BytesIO()
    with av.open(out, "w", format=format) as container:
        stream = container.add_stream(codec, rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.rate = 16000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return out.getvalue()


@functools.cache
def films() -> list[bytes]:
    made = []
    noise = (9000 * np.random.default_rng(0).standard_normal((3600, 2))).astype(np.int16)
    for codec, format, rate in (("pcm_s16le", "s16", 16000), ("pcm_u8", "u8", 8000), ("mp2", "s16", 48000)):
        with tempfile.TemporaryDirectory() as aside:
            path = Path(aside) / "a.avi"
            samples = noise if format == "s16" else (noise // 256 + 128).astype(np.uint8)
            write_avi(path, samples, rate, codec, format)
            made.append(path.read_bytes())
    return made
