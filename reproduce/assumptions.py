"""The list of assumptions, and the choices that a command line makes among them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_prep.faults import Faults

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Assumption", "assumptions", "choices"]

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

    def parse(self, text: str) -> object:
        """The alternative that ``text`` names; Faults saying what is accepted otherwise."""
        accepted = [self.choice, *(self.alternatives if self.alternatives != "any" else [])]
        if self.where == "fixed":
            raise Faults(f"the assumption '{self.id}' has no alternative in the code")
        for value in accepted:
            if text == str(value) or text == str(value).lower():
                return value
        if self.alternatives == "any":
            try:
                return type(self.choice)(text)
            except ValueError:
                raise Faults(
                    f"the assumption '{self.id}' takes a number such as {self.choice}, not '{text}'"
                ) from None
        raise Faults(f"the assumption '{self.id}' takes {' or '.join(map(str, accepted))}, not '{text}'")


def assumptions() -> dict[str, Assumption]:
    """Every assumption by its id, in the list's order."""
    entries = tomllib.loads(PATH.read_text(encoding="utf-8"))["assumption"]
    return {entry["id"]: Assumption(**entry) for entry in entries}


def choices(overrides: Iterable[str] = ()) -> dict[str, dict[str, object]]:
    """The chosen value of each assumption that code takes: where -> id -> value.

    ``overrides`` are 'id=value'. Raises Faults naming each unknown id and value.
    """
    listed = assumptions()
    chosen = {id: entry.choice for id, entry in listed.items()}
    faults = []
    for override in overrides:
        id, _, text = override.partition("=")
        if id not in listed:
            faults.append(f"there is no assumption '{id}': choose among {', '.join(listed)}")
            continue
        try:
            chosen[id] = listed[id].parse(text)
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)
    found: dict[str, dict[str, object]] = {"network": {}, "training": {}, "image": {}, "data": {}}
    for id, entry in listed.items():
        if entry.where != "fixed":
            found[entry.where][id] = chosen[id]
    return found
