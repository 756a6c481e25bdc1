"""Compute a network's image from a waveform by ONNX operators (steps 4 to 10 of docs/onnx.md)."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx.parser

from data_prep.sound.mel import filters
from data_prep.sound.spectrogram import MEL_BANDS, TINY, ImageSettings, transform_points

__all__ = ["image_graph"]

# The comments name the steps of docs/onnx.md. Operators are of opset 13. Sound is float32; indices are int64,
# and float64 where a frame's start is rounded, because a hop need not be a whole number of samples.
FRAMES = """
  # Step 4. A signal that is shorter than a frame is one frame: indices beyond its end repeat the last sample,
  # and the window multiplies these by 0.
  shape = Shape(waveform)
  length = Gather(shape, one)
  whole = Max(length, width)
  after_first = Sub(whole, width)
  after_first_double = Cast <to = 11> (after_first)
  hops = Div(after_first_double, hop)
  whole_hops = Floor(hops)
  hop_count = Cast <to = 7> (whole_hops)
  frame_count = Add(hop_count, one)
  number = Range(zero, frame_count, one)
  number_double = Cast <to = 11> (number)
  offset = Mul(number_double, hop)
  offset_from_one = Add(offset, one_double)
  start_from_one = Floor(offset_from_one)
  start_from_one_int = Cast <to = 7> (start_from_one)
  start = Sub(start_from_one_int, one)
  start_column = Unsqueeze(start, axis_1)
  index = Add(start_column, position)
  last = Sub(length, one)
  index_inside = Min(index, last)
  frames = Gather <axis = 1> (waveform, index_inside)

  # Step 5: (batch, frames, width).
  present = Min(length, width)
  present_less_one = Sub(present, one)
  period = Max(present_less_one, one)
  period_float = Cast <to = 1> (period)
  position_float = Cast <to = 1> (position)
  share = Div(position_float, period_float)
  angle = Mul(share, two_pi)
  cosine = Cos(angle)
  wave = Mul(cosine, a1)
  hamming = Sub(a0, wave)
  within = Less(position, present)
  window = Where(within, hamming, zero_float)
  windowed = Mul(frames, window)
"""
ENERGY = """
  # Step 6: (batch, frames, bins).
  real = MatMul(windowed, cosines)
  imaginary = MatMul(windowed, sines)
  real_square = Mul(real, real)
  imaginary_square = Mul(imaginary, imaginary)
  energy = Add(real_square, imaginary_square)
"""
BINS = """
  # A signal that is shorter than a frame may have a shorter transform. Its bins are every second, fourth, ...
  # bin of the longer transform, because both append zeros.
  all_bins = Sqrt(energy)
  enough = GreaterOrEqual(powers_of_two, present)
  candidates = Where(enough, powers_of_two, points)
  points_needed = ReduceMin <axes = [0], keepdims = 1> (candidates)
  stride = Div(points, points_needed)
  magnitude = Slice(all_bins, start_0, bins, axis_2, stride)
"""
BANDS = """
  # With mel bands: (batch, frames, bands). The transform always has all its points.
  band_energy = MatMul(energy, mel_filters)
  magnitude = Sqrt(band_energy)
"""
DECIBELS = """
  # Steps 7 and 8.
  magnitude_offset = Add(magnitude, tiny)
  logarithm = Log(magnitude_offset)
  decibels = Mul(logarithm, decibels_of_e)
  loudest = ReduceMax <axes = {axes}, keepdims = 1> (decibels)
  relative = Sub(decibels, loudest)
  floor = Neg(floor_db)
  limited_below = Max(relative, floor)
  above_floor = Add(limited_below, floor_db)
  scaled = Div(above_floor, floor_db)
"""
WEIGHTS = """
  # Step 9: the matrix (size, m) of weights for {m}. With whole numbers, the distance between value j and
  # result i is |(2 j + 1) size - (2 i + 1) m| / (2 max(m, size)) times the kernel's unit, without rounding.
  {m}_value = Range(zero, {m}, one)
  {m}_value_double = Mul({m}_value, two)
  {m}_value_odd = Add({m}_value_double, one)
  {m}_value_centre = Mul({m}_value_odd, size)
  {m}_result_centre = Mul(result_odd, {m})
  {m}_difference = Sub({m}_value_centre, {m}_result_centre)
  {m}_distance = Abs({m}_difference)
  {m}_larger = Max({m}, size)
  {m}_unit = Mul({m}_larger, two)
  {m}_distance_float = Cast <to = 1> ({m}_distance)
  {m}_unit_float = Cast <to = 1> ({m}_unit)
  {m}_t = Div({m}_distance_float, {m}_unit_float)
  {m}_near_3 = Mul({m}_t, c_1_5)
  {m}_near_2 = Sub({m}_near_3, c_2_5)
  {m}_square = Mul({m}_t, {m}_t)
  {m}_near_1 = Mul({m}_near_2, {m}_square)
  {m}_near = Add({m}_near_1, one_float)
  {m}_far_3 = Mul({m}_t, c_0_5)
  {m}_far_2 = Sub(c_2_5, {m}_far_3)
  {m}_far_1 = Mul({m}_far_2, {m}_t)
  {m}_far_0 = Sub({m}_far_1, c_4)
  {m}_far_times = Mul({m}_far_0, {m}_t)
  {m}_far = Add({m}_far_times, c_2)
  {m}_is_far = Less({m}_t, c_2)
  {m}_is_near = Less({m}_t, one_float)
  {m}_outer = Where({m}_is_far, {m}_far, zero_float)
  {m}_kernel = Where({m}_is_near, {m}_near, {m}_outer)
  {m}_sum = ReduceSum <keepdims = 1> ({m}_kernel, axis_1)
  {m}_weights = Div({m}_kernel, {m}_sum)
"""
IMAGE = """
  # Steps 9 and 10: time first, as Pillow does, then frequency.
  columns = MatMul(frame_count_weights, scaled)
  columns_last = Transpose <perm = [0, 2, 1]> (columns)
  resized = MatMul(bin_count_weights, columns_last)
  limited = Clip(resized, zero_float, one_float)
  image = Unsqueeze(limited, axis_1)
"""
BIN_COUNT = """
  scaled_shape = Shape(scaled)
  bin_count = Gather(scaled_shape, two)
"""


def image_graph(settings: ImageSettings) -> onnx.GraphProto:
    """Build the graph from a waveform to the network's image.

    It computes what ``data_prep.sound.spectrogram.image`` computes, in float32.

    Args:
        settings: The image's settings.

    Returns:
        A graph of operators of opset 13. Its input is 'waveform' (batch, samples) float32 at
        ``settings.rate``, full scale 1, with at least one sample; its output is 'image'
        (batch, 1, size, size) float32.

    Raises:
        ValueError: The scale is not 'db', which all models have.
    """
    if settings.scale != "db":
        raise ValueError(f"the scale is {settings.scale!r}, and this graph computes 'db'")
    size = settings.size
    head = f"(float[batch, samples] waveform) => (float[batch, 1, {size}, {size}] image)"
    resizing = WEIGHTS.format(m="frame_count") + BIN_COUNT + WEIGHTS.format(m="bin_count")
    magnitude = BANDS if settings.frequency == "mel" else BINS
    body = FRAMES + ENERGY + magnitude + _scaling(settings) + resizing + IMAGE
    graph = onnx.parser.parse_graph(f"image {head} {{{body}}}")
    constants = _constants(settings)
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    )
    return graph


def _scaling(settings: ImageSettings) -> str:
    """Return the operators from 'magnitude' to 'scaled' (batch, frames, bins), 0 to 1."""
    return DECIBELS.format(axes="[2]" if settings.version == "1.7" else "[1, 2]")


def _constants(settings: ImageSettings) -> dict[str, np.ndarray]:
    """Return the constants of the graph by name."""
    length = settings.frame * settings.rate  # the hop is a fraction of the unrounded length
    width = int(length)
    points = transform_points(settings)
    # Products are reduced to one period, so that float64 represents the angles of the transform well.
    turns = np.outer(np.arange(width), np.arange(points // 2 + 1)) % points / points
    numbers = {
        "zero": 0, "one": 1, "two": 2, "width": width, "size": settings.size,
        "axis_1": [1], "axis_2": [2], "start_0": [0], "points": [points], "bins": [points // 2 + 1],
        "powers_of_two": [2**i for i in range(points.bit_length())],
        "position": np.arange(width), "result_odd": 2 * np.arange(settings.size)[:, None] + 1,
    }  # fmt: skip
    values = {
        "zero_float": 0, "one_float": 1, "c_0_5": 0.5, "c_1_5": 1.5, "c_2": 2, "c_2_5": 2.5, "c_4": 4,
        "two_pi": 2 * math.pi, "a0": 0.54, "a1": 0.46, "tiny": TINY, "decibels_of_e": 20 / math.log(10),
        "floor_db": settings.floor_db, "mel_filters": filters(points, settings.rate, MEL_BANDS).T,
        "cosines": np.cos(2 * np.pi * turns), "sines": np.sin(2 * np.pi * turns),
    }  # fmt: skip
    return {
        **{name: np.asarray(number, np.int64) for name, number in numbers.items()},
        **{name: np.asarray(value, np.float32) for name, value in values.items()},
        **{"hop": np.asarray(settings.hop * length, np.float64), "one_double": np.asarray(1, np.float64)},
    }
