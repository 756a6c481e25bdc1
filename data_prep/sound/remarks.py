"""Remarks on readable recordings whose images may mislead the network.

The images themselves do not change: they are those of MIRtoolbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from data_prep.base.faults import note

INVERTED = (
    "the channels nearly cancel each other, as if one were inverted; a single loud channel is used instead "
    "of their mean"
)
OFFSET = (
    "the samples have a constant offset, which changes the image; remove it (sox in.wav out.wav highpass 20)"
)
CLICK = (
    "a click is far above full scale and all other samples, and the image's floor is relative to its "
    "loudest point; cut the click out"
)
ORDER = (INVERTED, OFFSET, CLICK)
LEAST, SHARE = 0.02, 0.25  # an offset is reported above this level, and above this share of the sound's level
FULL, FAR = 1.0, 10.0  # a click is above this level, and above 999 of 1000 samples by this factor
NAMED = 3  # most files that a note names


def narrow(rate: int, usual: int) -> str:
    """Return the remark on a recording whose own ``rate`` in Hz is lower than the ``usual`` one."""
    return (
        f"the recording's own rate is {rate} Hz, and others have {usual} Hz or more; the upper part of its "
        "image is empty, and this alone may lead to a wrong label"
    )


def power(samples: np.ndarray) -> float:
    """Return the variance of the samples (n,), in little memory."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(samples @ samples / len(samples) - samples.mean() ** 2) if len(samples) else 0.0


def of(samples: np.ndarray) -> set[str]:
    """Return the remarks on the samples (n,) of a clip: none, OFFSET, CLICK or both."""
    remarks = set()
    mean = abs(samples.mean())
    if mean > LEAST and mean**2 > SHARE**2 * power(samples):
        remarks.add(OFFSET)
    peak = max(samples.max(), -samples.min())
    if peak > FULL and peak > FAR * np.quantile(np.abs(samples), 0.999):
        remarks.add(CLICK)
    return remarks


def report(remarks: Mapping[str, Iterable[Path]]) -> None:
    """Print one note for each remark, with the names of its files."""
    for remark in sorted(remarks, key=lambda remark: (remark not in ORDER, remark)):
        files = list(dict.fromkeys(map(str, remarks[remark])))
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        note(f"note: {', '.join(files[:NAMED])}{more}: {remark}.")
