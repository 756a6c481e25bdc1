"""Reading against MIRtoolbox's own audio, closed forms, and files broken on purpose."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from films import write_avi

from data_prep.base.faults import Faults
from data_prep.corpora.own import SUFFIXES
from data_prep.sound import audio

GOLDEN = Path(__file__).parents[1] / "golden" / "mirtoolbox"
RATE = 16000


def noise(seconds=1.0, channels=1, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((int(seconds * RATE), channels))


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(), RATE)
    return path


def fault(path, **settings):
    with pytest.raises(Faults) as caught:
        audio.read(path, **settings)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text
    return text


@pytest.mark.parametrize("name, rate", [("audio_stereo_mono", 44100), ("audio_stereo_rs16", 16000)])
def test_matches_mirtoolbox(name, rate):
    expected = np.load(GOLDEN / "golden.npz")[f"v1.8.2/{name}/data"]
    samples = audio.read(GOLDEN / "stereo44k.wav", rate)
    assert samples.dtype == np.float64
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-12)


def test_int16_is_divided_by_32768(tmp_path):
    whole = np.array([-32768, 32767, 1, 0] * 500, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", whole, RATE)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav"), whole / 32768)


@pytest.mark.parametrize("source, target", [(8000, 16000), (44100, 16000), (48000, 16000), (22050, 16000)])
def test_resampling_keeps_a_sinusoid(source, target):
    seconds = 0.5
    before = np.sin(2 * np.pi * 440 * np.arange(int(source * seconds)) / source)
    after = audio.resample(before, source, target)
    expected = np.sin(2 * np.pi * 440 * np.arange(int(target * seconds)) / target)
    assert len(after) == len(expected)
    np.testing.assert_allclose(after[400:-400], expected[400:-400], atol=2e-3)


@pytest.mark.parametrize(
    "suffix", sorted({*SUFFIXES} - {".avi", ".m4a", ".mp4", ".mov", ".3gp", ".webm", ".mkv"})
)
def test_a_section_is_cut_from_the_whole(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    kinds = {".oga": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS"), ".aif": ("AIFF", "PCM_16")}
    format, subtype = kinds.get(suffix, (None, None))
    soundfile.write(path, noise(2, channels=2), RATE, subtype, format=format)
    whole = audio.read(path)
    assert whole.shape == (2 * RATE,)
    # An MP3 decoder that starts in the middle rounds its float32 otherwise.
    np.testing.assert_allclose(audio.read(path, start=0.51, stop=1.27), whole[8160:20320], rtol=0, atol=1e-7)
    np.testing.assert_allclose(audio.read(path, start=1.5), whole[24000:], rtol=0, atol=1e-7)
    assert audio.seconds(path) == 2 and audio.seconds(path, 0.5, 1.25) == 0.75


@pytest.mark.parametrize(
    "format, subtype",
    [("WAV", "GSM610"), ("AIFF", "GSM610"), ("WAV", "G721_32"), ("AU", "G723_24"), ("WAV", "NMS_ADPCM_16")],
)
def test_sections_of_what_can_only_be_decoded_from_its_beginning(tmp_path, monkeypatch, format, subtype):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(2)[:, 0], RATE, subtype, format=format)
    with soundfile.SoundFile(path) as file:
        assert not file.seekable()
        whole = file.read(file.frames)
    monkeypatch.setattr(audio, "BLOCK", 777)
    np.testing.assert_array_equal(audio.read(path), whole)
    times = [(None, 0.5), (0.25, 1.0), (1.5, None), (1.0, 1.25)]
    for (start, stop), section in zip(times, audio.parts(path, RATE, times), strict=True):
        wanted = whole[round((start or 0) * RATE) : None if stop is None else round(stop * RATE)]
        np.testing.assert_array_equal(section, wanted)
        np.testing.assert_array_equal(audio.read(path, start=start, stop=stop), wanted)


def test_channels_are_averaged_across_blocks(tmp_path, monkeypatch):
    stereo = noise(0.5, channels=2)
    soundfile.write(tmp_path / "a.wav", stereo, RATE, subtype="DOUBLE")
    monkeypatch.setattr(audio, "BLOCK", 777)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav"), stereo.mean(axis=1))


def test_missing_empty_folder_and_other_content(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no audio at all " * 20)
    soundfile.write(tmp_path / "none.wav", np.empty(0), RATE)
    assert "is missing" in fault(tmp_path / "absent.wav")
    assert "empty file" in fault(tmp_path / "empty.wav")
    assert "cannot be read as audio" in fault(tmp_path / "text.wav")
    assert "has no samples" in fault(tmp_path / "none.wav")
    assert "is a folder" in fault(tmp_path)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence(tmp_path, level):
    soundfile.write(tmp_path / "a.wav", np.full(RATE, level), RATE)
    assert "is silent" in fault(tmp_path / "a.wav")


def test_silence_in_the_section_only(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.concatenate([noise(1), np.zeros((RATE, 1))]), RATE)
    assert len(audio.read(tmp_path / "a.wav")) == 2 * RATE
    assert "from 1.000 to 2.000 s" in fault(tmp_path / "a.wav", start=1.0)


def test_parts_that_are_silent_are_none_and_those_that_are_damaged_a_fault(tmp_path):
    path = tmp_path / "a.wav"
    samples = np.concatenate([noise(1), np.zeros((RATE, 1)), noise(1), np.full((RATE, 1), np.nan)])
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    found = audio.parts(path, RATE, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert [part is None for part in (next(found), next(found), next(found))] == [False, True, False]
    with pytest.raises(Faults, match="NaN or infinite"):
        next(found)


def test_times_are_rounded_to_the_nearest_sample(wav):
    whole = audio.read(wav)
    for start, stop in [(0.3, 0.7), (0.1 + 0.2, 0.7), (4800.4 / RATE, 11199.6 / RATE), (4799.6 / RATE, 0.7)]:
        np.testing.assert_array_equal(audio.read(wav, start=start, stop=stop), whole[4800:11200])
        assert audio.seconds(wav, start, stop) == 0.4


def test_shorter_than_a_frame(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise()[:800], RATE)
    assert audio.read(tmp_path / "a.wav").shape == (800,)
    soundfile.write(tmp_path / "b.wav", noise()[:799], RATE)
    assert "less than one frame" in fault(tmp_path / "b.wav")
    assert "less than one frame" in fault(tmp_path / "a.wav", start=0.04)
    assert "starts at 3.000 s, but the recording ends at 0.050 s" in fault(tmp_path / "a.wav", start=3.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(tmp_path, value):
    samples = noise()
    samples[77] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert "NaN or infinite" in fault(tmp_path / "a.wav")


def test_stop_beyond_the_end(wav):
    assert "ends at 1.000 s" in fault(wav, stop=1.1)
    assert len(audio.read(wav, stop=1.0)) == RATE


@pytest.mark.parametrize("lost", [1, 2, 1000, 30000])
def test_a_truncated_wav(wav, lost):
    wav.write_bytes(wav.read_bytes()[:-lost])
    assert soundfile.info(wav).frames <= RATE  # libsndfile alone does not mind
    assert f"holds {lost} bytes fewer than its header states" in fault(wav)


def test_a_truncated_flac(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(), RATE)
    path.write_bytes(path.read_bytes()[:-5000])
    assert "breaks off" in fault(path)


@pytest.mark.parametrize("lost", [2, 1000, 4000])
@pytest.mark.parametrize(
    "format, subtype, endian",
    [
        ("AIFF", "PCM_16", None),
        ("AIFF", "FLOAT", None),
        ("AIFF", "GSM610", None),
        ("AU", "PCM_16", "BIG"),
        ("AU", "FLOAT", "LITTLE"),
        ("RF64", "PCM_16", None),
        ("W64", "PCM_24", None),
        ("OGG", "VORBIS", None),
        ("OGG", "OPUS", None),
    ],
)
def test_other_truncated_files(tmp_path, format, subtype, endian, lost):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(3), RATE, subtype, endian, format)
    whole = audio.read(path)
    content = path.read_bytes()
    if format != "W64":  # of which libsndfile takes all there is for sound
        path.write_bytes(content + bytes(100))
        np.testing.assert_array_equal(audio.read(path), whole)
    path.write_bytes(content[:-lost])
    assert "is truncated" in fault(path)


@pytest.mark.parametrize(
    "format, at, size",
    [
        ("AU", 8, b"\xff" * 4),
        ("AIFF", 4, b"\x7f\x00\x10\x00"),
        ("RF64", 20, b"\xff" * 8),
        ("W64", 16, b"\xff" * 7 + b"\x7f"),
    ],
)
def test_other_headers_written_to_a_pipe(tmp_path, format, at, size):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(), RATE, "PCM_16", format=format)
    whole = audio.read(path)
    content = bytearray(path.read_bytes())
    content[at : at + len(size)] = size
    path.write_bytes(content)
    np.testing.assert_array_equal(audio.read(path), whole)


def test_a_truncated_mp3(tmp_path, monkeypatch):
    """What is not there is neither made up nor passed over, in whatever blocks it is read."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(3, channels=2), RATE)
    whole = audio.read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    for block in (audio.BLOCK, 10000):
        monkeypatch.setattr(audio, "BLOCK", block)
        assert "breaks off" in fault(path)
        assert "breaks off" in fault(path, start=1.5)
        assert "breaks off" in fault(path, start=2.5)  # none of it is there
        np.testing.assert_allclose(audio.read(path, stop=1.5), whole[: 3 * RATE // 2], rtol=0, atol=1e-7)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_header_written_to_a_pipe(wav, size):
    expected = audio.read(wav)
    content = bytearray(wav.read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = struct.pack("<I", size)
    wav.write_bytes(content)
    np.testing.assert_array_equal(audio.read(wav), expected)


def test_chunks_around_the_samples(wav):
    expected = audio.read(wav)
    content = wav.read_bytes()
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"  # odd, so padded
    at = content.index(b"data")
    content = (
        content[:4]
        + struct.pack("<I", len(content) + 2 * len(extra) - 8)
        + content[8:at]
        + extra
        + content[at:]
        + extra
    )
    wav.write_bytes(content)
    np.testing.assert_array_equal(audio.read(wav), expected)


def stereo(seconds=0.5, rate=48000):
    return np.random.default_rng(1).integers(-9000, 9000, (int(seconds * rate), 2)).astype(np.int16)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """An AVI with pictures, and the same sound as a WAV."""
    path = tmp_path_factory.mktemp("film") / "clip.avi"
    write_avi(path, stereo())
    soundfile.write(path.with_suffix(".wav"), stereo(), 48000)
    return path


@pytest.mark.parametrize("cut", [{}, {"start": 0.1, "stop": 0.35}])
def test_an_avi_sounds_as_the_same_wav(film, cut):
    for action in (audio.load, lambda path, **cut: (audio.read(path, **cut), 0)):
        (ours, rate), (wavs, wav_rate) = action(film, **cut), action(film.with_suffix(".wav"), **cut)
        np.testing.assert_array_equal(ours, wavs)
        assert rate == wav_rate
    assert audio.seconds(film, **cut) == audio.seconds(film.with_suffix(".wav"), **cut)


def test_equal_channels_are_not_made_louder(tmp_path):
    mono = stereo()[:, :1]
    write_avi(tmp_path / "clip.avi", mono.repeat(2, axis=1))
    np.testing.assert_array_equal(audio.load(tmp_path / "clip.avi")[0], mono[:, 0] / 32768)


@pytest.mark.parametrize("codec, name", [("pcm_u8", "u8"), ("pcm_s32le", "s32"), ("pcm_f32le", "flt")])
def test_other_samples_in_an_avi(tmp_path, codec, name):
    exact = stereo()
    samples = {
        "u8": lambda: (exact // 256 + 128).astype(np.uint8),
        "s32": lambda: exact.astype(np.int32) * 65536,
        "flt": lambda: (exact / 32768).astype(np.float32),
    }[name]()
    write_avi(tmp_path / "clip.avi", samples, codec=codec, format=name)
    wanted = (exact // 256 / 128 if name == "u8" else exact / 32768).mean(axis=1)
    np.testing.assert_allclose(audio.load(tmp_path / "clip.avi")[0], wanted, atol=1e-7)


def test_compressed_sound_in_an_avi(tmp_path):
    tone = (9000 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.int16)[:, None].repeat(2, 1)
    write_avi(tmp_path / "clip.avi", tone, codec="mp2")
    samples, rate = audio.load(tmp_path / "clip.avi")
    spectrum = np.abs(np.fft.rfft(samples[4800:43200]))
    assert rate == 48000 and abs(spectrum.argmax() * rate / 38400 - 440) < 2
    assert samples[4800:43200].std() == pytest.approx(9000 / 32768 / np.sqrt(2), rel=0.02)


def test_an_avi_cut_at_any_byte_is_a_fault(film, tmp_path):
    content = film.read_bytes()
    path = tmp_path / "cut.avi"
    for length in np.random.default_rng(0).integers(1, len(content), 40):
        path.write_bytes(content[:length])
        assert str(path) in fault(path)


def test_an_avi_of_garbage(film, tmp_path):
    path = tmp_path / "clip.avi"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4092) + b"AVI " + bytes(4088))
    assert "cannot be read as AVI" in fault(path)
    path.write_bytes(b"")
    assert "empty file" in fault(path)
    assert "is missing" in fault(tmp_path / "absent.avi")


def test_an_avi_without_sound(tmp_path):
    write_avi(tmp_path / "clip.avi", stereo(), sound=False)
    assert "has pictures but no sound" in fault(tmp_path / "clip.avi")


def test_sound_that_is_lost_inside_an_avi(film, tmp_path):
    """FFmpeg reads on behind the damage, so nothing but the length tells."""
    content = bytearray(film.read_bytes())
    sound = content.index(b"01wb", content.index(b"movi")) + 8
    (size,) = struct.unpack("<I", content[sound - 4 : sound])
    assert size == 4 * 24000  # all of it in one chunk, of which half becomes another's
    content[sound - 4 : sound] = struct.pack("<I", size // 2)
    content[sound + size // 2 : sound + size // 2 + 8] = b"JUNK" + struct.pack("<I", size // 2 - 8)
    (tmp_path / "clip.avi").write_bytes(content)
    assert "holds 0.250 s of sound, but its header states 0.500 s" in fault(tmp_path / "clip.avi")


def test_an_avi_whose_title_is_not_utf_8(film, tmp_path):
    content = film.read_bytes()
    assert content.count(b"Lavf") == 1  # the program that wrote it
    (tmp_path / "clip.avi").write_bytes(content.replace(b"Lavf", b"\xa9 F\xfc"))
    np.testing.assert_array_equal(audio.load(tmp_path / "clip.avi")[0], audio.load(film)[0])


@pytest.mark.parametrize("field, value", [(0, 0x1234), (2, 0)])
def test_an_avi_whose_sound_is_of_no_known_kind(film, tmp_path, field, value):
    content = bytearray(film.read_bytes())
    format = content.index(b"strf", content.index(b"auds")) + 8  # codec, channels, rate, ...
    content[format + field : format + field + 2] = struct.pack("<H", value)
    (tmp_path / "clip.avi").write_bytes(content)
    assert "describes no sound that can be decoded" in fault(tmp_path / "clip.avi")
