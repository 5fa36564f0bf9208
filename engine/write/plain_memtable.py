"""The memtable in plain Python: dictionaries of entries with lists of versions.

Invariants
1. The versions of a name, a node and an edge ascend by sequence.
2. An edge's entry is the same object in the out-list of its source and the in-list of its target.
3. Lists and dictionaries only grow: a reader that holds a length holds a prefix.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    AdjacentEdge,
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    UpdateEdge,
    UpdateNode,
)
from lithograph.ids import ABSENT
from lithograph.segments.layer import NO_EDGE, Change, Direction
from lithograph.segments.version import EdgeVersion, NodeVersion, visible, visible_down_to_full
from lithograph.write.commit import Commit
from lithograph.write.commit_table import CommitTable
from lithograph.write.folded_node import FOLD_FROM, folded_node
from lithograph.write.memtable import Beginning, EdgeVersions, Memtable
from lithograph.write.memtable_entries import AdjacencyList, EdgeEntry, NodeEntry
from lithograph.write.name_order import NameOrder

_NODE_BYTES = 450
_EDGE_BYTES = 850
_VERSION_BYTES = 250
_TEXT_BYTES = 60
"""What an entry, a version and a text take besides what the user gave, as `tracemalloc` sees it."""


def _node_patch_bytes(patch: NodePatch | None) -> int:
    """Return about how much memory a change of a node takes."""
    if patch is None:
        return 0
    size = len(patch.properties or b"") + len(patch.properties_set or b"")
    for texts in (patch.observations, patch.removed, patch.appended, patch.properties_unset):
        if texts:
            size += sum(map(len, texts)) + _TEXT_BYTES * len(texts)
    return size


def _sequence(version: NodeVersion) -> int:
    return version.sequence


class PlainMemtable(Memtable):
    """Implements `Memtable`."""

    commits: CommitTable

    def _begin(self, behind: Beginning) -> None:
        self.commits = CommitTable(*behind)
        self._version_count = 0
        self._size_bytes = 0
        self._names: dict[str, list[tuple[int, int]]] = {}
        self._order = NameOrder()
        self._nodes: dict[int, NodeEntry] = {}
        self._adjacency: tuple[dict[int, AdjacencyList], dict[int, AdjacencyList]] = ({}, {})
        self._sources: list[int] = []

    @property
    def version_count(self) -> int:
        return self._version_count

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    # Reading -----------------------------------------------------------------------------------

    def find_name(self, name: str, sequence: int) -> int | None:
        for version_sequence, node_id in reversed(self._names.get(name, ())):
            if version_sequence <= sequence:
                return node_id
        return None

    def name_of(self, node_id: int) -> str | None:
        entry = self._nodes.get(node_id)
        return entry.name if entry is not None else None

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        entry = self._nodes.get(node_id)
        if entry is None:
            return []
        found = visible_down_to_full(entry.versions, sequence)
        if len(found) > FOLD_FROM and found[-1].change is not None and found[-1].full:
            found = [self._fold(entry.versions, found)]
        return found

    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        edges = self._adjacency[direction].get(node_id)
        if edges is None:
            return []
        found = []
        for adjacent, entry in edges.ordered():
            versions = entry.versions
            # Most edges have one version, which the view sees.
            if len(versions) == 1 and versions[0].sequence <= sequence:
                found.append((adjacent, versions[0].change is not None))
            elif (newest := visible(versions, sequence)) is not None:
                found.append((adjacent, newest.change is not None))
        return found

    def out_edges(
        self, node_id: int, sequence: int
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        edges = self._adjacency[Direction.OUT].get(node_id)
        if edges is None:
            return []
        folded = (
            (adjacent, visible_down_to_full(entry.versions, sequence))
            for adjacent, entry in edges.ordered()
        )
        return [(adjacent, versions) for adjacent, versions in folded if versions]

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]:
        edges = self._adjacency[Direction.OUT].get(source)
        entry = edges.entries.get(adjacent) if edges is not None else None
        return visible_down_to_full(entry.versions, sequence) if entry is not None else []

    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None:
        edges = self._adjacency[direction].get(node_id)
        if edges is None:
            return 0
        count = 0
        for entry in list(edges.entries.values()):
            versions = entry.versions
            newest = visible(versions, sequence)
            if newest is None:
                continue
            if not versions[0].full:
                return None
            count += newest.change is not None
        return count

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        return self._order.page(start, after, count)

    def sources(self, start: int, count: int) -> Sequence[int]:
        sources = self._adjacency[Direction.OUT]
        if len(sources) != len(self._sources):
            self._sources = sorted(list(sources))
        low = bisect_left(self._sources, start)
        return self._sources[low : low + count]

    # The past ----------------------------------------------------------------------------------

    def versions_of_name(self, name: str) -> list[tuple[int, int]]:
        return self._names.get(name, [])[::-1]

    def all_node_versions(self, node_id: int) -> list[NodeVersion]:
        entry = self._nodes.get(node_id)
        return list(entry.versions) if entry is not None else []

    def changes(self, first: int, last: int) -> Iterator[Change]:
        # Lists, because a writer may add to the dictionaries meanwhile.
        for node_id, node in list(self._nodes.items()):
            for version in node.versions:
                if first <= version.sequence <= last:
                    yield Change(version.sequence, False, node_id, NO_EDGE)
        for source, edges in list(self._adjacency[Direction.OUT].items()):
            for adjacent, edge in list(edges.entries.items()):
                for change in edge.versions:
                    if first <= change.sequence <= last:
                        yield Change(change.sequence, True, source, adjacent)

    def all_names(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        # For valid Unicode the order of `str` is that of the UTF-8 bytes.
        for name in sorted(self._names):
            yield name, self._names[name][::-1]

    def all_nodes(self) -> Iterator[tuple[int, str | None, list[NodeVersion]]]:
        for node_id in sorted(self._nodes):
            entry = self._nodes[node_id]
            yield node_id, entry.name, entry.versions

    def all_lists(self, direction: Direction) -> Iterator[tuple[int, list[EdgeVersions]]]:
        lists = self._adjacency[direction]
        for node_id in sorted(lists):
            yield (
                node_id,
                [(adjacent, entry.versions) for adjacent, entry in lists[node_id].ordered()],
            )

    # Writing -----------------------------------------------------------------------------------

    def apply(self, commit: Commit) -> None:
        sequence, time = commit.sequence, commit.time
        nodes_added = edges_added = 0
        next_id = self.commits.next_id
        for operation in commit.operations():
            match operation:
                case InsertEdge(source, target, type_code, key, patch):
                    edges_added += 1
                    self._change_edge(
                        source, (type_code, target, key), sequence, time, patch, full=True
                    )
                case InsertNode(node_id, name, node_patch):
                    nodes_added += 1
                    next_id = max(next_id, node_id + 1)
                    self._insert_node(node_id, name, sequence, time, node_patch)
                case UpdateNode(node_id, node_patch):
                    entry = self._node_entry(node_id, None)
                    self._push_node(entry, NodeVersion(sequence, time, node_patch, False))
                case UpdateEdge(source, target, type_code, key, patch):
                    self._change_edge(
                        source, (type_code, target, key), sequence, time, patch, full=False
                    )
                case DeleteEdge(source, target, type_code, key):
                    edges_added -= 1
                    self._change_edge(
                        source, (type_code, target, key), sequence, time, None, full=False
                    )
                case DeleteNode(node_id, name):
                    nodes_added -= 1
                    edges_added -= self._delete_node(operation, sequence, time)
                case DefineType(code, name):
                    self.types.define(code, name)
        self.commits.append(
            sequence,
            time,
            nodes_added=nodes_added,
            edges_added=edges_added,
            next_id=next_id,
            type_count=len(self.types),
        )

    def _insert_node(
        self, node_id: int, name: str, sequence: int, time: int, patch: NodePatch
    ) -> None:
        entry = self._node_entry(node_id, name)
        self._push_node(entry, NodeVersion(sequence, time, patch, True, time, sequence))
        self._push_name(name, sequence, node_id)

    def _delete_node(self, operation: DeleteNode, sequence: int, time: int) -> int:
        """Bury the node and its edges; return how many edges there were."""
        node_id, name, outgoing, incoming = operation
        loops = 0
        for adjacent in outgoing:
            self._change_edge(node_id, adjacent, sequence, time, None, full=False)
            loops += adjacent[1] == node_id
        for type_code, source, key in incoming:
            self._change_edge(source, (type_code, node_id, key), sequence, time, None, full=False)
        entry = self._node_entry(node_id, name)
        self._push_node(entry, NodeVersion(sequence, time, None, False))
        self._push_name(name, sequence, ABSENT)
        return len(outgoing) + len(incoming) - loops

    def _node_entry(self, node_id: int, name: str | None) -> NodeEntry:
        entry = self._nodes.get(node_id)
        if entry is None:
            entry = self._nodes[node_id] = NodeEntry(name)
            self._size_bytes += _NODE_BYTES
        return entry

    def _push_node(self, entry: NodeEntry, version: NodeVersion) -> None:
        versions = entry.versions
        if not versions or versions[-1].sequence < version.sequence:
            versions.append(version)
            self._version_count += 1
            self._size_bytes += _VERSION_BYTES + _node_patch_bytes(version.change)

    def _push_name(self, name: str, sequence: int, node_id: int) -> None:
        versions = self._names.get(name)
        if versions is None:
            # The order first: interrupted between the two, a name is listed twice, never lost.
            self._order.add(name)
            self._names[name] = [(sequence, node_id)]
        elif versions[-1][0] < sequence or (versions[-1] == (sequence, ABSENT) and node_id >= 0):
            # The second case: one commit deletes a node and makes another of the same name.
            versions.append((sequence, node_id))

    def _change_edge(
        self,
        source: int,
        adjacent: AdjacentEdge,
        sequence: int,
        time: int,
        patch: EdgePatch | None,
        *,
        full: bool,
    ) -> None:
        entry = self._edge_entry(source, adjacent)
        versions = entry.versions
        born, born_sequence = time, sequence
        if versions:
            newest = versions[-1]
            if newest.sequence >= sequence:
                return
            if patch is not None and not full and newest.change is not None and newest.full:
                # Edges are small: a change of a known edge is kept whole, so no reader folds.
                patch, full = newest.change.then(patch), True
                born, born_sequence = newest.born, newest.born_sequence
        versions.append(EdgeVersion(sequence, time, patch, full, born, born_sequence))
        self._version_count += 1
        properties = patch.properties if patch is not None else None
        self._size_bytes += _VERSION_BYTES + len(properties or b"")

    def _edge_entry(self, source: int, adjacent: AdjacentEdge) -> EdgeEntry:
        type_code, target, key = adjacent
        out = self._list(Direction.OUT, source)
        entry = out.entries.get(adjacent)
        if entry is None:
            entry = EdgeEntry(source, target, type_code, key)
            self._size_bytes += _EDGE_BYTES + len(key)
            # The in-list first: were this interrupted between the two, the edge would be found
            # missing in the out-list and both would be set again.
            self._list(Direction.IN, target).entries[(type_code, source, key)] = entry
            out.entries[adjacent] = entry
        return entry

    def _list(self, direction: Direction, node_id: int) -> AdjacencyList:
        lists = self._adjacency[direction]
        found = lists.get(node_id)
        if found is None:
            found = lists[node_id] = AdjacencyList()
        return found

    @staticmethod
    def _fold(versions: list[NodeVersion], found: list[NodeVersion]) -> NodeVersion:
        """Replace the newest of `found` by the full version it amounts to, and return that."""
        folded = folded_node(found)
        # Storing an equal version in place is safe beside readers and the writer, who only appends.
        versions[bisect_left(versions, folded.sequence, key=_sequence)] = folded
        return folded
