"""Read an HTML page as a tree with the standard library's parser. Every element must be closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Element:
    """An element; its children are elements and texts."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    def all(self, *tags: str, **attributes: str) -> list[Element]:
        """Return the elements below with one of the tags (default: any) and with these attributes.

        ``class_`` matches one of the element's classes.
        """
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        chosen = (element for element in self._below() if not tags or element.tag in tags)
        return [element for element in chosen if element._has(wanted)]

    def _below(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child._below()

    def _has(self, wanted: dict[str, str]) -> bool:
        classes = (self.attributes.get("class") or "").split()
        return all(
            value in classes if name == "class" else self.attributes.get(name) == value
            for name, value in wanted.items()
        )

    @property
    def text(self) -> str:
        """The visible text, with single spaces."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def read(text: str) -> Element:
    """Return the root of a page."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root], "not every element is closed"
    return reader.root


def lines(table: Element) -> list[list[str]]:
    """Return the texts of a table's body by row; a cell that spans rows is repeated in each of them."""
    rows, pending = [], {}
    for tr in table.all("tbody")[0].all("tr"):
        row, cells = [], iter(tr.all("th", "td"))
        while True:
            if len(row) in pending and pending[len(row)][1]:
                text, left = pending[len(row)]
                pending[len(row)] = text, left - 1
            else:
                cell = next(cells, None)
                if cell is None:
                    break
                text = cell.text
                pending[len(row)] = text, int(cell.attributes.get("rowspan", 1)) - 1
            row.append(text)
        rows.append(row)
    return rows
