"""Tables 2, 7 and 10: the three networks, layer for layer, read off the network."""

from __future__ import annotations

from collections.abc import Sequence

from reproduce.assumptions import assumptions, choices
from reproduce.paper.published import published
from reproduce.sources import PAPER
from reproduce.tables.comparison import ARCHITECTURES, ASSUMED, Comparison, tidy

__all__ = ["architecture_table"]


def architecture_table(number: int, assume: Sequence[str] = (), net=None) -> Comparison:
    """Table 2, 7 or 10 read off the network (``net``, by default FreqCNN as the table states it, with the
    assumptions that touch it, of which ``assume`` chooses some otherwise: 'id=value' each).

    'Conv and pool' is the paper's other spelling of 'Conv. and pool'; blanks do not count. Raises Faults
    for what cannot be assumed.
    """
    chosen = choices(number, assume)["network"]
    from freqcnn_gluon.network.architectures import architecture  # MXNet takes seconds to import
    from freqcnn_gluon.network.describe import describe
    from freqcnn_gluon.network.freqcnn import FreqCNN

    paper = published(f"table{number:02}_architecture").fillna("")
    ours = describe(net or FreqCNN(architecture(f"table{number}"), **chosen))
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
