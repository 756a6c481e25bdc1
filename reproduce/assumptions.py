"""The list of assumptions, and the choices that a command line makes among them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_prep.base.faults import Faults
from reproduce.options import COMPARE

if sys.version_info >= (3, 11):
    import tomllib
else:  # mypy checks this branch in environments without tomli too
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

__all__ = ["Assumption", "Choices", "assumptions", "choices", "markdown", "not_accepted", "shared"]

PATH = Path(__file__).with_name("assumptions.toml")
COMPARED = {3, 8, 11}  # the tables whose systems ``compare`` runs

Choices = dict[str, dict[str, Any]]  # where -> id -> value, as read from TOML


@dataclass(frozen=True)
class Assumption:
    """One entry of assumptions.toml.

    Attributes:
        id: Name of the assumption and, unless ``where`` is 'fixed', of the argument that takes it.
        question: What the paper leaves open.
        paper: What the paper says about it.
        choice: The default value.
        alternatives: The other values that the code accepts, or 'any' for any other number.
        where: The part of the code that takes it: 'network', 'training', 'image', 'data' or a peer's name;
            'fixed' if the code has no alternative.
        tables: The numbers of the tables that depend on it.
        why: The reason for the choice.
        tried: With 'any', the numbers that ``sensitivity`` tries.
        least: With 'any', the smallest number; None accepts any number above 0.
        compared: Whether the systems depend on it on other recordings than the paper's, too.
    """

    id: str
    question: str
    paper: str
    choice: Any
    alternatives: list[Any] | str
    where: str
    tables: list[int]
    why: str
    tried: list[Any] = field(default_factory=list)
    least: float | None = None
    compared: bool = True

    def concerns(self, table: int) -> bool:
        """Return whether a table depends on it. COMPARE depends on what its systems depend on."""
        if table != COMPARE:
            return table in self.tables
        return self.where != "data" and self.compared and not COMPARED.isdisjoint(self.tables)

    def values_to_try(self) -> list[Any]:
        """List the values that ``sensitivity`` tries in place of the choice."""
        return self.tried if isinstance(self.alternatives, str) else self.alternatives

    def alternatives_in_words(self) -> str:
        """List the other values that the code accepts, as text; empty if there are none."""
        if isinstance(self.alternatives, str):
            return f"any other {self._numbers()}"
        return ", ".join(map(str, self.alternatives))

    def accepts(self, value: Any) -> bool:
        """Return whether the code accepts ``value``."""
        if value == self.choice:
            return True
        if isinstance(self.alternatives, str):
            return self._number(str(value)) == value
        return value in self.alternatives

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` names.

        Raises:
            Faults: The code does not accept it; the message says what it accepts.
        """
        if self.where == "fixed":
            raise Faults(f"the assumption '{self.id}' has no alternative in the code")
        free = isinstance(self.alternatives, str)
        accepted = [self.choice, *([] if free else self.alternatives)]
        for value in accepted:
            if text == str(value) or text == str(value).lower():
                return value
        if free:
            if (number := self._number(text)) is not None:
                return number
            accepted = [f"a {self._numbers()} such as {self.choice}"]
        raise Faults(f"the assumption '{self.id}' takes {' or '.join(map(str, accepted))}, not '{text}'")

    def _numbers(self) -> str:
        kind = "whole number" if isinstance(self.choice, int) else "number"
        return f"{kind} above 0" if self.least is None else f"{kind} from {self.least} up"

    def _number(self, text: str) -> int | float | None:
        """Return ``text`` as a number of the choice's type; None if it is not a number or out of range."""
        try:
            value = type(self.choice)(text)
            inside = math.isfinite(value) and (value > 0 if self.least is None else value >= self.least)
        except (ValueError, OverflowError):  # an integer too large for a float overflows in isfinite
            return None
        return value if inside else None


def assumptions() -> dict[str, Assumption]:
    """Return every assumption by its id, in the order of assumptions.toml."""
    entries = tomllib.loads(PATH.read_text(encoding="utf-8"))["assumption"]
    return {entry["id"]: Assumption(**entry) for entry in entries}


def choices(table: int, overrides: Iterable[str] = ()) -> Choices:
    """Return the value of each assumption that ``table`` depends on and that the code takes.

    Args:
        table: The table's number, or COMPARE.
        overrides: Choices that differ from assumptions.toml, each as 'id=value'.

    Returns:
        where -> id -> value.

    Raises:
        Faults: One for each unknown id, each unknown value, each id that the table does not depend on, and
            each id with two different values.
    """
    listed = {id: entry for id, entry in assumptions().items() if entry.concerns(table)}
    overridden: dict[str, Any] = {}
    faults: list[str] = []
    for override in overrides:
        id, _, text = override.partition("=")
        if id not in listed:
            faults.append(_unknown(id, table, listed))
            continue
        try:
            value = listed[id].parse(text)
        except Faults as fault:
            faults += fault.faults
            continue
        if overridden.setdefault(id, value) != value:
            faults.append(f"the assumption '{id}' is given as {overridden[id]} and as {value}: give it once")
    if faults:
        raise Faults(faults)
    chosen: Choices = {"network": {}, "training": {}, "image": {}, "data": {}}
    for id, entry in listed.items():
        if entry.where != "fixed":
            chosen.setdefault(entry.where, {})[id] = overridden.get(id, entry.choice)
    return chosen


def not_accepted(chosen: Choices) -> list[str]:
    """List the choices of an earlier version that the code no longer accepts, each as 'id=value'."""
    listed = assumptions()
    return [
        f"{id}={value}"
        for values in chosen.values()
        for id, value in values.items()
        if id in listed and not listed[id].accepts(value)
    ]


def _unknown(id: str, table: int, listed: Mapping[str, Assumption]) -> str:
    """Return the fault for an id that is not among the ``listed`` assumptions of a table."""
    exists = id in assumptions()
    problem = f"the assumption '{id}' does not affect" if exists else f"there is no assumption '{id}' for"
    open_here = ", ".join(id for id, entry in listed.items() if entry.where != "fixed")
    place = "the comparison" if table == COMPARE else f"table {table}"
    return f"{problem} {place}: choose among {open_here}"


def shared(overrides: Iterable[str], table: int, tables: Iterable[int]) -> list[str]:
    """Select from the overrides for several ``tables`` those that apply to ``table``.

    An override that affects other tables only is dropped. An override that affects none of the tables is
    kept, so that ``choices`` refuses it.
    """
    affected = {id: set(entry.tables) for id, entry in assumptions().items()}

    def applies(override: str) -> bool:
        dependent = affected.get(override.partition("=")[0], set())
        return table in dependent or not dependent & set(tables)

    return [override for override in overrides if applies(override)]


def markdown() -> str:
    """Render the list: each question, its tables, the choice, the alternatives and the reason."""
    lines = ["# The points that the paper leaves open, with our choices", ""]
    for entry in assumptions().values():
        alternatives = entry.alternatives_in_words() or "none in the code"
        lines += [
            f"- `{entry.id}` (tables {', '.join(map(str, entry.tables))}): {entry.question}",
            f"  - The paper: {' '.join(entry.paper.split())}",
            f"  - Our choice: **{entry.choice}**. Alternatives: {alternatives}.",
            f"  - Reason: {' '.join(entry.why.split())}",
        ]
    lines += [
        "",
        '`make table3 ASSUME="schedule=cosine floor_db=60"` makes other choices. Its results get folders of '
        "their own.",
    ]
    return "\n".join(lines)
