"""Build the HTML of a report page as a tree, so that every text of the user's is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from data_prep.base.faults import one_line

__all__ = ["Child", "document", "facts", "name", "number", "percent", "section", "table", "tag"]

Child: TypeAlias = "Element | str | None"

STYLE = Path(__file__).with_name("page.css")
# The page may load nothing, whatever the names on it hold.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


def tag(element: str, *children: Child, **attributes: str) -> Element:
    """Return an element.

    Args:
        element: The element's name, such as 'p'.
        children: Elements and texts. None is left out.
        attributes: The attributes. ``class_`` stands for class, and ``aria_label`` for aria-label.
    """
    by_name = {key.rstrip("_").replace("_", "-"): _text(value) for key, value in attributes.items()}
    made = Element(element, by_name)
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + _text(child)
        elif child is not None:
            made.text = (made.text or "") + _text(child)
    return made


def name(text: str) -> Element:
    """Return a text of the user's. Its writing direction does not change that of the page around it."""
    return tag("bdi", one_line(text))


def percent(share: float | None) -> str:
    """Format a share of 0 to 1 in per cent, with a dash for a share that is not known."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.1f} %"


def number(value: object) -> str:
    """Format a value of JSON."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(caption: str, head: Sequence[Child], body: Iterable[Sequence[Child]], **attributes: str) -> Element:
    """Return a table that scrolls sideways in its own box; the first cell of each line is the line's head."""
    heads = tag("tr", *(tag("th", text, scope="col") for text in head))
    lines = [
        tag("tr", tag("th", first, scope="row"), *(_cell(cell) for cell in rest)) for first, *rest in body
    ]
    made = tag("table", tag("caption", caption), tag("thead", heads), tag("tbody", *lines), **attributes)
    return tag("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _cell(content: Child) -> Element:
    return content if isinstance(content, Element) and content.tag == "td" else tag("td", content)


def facts(lines: Iterable[tuple[str, Child]]) -> Element:
    """Return a list of names with their values."""
    return tag("dl", *(tag("div", tag("dt", key), tag("dd", value)) for key, value in lines))


def section(id: str, title: str, *children: Child) -> Element:
    """Return a section of the page with its heading."""
    return tag("section", tag("h2", title, id=f"{id}-title"), *children, id=id, aria_labelledby=f"{id}-title")


def document(title: str, lead: str, sections: Sequence[Element]) -> str:
    """Return a page that holds everything that it shows.

    Args:
        title: The title of the page and its first heading.
        lead: The paragraph below the heading.
        sections: The sections, from ``section``.
    """
    links = [tag("a", part[0].text, href=f"#{part.attrib['id']}") for part in sections]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", STYLE.read_text(encoding="utf-8")),
    )
    main = tag("main", tag("h1", title), tag("p", name(lead), class_="lead"), *sections)
    body = tag("body", tag("nav", *links, aria_label="Sections"), main)
    page = tag("html", head, body, lang="en")
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _text(text: str) -> str:
    """Escape control characters, except in the page's own style, and replace what UTF-8 cannot hold."""
    return "\n".join(map(one_line, text.split("\n"))).encode(errors="replace").decode()
