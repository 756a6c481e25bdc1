"""The port against MIRtoolbox's own output, scipy's STFT, Parseval and closed forms."""

from pathlib import Path

import kaldi_native_fbank as kaldi
import numpy as np
import pytest
import soundfile
from PIL import Image
from scipy.signal import stft
from scipy.signal.windows import hamming

from data_prep.sound import audio
from data_prep.sound.spectrogram import (
    BLOCK,
    MEL_BANDS,
    SCALES,
    VERSIONS,
    ImageSettings,
    image,
    mirspectrum,
    row_edges,
    scaled,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "mirtoolbox"
ARCHIVE = np.load(GOLDEN / "golden.npz")
NAMES = sorted({key.rsplit("/", 1)[0] for key in ARCHIVE.files})
F32 = {"frame": 0.032, "hop": 0.016, "hop_unit": "s"}
CALLS = {
    "mirspectrum(F,'Frame')": {},
    "mirspectrum(F,'Frame','dB')": {"db": True},
    "mirspectrum(F,'Frame',0.032,'s',0.016,'s')": F32,
    "mirspectrum(F,'Frame',0.032,'s',0.016,'s','Power')": {**F32, "power": True},
    "mirspectrum(F,'Frame',0.032,'s',0.016,'s','dB',60)": {**F32, "db": 60},
    "mirspectrum(F,'Frame',0.032,'s',0.016,'s','dB')": {**F32, "db": True},
    "mirspectrum(F,'Frame',0.025,'s',0.010,'s')": {"frame": 0.025, "hop": 0.010, "hop_unit": "s"},
    "mirspectrum(F,'Frame',0.032,'s',0.016,'s','Min',1000,'Max',5000)": {
        **F32,
        "min_hz": 1000,
        "max_hz": 5000,
    },
}


def golden(name):
    return {key.rsplit("/", 1)[1]: ARCHIVE[key] for key in ARCHIVE.files if key.rsplit("/", 1)[0] == name}


def of_both_versions(name):
    """Only the thresholded one differs between versions; all others are to come out of both."""
    return [name.split("/")[0][1:]] if name.endswith("dB60") else VERSIONS


@pytest.mark.parametrize(
    "name, version",
    [(name, version) for name in NAMES if "/audio_" not in name for version in of_both_versions(name)],
)
def test_matches_mirtoolbox(name, version):
    g = golden(name)
    path = GOLDEN / f"{g['wav']}.wav"
    samples = audio.load(path)[0] if name.endswith("stereo_default") else soundfile.read(path)[0]
    settings = CALLS[str(g["call"])]
    magnitude, frequency, times = mirspectrum(samples, float(g["sampling"]), version=version, **settings)
    assert magnitude.shape == tuple(g["shape"]) and magnitude.dtype == np.float64
    tolerance = 1e-8 if "db" in settings else 1e-12 * np.abs(g["magnitude"]).max()
    np.testing.assert_allclose(magnitude[:, g["kept"]], g["magnitude"], rtol=0, atol=tolerance)
    np.testing.assert_allclose(frequency, g["frequency"], rtol=1e-14)
    np.testing.assert_allclose(times, g["framepos"], rtol=0, atol=1e-12)


def test_every_golden_is_used():
    assert len(NAMES) == 15
    assert {str(ARCHIVE[f"{name}/call"]) for name in NAMES if "/audio_" not in name} == set(CALLS)


def test_channels_are_averaged_first():
    samples, rate = soundfile.read(GOLDEN / "stereo44k.wav")
    np.testing.assert_array_equal(mirspectrum(samples, rate)[0], mirspectrum(samples.mean(axis=1), rate)[0])


def test_agrees_with_scipys_stft_where_the_hop_is_whole():
    samples = np.random.default_rng(0).standard_normal(16000)
    magnitude, frequency, times = mirspectrum(samples, 16000, frame=0.025, hop=0.010, hop_unit="s")
    taper = hamming(400)
    bins, centres, expected = stft(
        samples, 16000, taper, nperseg=400, noverlap=240, nfft=512, boundary=None, padded=False
    )
    np.testing.assert_allclose(magnitude, np.abs(expected) * taper.sum(), atol=1e-10)
    np.testing.assert_allclose(frequency, bins)
    np.testing.assert_allclose(times.mean(axis=0) + 0.5 / 16000, centres)


def test_parseval():
    samples = np.random.default_rng(1).standard_normal(8000)
    energy, _, times = mirspectrum(samples, 16000, window=False, power=True)
    twice = np.r_[1, np.full(511, 2), 1]  # all bins but DC and Nyquist stand for two
    first = np.round(times[0] * 16000).astype(int)
    expected = [np.sum(samples[i : i + 800] ** 2) for i in first]
    np.testing.assert_allclose(twice @ energy / 1024, expected, rtol=1e-12)


def test_a_sinusoid_on_a_bin_has_half_the_windows_sum():
    n = np.arange(512 * 4)
    magnitude, frequency, _ = mirspectrum(0.5 * np.cos(2 * np.pi * 64 * n / 512), 16000, frame=0.032, hop=0.5)
    assert np.all(magnitude.argmax(axis=0) == 64) and frequency[64] == 2000
    np.testing.assert_allclose(magnitude[64], 0.5 * hamming(512).sum() / 2, rtol=1e-3)


def test_hop_units_say_the_same():
    samples = np.random.default_rng(2).standard_normal(4000)
    expected = mirspectrum(samples, 8000, 0.025, 0.4)[0]
    for hop, unit in ((40, "%"), (0.010, "s"), (80, "sp"), (100, "Hz")):
        np.testing.assert_array_equal(mirspectrum(samples, 8000, 0.025, hop, unit)[0], expected)


def test_fractional_hop_is_never_rounded():
    # 50 ms at 11025 Hz are 551.25 samples and the hop 275.625: frames of 551, starts at floor(i * 275.625).
    times = mirspectrum(np.ones(11025), 11025)[2]
    starts = np.round(times[0] * 11025).astype(int)
    assert list(starts[:5]) == [0, 275, 551, 826, 1102]
    assert len(starts) == (11025 - 551) * 1000 // 275625 + 1
    assert set(np.round((times[1] - times[0]) * 11025)) == {550}


def test_a_partial_last_frame_is_dropped():
    assert mirspectrum(np.ones(1199), 16000)[0].shape[1] == 1
    assert mirspectrum(np.ones(1200), 16000)[0].shape[1] == 2


def test_digital_silence():
    samples = np.r_[np.zeros(1600), np.sin(np.arange(1600))]
    plain = mirspectrum(samples, 16000, db=True)[0]
    assert np.all(plain[:, 0] == -320)  # 20 log10(1e-16)
    assert np.all(mirspectrum(samples, 16000, db=60)[0][:, 0] == 0)
    assert np.all(mirspectrum(samples, 16000, db=60, version="1.7")[0][:, 0] == 60)


def test_dB_of_power_is_dB_of_magnitude():
    samples = np.random.default_rng(3).standard_normal(1600)
    np.testing.assert_allclose(
        mirspectrum(samples, 16000, power=True, db=True)[0],
        mirspectrum(samples, 16000, db=True)[0],
        atol=1e-8,
    )


@pytest.mark.parametrize("version, last", [("1.8.2", 5000), ("1.7", 5031.25)])
def test_a_limit_between_two_bins(version, last):
    frequency = mirspectrum(np.ones(1600), 16000, **F32, min_hz=1010, max_hz=5010, version=version)[1]
    assert (frequency[0], frequency[-1]) == (1031.25, last)


def test_fft_length_is_the_callers():
    samples = np.random.default_rng(4).standard_normal(800)
    magnitude, frequency, _ = mirspectrum(samples, 16000, length=1001)
    np.testing.assert_allclose(magnitude[:, 0], np.abs(np.fft.rfft(samples * hamming(800), 1001)), atol=1e-10)
    np.testing.assert_allclose(frequency, np.arange(501) * 16000 / 1001)


def test_blocks_do_not_show(monkeypatch):
    samples = np.random.default_rng(5).standard_normal(20000)
    whole = mirspectrum(samples, 16000, db=60)[0]
    assert samples.size < BLOCK
    monkeypatch.setattr("data_prep.sound.spectrogram.BLOCK", 3000)
    np.testing.assert_array_equal(mirspectrum(samples, 16000, db=60)[0], whole)


@pytest.mark.parametrize(
    "settings",
    [{"version": "2.0"}, {"hop_unit": "ms"}, {"hop": 0}, {"frame": 1e-6}, {"samples": np.empty(0)}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError):
        mirspectrum(**{"samples": np.ones(1600), "rate": 16000, **settings})


@pytest.mark.parametrize("size", [64, 256])
def test_image_is_upright_and_fills_its_range(size):
    n = np.arange(32000) / 16000
    chirp = np.sin(2 * np.pi * (500 * n + 1500 * n**2))  # 500 Hz up to 6500 Hz
    pixels = image(chirp, ImageSettings(size))
    assert pixels.shape == (size, size) and pixels.dtype == np.float32 and pixels.flags["C_CONTIGUOUS"]
    assert pixels.min() >= 0 and 0.9 < pixels.max() <= 1
    ridge = pixels.argmax(axis=0)[size // 8 : -size // 8]
    column = np.arange(size)[size // 8 : -size // 8]
    expected = (500 + 6000 * (column + 0.5) / size) / 8000 * size  # rows are frequency, columns are time
    np.testing.assert_allclose(ridge, expected, atol=size * 0.02 + 1)


def test_image_is_the_floored_dB_spectrogram_where_no_resizing_is_needed():
    samples = np.random.default_rng(6).standard_normal(512 + 256 * 256)
    settings = ImageSettings(257, frame=0.032, hop=0.5, floor_db=40)
    decibels = mirspectrum(samples, 16000, 0.032, db=True)[0]
    assert decibels.shape == (257, 257)
    expected = np.maximum(decibels - decibels.max(), -40) / 40 + 1
    np.testing.assert_allclose(image(samples, settings), expected, atol=1e-6)


@pytest.mark.parametrize("scale, power", [("linear", 1), ("power", 2)])
def test_a_scale_without_logarithm_is_that_of_equations_2_and_3(scale, power):
    samples = np.random.default_rng(9).standard_normal(512 + 256 * 256)
    n = np.arange(512)
    frames = np.stack([samples[256 * m : 256 * m + 512] * hamming(512) for m in range(257)])
    spectrum = frames @ np.exp(-2j * np.pi * np.outer(n, np.arange(257)) / 512)  # Eq. (2), (frames, bins)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2).T ** power  # Eq. (3)
    pixels = image(samples, ImageSettings(257, frame=0.032, scale=scale))  # 257 frames of 257 bins
    np.testing.assert_allclose(pixels, magnitude / magnitude.max(), atol=1e-6)
    assert pixels.max() == 1


@pytest.mark.parametrize("name, scale", [("chirp_32_16", "linear"), ("chirp_32_16_Power", "power")])
def test_a_scale_without_logarithm_is_mirtoolboxs(name, scale):
    """61 frames of 257 bins become 61 × 61 pixels, so that the columns stay as they are."""
    g = golden(f"v1.8.2/{name}")
    samples = soundfile.read(GOLDEN / f"{g['wav']}.wav")[0]
    pixels = image(samples, ImageSettings(61, frame=0.032, scale=scale))
    reduced = Image.fromarray(g["magnitude"].astype(np.float32)).resize((13, 61), Image.Resampling.BICUBIC)
    loudest = mirspectrum(samples, 16000, **F32, power=scale == "power")[0].max()  # of all frames
    np.testing.assert_allclose(pixels[:, g["kept"]], np.clip(np.asarray(reduced) / loudest, 0, 1), atol=1e-6)


def test_only_decibels_depend_on_floor_and_version():
    samples = np.random.default_rng(10).standard_normal(16000) * np.linspace(0, 1, 16000) ** 4
    for scale in SCALES:
        usual, other = ImageSettings(32, scale=scale), ImageSettings(32, 16000, 0.05, 0.5, 40, "1.7", scale)
        same = np.array_equal(image(samples, usual), image(samples, other))
        assert same == (usual.as_json() == other.as_json()) == (scale != "db")
        assert ImageSettings(**other.as_json()).as_json() == other.as_json()
    assert not image(np.zeros(16000), ImageSettings(16, scale="linear")).any()
    with pytest.raises(ValueError, match="scale is 'dB'; give one of db, linear, power"):
        image(samples, ImageSettings(16, scale="dB"))


def test_half_the_rate_leaves_the_lower_half_of_the_bins():
    """An 8 kHz file: at 16 kHz the upper rows are residue; at 8 kHz every row is one of the lower ones."""
    samples = np.random.default_rng(11).standard_normal(4 * 8000)
    high = image(audio.resample(samples, 8000, 16000), ImageSettings(64))
    low = image(samples, ImageSettings(64, rate=8000))
    lower = high[:32].repeat(2, axis=0)[:-8]  # without the filter's slope below 4 kHz
    assert np.abs(low[:-8] - lower).mean() < 0.05 and high[36:].mean() < 0.3 < 0.7 < low[36:].mean()


def test_image_does_not_depend_on_loudness_and_has_a_floor():
    samples = np.random.default_rng(7).standard_normal(16000)
    samples[8000:] *= 1e-6  # 120 dB down
    pixels = image(samples, ImageSettings(64))
    np.testing.assert_allclose(image(samples * 0.01, ImageSettings(64)), pixels, atol=1e-5)
    assert np.all(pixels[:, 36:] == 0) and np.all(pixels[:, :28].mean(axis=0) > 0.7)


def test_reducing_is_antialiased():
    # Every second frame loud, the others silent: sampling without a filter would give stripes.
    samples = np.random.default_rng(8).standard_normal(16000 * 4).reshape(-1, 800)
    samples[::2] *= 1e-6
    pixels = image(samples.ravel(), ImageSettings(16, hop=1.0))
    assert pixels[:, 2:-2].mean(axis=0).std() < 0.05 and 0.3 < pixels.mean() < 0.6


def test_image_of_a_single_frame():
    assert image(np.sin(np.arange(800)), ImageSettings(32)).shape == (32, 32)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("version", VERSIONS)
def test_mel_bands_are_kaldis(scale, version):
    samples = np.random.default_rng(11).standard_normal(8000) * np.linspace(0.01, 1, 8000) ** 2
    options = kaldi.FbankOptions()
    frames, mel = options.frame_opts, options.mel_opts
    frames.frame_length_ms, frames.frame_shift_ms, frames.window_type = 50, 25, "hamming"
    frames.dither, frames.preemph_coeff, frames.remove_dc_offset = 0, 0, False
    mel.num_bins, mel.low_freq, mel.high_freq = MEL_BANDS, 20, 0
    options.use_log_fbank, options.use_power = False, True
    computer = kaldi.OnlineFbank(options)
    computer.accept_waveform(16000, samples.astype(np.float32).tolist())
    computer.input_finished()
    power = np.stack([computer.get_frame(frame) for frame in range(computer.num_frames_ready)])
    if scale == "db":
        decibels = 10 * np.log10(power)
        loudest = decibels.max(axis=1, keepdims=True) if version == "1.7" else decibels.max()
        expected = np.maximum(decibels - loudest, -80) / 80 + 1
    else:
        expected = power if scale == "power" else np.sqrt(power)
        expected = expected / expected.max()
    settings = ImageSettings(64, version=version, scale=scale, frequency="mel")
    np.testing.assert_allclose(scaled(samples, settings), expected, atol=2e-4)


def test_the_frequency_axis_is_part_of_the_settings_unless_it_is_linear():
    linear, mel = ImageSettings(64), ImageSettings(64, frequency="mel")
    assert "frequency" not in linear.as_json() and ImageSettings(**mel.as_json()) == mel
    assert row_edges(linear).tolist() == np.linspace(0, 8000, 65).tolist()
    with pytest.raises(ValueError, match="frequency is 'bark'; give one of linear, mel"):
        image(np.ones(800), ImageSettings(16, frequency="bark"))
