"""``python -m reproduce compare``: the systems of Tables 3, 8 and 11 on anybody's labelled recordings."""

from __future__ import annotations

import math

from data_prep.base.faults import Faults, note
from data_prep.corpora import own_folds
from freqcnn_gluon.training.batches import too_short
from reproduce.assumptions import choices
from reproduce.commands.table import produce
from reproduce.corpora import scanned
from reproduce.options import COMPARABLE, COMPARE, OWN, STEPS, Comparison, Options
from reproduce.runs.resolve import Job, resolve
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
    if hold_out == "fold":
        note(f"note: {options.roots[OWN]}: the column fold states {len(clips)} folds, which are used.")
    _note_short(resolve(table, options), len(frame) - int(clips.max()))
    return produce(table, options)


def _note_short(job: Job, samples: int) -> None:
    """Print a note if ``samples`` training clips are too few steps for the networks with BatchNorm."""
    rows = [item.name for item in job.table.systems() if item.name.startswith(("FreqCNN", "ResNet"))]
    if rows and (sentence := too_short(samples, job.sizes.batch_size, job.sizes.epochs)):
        note(f"note: {', '.join(rows)}: {sentence} (EPOCHS for make), or they may score at chance.")
