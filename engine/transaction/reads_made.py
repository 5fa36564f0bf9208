"""What a transaction read by name, to be found unchanged when it commits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lithograph.errors import ConflictError
from lithograph.read.fold import (
    edge_changed_at,
    find_edge,
    find_name,
    node_changed_at,
)
from lithograph.segments.layer import Layers
from lithograph.transaction.intents import EdgeName

NO_VIEW: Final = -1
"""In place of a view's sequence, where nothing was read."""


class ReadsMade:
    """The reads of one transaction.

    Attributes
    ----------
    view_sequence : the commit they were made at.
    names : name -> id or None: whether and which node was there.
    nodes : names whose fields were read; each is in `names` too.
    edges : edge -> whether it was there.
    """

    __slots__ = ("edges", "names", "nodes", "view_sequence")

    def __init__(self, view_sequence: int) -> None:
        self.view_sequence = view_sequence
        self.names: dict[str, int | None] = {}
        self.nodes: set[str] = set()
        self.edges: dict[EdgeName, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.names or self.edges)

    def check(self, layers: Layers, sequence: int, type_code: Callable[[str], int | None]) -> None:
        """Raise ConflictError where something read is not what it was.

        layers, sequence : the newest state.   Cost: a look-up for each read.
        """
        if sequence == self.view_sequence:
            return
        for name, node_id in self.names.items():
            if find_name(layers, name, sequence) != node_id:
                raise _conflict(f"the node {name!r}")
            if (
                node_id is not None
                and name in self.nodes
                and node_changed_at(layers, node_id, sequence) > self.view_sequence
            ):
                raise _conflict(f"the node {name!r}")
        for edge, was_there in self.edges.items():
            if self._edge_changed(edge, was_there, layers, sequence, type_code):
                raise _conflict(f"the edge {edge[0]!r} -[{edge[1]}]-> {edge[2]!r}")

    def _edge_changed(
        self,
        edge: EdgeName,
        was_there: bool,
        layers: Layers,
        sequence: int,
        type_code: Callable[[str], int | None],
    ) -> bool:
        source_name, type_name, target_name, key = edge
        source = find_name(layers, source_name, sequence)
        target = find_name(layers, target_name, sequence)
        code = type_code(type_name)
        if source is None or target is None or code is None:
            return was_there
        adjacent = (code, target, key)
        if find_edge(layers, source, adjacent, sequence) is None:
            return was_there
        return edge_changed_at(layers, source, adjacent, sequence) > self.view_sequence


def _conflict(what: str) -> ConflictError:
    return ConflictError(
        f"another commit changed {what}, which this transaction read; nothing was written: "
        "run the transaction again"
    )
