"""Edges of a view, many at a time: in the kernel as far as that is sure, else one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from lithograph.catalog.generation import LazySegment
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.kernel import UNSURE, quick
from lithograph.read.fold import EdgeState, name_of
from lithograph.read.neighbors import TypeCodes, edge_states
from lithograph.read.records import Edge
from lithograph.segments.layer import Direction, Layers

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickView

# Few at first, for who wants few; then many, so that what a call costs is nothing per edge: 0.8 µs
# for an edge of W, 11 in plain Python.
EDGES_FIRST: Final = 64
EDGES_MAX: Final = 1024


class EdgeScan:
    """Gives the edges of nodes.

    layers, sequence : of the view.   quick_view : the same, as the kernel reads them, or None.
    edge_of : makes an edge from its state, with the names that are known.
    """

    def __init__(
        self,
        layers: Layers,
        sequence: int,
        quick_view: QuickView | None,
        edge_of: Callable[[EdgeState, dict[int, str]], Edge],
    ) -> None:
        self._layers = layers
        self._sequence = sequence
        self._quick = quick_view
        self._edge_of = edge_of

    def leaving(
        self,
        sources: list[int],
        names: list[str] | None,
        types: TypeCodes,
        valid_at: int | None,
    ) -> Iterator[Edge]:
        """Yield the edges that leave nodes, in the order of these; `names` are theirs, if known.

        Memory: a thousand edges; of a hub a sixteenth of its edges, and 72 bytes for each of them.
        """
        at, room = 0, EDGES_FIRST
        after: AdjacentEdge | None = None
        while at < len(sources):
            if quick is not None and self._quick is not None:
                found, at, after, is_sure = quick.take_edges(
                    self._quick,
                    Edge,
                    sources,
                    at,
                    after,
                    room,
                    types,
                    valid_at,
                    names,
                    self._end_name,
                )
                yield from found
                room = min(4 * room, EDGES_MAX)
                if is_sure:
                    continue
            known = {} if names is None else {sources[at]: names[at]}
            states = edge_states(self._layers, sources[at], Direction.OUT, types, self._sequence)
            for state in states:
                is_done = after is not None and (state.type_code, state.target, state.key) <= after
                if not is_done and _holds(state, valid_at):
                    yield self._edge_of(state, known)
            at, after = at + 1, None

    def entering(
        self, node_id: int, name: str, with_loops: bool, types: TypeCodes, valid_at: int | None
    ) -> Iterator[Edge]:
        """Yield the edges that enter a node."""
        done, room, is_checked = 0, EDGES_FIRST, False
        while quick is not None and self._quick is not None:
            taken = quick.take_incoming(
                self._quick,
                Edge,
                node_id,
                name,
                done,
                room,
                with_loops,
                types,
                valid_at,
                self._end_name,
            )
            if taken is not UNSURE:
                found, next_ = taken
                yield from found
                if next_ is None:
                    return
                done, room = next_, min(4 * room, EDGES_MAX)
            elif is_checked:
                break
            else:
                check_list(self._layers, node_id, Direction.IN)
                is_checked = True
        # Those that are done were counted before any was left out for its times.
        known = {node_id: name}
        states = edge_states(self._layers, node_id, Direction.IN, types, self._sequence)
        for state in islice(states, done, None):
            if (with_loops or state.source != state.target) and _holds(state, valid_at):
                yield self._edge_of(state, known)

    def _end_name(self, node_id: int) -> str:
        """Return the name of the end of an edge, the careful way."""
        return name_of(self._layers, node_id)


def check_list(layers: Layers, node_id: int, direction: Direction) -> None:
    """Check what holds a node's list, so that the kernel can go over it: the careful way reads only
    parts of a hub's block, and would for ever."""
    for layer in layers.graph:
        if isinstance(layer, LazySegment):
            layer.check_lists_ahead(direction, node_id, node_id + 1)


def _holds(state: EdgeState, moment: int | None) -> bool:
    """Return whether an edge is valid then; None: whenever."""
    if moment is None:
        return True
    return state.valid_from <= moment and (state.valid_to == NO_MOMENT or moment < state.valid_to)
