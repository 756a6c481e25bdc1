"""What every stand-in's folder has: a marker that says what it is, a table of who speaks, clips made once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from data_prep.base.cores import processors
from data_prep.base.faults import Faults
from data_prep.base.files import locked, whole
from data_prep.base.progress import Bar
from data_prep.standin.speech import ESpeak, each_in_fresh_process

MARKER, TABLE = "STAND-IN.json", "speakers.csv"


def is_standin(root: Path | str) -> bool:
    """Whether ``root`` carries the marker of a stand-in."""
    return (Path(root) / MARKER).is_file()


def fill(
    out: Path,
    held: str,
    settings: dict,
    speakers: pd.DataFrame,
    plan: pd.DataFrame,
    make: Callable[[dict], None],
    title: str,
    jobs: int | None = None,
) -> None:
    """Make ``out`` a stand-in of these ``settings``, with every clip of ``plan`` that it lacks.

    ``held``: the folder below ``out`` that holds the clips; ``plan``: a row a clip with its ``path``,
    handed to ``make`` as a dict, in a process of its own, ``jobs`` at once (by default one a core).
    ``speakers`` becomes speakers.csv. Clips that are there already are kept, unless the settings in
    STAND-IN.json are others: then all are made anew. Raises Faults where ``out`` holds clips but no
    marker, which may be a real corpus, and what ``make`` raises.
    """
    (espeak,) = each_in_fresh_process(_espeak_version, [()])
    settings = settings | {"espeak_ng": espeak}

    def due() -> list[dict]:
        return [row for row in plan.to_dict("records") if not (out / row["path"]).exists()]

    if _found(out, held) == settings and (out / TABLE).exists() and not due():
        return  # it may well be in a folder that is read-only by now
    with locked(out, "is making this stand-in"):
        _settle(out, held, settings, speakers)
        lacking = due()
        made = each_in_fresh_process(make, [(row,) for row in lacking], jobs or processors())
        for _ in Bar(made, title, len(lacking), unit="clip", disable=not lacking):
            pass


def _espeak_version() -> str:
    return ESpeak().version


def _found(out: Path, held: str) -> dict | None:
    """The settings in ``out``'s marker: {} if it is damaged, None if there is none and no clips either."""
    marker = out / MARKER
    try:
        found = json.loads(marker.read_text()) if marker.exists() else None
    except ValueError:
        return {}
    if found is None and (out / held).exists():
        raise Faults(
            f"{out}: holds {held}/ but no {MARKER}, so it may be a real corpus and is left alone; "
            "write the stand-in to another folder"
        )
    return found


def _settle(out: Path, held: str, settings: dict, speakers: pd.DataFrame) -> None:
    table = out / TABLE
    if _found(out, held) != settings:
        if (out / held).exists():
            shutil.rmtree(
                out / held
            )  # before the marker: if this is cut short, the old settings still differ
        table.unlink(missing_ok=True)
        with whole(out / MARKER) as aside:
            aside.write_text(json.dumps(settings, indent=2) + "\n")
    if not table.exists():
        with whole(table) as aside:
            speakers.to_csv(aside, float_format="%.4g")
