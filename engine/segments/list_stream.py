"""The lists of a slice in one direction, put into tables by the kernel.

What the kernel does not do is done here, one node at a time, by what makes the slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.version_record import EDGE_VERSIONS
from lithograph.segments.built_edges import BuiltEdges
from lithograph.segments.built_table import BuiltTable
from lithograph.segments.slice import IncomingEdge, Mark, SliceEdge

if TYPE_CHECKING:
    from lithograph.kernel._tables import ListMerge

Entry = TypeVar("Entry")


class Sighting(NamedTuple):
    """Where an edge stands: at which place of the list of which source, and its mark there.

    record : of its end state, with sequences as they are; None if it must be looked up.
    """

    rank: int
    place: int
    mark: int
    record: bytes | None


class LooseEdge(NamedTuple):
    """An edge of which the kernel does not know what becomes of it."""

    adjacent: AdjacentEdge
    sightings: list[Sighting]


class HandedBack(NamedTuple, Generic[Entry]):
    """Edges of an id that the kernel does not put all by itself, merged, ascending.

    is_whole : they are all edges of the id, and to be put; else the kernel puts what is left of
        them, and only their history is to be kept.
    """

    node_id: int
    edges: list[Entry]
    is_whole: bool


class Sources(Protocol[Entry]):
    """What a merge in the kernel is made of, in plain Python."""

    def answer(self, rank: int) -> None:
        """Do what a source asks for."""

    def careful(self, node_id: int, ranks: Sequence[int]) -> list[Entry]:
        """Return all edges of an id, merged; `ranks` are those of the sources that have it."""

    def settle(self, node_id: int, ranks: Sequence[int], loose: Sequence[LooseEdge]) -> list[Entry]:
        """Return these edges of an id, merged, as far as anything is left of them."""

    def state(self, edge: Entry) -> tuple[AdjacentEdge, Mark, bytes]:
        """Return an edge, its mark, and the record of its end state; b"" if it is GONE."""

    def disorder(self, rank: int) -> Exception:
        """Return the error about a source whose ids do not ascend, or leave the slice."""


def state_of_edge(edge: SliceEdge, first_sequence: int) -> tuple[AdjacentEdge, Mark, bytes]:
    """Return what `Sources.state` returns of an edge that leaves a node."""
    record = bytearray()
    if edge.mark != Mark.GONE:
        assert edge.version is not None
        EDGE_VERSIONS.append(record, edge.version, first_sequence)
    return edge.adjacent, edge.mark, bytes(record)


def state_of_incoming(edge: IncomingEdge) -> tuple[AdjacentEdge, Mark, bytes]:
    """Return what `Sources.state` returns of an edge that enters a node."""
    adjacent, mark, _ = edge
    return adjacent, mark, b"" if mark == Mark.GONE else _ANY_RECORD


_ANY_RECORD = b"\3\0"
"""Of edges that enter nodes, end states are not looked at."""


class ListStream(Generic[Entry]):
    """Lists on their way from their sources into tables, in the order of the ids.

    first_sequence : of the merged slice.
    inline_size_max : bytes of a record that the kernel itself can put.
    """

    def __init__(
        self,
        merge: ListMerge,
        sources: Sources[Entry],
        first_sequence: int,
        inline_size_max: int,
    ) -> None:
        self._merge = merge
        self._sources = sources
        self._first_sequence = first_sequence
        self._inline_size_max = inline_size_max

    @property
    def superseding_count(self) -> int:
        """Of the edges that the kernel has put, those that are dead or changed."""
        return self._merge.superseding_count

    def step(
        self, table: BuiltTable, edges: BuiltEdges | None, end_id: int, work_max: int
    ) -> HandedBack[Entry] | bool:
        """Put lists of ids below `end_id` into a table, about `work_max` edges.

        edges : takes the end states of edges that leave the ids.

        Returns
        -------
        What the caller must do before the next step; else whether there is more below `end_id`.

        Raises
        ------
        CorruptionError
        """
        versions = edges.builder if edges is not None else None
        while True:
            outcome = self._merge.step(table.builder, versions, end_id, work_max)
            if outcome[0] == "asked":
                self._sources.answer(outcome[1])
                continue
            table.drain()
            if edges is not None:
                edges.drain()
            if outcome[0] == "loose":
                return self._settle(*outcome[1:])
            if outcome[0] == "careful":
                return self._take_whole(*outcome[1:])
            if outcome[0] == "disordered":
                raise self._sources.disorder(outcome[1])
            return bool(outcome[0] == "paused")

    def finish(self) -> None:
        """Raise CorruptionError unless all ids were below the last `end_id`."""
        rank = self._merge.unfinished()
        if rank >= 0:
            raise self._sources.disorder(rank)

    def _settle(
        self,
        node_id: int,
        ranks: Sequence[int],
        found: list[tuple[int, int, bytes, list[tuple[int, int, int, bytes | None]]]],
    ) -> HandedBack[Entry]:
        """Tell the kernel what is left of loose edges; return them."""
        loose = [
            LooseEdge((code, neighbor, str(key, "utf-8")), [Sighting(*place) for place in places])
            for code, neighbor, key, places in found
        ]
        edges = self._sources.settle(node_id, ranks, loose)
        left = {}
        for edge in edges:
            adjacent, mark, record = self._sources.state(edge)
            if len(record) > self._inline_size_max:
                return self._take_whole(node_id, ranks)
            if mark != Mark.GONE:
                left[adjacent] = (int(mark), record)
        self._merge.settle([left.get(edge.adjacent) for edge in loose], self._first_sequence)
        return HandedBack(node_id, edges, False)

    def _take_whole(self, node_id: int, ranks: Sequence[int]) -> HandedBack[Entry]:
        edges = self._sources.careful(node_id, ranks)
        self._merge.put_carefully()
        return HandedBack(node_id, edges, True)
