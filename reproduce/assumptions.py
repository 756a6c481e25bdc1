"""The list of assumptions, and the choices that a command line makes among them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.base.faults import Faults

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Assumption", "assumptions", "choices", "markdown", "shared"]

PATH = Path(__file__).with_name("assumptions.toml")


@dataclass(frozen=True)
class Assumption:
    """One entry of assumptions.toml; its head explains the fields."""

    id: str
    question: str
    paper: str
    choice: object
    alternatives: list | str
    where: str
    tables: list[int]
    why: str
    tried: list = field(default_factory=list)
    least: float | None = None

    def others(self) -> list:
        """The values that ``sensitivity`` tries in place of the choice."""
        return self.tried if self.alternatives == "any" else self.alternatives

    def otherwise(self) -> str:
        """What else the code accepts, in words; empty where it knows no other way."""
        if self.alternatives == "any":
            return f"any other {self._numbers()}"
        return ", ".join(map(str, self.alternatives))

    def parse(self, text: str) -> object:
        """The alternative that ``text`` names; Faults saying what is accepted otherwise."""
        accepted = [self.choice, *(self.alternatives if self.alternatives != "any" else [])]
        if self.where == "fixed":
            raise Faults(f"the assumption '{self.id}' has no alternative in the code")
        for value in accepted:
            if text == str(value) or text == str(value).lower():
                return value
        if self.alternatives == "any":
            if (value := self._number(text)) is not None:
                return value
            accepted = [f"a {self._numbers()} such as {self.choice}"]
        raise Faults(f"the assumption '{self.id}' takes {' or '.join(map(str, accepted))}, not '{text}'")

    def _numbers(self) -> str:
        kind = "whole number" if isinstance(self.choice, int) else "number"
        return f"{kind} above 0" if self.least is None else f"{kind} from {self.least} up"

    def _number(self, text: str) -> int | float | None:
        """``text`` as a number of the choice's type and in its range; None if it is not one."""
        try:
            value = type(self.choice)(text)
            inside = math.isfinite(value) and (value > 0 if self.least is None else value >= self.least)
        except (ValueError, OverflowError):  # no number, or a whole one that no float holds
            return None
        return value if inside else None


def assumptions() -> dict[str, Assumption]:
    """Every assumption by its id, in the list's order."""
    entries = tomllib.loads(PATH.read_text(encoding="utf-8"))["assumption"]
    return {entry["id"]: Assumption(**entry) for entry in entries}


def choices(table: int, overrides: Iterable[str] = ()) -> dict[str, dict[str, object]]:
    """The chosen value of each assumption that touches ``table`` and that code takes: where -> id -> value.

    ``overrides`` are 'id=value'. Raises Faults naming each unknown id and value, each id that does not
    touch the table, and each that is given twice with other values.
    """
    listed = {id: entry for id, entry in assumptions().items() if table in entry.tables}
    open_here = ", ".join(id for id, entry in listed.items() if entry.where != "fixed")
    given: dict[str, object] = {}
    faults = []
    for override in overrides:
        id, _, text = override.partition("=")
        if id not in listed:
            known = (
                f"the assumption '{id}' does not touch"
                if id in assumptions()
                else f"there is no assumption '{id}' for"
            )
            faults.append(f"{known} table {table}: choose among {open_here}")
            continue
        try:
            value = listed[id].parse(text)
        except Faults as fault:
            faults += fault.faults
            continue
        if given.setdefault(id, value) != value:
            faults.append(f"the assumption '{id}' is given as {given[id]} and as {value}: give it once")
    if faults:
        raise Faults(faults)
    found: dict[str, dict[str, object]] = {"network": {}, "training": {}, "image": {}, "data": {}}
    for id, entry in listed.items():
        if entry.where != "fixed":
            found.setdefault(entry.where, {})[id] = given.get(id, entry.choice)
    return found


def shared(overrides: Iterable[str], table: int, tables: Iterable[int]) -> list[str]:
    """Of the choices made for several ``tables`` at a time, those that concern ``table``.

    One that touches another of them is left out; one that touches none stays, to be refused.
    """
    touched = {id: set(entry.tables) for id, entry in assumptions().items()}

    def concerns(override: str) -> bool:
        of = touched.get(override.partition("=")[0], set())
        return table in of or not of & set(tables)

    return [override for override in overrides if concerns(override)]


def markdown() -> str:
    """The whole list, for people: what is open, in which tables, what was chosen, what else there is."""
    lines = ["# What the paper leaves open, and what was chosen", ""]
    for each in assumptions().values():
        other = each.otherwise()
        lines += [
            f"- `{each.id}` (tables {', '.join(map(str, each.tables))}): {each.question}",
            f"  - The paper: {' '.join(each.paper.split())}",
            f"  - Here: **{each.choice}**"
            + (f". Or: {other}." if other else "; the code knows no other way."),
            f"  - Why: {' '.join(each.why.split())}",
        ]
    lines += ["", 'Another choice: `make table3 ASSUME="schedule=step floor_db=60"`, in folders of its own.']
    return "\n".join(lines)
