"""What the paper's text claims of its tables, where a machine can check it. Part of ``audit``."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd

from .exact import Finding, Printed, accents, number, rounds_to, shown, whole_count

__all__ = ["claims"]


def claims(tables: Printed) -> list[Finding]:
    """Rankings, comparisons and percentages in Sections 5.1 to 5.3."""
    return [*_models(tables), *_ablations(tables), *_speakers(tables), *_emotions(tables)]


def _claim(section: str, words: str, claim: str, found: str, agrees: bool) -> Finding:
    return Finding("claim", f"{section}: '{words}'", claim, found, agrees)


def _ranked(values: pd.Series) -> list[str]:
    return list(values.map(number).sort_values(ascending=False, kind="stable").index)


def _models(tables: Printed) -> list[Finding]:
    frame = tables["table03_ut_podcast_models"]
    findings = []
    first = _ranked(frame.loc["UAR"])[:3]
    findings.append(
        _claim(
            "Sec. 5.1",
            "FreqCNN achieves the best performance …, followed by i-vector method and AlexNet model",
            "FreqCNN, i-Vector, AlexNet",
            f"by printed UAR: {', '.join(first)}",
            first == ["FreqCNN", "i-Vector", "AlexNet"],
        )
    )
    totals = accents(tables)
    recalls = pd.DataFrame(
        {
            name: {label: Fraction(whole_count(cells[label], n) or 0, n) for label, n in totals.items()}
            for name, cells in frame.items()
            if name != "i-Vector"
        }
    )
    means = recalls.sum() / 3
    order = sorted(means.index, key=means.get, reverse=True)
    findings.append(
        _claim(
            "Sec. 5.1",
            "followed by … AlexNet model",
            "AlexNet is the second of the networks",
            "by the mean of the recalls: "
            + ", ".join(f"{name} {shown(100 * means[name])}" for name in order[:3]),
            order[:2] == ["FreqCNN", "AlexNet"],
        )
    )
    small, large = ("AlexNet", "CNN"), ("VGG-11", "ResNet-18")
    findings.append(
        _claim(
            "Sec. 5.1",
            "small DNNs (AlexNet and 5-layer CNN) can achieve better results than lager models",
            "AlexNet and CNN above VGG-11 and ResNet-18",
            f"the worse of the small {shown(100 * min(means[n] for n in small))}, the better of the large "
            f"{shown(100 * max(means[n] for n in large))} (UAR from the recalls)",
            min(means[n] for n in small) > max(means[n] for n in large),
        )
    )
    for label, words, wanted in (
        (
            "UK",
            "AlexNet … recognition of UK, which is just lower than our proposed method",
            ["FreqCNN", "AlexNet"],
        ),
        (
            "US",
            "5-layer CNN … recognition of US, which is just lower than i-vector method",
            ["i-Vector", "CNN"],
        ),
    ):
        best = _ranked(frame.loc[label])[:2]
        findings.append(_claim("Sec. 5.1", words, ", ".join(wanted), ", ".join(best), best == wanted))
    best = [label for label in totals if _ranked(frame.loc[label])[0] == "FreqCNN"]
    findings.append(
        _claim(
            "Sec. 5.1",
            "the best performance in two out of three categories (AU and UK)",
            "AU, UK",
            ", ".join(best),
            best == ["AU", "UK"],
        )
    )
    return findings


def _ablations(tables: Printed) -> list[Finding]:
    four = tables["table04_segments"].set_index("measure", append=True)
    findings = []
    accuracy = {(path, n): four.loc[(path, "ACC"), n] for path in ("local", "global+local") for n in "0248"}
    accuracy = {key: number(cell) for key, cell in accuracy.items() if cell}
    best = max(accuracy, key=accuracy.get)
    findings.append(
        _claim(
            "Sec. 5.1",
            "the best accuracy … using the global frequency and 4 partial frequency information",
            "global+local, 4",
            ", ".join(best),
            best == ("global+local", "4"),
        )
    )
    for measure in ("ACC", "UAR"):
        only = max(number(cell) for cell in (*four.loc[("local", measure), ["2", "4", "8"]],
                                             four.loc[("global+local", measure), "0"]))  # fmt: skip
        worse = [n for n in "248" if number(four.loc[("global+local", measure), n]) <= only]
        findings.append(
            _claim(
                "Sec. 5.1",
                "Compared with only local … or only global information …, the combination … "
                f"improves the recognition performance ({measure})",
                "every combination is above each method alone",
                f"the best alone is {shown(only)}; "
                + (f"not above it: n = {', '.join(worse)}" if worse else "all are"),
                not worse,
            )
        )
    five = tables["table05_attention"].reset_index()
    columns = [name for name in five.columns if name.endswith(("ACC", "UAR"))]
    cells = five.set_index(["split", "attention_blocks"])[columns].map(number)
    frequency, time = cells.loc["frequency"], cells.loc["time"]
    lower = [f"{blocks} {column}" for blocks, column in _where(frequency <= time)]
    findings.append(
        _claim(
            "Sec. 5.1",
            "the overall recognition for frequency-distributed spectrograms is higher than time-distributed",
            "every cell",
            f"{frequency.size - len(lower)} of {frequency.size} cells; not {', '.join(lower)}",
            not lower,
        )
    )
    for split in ("frequency", "time"):
        block = cells.loc[split]
        with_attention = block.iloc[1:]
        lower = [f"{blocks} {column}" for blocks, column in _where(with_attention <= block.iloc[0])]
        findings.append(
            _claim(
                "Sec. 5.1",
                "attention technique indeed improves the … performance in accuracy and UAR, compared with "
                f"no attention ({split})",
                "every cell with attention above 'All BC'",
                f"{with_attention.size - len(lower)} of {with_attention.size} cells; not {', '.join(lower)}",
                not lower,
            )
        )
    for split, kind, measure, blocks, words in (
        (
            "frequency",
            "feature",
            "ACC",
            "2",
            "feature-based attention gives us the best result in the last two",
        ),
        ("frequency", "spatial", "ACC", "1", "spatial-based … better performance when … only … in the last"),
        (
            "time",
            "feature",
            "UAR",
            "1",
            "Feature-based attention obtains the best result in the last … block",
        ),
    ):
        best = cells.loc[split][f"{kind}_{measure}"].idxmax()
        findings.append(
            _claim("Sec. 5.1", f"{split}: {words}", f"{blocks} AC", f"{best} AC by {measure}", best == blocks)
        )
    gains = [
        cells.loc[("time", "1")][f"spatial_{m}"] - cells.loc["time"].iloc[0][f"spatial_{m}"]
        for m in ("ACC", "UAR")
    ]
    findings.append(
        _claim(
            "Sec. 5.1",
            "time-distributed: spatial-based attention improves accuracy a lot but UAR slightly",
            "ACC gains more than UAR, both gain",
            f"1 AC: ACC {float(gains[0]):+.2f}, UAR {float(gains[1]):+.2f}",
            gains[0] > gains[1] > 0,
        )
    )
    return findings


def _where(mask: pd.DataFrame) -> list[tuple[str, str]]:
    return [(row, column) for row in mask.index for column in mask.columns if mask.loc[row, column]]


def _speakers(tables: Printed) -> list[Finding]:
    eight, ivector = tables["table08_chains_models"], tables["table08_chains_ivector"]
    findings = []
    gain = number(eight.loc["FreqCNN", "average_ACC"]) - 91
    findings.append(
        _claim(
            "Sec. 5.2",
            "[17] … 91.00%, our model improves accuracy around +7%",
            "+7",
            f"+{shown(gain)}",
            round(gain) == 7,
        )  # fmt: skip
    )
    accuracies = {name: [row[f"fold{fold}_ACC"] for fold in (1, 2, 3)] for name, row in eight.iterrows()}
    accuracies["i-Vector"] = list(ivector["one_minus_EER"])
    for name in ("i-Vector", "VGG-11"):
        values = list(map(number, accuracies[name]))
        findings.append(
            _claim(
                "Sec. 5.2",
                f"I-vector and VGG-11 have better recognition performance in the data set #3 ({name})",
                "#3 is its best",
                f"#1 to #3: {', '.join(accuracies[name])}",
                values[2] == max(values),
            )
        )
    means = {name: sum(map(number, cells)) / 3 for name, cells in accuracies.items()}
    worse = {name: means[name] for name in ("i-Vector", "VGG-11", "ResNet-18")}
    findings.append(
        _claim(
            "Sec. 5.2",
            "i-vector, VGG-11 and ResNet-18 achieve better result than … ResNet-34 and ResNet-50",
            "each mean above both",
            ", ".join(f"{name} {shown(mean)}" for name, mean in means.items() if name != "FreqCNN"),
            min(worse.values()) > max(means["ResNet-34"], means["ResNet-50"]),
        )
    )
    ahead = [
        fold
        for fold in range(3)
        if max(accuracies, key=lambda name: number(accuracies[name][fold])) == "FreqCNN"
    ]
    findings.append(
        _claim(
            "Sec. 5.2",
            "FreqCNN … vastly better than other methods in all three-fold experiments",
            "first in three folds",
            f"first in {len(ahead)}",
            len(ahead) == 3,
        )  # fmt: skip
    )
    nine = tables["table09_activations"].reset_index().set_index(["global_g", "local_f"])
    means = nine["average_ACC"].map(number)
    for words, wanted, found in (
        (
            "the best result when … both local and global … is a sigmoid",
            ("sigmoid", "sigmoid"),
            means.idxmax(),
        ),
        ("The lowest accuracy … global and local … relu and tanh", ("relu", "tanh"), means.idxmin()),
    ):
        findings.append(_claim("Sec. 5.2", words, "/".join(wanted), "/".join(found), found == wanted))
    return findings


def _emotions(tables: Printed) -> list[Finding]:
    frame, size = tables["table12_confusion"], 210
    diagonal = {label: int(frame.loc[label, label]) for label in frame.index if frame.loc[label, label]}
    findings = []
    for label, said in (("Surprise", "88.57"), ("Angry", "85.71"), ("Sadness", "78.57")):
        share = Fraction(100 * diagonal[label], size)
        words = f"{label.lower()} ({said}%)"
        found = f"{diagonal[label]} of {size} are {shown(share)} %"
        findings.append(_claim("Sec. 5.3", words, f"{said} %", found, rounds_to(share, said)))
    disgust = whole_count("79.52", size)
    diagonal["Disgust"] = disgust or 0
    findings.append(
        _claim(
            "Sec. 5.3",
            "Disgust also has a low accuracy (79.52%)",
            "79.52 %",
            f"{disgust} of {size}",
            disgust is not None,
        )
    )
    order = sorted(diagonal, key=diagonal.get, reverse=True)
    findings.append(
        _claim(
            "Sec. 5.3",
            "The highest accuracy … surprise, followed by angry. The lowest … sadness",
            "Surprise, Angry, …, Sadness",
            ", ".join(order),
            order[:2] == ["Surprise", "Angry"] and order[-1] == "Sadness",
        )  # fmt: skip
    )
    right = sum(diagonal.values())
    mean = Fraction(100 * right, 6 * size)
    for where, said in (
        ("Sec. 5.3: 'The average recognition rate over all emotions is 83.65%'", "83.65"),
        ("Sec. 5.3: 'achieves an accuracy 83.62%'", "83.62"),
        ("Table 11, FreqCNN", tables["table11_enterface_methods"].set_index("method").loc["FreqCNN", "ACC"]),
    ):
        found = f"Table 12's diagonal with Disgust's {disgust} is {right} of {6 * size}, {shown(mean)} %"
        findings.append(Finding("claim", where, f"{said} %", found, rounds_to(mean, said)))
    others = tables["table11_enterface_methods"].set_index("method")["ACC"].map(Decimal)
    findings.append(
        _claim(
            "Sec. 5.3",
            "we manage to outperform the state-of-the-art accuracy",
            "FreqCNN is first",
            f"{others.astype(float).idxmax()} {others.max()}",
            others.max() == others["FreqCNN"],
        )  # fmt: skip
    )
    return findings
