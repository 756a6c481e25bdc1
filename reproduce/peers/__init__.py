"""The systems of the paper's tables that are no network of ``freqcnn_gluon``: each by its name."""

from __future__ import annotations

import importlib

import freqcnn_gluon  # noqa: F401  must come before MXNet, which some of the peers import
from data_prep.base.faults import Faults
from reproduce.peers.peer import Peer

__all__ = ["NETWORKS", "PEERS", "peer"]

PEERS = {
    "ivector": "ivector",
    "gmm": "gmm",
    "spectrogram_dnn": "spectrogram_dnn",
    "functionals_svm": "svm",
    "bdpca_rbf": "rbf",
    "mel_dbn": "mel_dbn",
}
"""Name -> the module that has it as PEER, imported when it is asked for: scikit-learn takes its time."""
NETWORKS = ("spectrogram_dnn", "mel_dbn")
"""Those that train networks, and so take the ``dtype`` that all of a process compute in."""


def peer(name: str) -> Peer:
    """The system called ``name``; Faults listing every name for an unknown one."""
    if name not in PEERS:
        raise Faults(f"there is no system '{name}': choose one of {', '.join(PEERS)}")
    return importlib.import_module(f".{PEERS[name]}", __name__).PEER
