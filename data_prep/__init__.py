"""From corpus folders to spectrogram stores. This package never imports MXNet."""

from data_prep.base import shadows
from data_prep.base.faults import Faults

try:
    shadows.check()
except Faults as faults:
    # An import has no command around it to report faults, and the sentence is clearer than a traceback.
    raise SystemExit(f"error: {faults}") from None
