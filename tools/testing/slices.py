"""A slice of history given as raw versions, for tests of segments and histories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.folding import fold_edge_versions, fold_node_versions
from lithograph.segments.slice import Mark, SliceEdge, merged_mark
from lithograph.segments.version import EdgeVersion, NodeVersion


@dataclass
class RawSlice:
    """Implements `segments.slice.Slice`.

    times, node_counts, edge_counts : per commit, from `first_sequence` on.
    raw_names, raw_nodes : by id.   raw_edges : by (source, edge as its source sees it). Versions
    are the oldest first.
    """

    first_sequence: int
    first_id: int
    end_id: int
    times: Sequence[int]
    node_counts: Sequence[int]
    edge_counts: Sequence[int]
    raw_names: dict[int, str] = field(default_factory=dict)
    raw_nodes: dict[int, list[NodeVersion]] = field(default_factory=dict)
    raw_edges: dict[tuple[int, AdjacentEdge], list[EdgeVersion]] = field(default_factory=dict)

    @property
    def last_sequence(self) -> int:
        return self.first_sequence + len(self.times) - 1

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        for index, time in enumerate(self.times):
            yield (
                self.first_sequence + index,
                time,
                self.node_counts[index],
                self.edge_counts[index],
            )

    def names(self) -> Iterator[tuple[int, str]]:
        yield from sorted(self.raw_names.items())

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        for node_id, raw in sorted(self.raw_nodes.items()):
            yield (node_id, *fold_node_versions(raw))

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        lists: dict[int, list[SliceEdge]] = {}
        for (source, adjacent), raw in sorted(self.raw_edges.items()):
            mark = self.mark(source, adjacent)
            end, history = fold_edge_versions(raw)
            found = (None, raw) if mark == Mark.GONE else (end, history)
            lists.setdefault(source, []).append(SliceEdge(adjacent, mark, *found))
        yield from lists.items()

    def incoming(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, bool]]]]:
        lists: dict[int, list[tuple[AdjacentEdge, Mark, bool]]] = {}
        for (source, adjacent), raw in self.raw_edges.items():
            code, target, key = adjacent
            mark = self.mark(source, adjacent)
            entry = ((code, source, key), mark, len(raw) > 1 or mark == Mark.GONE)
            lists.setdefault(target, []).append(entry)
        for target, entries in sorted(lists.items()):
            yield target, sorted(entries)

    def mark(self, source: int, adjacent: AdjacentEdge) -> Mark:
        """Return what the slice leaves of an edge."""
        raw = self.raw_edges[source, adjacent]
        return merged_mark(
            older_may_hold=not raw[0].full,
            alive=raw[-1].change is not None,
            born_here=max(source, adjacent[1]) >= self.first_id,
        )
