"""The trials of docs/own-speech.md as data, and the file of their results."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_prep.base.files import whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PATH = Path(__file__).with_name("trials.toml")


@dataclass(frozen=True)
class Task:
    """Recordings to compare the parts of the recipe on. trials.toml explains the fields."""

    name: str
    text: str
    unused: str
    validation: Sequence[str]
    batch_size: int
    steps: int
    clips: int | None = None


@dataclass(frozen=True)
class Part:
    """The recipe with one thing changed, the tasks to try it on, and the seeds."""

    name: str
    text: str
    tasks: Sequence[str]
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)


@dataclass(frozen=True)
class Test:
    """Recordings to compare ``fit`` with the baseline on, and settings other than its defaults."""

    name: str
    corpus: str
    text: str
    test: str
    clips: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)


@dataclass(frozen=True)
class Trials:
    """Everything that trials.toml lists, by name."""

    tasks: Mapping[str, Task]
    parts: Mapping[str, Part]
    tests: Mapping[str, Test]

    def of_parts(self) -> Iterator[dict[str, Any]]:
        """Yield what identifies each training on validation clips: task, changes and seed."""
        for part in self.parts.values():
            for task in part.tasks:
                for seed in part.seeds:
                    yield {"task": asdict(self.tasks[task]), "changes": dict(part.changes), "seed": seed}

    def of_tests(self) -> Iterator[dict[str, Any]]:
        """Yield what identifies each training of ``fit``: test and seed."""
        for test in self.tests.values():
            for seed in test.seeds:
                yield {
                    "test": {name: value for name, value in asdict(test).items() if name != "seeds"},
                    "seed": seed,
                }


def trials(path: Path = PATH) -> Trials:
    """Read the list of trials."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    kinds = (("task", Task), ("part", Part), ("test", Test))
    return Trials(*({entry["name"]: kind(**entry) for entry in listed.get(key, [])} for key, kind in kinds))


class Results:
    """A JSON file with a result for each trial.

    Args:
        path: The file.

    Attributes:
        done: Entries with ``trial``, which identifies the trial, and its ``result``.
    """

    def __init__(self, path: Path):
        self.path = path
        self.done: list[dict] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def of(self, trial: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result of a trial, None if it has not been run."""
        trial = json.loads(json.dumps(trial))  # tuples become lists
        return next((entry["result"] for entry in self.done if entry["trial"] == trial), None)

    def add(self, trial: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Add a result and write the file."""
        self.done.append({"trial": trial, "result": result})
        with whole(self.path) as path:
            path.write_text(json.dumps(self.done, indent=1) + "\n", encoding="utf-8")
