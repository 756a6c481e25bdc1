"""results/*.json -> the marked blocks of docs/speed.md and its pictures: no number there is typed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from groups import GROUPS, OURS, OURS_BFLOAT16
from matplotlib import pyplot

from data_prep.base.files import whole
from reproduce.markdown import table

MARK = re.compile(r"(<!-- (\w+), from \S+ -->\n).*?(<!-- end -->)", re.S)
FLAT = 0.05  # the exponent that memory may have in the number of clips
FULL = {"bbox_inches": "tight", "dpi": 110, "metadata": {"Software": None}}
NAMED = ("mxnet", "torch", "onnxruntime", "librosa", "scipy", "numpy")


def render(results: Path, docs: Path) -> list[Path]:
    """Fill the blocks of speed.md in ``docs`` whose group has been measured; the files written."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*.json")}
    measured = {
        group: {name: files[name] for name in pieces if name in files}
        for group, pieces in {**GROUPS, "accuracy": ("accuracy",)}.items()
    }
    page = docs / "speed.md"

    def block(match: re.Match) -> str:
        found = measured[match[2]]
        if not found:
            return match[0]
        told = TABLES[match[2]]({_short(name): each["found"] for name, each in found.items()})
        return f"{match[1]}{told}\n\n{_machine(found)}\n{match[3]}"

    text = MARK.sub(block, page.read_text(encoding="utf-8"))
    with whole(page) as path:
        path.write_text(text, encoding="utf-8")
    written = [page]
    for group, draw in PICTURES.items():
        if measured[group]:
            figure = draw({_short(name): each["found"] for name, each in measured[group].items()})
            with whole(docs / f"speed-{group}.png") as path:
                figure.savefig(path, format="png", **FULL)
            pyplot.close(figure)
            written.append(docs / f"speed-{group}.png")
    return written


def _short(piece: str) -> str:
    """'step-table7' -> 'Table 7'."""
    part = piece.partition("-")[2]
    return part.replace("table", "Table ")


def _machine(found: Mapping[str, Mapping]) -> str:
    """Where and when: a line for each set of circumstances, since pieces can be measured apart."""
    lines = {}
    for about in found.values():
        versions = dict(about["machine"])
        for part in (about["found"], *about["found"].values()):
            if isinstance(part, dict):
                versions |= part.get("versions", {})
        named = ", ".join(f"{name} {versions[name]}" for name in NAMED if name in versions)
        line = f"{versions['threads']} threads on {versions['cpu']}; {named}; {about['finished'][:10]}"
        lines.setdefault(line, []).extend(about["load"])
    return "\n".join(f"{line}; load {min(load):.1f} to {max(load):.1f}." for line, load in lines.items())


def _table(head: list[str], body: list[list[str]]) -> str:
    return "\n".join(table(head, body))


def _medians(part: Mapping) -> dict[str, float]:
    return {name: each["median"] for name, each in part["seconds"].items()}


def _best(values: Mapping[str, float], bfloat16: bool) -> str | None:
    """The name of the least of those that are not ours, in that kind of number."""
    others = [name for name in values if "MXNet" not in name and ("bfloat16" in name) == bfloat16]
    return min(others, key=values.get, default=None)


def _verdict(ratio: float, aim: float) -> list[str]:
    """``ratio``, what it should be at least, and whether it is."""
    return [f"{ratio:.2f}", f"{aim:.2g}", "met" if ratio >= aim else "**missed**"]


def _compared(columns: Mapping[str, Mapping[str, float]], show, aim: float = 1.0) -> str:
    """A row a candidate, a column each of ``columns``: the value, and how often ours goes into it.

    Below it, for each column, ours beside the best of the others, with ``aim`` in float32 and 1 in bfloat16.
    """
    rows, verdicts = [], []
    for name in dict.fromkeys(name for values in columns.values() for name in values):
        row = [name]
        for values in columns.values():
            ours = OURS_BFLOAT16 if "bfloat16" in name and OURS_BFLOAT16 in values else OURS
            told = show(values[name]) if name in values else ""
            if told and "MXNet" not in name:
                told += f" ({values[name] / values[ours]:.2f})"
            row.append(told)
        rows.append(row)
    for column, values in columns.items():
        for ours, best, least in (
            (OURS, _best(values, False), aim),
            (OURS_BFLOAT16, _best(values, True), 1.0),
        ):
            if best and ours in values:
                verdict = _verdict(values[best] / values[ours], least)
                verdicts.append([column, ours, show(values[ours]), best, show(values[best]), *verdict])
    head = ["", "ours", "", "the best of the others", "", "times ours", "aim", "verdict"]
    return "\n\n".join([_table(["", *columns], rows)] + ([_table(head, verdicts)] if verdicts else []))


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2f} ms"


def _a_sample(part: Mapping) -> dict[str, float]:
    return {name: median / part["batch"] for name, median in _medians(part).items()}


def _step(found: Mapping) -> str:
    columns = {f"{name}, batch {part['batch']}": _a_sample(part) for name, part in found.items()}
    lines = [_compared(columns, _milliseconds, aim=1.5), ""]
    for name, part in found.items():
        if agreed := part["agreement"]:
            side = agreed["size"]
            lines.append(
                f"- {name}'s twin, at {side} × {side}, is {agreed['logits']:.0e} from ours"
                f" in output and at most {agreed['gradient']:.0e} in any of {agreed['gradients']} gradients."
            )
    return "\n".join(lines)


def _inference(found: Mapping) -> str:
    columns = {
        f"{name}, batch {batch}": _a_sample(part)
        for name, batches in found.items()
        for batch, part in batches.items()
    }
    return _compared(columns, _milliseconds)


def _memory(found: Mapping) -> str:
    columns = {f"{name}, {part['size']} × {part['size']}": part["a_sample"] for name, part in found.items()}
    missing = {f"{name} ({why})" for part in found.values() for name, why in part["missing"].items()}
    told = _compared(columns, lambda bytes_: f"{bytes_ / 1e6:.0f} MB")
    return told + (f"\n\nNot here: {', '.join(sorted(missing))}." if missing else "")


def _spectrograms(found: Mapping) -> str:
    (found,) = found.values()
    rows = []
    for where, part in found.items():
        medians = _medians(part)
        for name, median in medians.items():
            ratio = median / medians["ours"]
            verdict = ["", "", ""]
            if name == "fft":
                verdict = _verdict(ratio, 1 / 1.5)
            elif "ours" not in name:
                verdict = _verdict(ratio, 3 if where == "files" else 1)
            rows.append([where, name, f"{part['hours'] / median:.2f}", *verdict])
    return _table(["", "", "hours of sound a second", "times ours", "aim", "verdict"], rows)


def _peak(found: Mapping) -> str:
    parts = []
    for name, part in found.items():
        rows = [
            [
                stage,
                _milliseconds(each["seconds"] / part["batch"]),
                f"{100 * each['of_time']:.0f} %",
                f"{100 * each['share']:.0f} %",
            ]
            for stage, each in part["stages"].items()
        ]
        head = [f"{name}, a sample", "time", "of the step", "of the convolution peak"]
        peaks = (
            f"Peaks: convolution {part['convolution_peak'] / 1e9:.0f}, matrix product"
            f" {part['matrix_peak'] / 1e9:.0f} GFLOP/s."
            f" The whole step reaches {100 * part['share']:.0f} % of the first."
        )
        parts.append(f"{_table(head, rows)}\n\n{peaks}")
    return "\n\n".join(parts)


def _curves(found: Mapping) -> dict[str, dict]:
    return {name: curve for part in found.values() for name, curve in part.items()}


def _growth(found: Mapping) -> str:
    rows = []
    for name, each in _curves(found).items():
        costs = [
            f"{cost / 1e6:.0f} MB" if each["unit"] == "B" else f"{cost:.3g} s"
            for cost in each["points"].values()
        ]
        verdict = ""
        if name == "clips: peak memory":
            verdict = "flat: met" if each["exponent"] < FLAT else "flat: **missed**"
        rows.append([name, ", ".join(each["points"]), ", ".join(costs), f"{each['exponent']:.2f}", verdict])
    return _table(["", "at", "cost", "exponent", "aim"], rows)


def _accuracy(found: Mapping) -> str:
    (found,) = found.values()
    rows = [
        [
            dtype,
            *(", ".join(f"{each[kind]:.3f}" for each in runs) for kind in ("accuracy", "uar")),
            f"{sum(each['uar'] for each in runs) / len(runs):.3f}",
        ]
        for dtype, runs in found["runs"].items()
    ]
    head = ["", "training accuracy, by seed", "UAR on what was held out", "mean"]
    return f"`{found['words']}`\n\n{_table(head, rows)}"


TABLES = {
    "step": _step,
    "inference": _inference,
    "memory": _memory,
    "spectrograms": _spectrograms,
    "peak": _peak,
    "growth": _growth,
    "accuracy": _accuracy,
}


def _draw_step(found: Mapping):
    figure, axes = pyplot.subplots(1, len(found), figsize=(4 * len(found), 3), sharey=True, squeeze=False)
    for (name, part), ax in zip(found.items(), axes[0]):
        values = _a_sample(part)
        colours = ["tab:red" if "MXNet" in each else "tab:blue" for each in values]
        ax.barh(list(values), [1000 * each for each in values.values()], color=colours)
        ax.set_title(name)
        ax.set_xlabel("ms a sample")
    axes[0, 0].invert_yaxis()
    return figure


def _draw_growth(found: Mapping):
    figure, ax = pyplot.subplots(figsize=(5, 3.5))
    for name, each in _curves(found).items():
        numbers, values = [int(n) for n in each["points"]], list(each["points"].values())
        ax.loglog(
            [n / numbers[0] for n in numbers], [value / values[0] for value in values], "o-", label=name
        )
    ax.set_xlabel("size, the first = 1")
    ax.set_ylabel("cost, the first = 1")
    ax.legend(fontsize=7)
    return figure


PICTURES = {"step": _draw_step, "growth": _draw_growth}
