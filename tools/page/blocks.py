"""What the report is put together from: sections, tables, and lists of figures."""

from __future__ import annotations

from collections.abc import Sequence

from lithograph.tools.page.markup import Content, Markup, tag


def section(title: str, lead: Content, *content: Content, wide: bool = False) -> Markup:
    """Return a section: a title, a line below it, and what it shows; `wide` takes the whole row."""
    return tag(
        "section",
        tag("h2", title),
        tag("p", lead, class_="lead"),
        *content,
        class_="wide" if wide else None,
    )


def table_of(
    heads: Sequence[str],
    rows: Sequence[Sequence[Content]],
    *,
    numbers: Sequence[int] = (),
    names: Sequence[int] = (),
    narrow: Sequence[int] = (),
) -> Markup:
    """Return a table; the three say which columns are of which class."""

    def style(place: int) -> str | None:
        for columns, name in ((numbers, "number"), (names, "name"), (narrow, "narrow")):
            if place in columns:
                return name
        return None

    head = tag("tr", *(tag("th", text, class_=style(i)) for i, text in enumerate(heads)))
    body = [
        tag("tr", *(tag("td", value, class_=style(i)) for i, value in enumerate(row)))
        for row in rows
    ]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", table, class_="scroll", tabindex="0")


def rows_of(pairs: Sequence[tuple[str, Content]], *, halves: bool = False) -> Markup:
    """Return figures under each other, each with its name; with `halves` in two columns."""
    rows = (tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl", *rows, class_="rows halves" if halves else "rows")


def share_of(part: int, whole: int) -> float:
    """Return a part of a whole, 0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0
