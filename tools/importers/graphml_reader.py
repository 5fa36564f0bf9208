"""GraphML, read as a stream: each node and edge is a row as soon as its element ends.

Promises:

1. Memory is bounded, whatever the file: nothing is kept but the keys and the elements that are
   open; those are at most `_DEPTH_MAX`, and a text or a tag takes at most `_PIECE_SIZE_MAX` bytes.
2. A document type is refused before anything of it is read, so no entity is ever expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from lithograph.errors import InvalidArgumentError, StorageError
from lithograph.tools.importers import graphml_keys as keys
from lithograph.tools.importers.input_file import InputFile
from lithograph.tools.importers.rows import (
    EdgeRow,
    NodeRow,
    Reject,
    Row,
    checked_edge,
    checked_node,
)
from lithograph.tools.progress import Report

_CHUNK: Final = 1 << 16
_PIECE_SIZE_MAX: Final = 16 * 2**20
_DEPTH_MAX: Final = 100
_KEYS_MAX: Final = 100_000

_TYPES_OF_NODES: Final = ("type", "labels")
_TYPES_OF_EDGES: Final = ("type", "label")


@dataclass(slots=True)
class _Key:
    """A declared key.   holds : see `graphml_keys`; "" for a property."""

    name: str | None
    kind: str
    holds: str
    domain: str
    default: str | None = None


@dataclass(slots=True)
class _Item:
    """A node or an edge whose element is open.   wrong : why it will be no row."""

    tag: str
    attributes: dict[str, str]
    line: int
    offset: int
    data: dict[str, str] = field(default_factory=dict)
    is_directed: bool = True
    wrong: str | None = None


class GraphmlFile:
    """The nodes and edges of a file.

    Attributes
    ----------
    more : figures: undirected edges, and data that was passed over, having no name.
    """

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self.more = {"undirected": 0, "passed_over": 0}

    def rows(self, report: Report) -> Iterator[Row]:
        """Yield every node and edge, in the order in which their elements end.

        Raises
        ------
        StorageError : it is no well-formed XML, no GraphML, or has a document type.
        """
        self.more.update(undirected=0, passed_over=0)
        parse = _Parse(self._file.name, self.more)
        binary, left = self._file.binary, self._file.size
        while left > 0:
            try:
                chunk = binary.read(min(left, _CHUNK))
            except OSError as error:
                raise StorageError(f"cannot read {self._file.name}: {error.strerror}") from error
            if not chunk:
                break
            left -= len(chunk)
            yield from parse.feed(chunk)
            report(self._file.size - left, self._file.size)
        yield from parse.feed(b"", is_last=True)


class _Parse:
    """One pass over a file."""

    def __init__(self, name: str, more: dict[str, int]) -> None:
        self._name = name
        self._more = more
        self._keys: dict[str, _Key] = {}
        self._defaults: list[str] = []
        self._open: list[_Item] = []
        self._directed: list[bool] = []
        self._depth = 0
        self._fed = 0
        self._rows: list[Row] = []
        # The element whose text is collected: id of its key, and the depth at which it stands.
        self._text: list[str] | None = None
        self._text_size = 0
        self._text_of = ""
        self._text_depth = 0
        parser = self._parser = expat.ParserCreate(None, "}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[Row]:
        """Return the rows that a piece of the file ends."""
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as error:
            raise StorageError(
                f"{self._name}, line {error.lineno}, column {error.offset + 1}: "
                f"no well-formed XML: {expat.ErrorString(error.code)}. Mend it and import again: "
                "what stands before is not written twice"
            ) from error
        except (LookupError, ValueError) as error:
            # An encoding that Python does not know, or cannot decode the file by.
            raise StorageError(f"{self._name}: {error}") from error
        if self._fed - self._parser.CurrentByteIndex > _PIECE_SIZE_MAX + _CHUNK:
            raise self._wrong(f"a tag takes more than {_PIECE_SIZE_MAX:,} bytes")
        rows, self._rows = self._rows, []
        return rows

    def _wrong(self, what: str) -> StorageError:
        return StorageError(f"{self._name}, line {self._parser.CurrentLineNumber}: {what}")

    def _refuse(self, *declared: object) -> None:
        raise self._wrong(
            "a document type is declared; entities in one can take all memory there is, so it is "
            "refused: remove <!DOCTYPE …> and import again"
        )

    # Elements ----------------------------------------------------------------------------------

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        if not self._depth and tag != "graphml":
            raise self._wrong(f"no GraphML: the first element is <{tag}>, not <graphml>")
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._wrong(f"elements are nested more than {_DEPTH_MAX} deep")
        if tag == "graph":
            self._directed.append(attributes.get("edgedefault") != "undirected")
        elif tag == "key":
            self._declare(attributes)
        elif tag in ("node", "edge", "hyperedge"):
            self._begin(tag, attributes)
        elif tag == "data" and self._open:
            self._collect(attributes.get("key", ""))
        elif tag == "default":
            self._collect("")
        elif self._text is not None and self._depth > self._text_depth:
            # Markup inside a text, such as the shapes that yEd draws.
            self._text = None
            self._more["passed_over"] += 1

    def _end(self, name: str) -> None:
        tag = name.rpartition("}")[2]
        self._depth -= 1
        if tag == "graph":
            self._directed.pop()
        elif tag in ("node", "edge", "hyperedge"):
            self._finish(self._open.pop())
        elif self._text is not None and self._depth < self._text_depth:
            text, self._text = "".join(self._text), None
            if tag == "data":
                self._put(text)
            elif self._keys:
                key = next(reversed(self._keys))
                self._keys[key].default = text
                self._defaults.append(key)

    def _collect(self, key: str) -> None:
        self._text, self._text_size = [], 0
        self._text_of, self._text_depth = key, self._depth

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text_size += len(text)
            if self._text_size > _PIECE_SIZE_MAX:
                raise self._wrong(f"a text takes more than {_PIECE_SIZE_MAX:,} characters")
            self._text.append(text)

    def _declare(self, attributes: dict[str, str]) -> None:
        if len(self._keys) == _KEYS_MAX:
            raise self._wrong(f"more than {_KEYS_MAX:,} keys are declared")
        self._keys[attributes.get("id", "")] = _Key(
            attributes.get("attr.name"),
            attributes.get("attr.type", "string"),
            attributes.get(f"{keys.OURS}}}{keys.HOLDS}", ""),
            attributes.get("for", "all"),
        )

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        parser = self._parser
        item = _Item(tag, attributes, parser.CurrentLineNumber, parser.CurrentByteIndex)
        if tag == "edge":
            given = attributes.get("directed")
            item.is_directed = given != "false" if given else all(self._directed[-1:])
        elif tag == "hyperedge":
            item.wrong = "an edge of more than two ends cannot be stored"
        self._open.append(item)

    def _put(self, text: str) -> None:
        item, key = self._open[-1], self._text_of
        if key not in self._keys:
            item.wrong = f"its data has the key {key!r:.60}, which is not declared"
        elif self._keys[key].name is None and not self._keys[key].holds:
            self._more["passed_over"] += bool(text.strip())
        else:
            item.data[key] = text

    # Rows --------------------------------------------------------------------------------------

    def _finish(self, item: _Item) -> None:
        try:
            if item.wrong is not None:
                raise InvalidArgumentError(item.wrong)
            for key in self._defaults:
                declared = self._keys[key]
                if declared.domain in (item.tag, "all") and declared.default is not None:
                    item.data.setdefault(key, declared.default)
            self._rows.append(self._node(item) if item.tag == "node" else self._edge(item))
        except InvalidArgumentError as error:
            shown = "".join(f" {name}={quoteattr(text)}" for name, text in item.attributes.items())
            self._rows.append(Reject(item.line, str(error), f"<{item.tag}{shown}>"))

    def _node(self, item: _Item) -> NodeRow:
        fields, properties = self._fields(item, _TYPES_OF_NODES, item.attributes.get("labels"))
        return checked_node(
            NodeRow(
                item.line,
                keys.decode_id(_wanted(item, "id")),
                _type_of(fields),
                keys.decode_texts(fields[keys.OBSERVATIONS])
                if keys.OBSERVATIONS in fields
                else None,
                properties or None,
                _time_of(fields, keys.CREATED_AT),
                self._size(item),
            )
        )

    def _edge(self, item: _Item) -> EdgeRow:
        fields, properties = self._fields(item, _TYPES_OF_EDGES, item.attributes.get("label"))
        if not item.is_directed:
            self._more["undirected"] += 1
            properties.setdefault("directed", False)
        return checked_edge(
            EdgeRow(
                item.line,
                keys.decode_id(_wanted(item, "source")),
                _type_of(fields) or "",
                keys.decode_id(_wanted(item, "target")),
                keys.decode_id(fields.get(keys.KEY) or item.attributes.get("id", "")),
                properties or None,
                _time_of(fields, keys.VALID_FROM),
                _time_of(fields, keys.VALID_TO),
                _time_of(fields, keys.CREATED_AT),
                self._size(item),
            )
        )

    def _size(self, item: _Item) -> int:
        return max(self._parser.CurrentByteIndex - item.offset, 1)

    def _fields(
        self, item: _Item, type_names: tuple[str, ...], labels: str | None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the texts of fields by what they are, and the properties."""
        fields: dict[str, str] = {}
        properties: dict[str, Any] = {}
        for key, text in item.data.items():
            declared = self._keys[key]
            if declared.holds in keys.FIELDS:
                fields[declared.holds] = text
            elif declared.name is not None:
                kind = keys.JSON if declared.holds == keys.JSON else declared.kind
                properties[keys.decode_id(declared.name)] = keys.decode_value(text, kind)
        if keys.TYPE not in fields:
            # A file of somebody else's: the type is a property, or an attribute as Neo4j has it.
            for name in type_names:
                if isinstance(properties.get(name), str):
                    fields[keys.TYPE] = properties.pop(name).removeprefix(":")
                    break
            else:
                if labels:
                    fields[keys.TYPE] = labels.removeprefix(":")
        return fields, properties


def _wanted(item: _Item, attribute: str) -> str:
    text = item.attributes.get(attribute)
    if not text:
        raise InvalidArgumentError(f"it has no attribute {attribute!r}")
    return text


def _type_of(fields: dict[str, str]) -> str | None:
    found = fields.get(keys.TYPE)
    return None if found is None else keys.decode_id(found)


def _time_of(fields: dict[str, str], name: str) -> Any:
    return keys.decode_time(fields[name]) if name in fields else None
