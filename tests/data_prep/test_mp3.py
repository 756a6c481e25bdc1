"""MP3 files with and without a header that says how long they are: all of their sound, or a fault."""

import io
import sys

import av
import numpy as np
import pytest
import soundfile

from data_prep.base.faults import Faults
from data_prep.sound import audio

RATE = 44100
VARIABLE = {"global_quality": str(2 * 118), "flags": "+qscale"}  # -q:a 2, in FFmpeg's unit


def write(path, samples, rate=RATE, headed=False, bit_rate=128_000, **options):
    """``samples`` (n, channels) as an MP3, with a header of its length if ``headed``."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", options={"write_xing": str(int(headed))}) as container:
        stream = container.add_stream("mp3", rate=rate, layout=layout, options=options)
        stream.bit_rate, stream.codec_context.format = bit_rate, "fltp"
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = rate, 0
        for one in (frame, None):
            container.mux(stream.encode(one))


def sound(seconds=10.0, channels=2, rate=RATE, seed=0):
    """Soft, then loud: whatever is guessed from the beginning is wrong."""
    samples = 0.3 * np.random.default_rng(seed).standard_normal((int(seconds * rate), channels)).clip(-3, 3)
    samples[: len(samples) // 2] *= 0.003
    return samples


def decoded(path):
    """What FFmpeg hears: the mean of the channels of every frame."""
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(container.streams.audio[0])]
    return np.concatenate(blocks, axis=1).mean(axis=0)


def guess(path):
    return soundfile.info(path).frames


@pytest.mark.parametrize("name", ["a.mp3", "a.avi"])
def test_where_nothing_can_read_it_that_is_reported(tmp_path, monkeypatch, name):
    path = tmp_path / "a.mp3"
    write(path, sound())
    path = path.rename(tmp_path / name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(Faults, match=f"{name}: reading it needs the package av"):
        audio.load(path)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("rate, channels", [(44100, 2), (48000, 1), (22050, 1), (16000, 2), (8000, 1)])
def test_a_variable_bit_rate_without_a_header_is_read_whole(tmp_path, rate, channels, backwards):
    path = tmp_path / "a.mp3"
    write(path, sound(channels=channels, rate=rate)[:: -1 if backwards else 1], rate, **VARIABLE)
    wanted = decoded(path)
    assert abs(guess(path) - len(wanted)) > 0.01 * len(wanted)
    samples, own_rate = audio.load(path)
    assert own_rate == rate and len(samples) == len(wanted)
    np.testing.assert_allclose(samples, wanted, rtol=0, atol=1e-4)
    assert audio.seconds(path) == len(wanted) / rate
    section = audio.load(path, 6, 8)[0]
    np.testing.assert_allclose(section, wanted[6 * rate : 8 * rate], rtol=0, atol=1e-4)


def test_two_files_in_a_row(tmp_path):
    path = tmp_path / "a.mp3"
    write(path, sound(), **VARIABLE)
    first, content = decoded(path), path.read_bytes()
    write(path, sound(5, seed=1), bit_rate=320_000)
    second = decoded(path)
    path.write_bytes(content + path.read_bytes())
    samples = audio.load(path)[0]
    assert len(samples) == len(first) + len(second)
    np.testing.assert_allclose(samples[: len(first)], first, rtol=0, atol=1e-4)
    np.testing.assert_allclose(samples[len(first) + 5000 :], second[5000:], rtol=0, atol=1e-4)


@pytest.mark.parametrize("headed", [False, True])
def test_two_files_of_different_rates_in_a_row_are_refused(tmp_path, headed):
    """libsndfile reads only the first, and FFmpeg stops at the second."""
    path = tmp_path / "a.mp3"
    write(path, sound(3), headed=headed)
    content = path.read_bytes()
    for rate in (48000, 22050):
        write(path, sound(2, rate=rate), rate=rate, headed=headed)
        path.write_bytes(content + path.read_bytes())
        with pytest.raises(Faults, match="a.mp3: is several files in a row"):
            audio.load(path)


@pytest.mark.parametrize("behind", [b"", b"TAG".ljust(128, b"\0"), b"APETAGEX" + 5000 * b"a", bytes(5000)])
def test_a_constant_bit_rate_without_a_header_is_read_as_libsndfile_reads_it(tmp_path, behind):
    path = tmp_path / "a.mp3"
    write(path, sound())
    with soundfile.SoundFile(path) as file:
        wanted = file.read(always_2d=True).mean(axis=1)
    assert len(wanted) == len(decoded(path))
    path.write_bytes(path.read_bytes() + behind)
    assert guess(path) > len(wanted)  # since frames differ by a byte
    samples = audio.load(path)[0]
    np.testing.assert_array_equal(samples, wanted)  # from where it is to where it is, none more or less


def test_a_header_is_believed(tmp_path):
    path = tmp_path / "a.mp3"
    write(path, sound(), headed=True, **VARIABLE)
    assert len(audio.load(path)[0]) == guess(path) == 10 * RATE  # without what the encoder put around it


def test_more_sound_than_the_header_says(tmp_path):
    path = tmp_path / "a.mp3"
    write(path, sound(), headed=True)
    path.write_bytes(2 * path.read_bytes())
    for action in (audio.load, audio.seconds):
        with pytest.raises(Faults) as caught:
            action(path)
        assert "seems to last 10.000 s but holds 20." in str(caught.value) and str(path) in str(caught.value)
    # The remedy it names.
    content = io.BytesIO()
    with av.open(str(path)) as wrong, av.open(content, "w", format="mp3") as right:
        stream = right.add_stream_from_template(wrong.streams.audio[0])
        for packet in wrong.demux(wrong.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                right.mux(packet)
    path.write_bytes(content.getvalue())
    assert 20 < len(audio.load(path)[0]) / RATE < 20.2


def test_a_file_that_is_written_again_is_counted_again(tmp_path):
    path = tmp_path / "a.mp3"
    for seconds in (3, 5):
        write(path, sound(seconds), **VARIABLE)
        assert audio.seconds(path) == len(decoded(path)) / RATE
