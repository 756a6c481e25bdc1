"""``python -m reproduce compare``: the systems of Tables 3, 8 and 11 on anybody's labelled recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from data_prep.base.faults import Faults
from data_prep.corpora import own_folds
from reproduce.assumptions import choices
from reproduce.commands.table import produce
from reproduce.corpora import OWN, scanned
from reproduce.options import COMPARE, Options
from reproduce.tables import Sizes
from reproduce.tables.compare import ARCHITECTURE, NAMES, SIZES, STEPS, comparison, system

__all__ = ["compare"]


def compare(
    options: Options,
    systems: Sequence[str] = NAMES,
    hold_out: str | None = None,
    folds: int = 5,
    architecture: str = ARCHITECTURE,
    sizes: Sizes = SIZES,
    epochs: int | None = None,
) -> str:
    """Compare systems on labelled recordings and return the table as Markdown.

    Finished runs are not repeated. Writes ``results``/<source>/compare.md, .csv and .json, see
    ``commands.table.produce``.

    Args:
        options: The options; ``roots`` has the recordings under OWN.
        systems: Names from ``tables.compare.NAMES``, in any order.
        hold_out: A member of ``own_folds.HOLD_OUT``; None chooses by what the clips name.
        folds: The number of folds, unless the clips state them.
        architecture: FreqCNN's architecture.
        sizes: Size and batch size of the networks, and their least number of epochs.
        epochs: The number of epochs; None takes the least number that has STEPS training steps.

    Raises:
        Faults: The recordings, an option or an earlier result is faulty.
    """
    choices(COMPARE, options.assume)  # raises Faults before the recordings are listed
    if folds < 2:
        raise Faults("one fold leaves no clip to train on; give two or more")
    frame = scanned(OWN, options.roots[OWN], options.data).manifest
    hold_out = hold_out or own_folds.default_hold_out(frame)
    frame = own_folds.protocol(frame, hold_out, folds)
    clips = frame["fold"].value_counts().sort_index()
    if epochs is None:
        steps = (len(frame) - clips.max()) / sizes.batch_size  # of an epoch
        epochs = max(sizes.epochs, math.ceil(STEPS / steps))
    chosen = [system(name, architecture) for name in sorted(set(systems), key=NAMES.index)]
    table = comparison(
        chosen,
        [str(fold) for fold in clips.index],
        {"hold_out": hold_out, "folds": len(clips)},
        architecture,
        replace(sizes, epochs=epochs),
    )
    return produce(table, options)
