"""The tables that describe corpora and networks, printed from them beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_prep import manifest
from data_prep.corpora import chains, ut_podcast
from data_prep.faults import Faults
from data_prep.files import whole

from . import text
from .assumptions import assumptions, choices
from .corpora import NETWORK, PAPER
from .paper import published
from .render import banner

__all__ = ["ARCHITECTURES", "Comparison", "architecture_table", "compared_in", "counts_table"]

ARCHITECTURES = {
    2: "Best parameters of the FreqCNN model in accent classification on the UT-Podcast",
    7: "Best parameters of the FreqCNN model in speaker identification on the CHAINS",
    10: "Best parameters of the FreqCNN model in speech emotion recognition on the eNTERFACE",
}
COUNTS = {
    1: "The number of training and testing records per accent",
    6: "Details of three-fold data set of the CHAINS corpus",
}
ASSUMED = "conv_pool_activation"  # the one thing that the network's cells say and the paper's do not


@dataclass(frozen=True)
class Comparison:
    """A table cell for cell. ``frame``: row, column, paper, ours, verdict ('same', 'assumed', 'different',
    or empty where the data are not the paper's), in the table's order. ``source``: whose data.
    ``further``: columns of ours that the paper does not have, by row.
    """

    number: int
    title: str
    source: str
    frame: pd.DataFrame
    further: pd.DataFrame
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The paper's layout; a cell that differs has the paper's and, in brackets, what is here."""
        grid = self.grid().join(self.further)
        lines = [f"## Table {self.number}: {self.title}", "", *banner(self.source)]
        lines += text.table(list(grid.columns), grid.astype(str).values.tolist())
        return "\n".join([*lines, "", *self.told(), *self.notes]) + "\n"

    def grid(self) -> pd.DataFrame:
        """The paper's rows and columns, each cell as it is shown."""
        columns = list(dict.fromkeys(self.frame["column"]))
        shown = self.frame.assign(shown=self.frame.apply(_shown, axis=1))
        grid = shown.pivot(index="row", columns="column", values="shown")
        return grid.reindex(index=dict.fromkeys(self.frame["row"]), columns=columns)

    def told(self) -> list[str]:
        """How many cells agree, and how the others are to be read."""
        filled = self.frame[(self.frame["paper"] != "") | (self.frame["ours"] != "")]
        counts = filled["verdict"].value_counts()
        told = [f"{counts['same']} of {len(filled)} cells are the paper's."] if "same" in counts else []
        if counts.get("assumed"):
            told.append(
                f"{counts['assumed']} say more than the paper: '[+ …]' is the assumption `{ASSUMED}`."
            )
        if counts.get("different"):
            told.append(f"{counts['different']} differ: 'paper [here: …]'.")
        if self.source != PAPER:
            told.append("A cell with other numbers than the paper's reads 'paper [here: …]'.")
        return told

    def write(self, stem: Path) -> str:
        """Write ``stem``.md and ``stem``.csv and return the Markdown."""
        said = self.markdown()
        with whole(stem.with_suffix(".csv")) as path:
            self.frame.to_csv(path, index=False)
        with whole(stem.with_suffix(".md")) as path:
            path.write_text(said, encoding="utf-8")
        return said


def compared_in(folder: Path, number: int) -> Comparison:
    """Table ``number`` from ``folder``/tableNN.csv as it was written, without ``further`` and ``notes``."""
    path = folder / f"table{number:02}.csv"
    frame, _ = manifest.records(path)
    if faults := manifest.header_faults(frame, path, ("row", "column", "paper", "ours", "verdict")):
        raise Faults(faults)
    source = PAPER if folder.name == NETWORK else folder.name
    title = {**ARCHITECTURES, **COUNTS}[number]
    return Comparison(number, title, source, frame, pd.DataFrame(index=frame["row"].unique()))


def architecture_table(number: int, assume: Sequence[str] = (), net=None) -> Comparison:
    """Table 2, 7 or 10 read off the network (``net``, by default FreqCNN as the table states it, with the
    assumptions that touch it, of which ``assume`` chooses some otherwise: 'id=value' each).

    'Conv and pool' is the paper's other spelling of 'Conv. and pool'; blanks do not count. Raises Faults
    for what cannot be assumed.
    """
    chosen = choices(number, assume)["network"]
    from freqcnn_gluon.architectures import architecture  # MXNet takes seconds to import
    from freqcnn_gluon.describe import describe
    from freqcnn_gluon.network import FreqCNN

    paper = published(f"table{number:02}_architecture").fillna("")
    ours = describe(net or FreqCNN(architecture(f"table{number}"), **chosen))
    rows = range(1, 1 + max(len(paper), len(ours)))
    further = ours[["Output", "Parameters"]].set_axis(rows[: len(ours)]).reindex(rows, fill_value="")
    further["Parameters"] = [f"{count:,}" if count != "" else "" for count in further["Parameters"]]
    ours = ours[list(paper.columns)].set_axis(rows[: len(ours)]).reindex(rows, fill_value="")
    paper = paper.reindex(rows, fill_value="")
    frame = _tidy(paper, ours)
    pooled = frame["row"].map(paper["Name"]).str.replace(".", "").eq("Conv and pool")
    frame["verdict"] = [
        _agreement(cell.paper, cell.ours, chosen[ASSUMED] if pool else None)
        for cell, pool in zip(frame.itertuples(), pooled)
    ]
    touching = [entry for entry in assumptions().values() if number in entry.tables]
    notes = tuple(
        f"- `{entry.id}`: {entry.question} Here: {chosen.get(entry.id, entry.choice)}." for entry in touching
    )
    return Comparison(number, ARCHITECTURES[number], PAPER, frame, further, ("", *notes))


def _agreement(paper: str, ours: str, activation: str | None) -> str:
    """'same', 'assumed' (the ``activation``, which the paper names in the last of these rows alone) or
    'different'.
    """
    paper, ours = (" ".join(cell.replace("Conv.", "Conv").split()) for cell in (paper, ours))
    if paper == ours:
        return "same"
    return "assumed" if activation and paper and ours == f"{paper}, {activation}" else "different"


def counts_table(number: int, manifest: pd.DataFrame, source: str) -> Comparison:
    """Table 1 from UT-Podcast's manifest (with ``copies``) or 6 from CHAINS's (with ``fold``).

    ``source``: 'paper' sets the counts against the paper's; any other carries its banner and no verdict.
    """
    paper, ours = (_accents if number == 1 else _folds)(manifest)
    frame = _tidy(paper, ours)
    same = frame["paper"] == frame["ours"]
    frame["verdict"] = same.map({True: "same", False: "different"}) if source == PAPER else ""
    return Comparison(number, COUNTS[number], source, frame, pd.DataFrame(index=paper.index))


def _accents(manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1: clips per accent; 'UK2' and 'Over-sampled' as often as they are used."""
    printed = published("table01_ut_podcast_counts")
    counted = manifest.groupby(["partition", "label"])["copies"].agg(["size", "sum"])
    lines = {}
    for row, partition in (("training", "train"), ("testing", "test")):
        each = counted.reindex([(partition, label) for label in ut_podcast.LABELS], fill_value=0)
        sizes, used = each["size"].tolist(), each["sum"].tolist()
        lines[row] = [*sizes, used[-1], sum(sizes), sum(used)]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    names = {"UK_oversampled": "UK2", "total": "Original", "total_oversampled": "Over-sampled"}
    tables = [each.rename(columns=names).astype(str) for each in (printed, ours)]
    for each in tables:
        each.insert(0, "#Samples", each.index.str.capitalize())
    return tables[0], tables[1]


def _folds(manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 6: which texts each fold trains and validates on, in the paper's notation, and how many clips."""
    printed = published("table06_chains_folds").astype(str)
    for column in ("training", "validation"):
        printed[column] = [_notation(cell.split()) for cell in printed[column]]
    lines = {}
    for fold in printed.index:
        held_out = manifest["fold"] == fold
        lines[fold] = []
        for part in (manifest[~held_out], manifest[held_out]):
            lines[fold] += [_notation(_paragraphs(part["text"])), str(len(part))]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    names = ["Training", "#Samples", "Validation", "#Samples "]
    tables = [each.set_axis(names, axis=1) for each in (printed, ours)]
    for each in tables:
        each.insert(0, "No.", [f"#{fold}" for fold in each.index])
    return tables[0], tables[1]


def _paragraphs(texts: pd.Series) -> list[str]:
    """The paper's six paragraphs that ``texts`` come from: its s01 is s01-s09, its s02 is s10-s33."""
    fables = sorted(set(texts) & set(chains.FABLES))
    sentences = {"s01" if text <= "s09" else "s02" for text in set(texts) & set(chains.SENTENCES)}
    return fables + sorted(sentences)


def _notation(paragraphs: Sequence[str]) -> str:
    return ", ".join(f"{name[0]}({name[1:]})" for name in paragraphs)


def _tidy(paper: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """A row for each cell: row, column, paper, ours."""
    return pd.DataFrame(
        [
            {"row": row, "column": column, "paper": paper.loc[row, column], "ours": ours.loc[row, column]}
            for row in paper.index
            for column in paper.columns
        ]
    )


def _shown(cell: pd.Series) -> str:
    if cell["verdict"] == "assumed":
        return f"{cell['paper']} [+{cell['ours'].removeprefix(cell['paper']).removeprefix(',')}]"
    if cell["verdict"] == "same" or cell["paper"] == cell["ours"]:
        return str(cell["paper"])
    return f"{cell['paper'] or '(none)'} [here: {cell['ours'] or 'none'}]"
