"""Render benchmarks/results/*.json into the marked blocks and pictures of docs/speed.md."""

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
FLAT = 0.05  # the largest exponent with which memory may grow in the number of clips
FULL = {"bbox_inches": "tight", "dpi": 110, "metadata": {"Software": None}}
NAMED = ("mxnet", "torch", "onnxruntime", "librosa", "scipy", "numpy")


def render(results: Path, docs: Path) -> list[Path]:
    """Fill the blocks of ``docs``/speed.md that have results, and draw its pictures; return the files."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*.json")}
    measured = {
        group: {name: files[name] for name in pieces if name in files}
        for group, pieces in {**GROUPS, "accuracy": ("accuracy",)}.items()
    }
    page = docs / "speed.md"

    def block(match: re.Match) -> str:
        group = measured[match[2]]
        if not group:
            return match[0]
        return f"{match[1]}{TABLES[match[2]](_values(group))}\n\n{_machine(group)}\n{match[3]}"

    text = MARK.sub(block, page.read_text(encoding="utf-8"))
    with whole(page) as path:
        path.write_text(text, encoding="utf-8")
    written = [page]
    for group, draw in PICTURES.items():
        if measured[group]:
            figure = draw(_values(measured[group]))
            with whole(docs / f"speed-{group}.png") as path:
                figure.savefig(path, format="png", **FULL)
            pyplot.close(figure)
            written.append(docs / f"speed-{group}.png")
    return written


def _values(group: Mapping[str, Mapping]) -> dict[str, Mapping]:
    """Return what each piece measured, by 'Table 7' for 'step-table7'."""
    return {name.partition("-")[2].replace("table", "Table "): file["values"] for name, file in group.items()}


def _machine(group: Mapping[str, Mapping]) -> str:
    """Return a line for each combination of machine, versions and date, since pieces are measured apart."""
    loads: dict[str, list[float]] = {}
    for file in group.values():
        versions = dict(file["machine"])
        for part in (file["values"], *file["values"].values()):
            if isinstance(part, dict):
                versions |= part.get("versions", {})
        named = ", ".join(f"{name} {versions[name]}" for name in NAMED if name in versions)
        line = f"{versions['threads']} threads on {versions['cpu']}; {named}; {file['finished'][:10]}"
        loads.setdefault(line, []).extend(file["load"])
    return "\n".join(f"{line}; load {min(load):.1f} to {max(load):.1f}." for line, load in loads.items())


def _table(head: list[str], body: list[list[str]]) -> str:
    return "\n".join(table(head, body))


def _medians(part: Mapping) -> dict[str, float]:
    return {name: times["median"] for name, times in part["seconds"].items()}


def _best(values: Mapping[str, float], bfloat16: bool) -> str | None:
    """Return the name of the smallest value that is not ours, in bfloat16 or in float32."""
    rivals = [name for name in values if "MXNet" not in name and ("bfloat16" in name) == bfloat16]
    return min(rivals, key=lambda name: values[name], default=None)


def _verdict(ratio: float, aim: float) -> list[str]:
    """Return three cells: the ratio, its aim, and whether the ratio reaches the aim."""
    return [f"{ratio:.2f}", f"{aim:.2g}", "met" if ratio >= aim else "**missed**"]


def _compared(columns: Mapping[str, Mapping[str, float]], show, aim: float = 1.0) -> str:
    """Return a table with a row for each candidate: its value and, in brackets, its value divided by ours.

    A second table compares ours with the best other candidate of each column.

    Args:
        columns: Column heading -> candidate -> seconds or bytes.
        show: Formats one value.
        aim: The least ratio that float32 should reach; for bfloat16 it is 1.
    """
    rows, verdicts = [], []
    for name in dict.fromkeys(name for values in columns.values() for name in values):
        row = [name]
        for values in columns.values():
            ours = OURS_BFLOAT16 if "bfloat16" in name and OURS_BFLOAT16 in values else OURS
            text = show(values[name]) if name in values else ""
            if text and "MXNet" not in name:
                text += f" ({values[name] / values[ours]:.2f})"
            row.append(text)
        rows.append(row)
    for column, values in columns.items():
        for ours, best, least in (
            (OURS, _best(values, False), aim),
            (OURS_BFLOAT16, _best(values, True), 1.0),
        ):
            if best and ours in values:
                verdict = _verdict(values[best] / values[ours], least)
                verdicts.append([column, ours, show(values[ours]), best, show(values[best]), *verdict])
    head = ["network", "ours", "value", "best other", "value", "ratio", "aim", "verdict"]
    return "\n\n".join(
        [_table(["candidate", *columns], rows)] + ([_table(head, verdicts)] if verdicts else [])
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2f} ms"


def _per_sample(part: Mapping) -> dict[str, float]:
    return {name: median / part["batch"] for name, median in _medians(part).items()}


def _step(networks: Mapping) -> str:
    columns = {f"{name}, batch {part['batch']}": _per_sample(part) for name, part in networks.items()}
    lines = [_compared(columns, _milliseconds, aim=1.5), ""]
    for name, part in networks.items():
        if agreement := part["agreement"]:
            side = agreement["size"]
            logits, gradient = f"{agreement['logits']:.0e}", f"{agreement['gradient']:.0e}"
            lines.append(
                f"- {name}, {side} × {side}: the twin's output differs from ours by {logits}, and each of"
                f" {agreement['gradients']} gradients by at most {gradient}."
            )
    return "\n".join(lines)


def _inference(networks: Mapping) -> str:
    columns = {
        f"{name}, batch {batch}": _per_sample(part)
        for name, batches in networks.items()
        for batch, part in batches.items()
    }
    return _compared(columns, _milliseconds)


def _memory(networks: Mapping) -> str:
    columns = {
        f"{name}, {part['size']} × {part['size']}": part["a_sample"] for name, part in networks.items()
    }
    missing = {f"{name} ({why})" for part in networks.values() for name, why in part["missing"].items()}
    text = _compared(columns, lambda bytes_: f"{bytes_ / 1e6:.0f} MB")
    return text + (f"\n\nNot installed: {', '.join(sorted(missing))}." if missing else "")


def _spectrograms(pieces: Mapping) -> str:
    (places,) = pieces.values()
    rows = []
    for place, part in places.items():
        medians = _medians(part)
        for name, median in medians.items():
            ratio = median / medians["ours"]
            verdict = ["", "", ""]
            if name == "fft":
                verdict = _verdict(ratio, 1 / 1.5)
            elif "ours" not in name:
                verdict = _verdict(ratio, 3 if place == "files" else 1)
            rows.append([place, name, f"{part['hours'] / median:.2f}", *verdict])
    return _table(["task", "candidate", "hours of sound per second", "ratio", "aim", "verdict"], rows)


def _peak(networks: Mapping) -> str:
    parts = []
    for name, part in networks.items():
        rows = [
            [
                stage,
                _milliseconds(values["seconds"] / part["batch"]),
                f"{100 * values['of_time']:.0f} %",
                f"{100 * values['share']:.0f} %",
            ]
            for stage, values in part["stages"].items()
        ]
        head = [f"stage of {name}", "time per sample", "share of the step", "share of the convolution peak"]
        peaks = (
            f"Peaks: {part['convolution_peak'] / 1e9:.0f} GFLOP/s for convolutions,"
            f" {part['matrix_peak'] / 1e9:.0f} GFLOP/s for matrix products."
            f" The whole step reaches {100 * part['share']:.0f} % of the convolution peak."
        )
        parts.append(f"{_table(head, rows)}\n\n{peaks}")
    return "\n\n".join(parts)


def _curves(pieces: Mapping) -> dict[str, dict]:
    return {name: curve for part in pieces.values() for name, curve in part.items()}


def _growth(pieces: Mapping) -> str:
    rows = []
    for name, curve in _curves(pieces).items():
        costs = [
            f"{cost / 1e6:.0f} MB" if curve["unit"] == "B" else f"{cost:.3g} s"
            for cost in curve["points"].values()
        ]
        verdict = ""
        if name == "clips: peak memory":
            verdict = "flat: met" if curve["exponent"] < FLAT else "flat: **missed**"
        rows.append([name, ", ".join(curve["points"]), ", ".join(costs), f"{curve['exponent']:.2f}", verdict])
    return _table(["quantity", "sizes", "costs", "exponent", "aim"], rows)


def _accuracy(pieces: Mapping) -> str:
    (piece,) = pieces.values()
    rows = [
        [
            dtype,
            *(", ".join(f"{run[kind]:.3f}" for run in runs) for kind in ("accuracy", "uar")),
            f"{sum(run['uar'] for run in runs) / len(runs):.3f}",
        ]
        for dtype, runs in piece["runs"].items()
    ]
    head = ["number format", "training accuracy, by seed", "held-out UAR, by seed", "mean UAR"]
    return f"`{piece['words']}`\n\n{_table(head, rows)}"


TABLES = {
    "step": _step,
    "inference": _inference,
    "memory": _memory,
    "spectrograms": _spectrograms,
    "peak": _peak,
    "growth": _growth,
    "accuracy": _accuracy,
}


def _draw_step(networks: Mapping):
    figure, axes = pyplot.subplots(
        1, len(networks), figsize=(4 * len(networks), 3), sharey=True, squeeze=False
    )
    for (name, part), ax in zip(networks.items(), axes[0]):
        values = _per_sample(part)
        colours = ["tab:red" if "MXNet" in candidate else "tab:blue" for candidate in values]
        ax.barh(list(values), [1000 * seconds for seconds in values.values()], color=colours)
        ax.set_title(name)
        ax.set_xlabel("milliseconds per sample")
    axes[0, 0].invert_yaxis()
    return figure


def _draw_growth(pieces: Mapping):
    figure, ax = pyplot.subplots(figsize=(5, 3.5))
    for name, curve in _curves(pieces).items():
        sizes, costs = [int(size) for size in curve["points"]], list(curve["points"].values())
        ax.loglog([size / sizes[0] for size in sizes], [cost / costs[0] for cost in costs], "o-", label=name)
    ax.set_xlabel("size, relative to the smallest")
    ax.set_ylabel("cost, relative to the smallest")
    ax.legend(fontsize=7)
    return figure


PICTURES = {"step": _draw_step, "growth": _draw_growth}
