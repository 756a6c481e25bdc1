"""The folder of a stand-in: a marker with its settings, a table of its speakers, and its clips."""

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
from data_prep.standin.speech import each_in_fresh_process, espeak_version

MARKER, TABLE = "STAND-IN.json", "speakers.csv"


def is_standin(root: Path | str) -> bool:
    """Return whether ``root`` has the marker of a stand-in."""
    return (Path(root) / MARKER).is_file()


def fill(
    out: Path,
    clips_folder: str,
    settings: dict,
    speakers: pd.DataFrame,
    plan: pd.DataFrame,
    make: Callable[[dict], None],
    title: str,
    jobs: int | None = None,
) -> None:
    """Write the files of a stand-in that are missing.

    Existing clips are kept if STAND-IN.json has the same settings. Otherwise all clips are made again.

    Args:
        out: The folder of the stand-in.
        clips_folder: The name of the folder of the clips in ``out``.
        settings: The settings that the clips depend on.
        speakers: The table that is written to speakers.csv.
        plan: A row for each clip, with its ``path`` below ``out``.
        make: The function that writes one clip. It gets the clip's row as a dict, in a process of its own.
        title: The title of the progress bar.
        jobs: The number of processes at a time; None for one per processor.

    Raises:
        Faults: ``out`` holds clips but no marker, so it may be a real corpus; or ``make`` raised Faults.
    """
    (espeak,) = each_in_fresh_process(espeak_version, [()])
    settings = settings | {"espeak_ng": espeak}

    def missing() -> list[dict]:
        return [row for row in plan.to_dict("records") if not (out / row["path"]).exists()]

    if _stored_settings(out, clips_folder) == settings and (out / TABLE).exists() and not missing():
        return  # before the lock, because a complete stand-in may be in a read-only folder
    with locked(out, "is making this stand-in"):
        _prepare(out, clips_folder, settings, speakers)
        rows = missing()
        written = each_in_fresh_process(make, [(row,) for row in rows], jobs or processors())
        for _ in Bar(written, title, len(rows), unit="clip", disable=not rows):
            pass


def _stored_settings(out: Path, clips_folder: str) -> dict | None:
    """Read the settings in the marker: {} if it is damaged, None if there is no marker and no clip."""
    marker = out / MARKER
    try:
        stored = json.loads(marker.read_text()) if marker.exists() else None
    except ValueError:
        return {}
    if stored is None and (out / clips_folder).exists():
        raise Faults(
            f"{out}: holds {clips_folder}/ but no {MARKER}, so it may be a real corpus and is left alone; "
            "write the stand-in to another folder"
        )
    return stored


def _prepare(out: Path, clips_folder: str, settings: dict, speakers: pd.DataFrame) -> None:
    """Remove the clips of other settings, and write the marker and the table."""
    table = out / TABLE
    if _stored_settings(out, clips_folder) != settings:
        if (out / clips_folder).exists():
            # This comes before the marker is written. If it is interrupted, the marker has the old settings.
            shutil.rmtree(out / clips_folder)
        table.unlink(missing_ok=True)
        with whole(out / MARKER) as aside:
            aside.write_text(json.dumps(settings, indent=2) + "\n")
    if not table.exists():
        with whole(table) as aside:
            speakers.to_csv(aside, float_format="%.4g")
