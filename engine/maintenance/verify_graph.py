"""The rules that span the files of a store: its slices, its runs and its counts are one graph.

SPEC.md, sections 5.1, 12 and 13. Every slice is read in the order that it is stored in, and both
sides of each rule are joined as they pass or cancel out in a ledger, so memory stays bounded.

Rules
1. Ids are dense, but for those that were purged; each node is made once, in the slice it was born
   in, and ended at most once.
2. Versions of a node or an edge ascend; one that changes something has something to change.
3. An edge that a slice says it made is not alive before; one that it says is changed or dead has
   ends that are older than the slice.
4. An edge is alive only while both of its ends are.
5. Both directions list the same live edges.
6. The name index and the nodes tell the same beginnings and ends of every name.
7. The commit tables tell the counts that the beginnings and ends of nodes and edges add up to.
Of what was superseded up to the floor, only what a view at the floor sees is known.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

from lithograph.formats.operations import AdjacentEdge
from lithograph.ids import ABSENT
from lithograph.maintenance.ledger import Ledger
from lithograph.maintenance.meter import Pace
from lithograph.maintenance.node_lives import Life, NodeLives, Part, Report
from lithograph.segments.folding import raw_versions
from lithograph.segments.run_merge import versions_above
from lithograph.segments.slice import Mark, SliceEdge
from lithograph.segments.version import EdgeVersion

NameStream = Iterator[tuple[bytes, list[tuple[int, int]]]]
"""Names, ascending, with (sequence, id or ABSENT), newest first."""

_EDGE: Final = struct.Struct("<QIQ")
_NAME: Final = struct.Struct("<Qq")
_COUNT: Final = struct.Struct("<cQ")
_LEFT_OVER_MAX: Final = 20
"""Findings of one rule that are told one by one."""

Item = TypeVar("Item")


class Index(NamedTuple):
    """One layer of the name index.

    path : for messages.   names : returns what it holds, from the beginning.
    """

    path: str
    names: Callable[[], NameStream]


class GraphCheck:
    """One check of a graph in slices.

    parts : slices from commit 1 to the newest, oldest first.
    indexes : layers of the name index over the same commits, newest first; None leaves rule 6 out.
    floor, purged_count : of the manifest.
    place : path for what is wrong in no single file.
    pace : is stepped for each node, and for each list of edges in either direction.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        indexes: Sequence[Index] | None,
        floor: int,
        place: str,
        report: Report,
        purged_count: int = 0,
        pace: Pace | None = None,
    ) -> None:
        self._parts = parts
        self._pace = pace
        self._indexes = indexes
        self._floor = floor
        self._place = place
        self._report = report
        self._lives = NodeLives(parts, floor, purged_count)
        self._edges = Ledger()
        self._names = Ledger()
        self._counts = Ledger()

    def run(self) -> None:
        """Report everything that is wrong.

        Raises
        ------
        CorruptionError, StorageError : a file cannot be read on.

        Cost: nodes are read three times, all else once; twice as much where ledgers do not balance.
        """
        self._scan(self._report)
        ledgers = (self._edges, self._names, self._counts)
        if all(ledger.is_balanced for ledger in ledgers):
            return
        for ledger in ledgers:
            ledger.begin_second_round()
        self._scan(_ignore)
        self._tell_left_over(self._edges, _tell_edge)
        self._tell_left_over(self._names, _tell_name)
        self._tell_left_over(self._counts, _tell_count)

    def _scan(self, report: Report) -> None:
        self._scan_nodes(report)
        self._scan_edges(report)
        self._scan_incoming(report)
        self._scan_names()
        self._scan_commits(report)

    def _tell_left_over(self, ledger: Ledger, tell: Callable[[bytes, int], str]) -> None:
        found = ledger.left_over()
        for key, weight in found[:_LEFT_OVER_MAX]:
            self._report(self._place, tell(key, weight))
        if len(found) > _LEFT_OVER_MAX:
            self._report(self._place, f"{len(found) - _LEFT_OVER_MAX} or more of the same kind")

    # Nodes and names ---------------------------------------------------------------------------

    def _scan_nodes(self, report: Report) -> None:
        floor = self._floor
        for life in self._lives.walk(report):
            self._step()
            at_floor = life.is_alive_at(floor)
            if at_floor:
                self._count(b"n", floor, 1)
            if life.born > floor:
                self._count(b"n", life.born, 1)
            if life.ended > floor:
                self._count(b"n", life.ended, -1)
            if self._indexes is None or life.name is None:
                continue
            name = life.name.encode()
            if at_floor or life.born > floor:
                self._names.add(name_key(life.born, life.node_id, name), 1)
            if life.ended > floor:
                self._names.add(name_key(life.ended, ABSENT, name), 1)

    def _scan_names(self) -> None:
        streams = [_numbered(rank, index) for rank, index in enumerate(self._indexes or ())]
        for name, same in groupby(heapq.merge(*streams), key=lambda entry: entry[0]):
            versions = [version for _, _, found in same for version in found]
            for sequence, node_id in versions_above(versions, self._floor, oldest=True):
                self._names.add(name_key(sequence, node_id, name), -1)

    # Edges -------------------------------------------------------------------------------------

    def _scan_edges(self, report: Report) -> None:
        streams = [part.slice_.edges() for part in self._parts]
        for source, found, life in self._joined(streams):
            edges: dict[AdjacentEdge, list[tuple[Part, SliceEdge]]] = {}
            for rank, listed in found:
                for edge in listed:
                    edges.setdefault(edge.adjacent, []).append((self._parts[rank], edge))
            for adjacent, states in edges.items():
                follower = _EdgeFollower(source, adjacent, life, self._floor, report)
                for part, edge in states:
                    follower.follow(part, edge)
                for sequence, weight in follower.events:
                    self._count(b"e", sequence, weight)
                if follower.is_alive:
                    self._edges.add(_edge_key(source, adjacent), 1)

    def _scan_incoming(self, report: Report) -> None:
        streams = [part.slice_.incoming() for part in self._parts]
        for target, found, life in self._joined(streams):
            marks: dict[AdjacentEdge, Mark] = {}
            for _, listed in found:
                for adjacent, mark, _ in listed:
                    marks[adjacent] = mark
            ended = life is None or life.ended or not life.born
            for (code, source, key), mark in marks.items():
                if mark not in (Mark.MADE, Mark.CHANGED):
                    continue
                self._edges.add(_edge_key(source, (code, target, key)), -1)
                if ended:
                    report(self._place, f"the edge {source} -> {target} enters a node not alive")

    def _joined(
        self, streams: Sequence[Iterator[tuple[int, Item]]]
    ) -> Iterator[tuple[int, list[tuple[int, Item]], Life | None]]:
        """Yield each id of the streams with (rank, what that stream says of it), and its life."""
        lives = self._lives.walk(_ignore)
        life = next(lives, None)
        ranked = [_ranked(rank, stream) for rank, stream in enumerate(streams)]
        merged = heapq.merge(*ranked, key=lambda entry: entry[:2])
        for node_id, same in groupby(merged, key=lambda entry: entry[0]):
            self._step()
            while life is not None and life.node_id < node_id:
                life = next(lives, None)
            mine = life if life is not None and life.node_id == node_id else None
            yield node_id, [(rank, item) for _, rank, item in same], mine

    def _step(self) -> None:
        if self._pace is not None:
            self._pace.step()

    # Counts ------------------------------------------------------------------------------------

    def _scan_commits(self, report: Report) -> None:
        last_time: int | None = None
        counts = (0, 0)
        for part in self._parts:
            for sequence, time, *now in part.slice_.commits():
                if last_time is not None and time < last_time:
                    report(part.path, f"commit {sequence} is at {time} µs, before the one before")
                last_time = time
                if sequence == self._floor:
                    counts = (0, 0)
                if sequence >= self._floor:
                    for kind, count, before in zip((b"n", b"e"), now, counts, strict=True):
                        self._count(kind, sequence, before - count)
                counts = (now[0], now[1])

    def _count(self, kind: bytes, sequence: int, weight: int) -> None:
        """Enter that a commit changed a count, or left it where the commit is the floor."""
        if weight:
            self._counts.add(count_key(kind, sequence), weight)


class _EdgeFollower:
    """Follows the versions of one edge through the slices, oldest first.

    Attributes
    ----------
    is_alive : after the last version.
    events : (commit, 1 or -1) for each time it began or ended above the floor; at the floor, 1 if
        it is alive then.
    """

    def __init__(
        self, source: int, adjacent: AdjacentEdge, life: Life | None, floor: int, report: Report
    ) -> None:
        self.is_alive = False
        self._events: list[tuple[int, int]] = []
        self._source = source
        self._target = adjacent[1]
        self._type_code = adjacent[0]
        self._life = life
        self._floor = floor
        self._report = report
        self._last = 0
        self._born = 0
        self._at_floor = False

    @property
    def events(self) -> list[tuple[int, int]]:
        return [*self._events, (self._floor, 1)] if self._at_floor else self._events

    def follow(self, part: Part, edge: SliceEdge) -> None:
        """Take in what the next slice says."""
        if edge.mark == Mark.MADE and self.is_alive:
            self._wrong(part, "is marked as made, and an older slice holds it alive")
        older_marks = (Mark.CHANGED, Mark.DEAD)
        if edge.mark in older_marks and max(self._source, self._target) >= part.slice_.first_id:
            self._wrong(part, f"is marked as {edge.mark.name}, and no older slice can hold it")
        if self._type_code >= part.type_count:
            self._wrong(part, f"has type code {self._type_code} of {part.type_count}")
        for version in raw_versions(edge.version, edge.history):
            if version.sequence <= self._last:
                self._wrong(part, f"has a version of commit {version.sequence} after a newer one")
            self._last = max(self._last, version.sequence)
            if version.change is None:
                self._end(part, version)
            else:
                self._change(part, version)
            if version.sequence <= self._floor:
                self._at_floor = self.is_alive

    def _end(self, part: Part, version: EdgeVersion) -> None:
        sequence = version.sequence
        if self.is_alive:
            self._event(sequence, -1)
        elif sequence > self._floor:
            self._wrong(part, f"was ended by commit {sequence}, and not alive")
        self.is_alive = False

    def _change(self, part: Part, version: EdgeVersion) -> None:
        sequence, life = version.sequence, self._life
        if not version.full and not self.is_alive:
            self._wrong(part, f"was changed by commit {sequence}, and not alive")
        if version.full:
            if not self.is_alive:
                self._event(version.born_sequence, 1)
            elif version.born_sequence != self._born > 0 and version.born_sequence > self._floor:
                self._wrong(part, f"was made again by commit {version.born_sequence} while alive")
            self._born = version.born_sequence
        self.is_alive = True
        if life is None or not life.is_alive_at(sequence):
            self._wrong(part, f"leaves a node that is not alive at commit {sequence}")

    def _event(self, sequence: int, weight: int) -> None:
        if sequence > self._floor:
            self._events.append((sequence, weight))

    def _wrong(self, part: Part, what: str) -> None:
        self._report(part.path, f"the edge {self._source} -> {self._target} {what}")


def _ignore(path: str, message: str) -> None:
    """In the second round everything else was said in the first."""


def _numbered(rank: int, index: Index) -> Iterator[tuple[bytes, int, list[tuple[int, int]]]]:
    for name, versions in index.names():
        yield name, rank, versions


def _ranked(rank: int, stream: Iterator[tuple[int, Item]]) -> Iterator[tuple[int, int, Item]]:
    for node_id, item in stream:
        yield node_id, rank, item


def name_key(sequence: int, node_id: int, name: bytes) -> bytes:
    """Return the entry for a commit that gave a name to a node, or took it: ABSENT."""
    return _NAME.pack(sequence, node_id) + name


def count_key(kind: bytes, sequence: int) -> bytes:
    """Return the entry for a commit that changed the count of nodes, b"n", or edges, b"e"."""
    return _COUNT.pack(kind, sequence)


def _edge_key(source: int, adjacent: AdjacentEdge) -> bytes:
    code, target, key = adjacent
    return _EDGE.pack(source, code, target) + key.encode()


def _tell_edge(key: bytes, weight: int) -> str:
    source, code, target = _EDGE.unpack_from(key)
    name = key[_EDGE.size :].decode(errors="replace")
    where = "leaves its source, and does not enter its target"
    if weight < 0:
        where = "enters its target, and does not leave its source"
    return f"the edge {source} -> {target} of type code {code}, key {name!r:.80}, {where}"


def _tell_name(key: bytes, weight: int) -> str:
    sequence, node_id = _NAME.unpack_from(key)
    name = key[_NAME.size :].decode(errors="replace")
    what = f"commit {sequence} gave the name {name!r:.80} to node {node_id}"
    if node_id == ABSENT:
        what = f"commit {sequence} took the name {name!r:.80}"
    sides = ("the nodes", "the name index")
    known, other = sides if weight > 0 else sides[::-1]
    return f"{what}: so {known}, not {other}"


def _tell_count(key: bytes, weight: int) -> str:
    kind, sequence = _COUNT.unpack(key)
    what = "nodes" if kind == b"n" else "edges"
    return (
        f"commit {sequence}: beginnings and ends of {what} come to {abs(weight)} "
        f"{'more' if weight > 0 else 'fewer'} than the commit table says"
    )
