"""What readers get: `Node` and `Edge`, immutable, independent of the store they came from."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.moment import decode_moment
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY, decode_properties
from lithograph.kernel import quick


class _Record:
    """Values compared and shown by their fields; decoding waits until a field is asked for."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, field) for field in self._fields])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, _Record)
        return self._values() == other._values()

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)
        return f"{type(self).__name__}({shown})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is immutable: write through the graph")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is immutable: write through the graph")

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled; store its fields instead")


class PlainNode:
    """The fields of a node in plain Python; the kernel's `NodeRecord` has the same, and decodes
    those that are asked for."""

    __slots__ = (
        "_born",
        "_created_at",
        "_properties",
        "_updated_at",
        "id",
        "name",
        "observations",
        "type",
    )

    id: int
    name: str
    type: str
    observations: tuple[str, ...]
    _properties: bytes
    _created_at: int
    _updated_at: int
    _born: int

    def __init__(
        self,
        node_id: int,
        name: str,
        type_name: str,
        observations: tuple[str, ...],
        properties: bytes,
        created_at: int,
        updated_at: int,
        born: int,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "id", node_id)
        set_(self, "name", name)
        set_(self, "type", type_name)
        set_(self, "observations", observations)
        set_(self, "_properties", properties)
        set_(self, "_created_at", created_at)
        set_(self, "_updated_at", updated_at)
        set_(self, "_born", born)

    @property
    def properties(self) -> dict[str, Any]:
        return decode_properties(self._properties)

    @property
    def created_at(self) -> datetime:
        return decode_moment(self._created_at)

    @property
    def updated_at(self) -> datetime:
        return decode_moment(self._updated_at)


_NodeFields = PlainNode
if not TYPE_CHECKING and quick is not None:
    _NodeFields = quick.NodeRecord


class Node(_NodeFields, _Record):
    """One node as a view saw it.

    Attributes
    ----------
    id : dense, never reused; -1 for a node that its transaction has not committed yet.
    name, type : texts; a node without a type has "".
    observations : in the order they were added.
    properties : a fresh dict each time it is asked for.
    created_at, updated_at : aware, UTC; of an uncommitted change, the time it was read.
    """

    __slots__ = ()
    _fields = ("id", "name", "type", "observations", "properties", "created_at", "updated_at")

    def changed(self, node_id: int, type_name: str | None, patch: NodePatch, now: int) -> Node:
        """Return the node as `patch` and a new type leave it, changed at `now` (µs)."""
        full = NodePatch(observations=self.observations, properties=self._properties)
        full = full.then(patch)
        return Node(
            node_id,
            self.name,
            self.type if type_name is None else type_name,
            full.observations or (),
            full.properties or EMPTY,
            _time(full.created_at, self._created_at, self._born),
            now,
            self._born,
        )

    def __hash__(self) -> int:
        return hash((self.id, self.name, self._updated_at))


class PlainEdge:
    """The fields of an edge in plain Python; the kernel's `EdgeRecord` has the same."""

    __slots__ = (
        "_born",
        "_created_at",
        "_properties",
        "_valid_from",
        "_valid_to",
        "key",
        "source",
        "source_id",
        "target",
        "target_id",
        "type",
    )

    source: str
    target: str
    type: str
    key: str
    source_id: int
    target_id: int
    _properties: bytes
    _created_at: int
    _valid_from: int
    _valid_to: int
    _born: int

    def __init__(
        self,
        source: str,
        type_name: str,
        target: str,
        key: str,
        *,
        source_id: int,
        target_id: int,
        created_at: int,
        valid_from: int,
        valid_to: int,
        properties: bytes,
        born: int,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "source", source)
        set_(self, "type", type_name)
        set_(self, "target", target)
        set_(self, "key", key)
        set_(self, "source_id", source_id)
        set_(self, "target_id", target_id)
        set_(self, "_created_at", created_at)
        set_(self, "_valid_from", valid_from)
        set_(self, "_valid_to", valid_to)
        set_(self, "_properties", properties)
        set_(self, "_born", born)

    @property
    def properties(self) -> dict[str, Any]:
        return decode_properties(self._properties)

    @property
    def created_at(self) -> datetime:
        return decode_moment(self._created_at)

    @property
    def valid_from(self) -> datetime | None:
        return _bound(self._valid_from)

    @property
    def valid_to(self) -> datetime | None:
        return _bound(self._valid_to)


_EdgeFields = PlainEdge
if not TYPE_CHECKING and quick is not None:
    _EdgeFields = quick.EdgeRecord


class Edge(_EdgeFields, _Record):
    """One edge as a view saw it.

    Attributes
    ----------
    source, target : names.   source_id, target_id : the ids behind them.
    type, key : texts; an edge without a key has "".
    properties : a fresh dict each time it is asked for.
    created_at : aware, UTC.
    valid_from, valid_to : aware, UTC, half-open; None where the bound is open.
    """

    __slots__ = ()
    _fields = (
        "source",
        "type",
        "target",
        "key",
        "properties",
        "created_at",
        "valid_from",
        "valid_to",
        "source_id",
        "target_id",
    )

    def changed(self, patch: EdgePatch) -> Edge:
        """Return the edge as `patch` leaves it."""
        full = EdgePatch(
            self._created_at,
            self._valid_from,
            self._valid_to,
            self._properties,
        ).then(patch)
        assert full.valid_from is not None
        assert full.valid_to is not None
        assert full.properties is not None
        return Edge(
            self.source,
            self.type,
            self.target,
            self.key,
            source_id=self.source_id,
            target_id=self.target_id,
            created_at=_time(patch.created_at, self._created_at, self._born),
            valid_from=full.valid_from,
            valid_to=full.valid_to,
            properties=full.properties,
            born=self._born,
        )

    def __hash__(self) -> int:
        return hash((self.source_id, self.type, self.target_id, self.key))


def _time(changed: int | None, was: int, born: int) -> int:
    """Return `created_at` after a change: left alone, back to the commit of the insert, or set."""
    if changed is None:
        return was
    return born if changed == NO_MOMENT else changed


def _bound(moment: int) -> datetime | None:
    return None if moment == NO_MOMENT else decode_moment(moment)
