"""The tables that describe corpora and networks, printed from them beside the paper's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.sources import NETWORK, PAPER, banner

__all__ = ["ARCHITECTURES", "ASSUMED", "COUNTS", "Comparison", "compared_in", "tidy"]

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


def tidy(paper: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
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
