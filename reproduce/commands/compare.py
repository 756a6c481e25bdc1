"""``python -m reproduce compare``: the systems of Tables 3, 8 and 11 on anybody's labelled recordings."""

from __future__ import annotations

import math

from data_prep.base.faults import Faults
from data_prep.corpora import own_folds
from reproduce.assumptions import choices
from reproduce.commands.table import produce
from reproduce.corpora import scanned
from reproduce.options import COMPARABLE, COMPARE, OWN, STEPS, Comparison, Options
from reproduce.tables import Sizes
from reproduce.tables.compare import comparison, system

__all__ = ["compare"]


def compare(options: Options, asked: Comparison = Comparison()) -> str:
    """Compare systems on labelled recordings and return the table as Markdown.

    Finished runs are not repeated. Writes ``results``/<source>/compare.md, .csv and .json, see
    ``commands.table.produce``.

    Args:
        options: The options; ``roots`` has the recordings under OWN.
        asked: The options of the comparison.

    Raises:
        Faults: The recordings, an option or an earlier result is faulty.
    """
    choices(COMPARE, options.assume)  # raises Faults before the recordings are listed
    if asked.folds < 2:
        raise Faults("one fold leaves no clip to train on; give two or more")
    frame = scanned(OWN, options.roots[OWN], options.data).manifest
    hold_out = asked.hold_out or own_folds.default_hold_out(frame)
    frame = own_folds.protocol(frame, hold_out, asked.folds)
    clips = frame["fold"].value_counts().sort_index()
    epochs = asked.epochs
    if epochs is None:
        steps = (len(frame) - clips.max()) / asked.batch_size  # of an epoch
        epochs = max(asked.LEAST_EPOCHS, math.ceil(STEPS / steps))
    table = comparison(
        [system(name, asked.architecture) for name in sorted(set(asked.systems), key=COMPARABLE.index)],
        [str(fold) for fold in clips.index],
        {"hold_out": hold_out, "folds": len(clips)},
        asked.architecture,
        Sizes(asked.size, asked.batch_size, epochs),
    )
    return produce(table, options)
