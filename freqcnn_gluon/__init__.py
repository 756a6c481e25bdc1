"""FreqCNN in MXNet Gluon: arrays in, trained networks out.

Import this package before ``mxnet``: it puts back what MXNet 1.9.1 misses in numpy, gives it all
the cores, and loads the CUDA libraries of the GPU set (see ``runtime.prepare``).
"""

from data_prep.faults import Faults
from freqcnn_gluon import runtime

try:
    runtime.prepare()
except Faults as faults:
    # No command's own handler is in place this early, and the sentence says more than a traceback.
    raise SystemExit(f"error: {faults}") from None
