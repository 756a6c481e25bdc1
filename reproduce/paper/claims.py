"""Checks of the paper's claims in words about its tables. Part of ``audit``.

A claim that can be read in two ways has two findings, one for each reading.
"""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from reproduce.paper.exact import Finding, Printed, accents, mean, number, shown, whole_count

__all__ = ["claims"]


def claims(tables: Printed, diagonal: pd.Series) -> list[Finding]:
    """Check rankings and comparisons in Sections 5 and 6.

    ``diagonal`` has Table 12's correct clips of each emotion.
    """
    return [
        *_ut_podcast(tables),
        *_segments(tables),
        *_attention(tables),
        *_chains(tables),
        *_activations(tables),
        *_enterface(tables, diagonal),
        *_networks(tables),
    ]


def _claim(section: str, words: str, wanted: str, found: str, agrees: bool) -> Finding:
    return Finding("claim", f"{section}: '{words}'", wanted, found, bool(agrees))


def _descending(values: pd.Series) -> list[str]:
    return list(values.sort_values(ascending=False, kind="stable").index)


def _ranked(values: pd.Series) -> str:
    return ", ".join(f"{name} {shown(values[name])}" for name in _descending(values))


def _cells(holds: pd.DataFrame) -> str:
    """Say in how many cells a claim holds, and name those where it does not."""
    rest = [
        f"{row} {column}" for row in holds.index for column in holds.columns if not holds.loc[row, column]
    ]
    return f"{holds.size - len(rest)} of {holds.size}" + (f"; not {', '.join(rest)}" if rest else "")


def _ut_podcast(tables: Printed) -> list[Finding]:
    """Check claims about Table 3, with UAR as printed and as the mean of the recalls' whole counts."""
    frame, totals = tables["table03_ut_podcast_models"], accents(tables)
    cells = frame.map(number)

    def uar_of(name: str) -> Fraction:
        shares = [
            Fraction(100 * count, total)
            for label, total in totals.items()
            if (count := whole_count(frame.loc[label, name], total)) is not None
        ]
        if len(shares) == len(totals):
            return mean(shares)
        return mean(cells.loc[label, name] for label in totals)  # printed with one decimal

    means = pd.Series({name: uar_of(name) for name in frame.columns})
    wanted, findings = ["FreqCNN", "i-Vector", "AlexNet"], []
    words = "FreqCNN achieves the best performance …, followed by i-vector method and AlexNet model"
    small, large = ["AlexNet", "CNN"], ["VGG-11", "ResNet-18"]
    for reading, uar in (("by printed UAR", cells.loc["UAR"]), ("by the mean of the recalls", means)):
        order = _descending(uar)[:3]
        findings += [
            _claim("Sec. 5.1", f"{words} ({reading})", ", ".join(wanted), _ranked(uar), order == wanted),
            _claim(
                "Sec. 5.1",
                f"small DNNs (AlexNet and 5-layer CNN) … better results than lager models … ({reading})",
                f"{' and '.join(small)} above {' and '.join(large)}",
                _ranked(uar[small + large]),
                uar[small].min() > uar[large].max(),
            ),
        ]
    for label, words, wanted in (
        ("UK", "AlexNet … UK, which is just lower than our proposed method", ["FreqCNN", "AlexNet"]),
        ("US", "5-layer CNN … US, which is just lower than i-vector method", ["i-Vector", "CNN"]),
    ):
        order = _descending(cells.loc[label])[:2]
        findings.append(
            _claim("Sec. 5.1", words, ", ".join(wanted), _ranked(cells.loc[label, order]), order == wanted)
        )
    best = [label for label in totals if _descending(cells.loc[label])[0] == "FreqCNN"]
    words = "the best performance in two out of three categories (AU and UK)"
    return [*findings, _claim("Sec. 5.1", words, "AU, UK", ", ".join(best), best == ["AU", "UK"])]


def _segments(tables: Printed) -> list[Finding]:
    """Check claims about Table 4: local segments, alone and with the global path."""
    four = tables["table04_segments"].set_index("measure", append=True)
    local = four.loc["local", ["2", "4", "8"]].map(number)
    both = four.loc["global+local", ["2", "4", "8"]].map(number)
    alone = four.loc["global+local", "0"].map(number)
    accuracy = pd.concat({"local": local.loc["ACC"], "global and local": both.loc["ACC"]})
    best = accuracy[_descending(accuracy)[:1]].index[0]
    every = pd.concat({"local": local, "global and local": both})
    every.index = every.index.map(" ".join)
    words = "Compared with only local … or only global …, the combination … indeed improves"
    local.columns = both.columns = [f"n = {n}" for n in local.columns]
    improved = both.gt(alone, axis=0)
    return [
        _claim(
            "Sec. 5.1",
            "the best accuracy … using the global frequency and 4 partial frequency information",
            "global and local, 4",
            ", ".join(best),
            best == ("global and local", "4"),
        ),
        _claim(
            "Sec. 5.1",
            f"{words} (than global alone)",
            "every cell",
            _cells(improved),
            improved.all(axis=None),
        ),
        _claim(
            "Sec. 5.1",
            f"{words} (than the same number of local parts alone)",
            "every cell",
            _cells(both > local),
            (both > local).all(axis=None),
        ),
        _claim(
            "Sec. 5.1",
            "As the number of local frequency segments continues to increase, … does not improve",
            "8 never above 4",
            _cells((every[["8"]].values <= every[["4"]]).rename(columns={"4": "8"})),
            (every["8"] <= every["4"]).all(),
        ),
    ]


def _attention(tables: Printed) -> list[Finding]:
    """Check claims about Table 5: attention in the last blocks, splits along frequency and time."""
    five = tables["table05_attention"].reset_index()
    five["attention_blocks"] = [blocks.split()[0] + " AC" for blocks in five["attention_blocks"]]
    five = five.set_index(["split", "attention_blocks"]).map(number)
    five.columns = five.columns.str.replace("_", " ")
    frequency, time = five.loc["frequency"], five.loc["time"]
    higher, words = frequency > time, "overall recognition for frequency-distributed … is higher than time-…"
    means = {measure: [_mean(half, measure) for half in (frequency, time)] for measure in ("ACC", "UAR")}
    findings = [
        _claim("Sec. 5.1", f"{words} (every cell)", "every cell", _cells(higher), higher.all(axis=None)),
        _claim(
            "Sec. 5.1",
            f"{words} (on the mean)",
            "higher in ACC and UAR",
            "; ".join(
                f"{name} {shown(ours)} against {shown(theirs)}" for name, (ours, theirs) in means.items()
            ),
            all(ours > theirs for ours, theirs in means.values()),
        ),
    ]
    words = "attention … indeed improves … accuracy and UAR, compared with no attention"
    for split, half in (("frequency", frequency), ("time", time)):
        without, with_attention = half.iloc[0], half.iloc[1:]
        gains = with_attention > without
        found = ", ".join(f"{name} {shown(with_attention[name].max() - without[name])}" for name in half)
        findings += [
            _claim("Sec. 5.1", f"{words} ({split}, every cell)", "every cell", _cells(gains),
                   gains.all(axis=None)),
            _claim("Sec. 5.1", f"{words} ({split}, the best cell)", "a gain", found, gains.any().all()),
        ]  # fmt: skip
    for split, kind, blocks, words in (
        ("frequency", "feature", "2 AC", "feature-based attention gives us the best result in the last two"),
        ("frequency", "spatial", "1 AC", "spatial-based … better … only used in the last … block"),
        ("time", "feature", "1 AC", "Feature-based attention obtains the best result in the last … block"),
    ):
        best = {measure: _descending(five.loc[split][f"{kind} {measure}"])[0] for measure in means}
        found = ", ".join(f"{where} by {measure}" for measure, where in best.items())
        findings.append(
            _claim("Sec. 5.1", f"{split}: {words}", blocks, found, set(best.values()) == {blocks})
        )
    gains = [(time[f"spatial {measure}"].iloc[1:] - time[f"spatial {measure}"].iloc[0]) for measure in means]
    return [
        *findings,
        _claim(
            "Sec. 5.1",
            "time-distributed …, spatial-based attention improves accuracy a lot but UAR slightly",
            "ACC gains more than UAR, and both gain",
            "; ".join(f"{at}: {shown(gains[0][at])} and {shown(gains[1][at])}" for at in gains[0].index),
            (gains[0] > gains[1]).all() and (gains[1] > 0).all(),
        ),
    ]


def _mean(half: pd.DataFrame, measure: str) -> Fraction:
    return mean(half.filter(like=measure).to_numpy().ravel())


def _chains(tables: Printed) -> list[Finding]:
    """Check claims about Table 8. Like the paper, they compare i-Vector's (1-EER) with accuracies."""
    eight = tables["table08_chains_models"].map(number)
    folds = eight.filter(regex="fold._ACC").T.set_axis(["#1", "#2", "#3"])
    folds["i-Vector"] = tables["table08_chains_ivector"]["one_minus_EER"].map(number).to_numpy()
    means = folds.sum() / len(folds)
    gain = eight.loc["FreqCNN", "average_ACC"] - number("91.00")
    findings = [
        _claim(
            "Sec. 5.2",
            "an accuracy of 91.00%, our model improves accuracy around +7%",
            "+7",
            f"+{shown(gain)}",
            round(gain) == 7,
        )
    ]
    for measure in ("ACC", "UAR"):
        order = _ranked(eight[f"average_{measure}"])
        words = f"our proposed model obtained the highest accuracy and UAR among all methods ({measure})"
        findings.append(
            _claim("Sec. 5.2", words, "FreqCNN is first", order, order.startswith("FreqCNN "))
        )  # fmt: skip
    better, other = ["i-Vector", "VGG-11", "ResNet-18"], ["ResNet-34", "ResNet-50"]
    findings.append(
        _claim(
            "Sec. 5.2",
            "i-vector, VGG-11 and ResNet-18 achieve better result than … ResNet-34 and ResNet-50",
            "each mean above both",
            _ranked(means[better + other]),
            means[better].min() > means[other].max(),
        )
    )
    words = "I-vector and VGG-11 have better recognition performance in the data set #3"
    for name in ("i-Vector", "VGG-11"):
        others = folds.loc["#3"].drop(["FreqCNN", "i-Vector", "VGG-11"])
        values, against = folds[name], f"{_ranked(others)}, {name} {shown(folds.loc['#3', name])}"
        findings += [
            _claim("Sec. 5.2", f"{words} ({name}, than in #1 and #2)", "#3 is its best", _ranked(values),
                   values["#3"] == values.max()),
            _claim("Sec. 5.2", f"{words} ({name}, than the ResNets there)", "above each", against,
                   values["#3"] > others.max()),
        ]  # fmt: skip
    first = [fold for fold in folds.index if _descending(folds.loc[fold])[0] == "FreqCNN"]
    words = "FreqCNN … vastly better than other methods in all three-fold experiments"
    return [
        *findings,
        _claim("Sec. 5.2", words, "first in #1, #2, #3", ", ".join(first), first == list(folds.index)),
    ]


def _activations(tables: Printed) -> list[Finding]:
    """Check claims about Table 9: which activations are best, on average or in each fold, and lowest."""
    nine = tables["table09_activations"].set_index("local_f", append=True).map(number)
    nine.index = nine.index.map("/".join)
    average, folds = ["average_ACC", "average_UAR"], ["fold1_ACC", "fold2_ACC", "fold3_ACC"]
    best = "the best result when … both local and global … is a sigmoid"
    findings = []
    for words, wanted, place, columns in (
        (f"{best} (on average)", "sigmoid/sigmoid", 0, average),
        (f"{best} (in each fold)", "sigmoid/sigmoid", 0, folds),
        ("The lowest accuracy … global and local … relu and tanh", "relu/tanh", -1, average[:1]),
    ):
        found = {column: _descending(nine[column])[place] for column in columns}
        values = ", ".join(f"{name} {shown(nine.loc[name, column])}" for column, name in found.items())
        findings.append(_claim("Sec. 5.2", words, wanted, values, set(found.values()) == {wanted}))
    return findings


def _enterface(tables: Printed, diagonal: pd.Series) -> list[Finding]:
    """Check claims about Tables 11 and 12, and Section 6's claim about all three corpora."""
    eleven = tables["table11_enterface_methods"].set_index("method")["ACC"].map(number)
    order = _descending(diagonal)
    three, eight = tables["table03_ut_podcast_models"], tables["table08_chains_models"]
    pairs = {
        "UT-Podcast": (number(three.loc["UAR", "FreqCNN"]), number(three.loc["UAR", "i-Vector"])),
        "CHAINS": (number(eight.loc["FreqCNN", "average_ACC"]), number("91.00")),
        "eNTERFACE": (eleven["FreqCNN"], eleven.drop("FreqCNN").max()),
    }
    compared = ", ".join(
        f"{name} {shown(ours)} against {shown(theirs)}" for name, (ours, theirs) in pairs.items()
    )
    return [
        _claim(
            "Sec. 5.3",
            "The highest … surprise, followed by angry. Lowest … sadness. Disgust also has a low accuracy",
            "Surprise, Angry, …, Disgust, Sadness",
            ", ".join(f"{label} {diagonal[label]}" for label in order),
            order[:2] == ["Surprise", "Angry"] and order[-2:] == ["Disgust", "Sadness"],
        ),
        _claim(
            "Sec. 5.3",
            "we manage to outperform the state-of-the-art accuracy",
            "FreqCNN is first",
            _ranked(eleven),
            _descending(eleven)[0] == "FreqCNN",
        ),
        _claim(
            "Sec. 6",
            "we outperform the state-of-art results on these speech databases",
            "FreqCNN above the cited results",
            compared,
            all(ours > theirs for ours, theirs in pairs.values()),
        ),
    ]


def _networks(tables: Printed) -> list[Finding]:
    """Check claims about Tables 2, 7 and 10: one output per class, and the number of blocks."""
    findings = []
    classes = {2: len(accents(tables)), 7: 36, 10: len(tables["table12_confusion"])}
    for table, count in classes.items():
        frame = tables[f"table{table:02}_architecture"]
        softmax = frame.iloc[-1]["Global convolution"]
        agrees = softmax.split("-")[0] == str(count)
        findings.append(Finding("claim", f"Table {table}, Softmax", softmax, f"{count} classes", agrees))
        blocks = [frame["Name"].str.startswith(name).sum() for name in ("Basic", "Attention")]
        if table != 7:  # Section 5.2 does not count its blocks
            words = f"three basic blocks (BC) and two attention-based blocks (AC) (Table {table})"
            found = f"{blocks[0]} and {blocks[1]}"
            findings.append(_claim("Sec. 5", words, "3 and 2", found, blocks == [3, 2]))
    return findings
