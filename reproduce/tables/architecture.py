"""Tables that describe a network layer by layer, read off the network that the code builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproduce.assumptions import assumptions
from reproduce.paper.published import published
from reproduce.sources import PAPER
from reproduce.tables.comparison import ASSUMED, Comparison, tidy

if TYPE_CHECKING:
    from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["ArchitectureTable"]


@dataclass(frozen=True)
class ArchitectureTable:
    """A table that describes a network layer by layer.

    Attributes:
        number: The paper's number of the table.
        title: The paper's title.
        architecture: FreqCNN's name in ``network.architectures``.
    """

    number: int
    title: str
    architecture: str

    def compare(self, chosen: Mapping[str, Any], net: FreqCNN | None = None) -> Comparison:
        """Compare a network with the paper's table.

        'Conv and pool' is the paper's other spelling of 'Conv. and pool'; spaces do not count.

        Args:
            chosen: The assumptions about networks, as FreqCNN's keyword arguments.
            net: The network to describe; by default the table's architecture with the ``chosen`` arguments.
        """
        from freqcnn_gluon.network.architectures import architecture  # imports MXNet, which takes seconds
        from freqcnn_gluon.network.describe import describe
        from freqcnn_gluon.network.freqcnn import FreqCNN

        paper = published(f"table{self.number:02}_architecture").fillna("")
        ours = describe(net or FreqCNN(architecture(self.architecture), **chosen))
        rows = range(1, 1 + max(len(paper), len(ours)))
        further = ours[["Output", "Parameters"]].set_axis(rows[: len(ours)]).reindex(rows, fill_value="")
        further["Parameters"] = [f"{count:,}" if count != "" else "" for count in further["Parameters"]]
        ours = ours[list(paper.columns)].set_axis(rows[: len(ours)]).reindex(rows, fill_value="")
        paper = paper.reindex(rows, fill_value="")
        frame = tidy(paper, ours)
        pooled = frame["row"].map(paper["Name"]).str.replace(".", "").eq("Conv and pool")
        frame["verdict"] = [
            _agreement(cell.paper, cell.ours, chosen[ASSUMED] if pool else None)
            for cell, pool in zip(frame.itertuples(), pooled)
        ]
        notes = [
            f"- `{entry.id}`: {entry.question} Here: {chosen.get(entry.id, entry.choice)}."
            for entry in assumptions().values()
            if self.number in entry.tables
        ]
        return Comparison(self.number, self.title, PAPER, frame, further, ("", *notes))


def _agreement(paper: str, ours: str, activation: str | None) -> str:
    """Return 'same', 'assumed' or 'different'.

    ``activation`` is the assumed one; the paper names an activation in the last of these rows alone.
    """
    paper, ours = (" ".join(cell.replace("Conv.", "Conv").split()) for cell in (paper, ours))
    if paper == ours:
        return "same"
    return "assumed" if activation and paper and ours == f"{paper}, {activation}" else "different"
