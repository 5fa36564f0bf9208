"""A range of a frozen memtable's commits, on its way into a segment and a run."""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY
from lithograph.segments.folding import fold_edge_versions, fold_node_versions
from lithograph.segments.layer import Direction
from lithograph.segments.slice import IncomingEdge, Mark, NodeItem, SliceEdge, merged_mark
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.write.memtable import EdgeVersions, Memtable


class MemtableSlice:
    """Implements `segments.slice.Slice` over a memtable that takes no commits any more."""

    def __init__(self, memtable: Memtable, first_sequence: int, last_sequence: int) -> None:
        commits = memtable.commits
        assert commits.first_sequence <= first_sequence <= last_sequence <= commits.last_sequence
        self.first_sequence = first_sequence
        self.last_sequence = last_sequence
        self.first_id = commits.next_id_at(first_sequence - 1)
        self.end_id = commits.next_id_at(last_sequence)
        self._memtable = memtable

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        table = self._memtable.commits
        for sequence in range(self.first_sequence, self.last_sequence + 1):
            yield (
                sequence,
                table.time(sequence),
                table.node_count(sequence),
                table.edge_count(sequence),
            )

    def names(self) -> Iterator[tuple[int, str]]:
        for node_id, name, _ in self._memtable.all_nodes():
            if name is not None and self.first_id <= node_id < self.end_id:
                yield node_id, name

    def nodes(self) -> Iterator[NodeItem]:
        for node_id, _, versions in self._memtable.all_nodes():
            item = self._node(node_id, versions)
            if item is not None:
                yield item

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        for source, edges in self._memtable.all_lists(Direction.OUT):
            found = self._outgoing(source, edges)
            if found:
                yield source, found

    def incoming(self) -> Iterator[tuple[int, list[IncomingEdge]]]:
        for target, edges in self._memtable.all_lists(Direction.IN):
            found = self._incoming(target, edges)
            if found:
                yield target, found

    def _node(self, node_id: int, versions: list[NodeVersion]) -> NodeItem | None:
        """Return what the range says of a node; None if nothing."""
        raw = [
            self._local_node(version)
            for version in versions
            if self.first_sequence <= version.sequence <= self.last_sequence
        ]
        return (node_id, *fold_node_versions(raw)) if raw else None

    def _outgoing(self, source: int, edges: list[EdgeVersions]) -> list[SliceEdge]:
        return [
            self._edge(source, adjacent, raw)
            for adjacent, versions in edges
            if (raw := self._raw(versions))
        ]

    def _incoming(self, target: int, edges: list[EdgeVersions]) -> list[IncomingEdge]:
        found = []
        for adjacent, versions in edges:
            raw = self._raw(versions)
            if raw:
                mark = self._mark(max(target, adjacent[1]), raw)
                found.append((adjacent, mark, len(raw) > 1 or mark == Mark.GONE))
        return found

    def _raw(self, versions: list[EdgeVersion]) -> list[EdgeVersion]:
        """Return an edge's versions in the range, oldest first."""
        if len(versions) == 1 and self.first_sequence <= versions[0].sequence <= self.last_sequence:
            return [self._local_edge(versions[0])]
        return [
            self._local_edge(version)
            for version in versions
            if self.first_sequence <= version.sequence <= self.last_sequence
        ]

    def _mark(self, youngest: int, raw: list[EdgeVersion]) -> Mark:
        return merged_mark(
            older_may_hold=not raw[0].full,
            alive=raw[-1].change is not None,
            born_here=youngest >= self.first_id,
        )

    def _edge(self, source: int, adjacent: AdjacentEdge, raw: list[EdgeVersion]) -> SliceEdge:
        mark = self._mark(max(source, adjacent[1]), raw)
        if mark == Mark.GONE:
            return SliceEdge(adjacent, mark, None, raw)
        return SliceEdge(adjacent, mark, *fold_edge_versions(raw))

    # The memtable folds changes of what it holds into full versions. One whose node or edge was
    # made before the range is relative to the older slice: it says anew what it may have changed.

    def _local_node(self, version: NodeVersion) -> NodeVersion:
        if not version.full or version.born_sequence >= self.first_sequence:
            return version
        assert version.change is not None
        patch = version.change.with_defaults()
        return NodeVersion(version.sequence, version.time, NodePatch(*patch), False)

    def _local_edge(self, version: EdgeVersion) -> EdgeVersion:
        patch = version.change
        if not version.full or version.born_sequence >= self.first_sequence or patch is None:
            return version
        patch = EdgePatch(
            NO_MOMENT if patch.created_at is None else patch.created_at,
            NO_MOMENT if patch.valid_from is None else patch.valid_from,
            NO_MOMENT if patch.valid_to is None else patch.valid_to,
            EMPTY if patch.properties is None else patch.properties,
        )
        return EdgeVersion(version.sequence, version.time, patch, False)
