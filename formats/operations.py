"""Operations: what a commit does, resolved to ids (SPEC.md, section 7).

The payload of a WAL record is a sequence of operations. Each says in full what happened (insert,
update or delete; which ids), so that replay needs no look-ups and counts are exact. A record holds
at most one operation per node and per edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import (
    Cursor,
    encode_ascending,
    encode_text,
    encode_texts,
    encode_u32,
)
from lithograph.formats.edge_patch import EDGE_FIELDS, UNCHANGED_EDGE, EdgePatch
from lithograph.formats.layout import Buffer, Described, Field, Layout
from lithograph.formats.node_patch import NODE_FIELDS, NodePatch
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.ids import ID_END

HEAD: Final = Layout(
    "operation head",
    Field("kind", "B", "1 type, 2 insert, 3 update, 4 delete a node; 5, 6, 7 the same of an edge"),
    Field("reserved", "B", "zero"),
    Field("flags", "H", "which optional fields are present (7.2, 7.3)"),
    Field("size", "I", "bytes of the whole operation, this head included"),
    Field("subject", "Q", "the node's id; of an edge, its source's id; of a type, its code"),
)
EDGE_BODY: Final = Layout(
    "edge body",
    Field("target", "Q", "id of the target"),
    Field("type_code", "I", "the edge's type"),
)
TYPE_CODE_END: Final = 2**32
_SIZE_END: Final = 2**32

AdjacentEdge = tuple[int, int, str]
"""(type code, id of the neighbor, key): an edge as one of its ends sees it, and its order."""


class OperationKind(IntEnum):
    """On disk (SPEC.md, section 7.1)."""

    DEFINE_TYPE = 1
    INSERT_NODE = 2
    UPDATE_NODE = 3
    DELETE_NODE = 4
    INSERT_EDGE = 5
    UPDATE_EDGE = 6
    DELETE_EDGE = 7


class DefineType(NamedTuple):
    """The first use of a type: codes count from 0."""

    code: int
    name: str


class InsertNode(NamedTuple):
    """A new node; `patch` is full."""

    node_id: int
    name: str
    patch: NodePatch


class UpdateNode(NamedTuple):
    """A change of a live node; `patch` is relative."""

    node_id: int
    patch: NodePatch


class DeleteNode(NamedTuple):
    """The end of a node and of every edge at it; both lists ascend, a self loop is in both."""

    node_id: int
    name: str
    outgoing: tuple[AdjacentEdge, ...]
    incoming: tuple[AdjacentEdge, ...]


class InsertEdge(NamedTuple):
    """A new edge; `patch` is full."""

    source: int
    target: int
    type_code: int
    key: str
    patch: EdgePatch


class UpdateEdge(NamedTuple):
    """A change of a live edge; `patch` is relative."""

    source: int
    target: int
    type_code: int
    key: str
    patch: EdgePatch


class DeleteEdge(NamedTuple):
    """The end of one edge."""

    source: int
    target: int
    type_code: int
    key: str


Operation = DefineType | InsertNode | UpdateNode | DeleteNode | InsertEdge | UpdateEdge | DeleteEdge


def encode_operation(operation: Operation) -> bytes:
    """Return the operation's bytes."""
    flags = 0
    subject = operation[0]
    match operation:
        case InsertEdge(_, target, type_code, key, patch):
            kind = OperationKind.INSERT_EDGE
            flags, fields = EDGE_FIELDS.encode(patch)
            body = EDGE_BODY.pack(target, type_code) + encode_text(key) + fields
        case InsertNode(_, name, node_patch):
            kind = OperationKind.INSERT_NODE
            flags, fields = NODE_FIELDS.encode(node_patch)
            body = encode_text(name) + fields
        case UpdateNode(_, node_patch):
            kind = OperationKind.UPDATE_NODE
            flags, body = NODE_FIELDS.encode(node_patch)
        case UpdateEdge(_, target, type_code, key, patch):
            kind = OperationKind.UPDATE_EDGE
            flags, fields = EDGE_FIELDS.encode(patch)
            body = EDGE_BODY.pack(target, type_code) + encode_text(key) + fields
        case DeleteEdge(_, target, type_code, key):
            kind = OperationKind.DELETE_EDGE
            body = EDGE_BODY.pack(target, type_code) + encode_text(key)
        case DeleteNode(_, name, outgoing, incoming):
            kind = OperationKind.DELETE_NODE
            body = encode_text(name) + _encode_adjacent(outgoing) + _encode_adjacent(incoming)
        case DefineType(_, name):
            kind = OperationKind.DEFINE_TYPE
            body = encode_text(name)
    size = HEAD.size + len(body)
    assert size < _SIZE_END
    return HEAD.pack(kind, 0, flags, size, subject) + body


def decode_operations(data: Buffer, start: int, end: int, count: int) -> list[Operation]:
    """Read the `count` operations that fill [start, end).

    Raises
    ------
    CorruptionError, TruncatedError : with the offset in `data`.
    """
    if count * HEAD.size > end - start:
        raise CorruptionError(f"{count} operations cannot fit {end - start} bytes", offset=start)
    cursor = Cursor(data, start, end)
    operations = [_decode_operation(cursor) for _ in range(count)]
    cursor.finish("operations")
    return operations


def describe_operation(data: Buffer, offset: int) -> Iterator[Described]:
    """Yield the fields of the operation at `offset`, which was checked before."""
    yield from HEAD.describe(data, offset)
    kind, _, flags, size, _ = HEAD.unpack_from(data, offset)
    cursor = Cursor(data, offset + HEAD.size, offset + size)

    def text(name: str) -> Described:
        start = cursor.offset
        value = cursor.text()
        return Described(start, cursor.offset - start, name, value, "a text: u32 size, UTF-8")

    if kind in _EDGE_KINDS:
        yield from EDGE_BODY.describe(data, cursor.take(EDGE_BODY.size))
        yield text("key")
        yield from EDGE_FIELDS.describe(cursor, flags)
        return
    if kind != OperationKind.UPDATE_NODE:
        yield text("name")
    if kind in (OperationKind.INSERT_NODE, OperationKind.UPDATE_NODE):
        yield from NODE_FIELDS.describe(cursor, flags)
    elif kind == OperationKind.DELETE_NODE:
        for name in ("outgoing", "incoming"):
            start = cursor.offset
            edges = _decode_adjacent(cursor)
            yield Described(
                start, cursor.offset - start, name, edges, "(type code, neighbor, key) of each edge"
            )


_EDGE_KINDS: Final = frozenset(
    (OperationKind.INSERT_EDGE, OperationKind.UPDATE_EDGE, OperationKind.DELETE_EDGE)
)


def _decode_operation(cursor: Cursor) -> Operation:
    data, start, outer_end = cursor.data, cursor.offset, cursor.end
    body = cursor.take(HEAD.size) + HEAD.size
    kind, reserved, flags, size, subject = HEAD.unpack_from(data, start)
    if reserved:
        raise CorruptionError("operation head: reserved bytes are not zero", offset=start + 1)
    if not HEAD.size <= size <= outer_end - start:
        raise CorruptionError(
            f"an operation of {size} bytes, {outer_end - start} are left", offset=start + 4
        )
    if subject >= (TYPE_CODE_END if kind == OperationKind.DEFINE_TYPE else ID_END):
        raise CorruptionError(f"subject {subject} is out of range", offset=start + 8)
    inner = Cursor(data, body, start + size)
    operation: Operation
    if kind in _EDGE_KINDS:
        operation = _decode_edge(inner, kind, flags, subject)
    elif kind == OperationKind.INSERT_NODE:
        name = _name(inner)
        operation = InsertNode(subject, name, _node_patch(inner, flags))
    elif kind == OperationKind.UPDATE_NODE:
        operation = UpdateNode(subject, _node_patch(inner, flags))
    elif flags:
        raise CorruptionError(f"operation {kind} has no flags", offset=start + 2)
    elif kind == OperationKind.DELETE_NODE:
        name = _name(inner)
        operation = DeleteNode(subject, name, _decode_adjacent(inner), _decode_adjacent(inner))
    elif kind == OperationKind.DEFINE_TYPE:
        operation = DefineType(subject, inner.text(TEXT_SIZE_MAX))
    else:
        raise CorruptionError(f"operation kind {kind} is unknown", offset=start)
    inner.finish("operation")
    cursor.offset = inner.end
    return operation


def _decode_edge(cursor: Cursor, kind: int, flags: int, source: int) -> Operation:
    start = cursor.take(EDGE_BODY.size)
    target, type_code = EDGE_BODY.unpack_from(cursor.data, start)
    if target >= ID_END:
        raise CorruptionError(f"target {target} is out of range", offset=start)
    key = cursor.text(TEXT_SIZE_MAX)
    if kind == OperationKind.DELETE_EDGE:
        if flags:
            raise CorruptionError(f"operation {kind} has no flags", offset=start)
        return DeleteEdge(source, target, type_code, key)
    patch = EdgePatch(*EDGE_FIELDS.decode(cursor, flags)) if flags else UNCHANGED_EDGE
    if kind == OperationKind.INSERT_EDGE:
        return InsertEdge(source, target, type_code, key, patch)
    return UpdateEdge(source, target, type_code, key, patch)


def _name(cursor: Cursor) -> str:
    start = cursor.offset
    name = cursor.text(TEXT_SIZE_MAX)
    if not name:
        raise CorruptionError("a node has no name", offset=start)
    return name


def _node_patch(cursor: Cursor, flags: int) -> NodePatch:
    start = cursor.offset
    patch = NodePatch(*NODE_FIELDS.decode(cursor, flags))
    if patch.observations is not None and (patch.removed or patch.appended):
        raise CorruptionError("observations are both replaced and changed", offset=start)
    if patch.properties is not None and (patch.properties_set or patch.properties_unset):
        raise CorruptionError("properties are both replaced and changed", offset=start)
    return patch


def _encode_adjacent(edges: tuple[AdjacentEdge, ...]) -> bytes:
    """Return groups by type code: their count, then code, edge count, neighbors, keys of each."""
    groups: dict[int, list[AdjacentEdge]] = {}
    for edge in edges:
        groups.setdefault(edge[0], []).append(edge)
    pieces = [encode_u32(len(groups))]
    for code, group in groups.items():
        keys = [key for _, _, key in group]
        keyed = any(keys)
        pieces += (encode_u32(code), encode_u32(len(group)), bytes((keyed,)))
        pieces.append(encode_ascending([neighbor for _, neighbor, _ in group]))
        if keyed:
            pieces.append(encode_texts(keys))
    return b"".join(pieces)


def _decode_adjacent(cursor: Cursor) -> tuple[AdjacentEdge, ...]:
    edges: list[AdjacentEdge] = []
    for _ in range(cursor.count(item_size_min=9)):
        start = cursor.offset
        code = cursor.u32()
        count = cursor.count(item_size_min=1)
        keyed = cursor.u8()
        neighbors = cursor.ascending(count, ID_END)
        keys = cursor.texts(TEXT_SIZE_MAX) if keyed else ("",) * count
        if keyed > 1 or len(keys) != count or not count:
            raise CorruptionError("a group of deleted edges contradicts itself", offset=start)
        edges += [(code, *pair) for pair in zip(neighbors, keys, strict=True)]
    if any(a >= b for a, b in pairwise(edges)):
        raise CorruptionError("deleted edges are not in ascending order", offset=cursor.offset)
    return tuple(edges)
