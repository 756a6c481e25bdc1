"""AVI files as the tests need them."""

from fractions import Fraction

import av
import numpy as np


def write_avi(path, samples, rate=48000, codec="pcm_s16le", format="s16", sound=True):
    """``samples`` (n, 2) as the sound of an AVI with pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="avi") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = container.add_stream(codec, rate=rate, layout="stereo") if sound else None
        for number in range(max(1, len(samples) * 25 // rate)):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if sound:
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=format, layout="stereo")
            frame.sample_rate, frame.pts = rate, 0
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
