"""The systems of the paper's tables that are not networks of ``freqcnn_gluon``, by name.

Only this registry imports the systems' modules. They import ``peer``, ``features`` and one another's
helpers, never the registry.
"""

from __future__ import annotations

import importlib

import freqcnn_gluon  # noqa: F401  It must come before MXNet, which some of the peers import.
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
"""Name -> module that defines it as PEER. Imported on first use: scikit-learn imports slowly."""
NETWORKS = ("spectrogram_dnn", "mel_dbn")
"""The peers that train networks. They take a ``dtype``: one process computes in one dtype only."""


def peer(name: str) -> Peer:
    """Return the system called ``name``.

    Raises:
        Faults: the name is unknown; the message lists all names.
    """
    if name not in PEERS:
        raise Faults(f"there is no system '{name}': choose one of {', '.join(PEERS)}")
    return importlib.import_module(f".{PEERS[name]}", __name__).PEER
