"""MP4 and WebM, as phones and browsers record them: the sound that was written, or the fault."""

import av
import numpy as np
import pytest
from test_containers import Pipe, fault

from data_prep.sound import audio

RATE = 48000
SECONDS = 1.5


def tone():
    """A chord that rises and falls (n,), int16."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * time) for pitch in (440, 1230, 2710))
    return (3000 * wave * np.sin(np.pi * time / SECONDS)).astype(np.int16)


def recorded(path, format, codec, **options):
    """Write ``tone`` in mono."""
    with av.open(path, "w", format=format, container_options=options) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone()[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(stream.codec_context.format, "mono", RATE, stream.frame_size or None)
        for block in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(block))


@pytest.mark.parametrize("format", ["mp4", "ipod", "mov", "matroska"])
def test_sound_without_loss_is_equal_to_the_last_bit(tmp_path, format):
    path = tmp_path / "a.m4a"
    recorded(str(path), format, "alac")
    samples, rate = audio.load(path)
    np.testing.assert_array_equal(samples, tone() / 32768)
    assert rate == RATE and audio.seconds(path) == SECONDS
    part = audio.read(path, RATE, 0.25, 1.0)
    np.testing.assert_array_equal(part, tone()[RATE // 4 : RATE] / 32768)


@pytest.mark.parametrize(
    "format, codec, seekable",
    [("mp4", "aac", True), ("mov", "aac", True), ("webm", "libopus", True), ("webm", "libopus", False)],
)
def test_what_phones_and_browsers_record_sounds_as_it_was(tmp_path, format, codec, seekable):
    path = tmp_path / "a.mp4"
    if seekable:
        recorded(str(path), format, codec)
    else:  # as a browser sends it, without a length
        recorded(pipe := Pipe(), format, codec)
        path.write_bytes(pipe.content)
    samples, rate = audio.load(path)
    wanted = tone() / 32768
    assert rate == RATE and len(wanted) <= len(samples) < len(wanted) + 0.03 * RATE
    error = samples[: len(wanted)] - wanted
    assert np.std(error[2400:-2400]) < 0.05 * np.std(wanted)  # at the right moment, and 26 dB below the sound


@pytest.mark.parametrize(
    "format, codec, options",
    [("mp4", "aac", {}), ("mp4", "aac", {"movflags": "faststart"}), ("webm", "libopus", {})],
)
def test_a_recording_that_breaks_off_is_a_fault(tmp_path, format, codec, options):
    path = tmp_path / "a.m4a"
    recorded(str(path), format, codec, **options)
    content = path.read_bytes()
    for length in np.random.default_rng(0).integers(1, int(0.8 * len(content)), 25):
        path.write_bytes(content[:length])
        assert fault(path)


def test_films_without_sound_and_garbage(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(video.encode(picture))
        container.mux(video.encode())
    assert fault(path) == "has pictures but no sound; replace it or leave it out"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(200))
    assert fault(path).startswith("cannot be read as MP4 (")
    path.write_bytes(b"\x1aE\xdf\xa3" + bytes(200))
    assert fault(path).startswith("cannot be read as WebM (")
    path.write_bytes(b"\x1aE\xdf\xa3")
    assert fault(path).startswith("cannot be read as WebM (")
    recorded(str(path), "mp4", "aac")
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(1)
    for _ in range(40):  # whatever is damaged, there is sound or a fault
        damaged = content.copy()
        for place in random.integers(0, len(content), 8):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            samples, _ = audio.load(path)
        except audio.Faults as faults:
            assert str(faults).startswith(f"{path}: ")
        else:
            assert np.isfinite(samples).all()
