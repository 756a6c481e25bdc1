"""A table that describes a corpus or a network, cell by cell beside the paper's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_prep.base.csv_tables import read_table
from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.sources import NETWORK, PAPER, banner

__all__ = ["ASSUMED", "Comparison", "CountTable", "compared_in", "tidy"]

ASSUMED = "conv_pool_activation"  # the only assumption that the network's cells show and the paper's do not


@dataclass(frozen=True)
class Comparison:
    """A table whose cells are compared with the paper's.

    Attributes:
        number: The paper's number of the table.
        title: The paper's title.
        source: The source that the cells describe, see ``reproduce.sources``.
        frame: One line per cell, in the table's order, with the columns row, column, paper, ours and
            verdict: 'same', 'assumed' or 'different', or empty if the source is not the paper's.
        further: Columns that the paper does not have, indexed by row.
        notes: Markdown lines below the table.
    """

    number: int
    title: str
    source: str
    frame: pd.DataFrame
    further: pd.DataFrame
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Render the paper's layout; a cell that differs shows the paper's text and ours in brackets."""
        grid = self.grid().join(self.further)
        lines = [f"## Table {self.number}: {self.title}", "", *banner(self.source)]
        lines += text.table(list(grid.columns), grid.astype(str).values.tolist())
        return "\n".join([*lines, "", *self.summary(), *self.notes]) + "\n"

    def grid(self) -> pd.DataFrame:
        """Arrange the cells, as they are shown, in the paper's rows and columns."""
        columns = list(dict.fromkeys(self.frame["column"]))
        shown = self.frame.assign(shown=self.frame.apply(_shown, axis=1))
        grid = shown.pivot(index="row", columns="column", values="shown")
        return grid.reindex(index=dict.fromkeys(self.frame["row"]), columns=columns)

    def summary(self) -> list[str]:
        """Return sentences on the number of cells that agree and on the notation of the others."""
        filled = self.frame[(self.frame["paper"] != "") | (self.frame["ours"] != "")]
        counts = filled["verdict"].value_counts()
        lines = []
        if "same" in counts:
            lines.append(f"{counts['same']} of {len(filled)} cells are the same as the paper's.")
        if counts.get("assumed"):
            lines.append(
                f"{counts['assumed']} cells have an addition to the paper's: '[+ …]' is the assumption "
                f"`{ASSUMED}`."
            )
        if counts.get("different"):
            lines.append(f"{counts['different']} cells differ and read 'paper [here: …]'.")
        if self.source != PAPER:
            lines.append("A cell that differs from the paper's reads 'paper [here: …]'.")
        return lines

    def write(self, stem: Path) -> str:
        """Write ``stem``.md and ``stem``.csv, and return the Markdown."""
        rendered = self.markdown()
        with whole(stem.with_suffix(".csv")) as path:
            self.frame.to_csv(path, index=False)
        with whole(stem.with_suffix(".md")) as path:
            path.write_text(rendered, encoding="utf-8")
        return rendered


@dataclass(frozen=True)
class CountTable:
    """A table that counts the clips of a corpus.

    Attributes:
        number: The paper's number of the table.
        title: The paper's title.
        corpus: Name in ``reproduce.corpora.CORPORA``.
        count: Takes the manifest and returns the paper's table and ours, with the same rows and columns.
    """

    number: int
    title: str
    corpus: str
    count: Callable[[pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]

    def compare(self, clips: pd.DataFrame, source: str) -> Comparison:
        """Compare the manifest ``clips`` with the paper's table.

        Only the source 'paper' gets verdicts; any other carries its banner.
        """
        paper, ours = self.count(clips)
        frame = tidy(paper, ours)
        same = frame["paper"] == frame["ours"]
        frame["verdict"] = same.map({True: "same", False: "different"}) if source == PAPER else ""
        return Comparison(self.number, self.title, source, frame, pd.DataFrame(index=paper.index))


def compared_in(folder: Path, number: int, title: str) -> Comparison:
    """Read ``folder``/tableNN.csv, as ``Comparison.write`` wrote it; ``further`` and ``notes`` are empty.

    Raises:
        Faults: The file is missing or damaged.
    """
    path = folder / f"table{number:02}.csv"
    frame = read_table(path, ("row", "column", "paper", "ours", "verdict")).frame
    source = PAPER if folder.name == NETWORK else folder.name
    return Comparison(number, title, source, frame, pd.DataFrame(index=frame["row"].unique()))


def tidy(paper: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Return one line per cell: row, column, paper, ours. Both tables have the same rows and columns."""
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
