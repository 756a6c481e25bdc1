"""The quantities that the paper's claims compare: cells of its tables, their means and gains.

Each function names its cell as the CSV files beside this module do. All numbers are in per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from reproduce.paper.claim import Place, Quantity

__all__ = [
    "ACCENTS",
    "BLOCKS",
    "CONFUSION",
    "DNNS",
    "FOLDS",
    "GMM",
    "INPUTS",
    "KINDS",
    "MEAN_OF_RECALLS",
    "MEASURES",
    "PAIRS",
    "RESNETS",
    "activated",
    "attended",
    "emotion",
    "gain",
    "mean",
    "mean_of_folds",
    "method",
    "one",
    "podcast",
    "podcasts",
    "segments",
    "speakers",
]

MODELS, SEGMENTS, ATTENTION = "table03_ut_podcast_models", "table04_segments", "table05_attention"
CHAINS, IVECTOR, CITED = "table08_chains_models", "table08_chains_ivector", "table08_chains_cited"
ACTIVATIONS, METHODS, CONFUSION = "table09_activations", "table11_enterface_methods", "table12_confusion"

MEASURES, FOLDS, ACCENTS = ("ACC", "UAR"), ("1", "2", "3"), ("AU", "UK", "US")
DNNS = ("FNN", "CNN", "AlexNet", "VGG-11", "ResNet-18")  # Table 3's, except FreqCNN
RESNETS = ("ResNet-18", "ResNet-34", "ResNet-50")  # Table 8's
KINDS, BLOCKS = ("feature", "spatial"), {0: "0 (All BC)", 1: "1", 2: "2", 3: "3"}  # Table 5's
PAIRS = "sigmoid/tanh tanh/sigmoid tanh/tanh tanh/relu relu/tanh relu/relu".split()  # without sigmoid/sigmoid
INPUTS = {  # Table 11: method -> input
    "RBF": "MFCC, BDPCA, LDA features",
    "DNNs": "Spectrograms",
    "SVM": "Long, short time-based features",
    "3D-CNN, DBN": "Mel-spectrograms",
    "FreqCNN": "Spectrograms",
}
MEAN_OF_RECALLS = "the mean of the recalls"
RECORDS = 210  # eNTERFACE, Sec. 5.3: clips of each emotion


def one(name: str, place: Place) -> Quantity:
    """Return the number of one cell."""
    return Quantity(name, ((Fraction(1), place),))


def mean(name: str, quantities: Iterable[Quantity]) -> Quantity:
    """Return the mean of cells, each given as ``one``."""
    places = [place for quantity in quantities for _, place in quantity.terms]
    return Quantity(name, tuple((Fraction(1, len(places)), place) for place in places))


def gain(name: str, quantity: Quantity, base: Quantity) -> Quantity:
    """Return ``quantity`` less ``base``."""
    return Quantity(name, (*quantity.terms, *((-weight, place) for weight, place in base.terms)))


def podcast(system: str, measure: str = "UAR") -> Quantity:
    """Return a number of Table 3; MEAN_OF_RECALLS is calculated from the recalls."""
    if measure == MEAN_OF_RECALLS:
        return mean(system, [podcast(system, label) for label in ACCENTS])
    return one(system, Place(MODELS, measure, system))


def podcasts(systems: Iterable[str], measure: str = "UAR") -> Sequence[Quantity]:
    """Return the ``podcast`` of several systems."""
    return [podcast(system, measure) for system in systems]


def segments(path: str, n: int, measure: str) -> Quantity:
    """Return a number of Table 4 for the path 'local' or 'global+local' with ``n`` segments."""
    name = f"{path.replace('+', ' and ')} n = {n}"
    return one(name, Place(SEGMENTS, path, str(n), f"measure={measure}"))


def attended(split: str, blocks: int, kind: str, measure: str) -> Quantity:
    """Return a number of Table 5 for 0 to 3 blocks with attention of a kind."""
    place = Place(ATTENTION, split, f"{kind}_{measure}", f"attention_blocks={BLOCKS[blocks]}")
    return one(f"{blocks} AC {kind} {measure}", place)


def speakers(system: str, measure: str, fold: str = "average") -> Quantity:
    """Return a number of Table 8. Like the paper, i-Vector's (1-EER) stands for its accuracy."""
    if system == "i-Vector":
        return one(system, Place(IVECTOR, fold.removeprefix("fold"), "one_minus_EER"))
    return one(system, Place(CHAINS, system, f"{fold}_{measure}"))


def mean_of_folds(system: str) -> Quantity:
    """Return the mean of a system's accuracies in Table 8's folds; the paper prints none for i-Vector."""
    return mean(system, [speakers(system, "ACC", f"fold{fold}") for fold in FOLDS])


def activated(pair: str, column: str) -> Quantity:
    """Return a number of Table 9 for a pair 'g/f'; ``column`` is its head in the CSV file."""
    g, f = pair.split("/")
    return one(pair, Place(ACTIVATIONS, g, column, f"local_f={f}"))


def method(name: str) -> Quantity:
    """Return a method's accuracy in Table 11."""
    return one(name, Place(METHODS, INPUTS[name], "ACC", f"method={name}"))


def emotion(label: str) -> Quantity:
    """Return the share of an emotion's clips that Table 12 counts as recognised."""
    return one(label, Place(CONFUSION, label, label, of=RECORDS))


# Sec. 5.2 quotes this accuracy from another paper.
GMM = one("MFCC, VQ, GMM", Place(CITED, "MFCC, VQ, GMM [17]", "average_ACC"))
