"""Sound files as people have them: streamed, several in a row, rare codecs, wrong names."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from films import write_avi

from data_prep.base.faults import Faults
from data_prep.sound import audio, kinds

RATE = 16000


def noise(seconds=1.5, seed=0):
    return np.random.default_rng(seed).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16)


def encoded(samples, format, subtype=None, rate=RATE):
    out = io.BytesIO()
    soundfile.write(out, samples, rate, subtype, format=format)
    return out.getvalue()


class Pipe(io.RawIOBase):
    """A file to write to that cannot be read or sought in, as a pipe."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


def streamed(format, codec, samples, seekable=False):
    """What FFmpeg writes into a pipe, or into a file."""
    pipe = io.BytesIO() if seekable else Pipe()
    with av.open(pipe, "w", format=format) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(stream.codec_context.format, "mono", RATE, stream.frame_size or None)
        for block in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(block))
    return pipe.getvalue() if seekable else pipe.content


def decoded(path, format):
    """What FFmpeg decodes: (n,) and the rate."""
    with av.open(str(path), format=format) as container:
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        rate = stream.rate
    samples = np.concatenate(blocks, axis=1)[0]
    scale = {"i": lambda kind: 2.0 ** (8 * kind.itemsize - 1), "f": lambda kind: 1.0}[samples.dtype.kind]
    return samples / scale(samples.dtype), rate


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def fault(path):
    """The one sentence with which every way to open a file refuses it."""
    texts = set()
    for read in (audio.load, audio.seconds, audio.rate_of):
        with pytest.raises(Faults) as caught:
            read(path)
        texts.add(str(caught.value))
    (text,) = texts
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


# Lengths that a header does not state


def wav(riff, data):
    content = encoded(noise(), "WAV")
    return content[:4] + struct.pack("<I", riff) + content[8:40] + struct.pack("<I", data) + content[44:]


def rf64(riff, data, samples):
    content = encoded(noise(), "WAV")
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, riff, data, samples, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + ds64 + content[12:40] + b"\xff" * 4 + content[44:]


def au(size):
    content = encoded(noise(), "AU")
    return content[:8] + struct.pack(">I", size) + content[12:]


def caf(size):
    content = encoded(noise(), "CAF")
    place = content.index(b"data") + 4
    return content[:place] + struct.pack(">q", size) + content[place + 8 :]


def flac(total, before=b"", behind=b""):
    content = bytearray(encoded(noise(), "FLAC"))
    field = int.from_bytes(content[18:26], "big") >> 36 << 36
    content[18:26] = (field | total).to_bytes(8, "big")
    return before + bytes(content) + behind


ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)
SIZE = 2 * len(noise())
UNKNOWN = {
    "GStreamer.wav": wav(0x7FFF0024, 0x7FFF0000),
    "FreeSWITCH.wav": wav(0, 0),
    "only-data.wav": wav(SIZE + 36, 0),
    "SoX.wav": wav(0x7FFFF024, 0x7FFFF000),
    "arecord.wav": wav(0x80000024, 0x80000000),
    "zeros.rf64": rf64(0, 0, 0),
    "ones.rf64": rf64(2**64 - 1, 2**64 - 1, 2**64 - 1),
    "no-data.rf64": rf64(SIZE + 72, 0, 0),
    "zero.au": au(0),
    "one.au": au(0xFFFFFFFF),
    "largest.au": au(0x7FFFFFFF),
    "one.caf": caf(-1),
    "zero.caf": caf(0),
    "ffmpeg.caf": streamed("caf", "pcm_s16le", noise()),
    "ffmpeg.wav": streamed("wav", "pcm_s16le", noise()),
    "ffmpeg.au": streamed("au", "pcm_s16be", noise()),
    "ffmpeg.flac": streamed("flac", "flac", noise()),
    "ffmpeg.oga": streamed("ogg", "flac", noise()),
    "ffmpeg.avi": streamed("avi", "pcm_s16le", noise()),
    "zero.flac": flac(0),
    "ones.flac": flac(2**36 - 1),
    "tagged.flac": flac(0, before=ID3, behind=b"TAG" + bytes(125)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_file_that_states_no_length_is_read_to_its_end(tmp_path, name):
    path = written(tmp_path, name, UNKNOWN[name])
    samples, rate = audio.load(path)
    assert rate == RATE and audio.seconds(path) == 1.5
    np.testing.assert_array_equal(samples, noise() / 32768)
    for start, stop in ((0.25, 0.75), (1.25, None)):
        cut = samples[round(start * RATE) : None if stop is None else round(stop * RATE)]
        np.testing.assert_array_equal(audio.load(path, start, stop)[0], cut)


@pytest.mark.parametrize(
    "format, codec", [("avi", "mp2"), ("wav", "adpcm_ms"), ("mp3", "mp3"), ("ogg", "flac")]
)
def test_a_streamed_file_sounds_as_ffmpeg_decodes_it(tmp_path, format, codec):
    path = written(tmp_path, f"a.{format}", streamed(format, codec, noise()))
    samples, rate = audio.load(path)
    expected, its_rate = decoded(path, format)
    assert rate == its_rate
    np.testing.assert_allclose(samples, expected, rtol=0, atol=4e-6)


def test_an_empty_wav_with_chunks_behind_has_no_samples(tmp_path):
    content = wav(0, 0)[:44] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    path = written(tmp_path, "a.wav", content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    with pytest.raises(Faults, match="has no samples"):
        audio.load(path)


@pytest.mark.parametrize("total", [len(noise()) + 1, 10**6, 2**36 - 2])
def test_a_flac_that_states_too_many_samples_breaks_off(tmp_path, total):
    with pytest.raises(
        Faults, match="breaks off or is damaged; copy it again$|breaks off [0-9]+ samples early"
    ):
        audio.load(written(tmp_path, "a.flac", flac(total)))


@pytest.mark.parametrize("name, content", [("a.flac", flac(0)), ("a.caf", caf(SIZE + 4)), ("a.au", au(SIZE))])
def test_what_is_cut_off_is_missed(tmp_path, name, content):
    text = fault(written(tmp_path, name, content[:-3000]))
    assert "breaks off" in text or "is truncated" in text


def test_a_long_silence_is_no_false_header(tmp_path):
    samples = np.zeros(RATE * 600, np.int16)
    samples[:RATE] = noise(1)
    path = written(tmp_path, "a.flac", encoded(samples, "FLAC"))
    assert len(audio.load(path)[0]) == len(samples)


# Several files in a row


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_all_recordings_in_an_ogg_are_read(tmp_path, subtype):
    contents = [encoded(noise(seconds, seed), "OGG", subtype) for seed, seconds in enumerate((1.0, 1.5, 0.5))]
    expected = [soundfile.read(io.BytesIO(content))[0] for content in contents]
    path = written(tmp_path, "a.ogg", b"".join(contents))
    np.testing.assert_array_equal(audio.load(path)[0], np.concatenate(expected))
    np.testing.assert_array_equal(audio.load(path, 1.25, 2.75)[0], np.concatenate(expected)[20000:44000])
    assert audio.seconds(path) == 3
    if subtype == "OPUS":  # FFmpeg loses the end of a Vorbis recording that is not the last
        at_48 = decoded(path, "ogg")[0]
        assert len(at_48) == 3 * len(np.concatenate(expected))


@pytest.mark.parametrize(
    "other",
    [
        encoded(noise(), "OGG", "OPUS"),
        encoded(noise(), "OGG", "VORBIS", 44100),
        encoded(np.stack([noise()] * 2, 1), "OGG", "VORBIS"),
    ],
)
def test_different_recordings_in_an_ogg_are_refused(tmp_path, other):
    path = written(tmp_path, "a.ogg", encoded(noise(), "OGG", "VORBIS") + other)
    assert "is 2 recordings in a row, which differ in codec, rate or channels" in fault(path)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "AU", "CAF", "RF64", "W64"])
def test_two_files_in_a_row_are_refused(tmp_path, format):
    path = written(tmp_path, "a", 2 * encoded(noise(), format))
    assert fault(path).startswith("is several files in a row, and only the first could be read")


# Codecs and names


@pytest.mark.parametrize(
    "format, codec",
    [("wav", name) for name in ("mp3", "mp2", "flac", "adpcm_yamaha")] + [("caf", "alac"), ("ogg", "flac")],
)
def test_a_codec_that_libsndfile_does_not_know_sounds_as_ffmpeg_decodes_it(tmp_path, format, codec):
    path = written(tmp_path, "a", streamed(format, codec, noise(), seekable=True))
    samples, rate = audio.load(path)
    expected, its_rate = decoded(path, format)
    assert rate == its_rate and len(samples) >= len(noise()) - RATE // 20
    np.testing.assert_array_equal(samples, expected)


def test_a_codec_that_loses_sound_is_named(tmp_path):
    content = encoded(noise(), "WAV")
    path = written(tmp_path, "a.wav", content[:20] + b"\xff\0" + content[22:])
    assert fault(path).startswith("its sound is coded as AAC, which cannot be read in WAV; convert it")


@pytest.mark.parametrize("name", ["a.avi", "a.mp3", "a.ogg", "a.caf", "a"])
def test_the_bytes_decide_and_not_the_name(tmp_path, name):
    np.testing.assert_array_equal(
        audio.load(written(tmp_path, name, encoded(noise(), "WAV")))[0], noise() / 32768
    )
    write_avi(tmp_path / name, np.stack([noise()] * 2, 1), RATE)
    np.testing.assert_array_equal(audio.load(tmp_path / name)[0], noise() / 32768)


@pytest.mark.parametrize(
    "content, sentence",
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "is a Git LFS pointer and not",
        ),
        (b"<!DOCTYPE html><html><body>404 Not Found", "is a web page or XML"),
        (b'\n{"error": "quota"}', "is JSON text"),
        (b"\xff\xf1\x60\x40" + bytes(40), "is AAC"),
        (ID3 + b"\xff\xf1\x60\x40" + bytes(40), "is AAC"),
        (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa", "is WMA"),
        (b"#!AMR\n" + bytes(40), "is AMR"),
        (b"\x1f\x8b\x08" + bytes(40), "is a compressed archive"),
        (b"UklGRqS7AABXQVZF", "cannot be read as audio (it is text that begins with 'UklGRqS7AABXQVZF')"),
        (bytes(5000), "cannot be read as audio (it begins with zeros only)"),
        (b"\x80\x81" * 3000, "cannot be read as audio (its format is not known)"),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_other_content_is_named(tmp_path, content, sentence, suffix):
    assert fault(written(tmp_path, f"a.{suffix}", content)).startswith(sentence)


def test_readme_names_the_formats_of_the_message(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"\1\2\3")
    with pytest.raises(Faults, match=f"give {kinds.FORMATS}$"):
        audio.load(tmp_path / "a.wav")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"Recordings may be {kinds.FORMATS}, at any" in readme
