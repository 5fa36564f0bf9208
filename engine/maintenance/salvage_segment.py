"""What is left of one segment and its history.

Every edge stands in the list of its source and in that of its target. Where a list of the source is
lost, the lists of the targets say which edges were in it; in their order these have its positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.maintenance.salvage_edges import EndStates
from lithograph.maintenance.salvage_finding import Findings
from lithograph.maintenance.salvage_lists import Listed, decoded, placed
from lithograph.maintenance.salvage_span import SalvageSpan
from lithograph.maintenance.salvage_tables import LostBlock, SalvageTable
from lithograph.maintenance.salvage_version import SalvagedVersion, Step, edge_step, node_step
from lithograph.segments.adjacency_reader import AdjacencyReader
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.segment_reader import (
    SegmentReader,
    decode_name,
    decode_node_version,
    decode_node_versions,
)
from lithograph.segments.stored_slice import zipped
from lithograph.segments.version import EdgeVersion, NodeVersion

_OLDER_MAX: Final = 2**20
"""Ids that one lost block of changes is looked up for, one by one."""

_Ends = list[tuple[AdjacentEdge, Mark, EdgeVersion | None]]
_Past = list[tuple[AdjacentEdge, list[EdgeVersion]]]


class SalvageSegment:
    """Reads a segment and its history, if it has one.

    first_time : µs since 1970 UTC, of its first commit, as far as is known.

    Attributes
    ----------
    nameless : ids that are without their names; `survey` finds them.
    changed : older ids of which a change may be lost here; likewise.
    """

    def __init__(
        self,
        segment: SegmentReader,
        history: HistoryReader | None,
        first_time: int,
        findings: Findings,
    ) -> None:
        self.segment = segment
        self.nameless: list[range] = []
        self.changed: set[int] = set()
        self._history = history
        self._findings = findings
        self._clock = SalvageSpan(segment, first_time, findings)
        segment.span = self._clock.span
        self._end_states = EndStates(segment.edge_table, self._clock, segment.shape.positions)

    # Names and nodes ---------------------------------------------------------------------------

    def survey(self) -> None:
        """Find out which ids are without their names, and of which a change may be lost.

        Cost: a checksum of every block; more only where one is wrong.
        """
        segment = self.segment
        if next(segment.file.check_blocks(), None) is None:
            return
        names = SalvageTable(segment.names, "names", self._findings)
        for _ in names.records(decode_name):
            pass
        self.nameless = [lost.ids for lost in names.lost]
        ignored = Findings()
        sparse = SalvageTable(segment.sparse_nodes, "", ignored)
        for _ in sparse.records(bytes):
            pass
        for lost in sparse.lost:
            end = min(lost.ids.stop, segment.footer.first_id)
            ids = range(lost.ids.start, end)[:_OLDER_MAX]
            self.changed.update(filter(sparse.may_hold, ids))

    def name_of(self, node_id: int) -> str | None:
        """Return the name of a node born here; None if it is lost, or for all others."""
        try:
            return self.segment.name_of(node_id)
        except CorruptionError:
            return None

    def names_from(self, node_id: int) -> dict[int, str]:
        """Return the names of a node born here and of those behind it in its block; nothing where
        any of them is lost."""
        table = self.segment.names
        found: dict[int, str] = {}
        try:
            at = table.find(node_id)
            if at is not None:
                block, first = at
                for place in range(first, len(block.ids)):
                    if block.heads.size(place):
                        name = table.record(block, place).decode(decode_name)
                        found[block.ids[place]] = name
        except CorruptionError:
            return {}
        return found

    def nodes(self) -> Iterator[SalvagedVersion]:
        """Yield what is left of the versions of nodes, by id, those of each oldest first."""
        ends, old = self._node_ends(), self._node_past()
        for node_id, end, history in zipped(ends, old):
            versions = history or []
            if end is not None and not (versions and versions[-1].sequence == end.sequence):
                versions = [*versions, end]
            if versions and versions[0].full and versions[0].born_sequence < versions[0].sequence:
                yield _birth(node_id, versions[0])
            for version in versions:
                yield node_step(node_id, version)

    def _node_ends(self) -> Iterator[tuple[int, NodeVersion]]:
        segment = self.segment
        span = self._clock.span
        sparse = SalvageTable(segment.sparse_nodes, "changes of older nodes", self._findings)
        dense = SalvageTable(segment.dense_nodes, "nodes", self._findings)
        for table in (sparse, dense):
            self._clock.guessed = False
            for node_id, version in table.records(lambda data: decode_node_version(data, span)):
                yield node_id, self._certain(node_id, version)
        self._findings.nodes += [lost.ids for lost in dense.lost]

    def _node_past(self) -> Iterator[tuple[int, list[NodeVersion]]]:
        if self._history is None:
            return
        span = self._clock.span
        table = SalvageTable(self._history.nodes, "past versions of nodes", self._findings)
        for node_id, versions in table.records(lambda data: decode_node_versions(data, span)):
            self._clock.guessed, guessed = False, self._clock.guessed
            yield node_id, [_timeless(version) for version in versions] if guessed else versions
        self._findings.past |= bool(table.lost)

    def _certain(self, node_id: int, version: NodeVersion) -> NodeVersion:
        """Return a version without times that are lost."""
        if not self._clock.guessed:
            return version
        self._clock.guessed = False
        self._findings.timeless_nodes.add(node_id)
        return _timeless(version)

    # Edges -------------------------------------------------------------------------------------

    def edges(self) -> Iterator[SalvagedVersion]:
        """Yield what is left of the versions of edges, by source; those of lost lists last."""
        lost: list[LostBlock] = []
        for source, listed, old in zipped(self._edge_ends(lost), self._edge_past()):
            yield from self._joined(source, listed or [], old or [])
        if not lost:
            return
        incoming = self._incoming_of(lost)
        for block in lost:
            for source, first, edges in placed(block, self._listed_in(block), incoming):
                if first is None:
                    for adjacent, mark in edges:
                        self._note_lost(source, adjacent, is_older=mark == Mark.CHANGED)
                else:
                    ends = self._with_versions(source, edges, first)
                    yield from self._joined(source, ends, self._past_of(source))

    def _edge_ends(self, lost: list[LostBlock]) -> Iterator[tuple[int, _Ends]]:
        footer = self.segment.footer
        lists = self.segment.lists[Direction.OUT]
        part, end = "edge lists", footer.sparse_edge_count
        tables = [SalvageTable(lists.sparse, part, self._findings, end)]
        if lists.dense is not None:
            tables.append(SalvageTable(lists.dense, part, self._findings, footer.edge_count))
        for table in tables:
            for source, first, listed in self._lists(lists, table):
                yield source, self._with_versions(source, listed, first)
            lost += table.lost

    def _lists(
        self, lists: AdjacencyReader, table: SalvageTable
    ) -> Iterator[tuple[int, int, Listed]]:
        """Yield (source, position of its first edge, its edges) of blocks that can be read."""
        for block in table.blocks():
            first = block.row[-1]
            found, broken = decoded(lists, block)
            if broken:
                # The lists behind it have lost their positions, but for what the targets say.
                table.give_up(block, broken[0][1], len(broken))
                continue
            for source, edges in found.items():
                yield source, first, edges
                first += len(edges)

    def _listed_in(self, lost: LostBlock) -> dict[int, Listed]:
        """Return the lists of a lost block that can be read all the same, by source."""
        if lost.block is None:
            return {}
        return decoded(self.segment.lists[Direction.OUT], lost.block)[0]

    def _with_versions(self, source: int, listed: Listed, first: int) -> _Ends:
        """Return edges with their end states, which begin at a position; None of what is lost."""
        versions: Sequence[EdgeVersion | None] | None = self._end_states.at(first, len(listed))
        if versions is None:
            versions = [self._version_at(first + place) for place in range(len(listed))]
        ends: _Ends = []
        for (adjacent, mark), version in zip(listed, versions, strict=True):
            if version is None and mark == Mark.DEAD:
                version = self._end_of_slice()
            ends.append((adjacent, mark, version))
        return ends

    def _version_at(self, position: int) -> EdgeVersion | None:
        """Return the end state of one edge, None if it is lost, or its times are."""
        self._clock.guessed = False
        try:
            version = next(self.segment.edge_table.versions(position, 1, self._clock.span))
        except CorruptionError as error:
            self._findings.add(error, "edges", 1)
            return None
        if self._clock.guessed:
            self._findings.timeless_edge_count += 1
            return None if _has_times(version.change) else version
        return version

    def _end_of_slice(self) -> EdgeVersion:
        """Return the end of an edge of which only the mark says that it ended: at the latest by the
        last commit."""
        last = self.segment.footer.last_sequence
        time = self._clock.span.time_of(last)
        self._clock.guessed = False
        return EdgeVersion(last, time, None, False)

    def _joined(self, source: int, ends: _Ends, old: _Past) -> Iterator[SalvagedVersion]:
        """Yield the versions of the edges that leave a node, those of each oldest first."""
        past = dict(old)
        for adjacent, mark, end in ends:
            versions = past.pop(adjacent, [])
            if end is None:
                is_older = mark == Mark.CHANGED or any(v.change is not None for v in versions)
                self._note_lost(source, adjacent, is_older=is_older)
            elif not (versions and versions[-1].sequence == end.sequence):
                versions = [*versions, end]
            for version in versions:
                yield edge_step(source, adjacent, version)
        for adjacent, versions in past.items():
            for version in versions:
                yield edge_step(source, adjacent, version)

    def _note_lost(self, source: int, adjacent: AdjacentEdge, *, is_older: bool) -> None:
        code, target, key = adjacent
        self._findings.edges.append((source, code, target, key, is_older))

    def _incoming_of(self, lost: Sequence[LostBlock]) -> dict[int, Listed]:
        """Return the edges of lost lists by source, as their targets say."""
        lists = self.segment.lists[Direction.IN]
        found: dict[int, Listed] = {}
        tables = [lists.sparse] if lists.dense is None else [lists.sparse, lists.dense]
        for plain in tables:
            table = SalvageTable(plain, "edge lists of targets", self._findings)
            for block in table.blocks():
                incoming, broken = decoded(lists, block)
                if broken:
                    table.give_up(block, broken[0][1], len(broken))
                for target, edges in incoming.items():
                    for (code, source, key), mark in edges:
                        if any(source in block.ids for block in lost):
                            found.setdefault(source, []).append(((code, target, key), mark))
        for listed in found.values():
            listed.sort()
        return found

    # The past of edges -------------------------------------------------------------------------

    def _edge_past(self) -> Iterator[tuple[int, _Past]]:
        if self._history is None:
            return
        lists = self._history.lists[Direction.OUT]
        end = self._history.footer.edge_count
        table = SalvageTable(lists.sparse, "past versions of edges", self._findings, end)
        for source, first, listed in self._lists(lists, table):
            yield source, self._past_at(first, listed)
        self._findings.past |= bool(table.lost)

    def _past_at(self, first: int, listed: Listed) -> _Past:
        assert self._history is not None
        found: _Past = []
        table, span = self._history.edge_table, self._clock.span
        for place, (adjacent, _) in enumerate(listed):
            self._clock.guessed = False
            try:
                versions = next(table.lists(first + place, 1, span))
            except CorruptionError as error:
                self._findings.add(error, "past versions of edges", 1)
                self._findings.past = True
                continue
            if self._clock.guessed:
                versions = [version for version in versions if not _has_times(version.change)]
            found.append((adjacent, versions))
        return found

    def _past_of(self, source: int) -> _Past:
        """Return the past of the edges of one source whose list in the segment is lost."""
        if self._history is None:
            return []
        try:
            found = self._history.lists[Direction.OUT].find(source)
            if found is None:
                return []
            listed = list(zip(*found.decode(), strict=True))
            return self._past_at(found.position(), listed)
        except CorruptionError as error:
            self._findings.add(error, "past versions of edges")
            self._findings.past = True
            return []


def _birth(node_id: int, version: NodeVersion) -> SalvagedVersion:
    """Return the beginning of a node of which only a later state is known: its edges may be older
    than that. What it was in between, nobody knows."""
    patch = version.change
    assert patch is not None
    bare = NodePatch(patch.type_code, patch.created_at)
    return SalvagedVersion(
        version.born_sequence,
        Step.MAKE_NODE,
        version.born,
        version.born,
        node_id,
        None,
        bare,
        None,
    )


def _timeless(version: NodeVersion) -> NodeVersion:
    change: NodePatch | None = version.change
    return version if change is None else version._replace(change=change._replace(created_at=None))


def _has_times(change: EdgePatch | None) -> bool:
    return change is not None and not (
        change.created_at is None and change.valid_from is None and change.valid_to is None
    )
