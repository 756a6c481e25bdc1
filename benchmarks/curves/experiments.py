"""The experiments of docs/learning.md as data, and the files of their results."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.base.faults import Faults
from data_prep.base.files import whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PATH = Path(__file__).with_name("experiments.toml")
TABLES = {"table7": 8, "table10": 11}  # the table whose assumptions apply; Table 3 for any other network

Run = tuple[tuple[str, ...], int]  # choices for assumptions as 'id=value', and the seed


@dataclass(frozen=True)
class Experiment:
    """One question, and the trainings that answer it. experiments.toml explains the fields."""

    name: str
    question: str
    corpus: str
    architecture: str
    size: int
    batch_size: int
    steps: int
    unused: str
    validation: str
    variants: Sequence[Sequence[str]]
    seeds: Sequence[int]
    clips: int | None = None
    accuracy: float | None = None

    @property
    def table(self) -> int:
        """The number of the table whose assumptions apply."""
        return TABLES.get(self.architecture, 3)

    def runs(self) -> Iterator[Run]:
        """Yield the trainings: all variants with the first seed, then all with the next."""
        for seed in self.seeds:
            for variant in self.variants:
                yield tuple(variant), seed

    def setting(self) -> dict[str, Any]:
        """Return everything that a training depends on, except its variant and its seed."""
        fields = asdict(self)
        return {name: fields[name] for name in fields if name not in ("question", "variants", "seeds")}

    def folder(self, run: Run, dtype: str) -> str:
        """Return the name of a folder for the checkpoints of this training and of no other."""
        text = json.dumps([self.setting(), run, dtype], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def experiments(path: Path = PATH) -> dict[str, Experiment]:
    """Return the experiments by name, in the order of the file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["experiment"]
    return {entry["name"]: Experiment(**entry) for entry in entries}


def named(names: Sequence[str], listed: dict[str, Experiment]) -> list[Experiment]:
    """Return the experiments with these names; all if there is no name."""
    if unknown := [name for name in names if name not in listed]:
        raise Faults(f"there is no experiment '{name}': choose from {', '.join(listed)}" for name in unknown)
    return [listed[name] for name in names or listed]


def results(experiment: Experiment, folder: Path) -> dict[Run, dict[str, Any]]:
    """Return the results of the experiment's trainings that are done.

    Results of another setting, such as another number of steps, count as not done.

    Args:
        experiment: The experiment.
        folder: The folder of the JSON files.

    Returns:
        The result of each training, in the order of ``Experiment.runs``.
    """
    path = folder / f"{experiment.name}.json"
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["setting"] != experiment.setting():
        return {}
    done = {(tuple(result["variant"]), result["seed"]): result for result in content["runs"]}
    return {run: done[run] for run in experiment.runs() if run in done}


def write(experiment: Experiment, done: dict[Run, dict[str, Any]], folder: Path) -> None:
    """Write the results of the trainings that are done."""
    content = {"setting": experiment.setting(), "runs": list(done.values())}
    with whole(folder / f"{experiment.name}.json") as path:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
