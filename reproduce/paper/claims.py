"""The paper's claims about its results, as data, in the paper's order.

``CLAIMS`` holds the claims in words, ``quoted`` those that quote a number. The audit examines CLAIMS on the
paper's numbers, and ``reproduce.claims`` examines both lists on ours. A claim that can be read in two ways
stands here twice, once for each reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from reproduce.paper.claim import (
    EQUAL,
    NOT_BELOW,
    NOTHING,
    Claim,
    Comparison,
    Part,
    Place,
    Quantity,
    examined,
    printed_values,
)
from reproduce.paper.exact import Finding, Printed
from reproduce.paper.quantities import (
    BLOCKS,
    CONFUSION,
    DNNS,
    FOLDS,
    GMM,
    INPUTS,
    KINDS,
    MEAN_OF_RECALLS,
    MEASURES,
    PAIRS,
    RESNETS,
    activated,
    attended,
    emotion,
    gain,
    mean,
    mean_of_folds,
    method,
    one,
    podcast,
    podcasts,
    segments,
    speakers,
)

__all__ = ["CLAIMS", "claims", "quoted"]

_BEYOND = {
    "UT-Podcast": (podcast("FreqCNN"), [podcast("i-Vector")]),
    "CHAINS": (speakers("FreqCNN", "ACC"), [GMM]),
    "eNTERFACE": (method("FreqCNN"), [method(name) for name in INPUTS if name != "FreqCNN"]),
}


def _alone(first: Quantity, second: Quantity, name: str = "") -> Part:
    """Return a part with one comparison."""
    return (Comparison(first, second, name),)


def _order(*groups: Sequence[Quantity], name: str = "") -> tuple[Part, ...]:
    """Require that each quantity of a group is above each quantity of the next group.

    With a ``name``, the comparisons get names that begin with it.
    """
    return tuple(
        _alone(first, second, f"{name} {second.name}" if name else "")
        for upper, lower in zip(groups, groups[1:])
        for first, second in product(upper, lower)
    )


def _ut_podcast() -> list[Claim]:
    """List the claims about Table 3."""
    claims = []
    best = "FreqCNN achieves the best performance …, followed by i-vector method and AlexNet model"
    small, rest = ["AlexNet", "CNN"], [name for name in DNNS if name != "AlexNet"]
    for measure, reading, paper_only in (
        ("UAR", "by printed UAR", ""),
        (MEAN_OF_RECALLS, f"by {MEAN_OF_RECALLS}", f"our UAR is {MEAN_OF_RECALLS}"),
    ):
        groups = [podcasts(group, measure) for group in (["FreqCNN"], ["i-Vector"], ["AlexNet"], rest)]
        order = "FreqCNN, i-Vector, AlexNet"
        claims.append(Claim("Sec. 5.1", best, order, _order(*groups), reading=reading, paper_only=paper_only))
        claims.append(
            Claim(
                "Sec. 5.1",
                "small DNNs (AlexNet and 5-layer CNN) … better results than lager models …",
                "AlexNet and CNN above VGG-11 and ResNet-18",
                _order(podcasts(small, measure), podcasts(["VGG-11", "ResNet-18"], measure)),
                reading=reading,
                paper_only=paper_only,
            )
        )
    systems = ("i-Vector", "FreqCNN", *DNNS)
    for label, words, first_two in (
        ("UK", "AlexNet … UK, which is just lower than our proposed method", ["FreqCNN", "AlexNet"]),
        ("US", "5-layer CNN … US, which is just lower than i-vector method", ["i-Vector", "CNN"]),
    ):
        others = [name for name in systems if name not in first_two]
        groups = [podcasts(group, label) for group in (first_two[:1], first_two[1:], others)]
        claims.append(Claim("Sec. 5.1", words, ", ".join(first_two), _order(*groups)))
    leads = [
        part
        for label in ("AU", "UK")
        for part in _order(
            [podcast("FreqCNN", label)],
            podcasts((name for name in systems if name != "FreqCNN"), label),
            name=label,
        )
    ]
    not_in_us = tuple(
        Comparison(podcast(name, "US"), podcast("FreqCNN", "US"), f"US, {name} above FreqCNN")
        for name in systems
        if name != "FreqCNN"
    )
    words = "the best performance in two out of three categories (AU and UK)"
    return [*claims, Claim("Sec. 5.1", words, "in AU and UK, not in US", (*leads, not_in_us))]


def _table_4() -> list[Claim]:
    """List the claims about local segments, alone and with the global path."""
    improves = "Compared with only local … or only global …, the combination … indeed improves"
    every = list(product(("UAR", "ACC"), (2, 4, 8)))

    def against(path: str, alone: bool) -> tuple[Part, ...]:
        return tuple(
            _alone(
                segments("global+local", n, measure),
                segments(path, 0 if alone else n, measure),
                f"{measure} n = {n}",
            )
            for measure, n in every
        )

    others = [(path, n) for path in ("local", "global+local") for n in (2, 4, 8)]
    others.remove(("global+local", 4))
    return [
        Claim(
            "Sec. 5.1",
            "the best accuracy … using the global frequency and 4 partial frequency information",
            "global and local, n = 4",
            _order([segments("global+local", 4, "ACC")], [segments(*other, "ACC") for other in others]),
        ),
        Claim("Sec. 5.1", improves, "every cell", against("global+local", True), reading="than global alone"),
        Claim(
            "Sec. 5.1",
            improves,
            "every cell",
            against("local", False),
            reading="than the same number of local parts alone",
        ),
        Claim(
            "Sec. 5.1",
            "As the number of local frequency segments continues to increase, … does not improve",
            "8 never above 4",
            tuple(
                _alone(segments(path, 4, measure), segments(path, 8, measure), f"{path} {measure}")
                for path, measure in product(("local", "global+local"), ("UAR", "ACC"))
            ),
            relation=NOT_BELOW,
        ),
    ]


def _table_5() -> list[Claim]:
    """List the claims about attention in the last blocks, and about splits along frequency and time."""
    words = "overall recognition for frequency-distributed … is higher than time-…"
    columns = list(product(KINDS, MEASURES))
    cells = list(product(BLOCKS, columns))
    pairs = [(attended("frequency", n, *column), attended("time", n, *column)) for n, column in cells]
    halves = []
    for measure in MEASURES:
        first, second = (
            mean(split, [attended(split, n, kind, measure) for n in BLOCKS for kind in KINDS])
            for split in ("frequency", "time")
        )
        halves.append(_alone(first, second, measure))
    claims = [
        Claim(
            "Sec. 5.1",
            words,
            "every cell",
            tuple(_alone(first, second, first.name) for first, second in pairs),
            reading="every cell",
        ),
        Claim("Sec. 5.1", words, "higher in ACC and UAR", tuple(halves), reading="on the mean"),
    ]
    words = "attention … indeed improves … accuracy and UAR, compared with no attention"
    for split in ("frequency", "time"):
        by_column = [
            tuple(
                Comparison(cell := attended(split, n, *column), attended(split, 0, *column), cell.name)
                for n in (1, 2, 3)
            )
            for column in columns
        ]
        every = tuple((item,) for group in by_column for item in group)
        claims += [
            Claim("Sec. 5.1", words, "every cell", every, reading=f"{split}, every cell"),
            Claim("Sec. 5.1", words, "a gain", tuple(by_column), reading=f"{split}, the best cell"),
        ]
    for split, kind, best, words in (
        ("frequency", "feature", 2, "feature-based attention gives us the best result in the last two"),
        ("frequency", "spatial", 1, "spatial-based … better … only used in the last … block"),
        ("time", "feature", 1, "Feature-based attention obtains the best result in the last … block"),
    ):
        parts = [
            _alone(
                attended(split, best, kind, measure), other := attended(split, n, kind, measure), other.name
            )
            for measure in MEASURES
            for n in BLOCKS
            if n != best
        ]
        claims.append(Claim("Sec. 5.1", f"{split}: {words}", f"{best} AC", tuple(parts)))
    return [*claims, _time_spatial()]


def _time_spatial() -> Claim:
    """Return the claim that compares gains in accuracy with gains in UAR."""
    parts: list[Part] = []
    for n in (1, 2, 3):
        accuracy, uar = (
            gain(
                f"gain in {measure}",
                attended("time", n, "spatial", measure),
                attended("time", 0, "spatial", measure),
            )
            for measure in MEASURES
        )
        parts.append(_alone(accuracy, uar, f"{n} AC, gain in ACC above gain in UAR"))
        parts.append(_alone(uar, NOTHING, f"{n} AC, gain in UAR"))
    words = "time-distributed …, spatial-based attention improves accuracy a lot but UAR slightly"
    return Claim("Sec. 5.1", words, "ACC gains more than UAR, and both gain", tuple(parts))


def _table_8() -> list[Claim]:
    """List the claims about speakers."""
    networks = ("VGG-11", *RESNETS)
    words = "our proposed model obtained the highest accuracy and UAR among all methods"
    claims = [
        Claim(
            "Sec. 5.2",
            "an accuracy of 91.00%, our model improves accuracy around +7%",
            "+7",
            _order([speakers("FreqCNN", "ACC")], [GMM]),
            relation=EQUAL,
            number="7",
        ),
        *(
            Claim(
                "Sec. 5.2",
                words,
                "FreqCNN is first",
                _order([speakers("FreqCNN", measure)], [speakers(name, measure) for name in networks]),
                reading=measure,
            )
            for measure in MEASURES
        ),
        Claim(
            "Sec. 5.2",
            "i-vector, VGG-11 and ResNet-18 achieve better result than … ResNet-34 and ResNet-50",
            "each mean above both",
            _order(
                [mean_of_folds(name) for name in ("i-Vector", "VGG-11", "ResNet-18")],
                [mean_of_folds(name) for name in ("ResNet-34", "ResNet-50")],
            ),
        ),
    ]
    first = [
        part
        for fold in FOLDS
        for part in _order(
            [speakers("FreqCNN", "ACC", f"fold{fold}")],
            [speakers(other, "ACC", f"fold{fold}") for other in ("i-Vector", *networks)],
            name=f"#{fold}",
        )
    ]
    words = "FreqCNN … vastly better than other methods in all three-fold experiments"
    return [*claims, *_third_fold(), Claim("Sec. 5.2", words, "first in #1, #2, #3", tuple(first))]


def _third_fold() -> list[Claim]:
    """List the claims about two systems in the data set #3, which can be read in two ways."""
    words = "I-vector and VGG-11 have better recognition performance in the data set #3"
    claims = []
    for name in ("i-Vector", "VGG-11"):
        by_fold = [replace(speakers(name, "ACC", f"fold{fold}"), name=f"#{fold}") for fold in FOLDS]
        resnets = [speakers(resnet, "ACC", "fold3") for resnet in RESNETS]
        best, above = _order(by_fold[2:], by_fold[:2]), _order([speakers(name, "ACC", "fold3")], resnets)
        for reading, wanted, parts in (
            ("than in #1 and #2", "#3 is its best", best),
            ("than the ResNets there", "above each", above),
        ):
            claims.append(Claim("Sec. 5.2", words, wanted, parts, reading=f"{name}, {reading}"))
    return claims


def _table_9() -> list[Claim]:
    """List the claims about pairs of activations: the global path's g and the local path's f."""
    best = "the best result when … both local and global … is a sigmoid"
    claims = []
    for reading, columns in (
        ("on average", {"ACC": "average_ACC", "UAR": "average_UAR"}),
        ("in each fold", {f"#{fold}": f"fold{fold}_ACC" for fold in FOLDS}),
    ):
        parts = [
            part
            for name, column in columns.items()
            for part in _order(
                [activated("sigmoid/sigmoid", column)],
                [activated(pair, column) for pair in PAIRS],
                name=name,
            )
        ]
        claims.append(Claim("Sec. 5.2", best, "sigmoid/sigmoid", tuple(parts), reading=reading))
    words = "The lowest accuracy … global and local … relu and tanh"
    others = [pair for pair in ("sigmoid/sigmoid", *PAIRS) if pair != "relu/tanh"]
    above = _order(
        [activated(pair, "average_ACC") for pair in others], [activated("relu/tanh", "average_ACC")]
    )
    return [*claims, Claim("Sec. 5.2", words, "relu/tanh", above)]


def _enterface() -> list[Claim]:
    """List the claims about Tables 11 and 12, and Section 6's claim about all three corpora."""
    groups = (["Surprise"], ["Angry"], ["Fear", "Happiness"], ["Disgust"], ["Sadness"])
    beyond = [part for name, (ours, theirs) in _BEYOND.items() for part in _order([ours], theirs, name=name)]
    return [
        Claim(
            "Sec. 5.3",
            "The highest … surprise, followed by angry. Lowest … sadness. Disgust also has a low accuracy",
            "Surprise, Angry, …, Disgust, Sadness",
            _order(*([emotion(label) for label in group] for group in groups)),
        ),
        Claim(
            "Sec. 5.3",
            "we manage to outperform the state-of-the-art accuracy",
            "FreqCNN is first",
            _order([_BEYOND["eNTERFACE"][0]], _BEYOND["eNTERFACE"][1]),
        ),
        Claim(
            "Sec. 6",
            "we outperform the state-of-art results on these speech databases",
            "FreqCNN above the cited results",
            tuple(beyond),
        ),
    ]


CLAIMS = (*_ut_podcast(), *_table_4(), *_table_5(), *_table_8(), *_table_9(), *_enterface())


def claims(tables: Printed, diagonal: pd.Series) -> list[Finding]:
    """Examine CLAIMS on the paper's numbers.

    ``diagonal`` has Table 12's correct clips of each emotion.
    """
    value = printed_values(tables, diagonal)
    return [examined(claim, value) for claim in CLAIMS]


def quoted(sentences: Iterable[Mapping[str, str]]) -> list[Claim]:
    """Return, for each of the paper's sentences with a number, the claim that quotes it.

    Sentences about Table 1 count the corpus's clips, which no training changes; they are left out.
    """
    return [
        Claim(
            sentence["section"],
            sentence["words"],
            sentence["number"],
            _order([one(sentence["row"], _quoted_place(sentence))], [NOTHING]),
            relation=EQUAL,
            number=sentence["number"],
        )
        for sentence in sentences
        if not sentence["table"].startswith("table01")
    ]


def _quoted_place(sentence: Mapping[str, str]) -> Place:
    of = int(sentence["of"]) if sentence["table"] == CONFUSION else 0
    return Place(sentence["table"], sentence["row"], sentence["column"], sentence["where"], of)
