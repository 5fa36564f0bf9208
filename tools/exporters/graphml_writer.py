"""Writing GraphML: keys first, then nodes and edges as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final
from xml.sax.saxutils import escape, quoteattr

from lithograph import Edge, Node
from lithograph.tools.importers import graphml_keys as keys

_HEAD: Final = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="{keys.GRAPHML}" xmlns:l="{keys.OURS}">
"""

_Fact = tuple[str, str, str, str]
"""What a key declares: name, type, what it holds; then the text of one item."""


class Keys:
    """The keys of a file, by what they are for, name, type and what they hold."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str, str, str], str] = {}

    def note_node(self, node: Node) -> None:
        self._note("node", _facts_of_node(node))

    def note_edge(self, edge: Edge) -> None:
        self._note("edge", _facts_of_edge(edge))

    def _note(self, what: str, facts: Iterable[_Fact]) -> None:
        for fact in facts:
            self._ids.setdefault((what, *fact[:3]), f"d{len(self._ids)}")

    def declarations(self) -> Iterator[str]:
        """Yield a line for each key."""
        for (what, name, kind, holds), key in self._ids.items():
            marked = f' l:{keys.HOLDS}="{holds}"' if holds else ""
            yield (
                f'  <key id="{key}" for="{what}" attr.name={_attribute(name)} '
                f'attr.type="{kind}"{marked}/>\n'
            )

    def data(self, what: str, facts: Iterable[_Fact]) -> str:
        """Return the data of an item, which was noted."""
        return "".join(
            f'      <data key="{self._ids[what, name, kind, holds]}">{_escaped(text)}</data>\n'
            for name, kind, holds, text in facts
        )


def write_graphml(
    known: Keys, nodes: Iterable[Node], edges: Iterable[Edge], file: BinaryIO
) -> None:
    """Write a whole file; all nodes and edges were noted in `known`."""
    file.write(_HEAD.encode())
    for line in known.declarations():
        file.write(line.encode())
    file.write(b'  <graph edgedefault="directed">\n')
    for node in nodes:
        _write(
            file, "node", f"id={_attribute(node.name)}", known.data("node", _facts_of_node(node))
        )
    for edge in edges:
        ends = f"source={_attribute(edge.source)} target={_attribute(edge.target)}"
        _write(file, "edge", ends, known.data("edge", _facts_of_edge(edge)))
    file.write(b"  </graph>\n</graphml>\n")


def _write(file: BinaryIO, tag: str, attributes: str, data: str) -> None:
    end = f">\n{data}    </{tag}>" if data else "/>"
    file.write(f"    <{tag} {attributes}{end}\n".encode())


def _facts_of_node(node: Node) -> Iterator[_Fact]:
    if node.type:
        yield keys.TYPE, "string", keys.TYPE, keys.encode_id(node.type)
    if node.observations:
        yield keys.OBSERVATIONS, "string", keys.OBSERVATIONS, json.dumps(node.observations)
    yield keys.CREATED_AT, "string", keys.CREATED_AT, node.created_at.isoformat()
    for name, value in node.properties.items():
        kind, holds, text = keys.encode_value(value)
        yield name, kind, holds, text


def _facts_of_edge(edge: Edge) -> Iterator[_Fact]:
    if edge.type:
        yield keys.TYPE, "string", keys.TYPE, keys.encode_id(edge.type)
    if edge.key:
        yield keys.KEY, "string", keys.KEY, keys.encode_id(edge.key)
    yield keys.CREATED_AT, "string", keys.CREATED_AT, edge.created_at.isoformat()
    if edge.valid_from is not None:
        yield keys.VALID_FROM, "string", keys.VALID_FROM, edge.valid_from.isoformat()
    if edge.valid_to is not None:
        yield keys.VALID_TO, "string", keys.VALID_TO, edge.valid_to.isoformat()
    for name, value in edge.properties.items():
        kind, holds, text = keys.encode_value(value)
        yield name, kind, holds, text


def _attribute(name: str) -> str:
    # Other white space than a blank becomes a blank in attributes, unless it is escaped.
    return quoteattr(keys.encode_id(name))


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
