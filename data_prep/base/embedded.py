"""Embed pictures and sound in an HTML page as data URIs, so that the page is a single file."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

__all__ = ["data_uri", "shades"]


def data_uri(kind: str, content: bytes) -> str:
    """Return ``content`` of a media type, such as 'image/png', as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def shades(shares: np.ndarray) -> str:
    """Return the data URI of a PNG with one pixel for each share (rows, columns), from 0 white to 1 black."""
    pixels = np.uint8(np.round(255 * (1 - np.clip(np.nan_to_num(shares), 0, 1))))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return data_uri("image/png", out.getvalue())
