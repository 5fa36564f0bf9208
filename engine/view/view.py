"""A view: layers and a sequence, fixed when the call, iterator or snapshot is made."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from lithograph.errors import CorruptionError, InvalidArgumentError, NodeNotFoundError
from lithograph.formats.text import check_name, check_text
from lithograph.ids import ABSENT, ID_END
from lithograph.kernel import UNSURE, quick
from lithograph.read.fold import (
    EdgeState,
    NodeState,
    find_edge,
    find_name,
    fold_node,
    is_live,
    name_of,
)
from lithograph.read.name_scan import scan_names
from lithograph.read.neighbors import (
    TypeCodes,
    degree,
    neighbor_list,
    source_ids,
)
from lithograph.read.records import Edge, Node
from lithograph.read.traversal import k_hop
from lithograph.segments.layer import Direction, Layers
from lithograph.view.edge_scan import EdgeScan, check_list
from lithograph.view.node_scan import NodeScan
from lithograph.write.layer_stack import LayerStack

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickView

IdArray = npt.NDArray[np.int64]

DIRECTIONS: Final = {
    "out": (Direction.OUT,),
    "in": (Direction.IN,),
    "both": (Direction.OUT, Direction.IN),
}
# Nodes whose edges are read together: few at first, for who wants few.
_SOURCES_FIRST: Final = 16
_SOURCES_MAX: Final = 1024

COUNT_END: Final = 10**16
"""Limits and hops are below this, far from what `islice` cannot count."""


class View:
    """Layers (newest first) as of one commit.

    type_name, type_code : the store's type table, which only grows.
    counts : node and edge count at `sequence`.
    floor, floor_time : the oldest commit that these layers can be read as of, and when it was.
    quick : the layers as the kernel reads them, or None; where it is unsure, `layers` say.
    """

    __slots__ = (
        "edge_count",
        "floor",
        "floor_time",
        "layers",
        "node_count",
        "quick",
        "sequence",
        "type_code",
        "type_name",
    )

    def __init__(
        self,
        layers: Layers,
        sequence: int,
        type_name: Callable[[int], str],
        type_code: Callable[[str], int | None],
        node_count: int,
        edge_count: int,
        floor: int,
        floor_time: int,
        quick: QuickView | None,
    ) -> None:
        self.layers = layers
        self.sequence = sequence
        self.type_name = type_name
        self.type_code = type_code
        self.node_count = node_count
        self.edge_count = edge_count
        self.floor = floor
        self.floor_time = floor_time
        self.quick = quick

    @classmethod
    def over(cls, stack: LayerStack, sequence: int) -> View:
        """Return the view of a published commit on the layers of a process.

        Cost: O(layers), and one block of a commit table where files hold the commit.
        """
        _, node_count, edge_count = stack.commit_row(sequence)
        return cls._on(stack, sequence, node_count, edge_count)

    def on(self, stack: LayerStack) -> View:
        """Return the view of the same commit on newer layers. Cost: O(layers)."""
        return self._on(stack, self.sequence, self.node_count, self.edge_count)

    @classmethod
    def _on(cls, stack: LayerStack, sequence: int, node_count: int, edge_count: int) -> View:
        types, manifest = stack.memtable.types, stack.generation.manifest
        above = stack.quick(sequence)
        return cls(
            stack.layers if sequence >= stack.first_sequence else stack.layers_at(sequence),
            sequence,
            types.names.__getitem__,
            types.code,
            node_count,
            edge_count,
            manifest.floor_sequence,
            manifest.floor_time,
            above.make_nodes_of(Node) if above is not None else None,
        )

    def find(self, name: str) -> int | None:
        """Return the id of a node, or None; the name was checked."""
        quick = self.quick
        if quick is not None and type(name) is str:
            found: int | None = quick.find(name)
            if found is not UNSURE:
                return found
        return find_name(self.layers, name, self.sequence)

    def look_up(self, name: str) -> int | None:
        """Return the id of a node, or None; InvalidArgumentError for what can be no name."""
        return self.find(check_name(name))

    def look_up_all(self, names: list[str]) -> IdArray:
        """Return the id of each name, ABSENT where there is no node."""
        ids = np.empty(len(names), np.int64)
        if self.quick is not None:
            self.quick.find_many(names, ids, self.look_up)
            return ids
        for place, name in enumerate(names):
            found = self.look_up(name)
            ids[place] = ABSENT if found is None else found
        return ids

    def neighbors(
        self, node_id: int, directions: tuple[Direction, ...], types: TypeCodes
    ) -> IdArray:
        """Return the neighbor of each edge; in both directions, a self loop counts once."""
        found = [self._quick_neighbors(node_id, towards, types) for towards in directions]
        outgoing, incoming = found[0], found[-1]
        if outgoing is not None and incoming is not None:
            if len(found) == 1:
                return outgoing
            return np.concatenate((outgoing, incoming[incoming != node_id]))
        return np.array(
            neighbor_list(self.layers, node_id, directions, types, self.sequence), np.int64
        )

    def _quick_neighbors(
        self, node_id: int, direction: Direction, types: TypeCodes
    ) -> IdArray | None:
        """Return the neighbors in one direction; None where the careful way must look."""
        if self.quick is None or node_id < 0:
            return None
        found = self.quick.neighbors(node_id, direction, types)
        if found is UNSURE:
            check_list(self.layers, node_id, direction)
            found = self.quick.neighbors(node_id, direction, types)
        ids: IdArray | None = None if found is UNSURE else found
        return ids

    def degree(self, node_id: int, directions: tuple[Direction, ...], types: TypeCodes) -> int:
        """Return the length of `neighbors`."""
        if len(directions) > 1:
            # Which edges are loops is told by their ends.
            return len(self.neighbors(node_id, directions, types))
        if self.quick is not None and node_id >= 0:
            found = self.quick.degree(node_id, directions[0], types)
            if found is not UNSURE:
                count: int = found
                return count
        return degree(self.layers, node_id, directions, types, self.sequence)

    def k_hop(
        self, start: int, hops: int, directions: tuple[Direction, ...], types: TypeCodes
    ) -> list[IdArray]:
        """Return, per hop, the ids first reached by it, ascending."""
        if self.quick is not None:
            found = self.quick.k_hop(start, hops, directions, types, self._ends(types))
            if found is not UNSURE:
                reached: list[IdArray] = found
                return reached
        return [
            np.array(ids, np.int64)
            for ids in k_hop(self.layers, start, hops, directions, types, self.sequence)
        ]

    def _ends(self, types: TypeCodes) -> Callable[[int, int], list[int]]:
        """Return what tells the neighbors of a node in one direction, the careful way."""

        def ends(node_id: int, direction: int) -> list[int]:
            towards = (Direction(direction),)
            return neighbor_list(self.layers, node_id, towards, types, self.sequence)

        return ends

    def require(self, name: str) -> int:
        """Return the id of a node; NodeNotFoundError if there is none."""
        node_id = self.look_up(name)
        if node_id is None:
            raise NodeNotFoundError(name)
        return node_id

    def node(self, name: str) -> Node | None:
        """Return the node of that name, or None; the name was checked."""
        node_id = self.find(name)
        return self.node_by_id(node_id, name) if node_id is not None else None

    def node_by_id(self, node_id: int, name: str) -> Node:
        if self.quick is not None and type(name) is str:
            found = self.quick.node_by_id(node_id, name)
            if found is not UNSURE:
                node: Node = found
                return node
        state = fold_node(self.layers, node_id, self.sequence)
        if state is None:
            raise CorruptionError(f"the name {name!r} leads to id {node_id}, which is not there")
        return self.node_of(state, name)

    def node_of(self, state: NodeState, name: str) -> Node:
        type_name = "" if state.type_code is None else self.type_name(state.type_code)
        return Node(
            state.node_id,
            name,
            type_name,
            state.observations,
            state.properties,
            state.created_at,
            state.updated_at,
            state.born,
        )

    def live_name(self, node_id: int) -> str:
        """Return the name of a live node; NodeNotFoundError if the id is dead or was never used."""
        if not is_live(self.layers, node_id, self.sequence):
            raise NodeNotFoundError(node_id)
        return name_of(self.layers, node_id)

    def live_names(self, ids: list[Any]) -> list[str]:
        """Return the names of live nodes, as `live_name`; ids are whatever the caller has."""

        def careful(node_id: Any) -> str:
            return self.live_name(known_id(node_id))

        if self.quick is not None:
            return self.quick.names_of(ids, True, careful)
        return [careful(node_id) for node_id in ids]

    def names_of(self, ids: list[int]) -> list[str]:
        """Return the names of nodes that are the ends of edges."""

        def careful(node_id: int) -> str:
            return name_of(self.layers, node_id)

        if self.quick is not None:
            return self.quick.names_of(ids, False, careful)
        return [careful(node_id) for node_id in ids]

    def edge(self, source: str, type_name: str, target: str, key: str) -> Edge | None:
        """Return one edge, or None; the texts were checked."""
        source_id, target_id = self.find(source), self.find(target)
        code = self.type_code(type_name)
        if source_id is None or target_id is None or code is None:
            return None
        if quick is not None and self.quick is not None:
            found = quick.find_edge(
                self.quick, Edge, source_id, source, code, target_id, target, key
            )
            if found is not UNSURE:
                edge: Edge | None = found
                return edge
        state = find_edge(self.layers, source_id, (code, target_id, key), self.sequence)
        return self.edge_of(state, {source_id: source, target_id: target}) if state else None

    def edges_at(
        self,
        node_id: int,
        name: str,
        directions: tuple[Direction, ...],
        types: TypeCodes,
        valid_at: int | None,
    ) -> Iterator[Edge]:
        """Yield the node's edges: out, then in, each once; a self loop is out."""
        scan = self._edge_scan()
        for direction in directions:
            if direction == Direction.OUT:
                yield from scan.leaving([node_id], [name], types, valid_at)
            else:
                yield from scan.entering(node_id, name, len(directions) == 1, types, valid_at)

    def all_edges(self, types: TypeCodes, valid_at: int | None) -> Iterator[Edge]:
        """Yield every edge once, by source id, then type code, target id and key."""
        scan, sources, count = self._edge_scan(), source_ids(self.layers), _SOURCES_FIRST
        while page := list(islice(sources, count)):
            yield from scan.leaving(page, None, types, valid_at)
            count = min(4 * count, _SOURCES_MAX)

    def edges_by_name(self, names: Iterator[str]) -> Iterator[Edge]:
        """Yield the edges that leave the nodes of these names, in their order."""
        scan, count = self._edge_scan(), _SOURCES_FIRST
        while page := list(islice(names, count)):
            ids = self.look_up_all(page)
            live = np.flatnonzero(ids >= 0).tolist()
            yield from scan.leaving(ids[live].tolist(), [page[place] for place in live], None, None)
            count = min(4 * count, _SOURCES_MAX)

    def _edge_scan(self) -> EdgeScan:
        return EdgeScan(self.layers, self.sequence, self.quick, self.edge_of)

    def nodes_in_order(
        self, prefix: str, type_name: str | None, after: str | None
    ) -> Iterator[Node]:
        """Yield the live nodes whose names start with `prefix`, behind `after`, in name order."""
        names = self.names_in_order(prefix, after)
        if self.quick is None:
            found: Iterator[Node] = filter(None, map(self.node, names))
        else:
            scan = NodeScan(self.layers, self.quick, self.look_up_all, self.node_by_id)
            found = scan.nodes(names)
        for node in found:
            if type_name is None or node.type == type_name:
                yield node

    def names_in_order(self, prefix: str, after: str | None) -> Iterator[str]:
        """Yield the names that start with `prefix`, behind `after`, those of dead nodes too."""
        behind = after is not None and after >= prefix
        start = after if behind and after is not None else prefix
        return takewhile(
            lambda name: name.startswith(prefix), scan_names(self.layers, start, after=behind)
        )

    def codes(self, types: object) -> TypeCodes:
        """Return the codes of one or several types; None for all; unknown ones select nothing."""
        if types is None:
            return None
        if isinstance(types, str):
            types = (types,)
        elif isinstance(types, bytes) or not isinstance(types, Iterable):
            raise InvalidArgumentError(
                f"types={types!r:.60}: use None, a str, or an iterable of str"
            )
        codes = (self.type_code(check_text(name, "each of types")) for name in types)
        return frozenset(code for code in codes if code is not None)

    def edge_of(self, state: EdgeState, names: dict[int, str]) -> Edge:
        """Return an edge; names that are missing in `names` are looked up and added."""
        for node_id in (state.source, state.target):
            if node_id not in names:
                names[node_id] = self.names_of([node_id])[0]
        return Edge(
            names[state.source],
            self.type_name(state.type_code),
            names[state.target],
            state.key,
            source_id=state.source,
            target_id=state.target,
            created_at=state.created_at,
            valid_from=state.valid_from,
            valid_to=state.valid_to,
            properties=state.properties,
            born=state.born,
        )


def parse_direction(direction: object) -> tuple[Direction, ...]:
    """Return the directions that the word stands for."""
    found = DIRECTIONS.get(direction) if isinstance(direction, str) else None
    if found is None:
        raise InvalidArgumentError(f"direction={direction!r}: use 'out', 'in' or 'both'")
    return found


def parse_count(value: Any, name: str) -> int | None:
    """Return a count from 0 up, or None; bool is no count."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < COUNT_END:
        raise InvalidArgumentError(f"{name}={value!r}: use None or an int from 0 up")
    return value


def parse_id(node_id: Any) -> int:
    """Return a node id; one outside the range of ids is as unknown as any other: -1."""
    try:
        number = node_id.__index__()
    except (AttributeError, TypeError):
        raise InvalidArgumentError(
            f"a node id is an int, not {type(node_id).__name__}; names go to node_id(name)"
        ) from None
    if isinstance(node_id, bool):
        raise InvalidArgumentError("a node id is an int, not a bool")
    return number if 0 <= number < ID_END else -1


def known_id(node_id: Any) -> int:
    """Return a node id; NodeNotFoundError for one outside the range of ids."""
    number = parse_id(node_id)
    if number < 0:
        raise NodeNotFoundError(operator.index(node_id))
    return number
