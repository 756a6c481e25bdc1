"""Copy the outputs of the notebooks that `make notebooks` ran into notebooks/, so that a forge shows them.

    make notebooks
    .venv/bin/python tools/keep_outputs.py results/notebooks

Progress bars and times are left out. The hash of the sources that were run is kept as metadata: a test
compares it, so that no outputs of older sources stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from data_prep.base.commands import with_plain_errors  # noqa: E402
from data_prep.base.faults import Faults  # noqa: E402
from data_prep.base.files import whole  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
HASH = "outputs_of"  # key in a notebook's metadata


def sources(notebook: nbformat.NotebookNode) -> str:
    """Return the hash of the sources of a notebook's cells."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def with_outputs(notebook: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return ``notebook`` with the outputs of ``executed``, which has run the same sources.

    Raises:
        ValueError: The sources differ, or an output contains a path of this machine.
    """
    if sources(notebook) != sources(executed):
        raise ValueError("its sources have changed since it was run")
    for cell, done in zip(notebook.cells, executed.cells):
        if cell.cell_type == "code":
            cell.outputs = [output for output in done.outputs if output.get("name") != "stderr"]
            cell.execution_count = done.execution_count
            if any(path in json.dumps(cell.outputs) for path in (str(ROOT), str(Path.home()))):
                raise ValueError(f"the output of cell {cell.execution_count} contains a path of this machine")
    notebook.metadata[HASH] = sources(notebook)
    return notebook


@with_plain_errors
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder of the notebooks that were run")
    folder, faults = parser.parse_args().folder, []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not (folder / path.name).exists():
            faults.append(f"{folder / path.name}: it does not exist. Run `make notebooks`.")
            continue
        try:
            kept = with_outputs(nbformat.read(path, 4), nbformat.read(folder / path.name, 4))
        except ValueError as error:
            faults.append(f"{folder / path.name}: {error}. Run `make notebooks` again.")
            continue
        with whole(path) as aside:
            nbformat.write(kept, aside)
    if faults:
        raise Faults(faults)


if __name__ == "__main__":
    main()
