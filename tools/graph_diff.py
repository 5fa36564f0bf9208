"""What differs between two views: nodes in order of their names, each with the edges that leave it.

Both views are read once, side by side, many nodes and edges at a time and in bounded memory: of the
edges of one node that are more than a chunk, sorted chunks go to temporary files.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from lithograph.tools.commands.diff_answer import Difference

if TYPE_CHECKING:
    from datetime import datetime

    from lithograph import Edge, Node, Snapshot

EDGE_CHUNK: Final = 50_000
"""Edges of one node that are sorted in memory, about 20 MB."""

_LENGTH_SIZE: Final = 4
_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")

Item = TypeVar("Item")


class _Content(NamedTuple):
    """What is compared of a node or an edge.

    key : its place in the order.   body : its fields, so encoded that equal ones are equal bytes.
    """

    key: tuple[str, ...]
    body: bytes


class GraphDiff:
    """The differences from one view to another.

    times : compare `created_at`, too, which differs between stores that were filled one by one.
    progress : called with nodes done.
    """

    def __init__(
        self,
        first: Snapshot,
        second: Snapshot,
        *,
        times: bool = False,
        progress: Callable[[int], None] | None = None,
        edge_chunk: int = EDGE_CHUNK,
    ) -> None:
        self._first = first
        self._second = second
        self._times = times
        self._progress = progress
        self._edge_chunk = edge_chunk

    def __iter__(self) -> Iterator[Difference]:
        """Yield each difference; a node before its edges.

        Cost: every node and every edge of both views.
        """
        nodes = _joined(
            (self._node(node) for node in self._first.nodes()),
            (self._node(node) for node in self._second.nodes()),
        )
        first, second = _Leaving(self._first), _Leaving(self._second)
        for done, (before, after) in enumerate(nodes):
            if self._progress is not None:
                self._progress(done)
            (name,) = (before or after or _NOTHING).key
            change, fields = _compare(before, after)
            if change is not None:
                yield Difference(change, "node", name, fields=fields)
            with ExitStack() as files:
                yield from self._edges(
                    name,
                    () if before is None else self._sorted_edges(first.edges(name), files),
                    () if after is None else self._sorted_edges(second.edges(name), files),
                )

    def _edges(
        self, name: str, first: Iterable[_Content], second: Iterable[_Content]
    ) -> Iterator[Difference]:
        for before, after in _joined(first, second):
            change, fields = _compare(before, after)
            if change is not None:
                type_name, target, key = (before or after or _NOTHING).key
                yield Difference(change, "edge", name, type_name, target, key, fields)

    def _node(self, node: Node) -> _Content:
        body = {
            "type": node.type,
            "observations": node.observations,
            "properties": node.properties,
            "created_at": node.created_at if self._times else None,
        }
        return _Content((node.name,), _encoder.encode(body))

    def _edge(self, edge: Edge) -> _Content:
        return _Content((edge.type, edge.target, edge.key), self._edge_body(edge))

    def _edge_body(self, edge: Edge) -> bytes:
        properties, start, end = edge.properties, edge.valid_from, edge.valid_to
        if not properties and start is None and end is None and not self._times:
            return _PLAIN_EDGE
        created_at = edge.created_at if self._times else None
        return _encoder.encode(_edge_fields(properties, start, end, created_at))

    def _sorted_edges(self, edges: Iterator[Edge], files: ExitStack) -> Iterable[_Content]:
        """Return edges that leave a node, in an order that does not depend on ids."""
        chunk: list[_Content] = []
        spilled: list[Iterator[_Content]] = []
        for edge in edges:
            if len(chunk) == self._edge_chunk:
                spilled.append(_spill(sorted(chunk), files))
                chunk.clear()
            chunk.append(self._edge(edge))
        chunk.sort()
        return heapq.merge(*spilled, chunk) if spilled else chunk


class _Leaving:
    """The edges of a view, by the names of their sources."""

    def __init__(self, view: Snapshot) -> None:
        self._edges = view._edges_by_name()
        self._next = next(self._edges, None)

    def edges(self, name: str) -> Iterator[Edge]:
        """Yield the edges that leave a node; all of those of the nodes before it were taken."""
        while self._next is not None and self._next.source == name:
            yield self._next
            self._next = next(self._edges, None)


def _edge_fields(
    properties: dict[str, Any],
    valid_from: datetime | None,
    valid_to: datetime | None,
    created_at: datetime | None,
) -> dict[str, Any]:
    return {
        "properties": properties,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "created_at": created_at,
    }


_NOTHING: Final = _Content((), b"")
_PLAIN_EDGE: Final = _encoder.encode(_edge_fields({}, None, None, None))
"""What most edges are: encoding it for each took a third of the time."""


def _spill(chunk: list[_Content], files: ExitStack) -> Iterator[_Content]:
    """Write sorted contents to a file that is gone with `files`; return what reads them back."""
    file: IO[bytes] = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    for content in chunk:
        data = _encoder.encode(content)
        file.write(len(data).to_bytes(_LENGTH_SIZE, "little") + data)
    file.seek(0)
    return _read_back(file)


def _read_back(file: IO[bytes]) -> Iterator[_Content]:
    while head := file.read(_LENGTH_SIZE):
        key, body = msgspec.msgpack.decode(file.read(int.from_bytes(head, "little")))
        yield _Content(tuple(key), body)


def _joined(
    first: Iterable[_Content], second: Iterable[_Content]
) -> Iterator[tuple[_Content | None, _Content | None]]:
    """Yield what both sides hold under each key, ascending; None where a side holds nothing."""
    left, right = iter(first), iter(second)
    before, after = next(left, None), next(right, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.key < after.key):
            yield before, None
            before = next(left, None)
        elif before is None or after.key < before.key:
            yield None, after
            after = next(right, None)
        else:
            yield before, after
            before, after = next(left, None), next(right, None)


def _compare(
    before: _Content | None, after: _Content | None
) -> tuple[Literal["added", "removed", "changed"] | None, list[str]]:
    """Return how two contents differ, and in which fields."""
    if before is None:
        return "added", []
    if after is None:
        return "removed", []
    if before.body == after.body:
        return None, []
    was: dict[str, Any] = msgspec.msgpack.decode(before.body)
    now: dict[str, Any] = msgspec.msgpack.decode(after.body)
    return "changed", [
        name for name in was if _encoder.encode(was[name]) != _encoder.encode(now[name])
    ]
