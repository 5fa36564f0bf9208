"""The right answers to all queries, from the workload alone, and the comparison with a peer's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from workload import TYPE_COUNT, Ids, Workload

from peers.base import Fields, Peer, ids_array, micros

HOPS: Final = 3
LOOK_UPS: Final = 2_000
SOURCES: Final = 1_000
STARTS: Final = 200
BATCH_NAMES: Final = 10_000

_SEED: Final = 0x51
_ABSENT: Final = "entity:absent"


class WrongAnswerError(Exception):
    """A peer's answer is not that of the workload."""


@dataclass(frozen=True, slots=True)
class Queries:
    """Names that every peer is asked for, the same and in the same order.

    Attributes
    ----------
    look_ups, batch : of any nodes.
    sources, starts : of nodes with out-edges; for one hop and for three.
    """

    look_ups: list[str]
    batch: list[str]
    sources: list[str]
    starts: list[str]


@dataclass(frozen=True, slots=True)
class Reached:
    """The nodes of one hop: how many, and a hash of their sorted numbers."""

    count: int
    digest: bytes

    @classmethod
    def of(cls, numbers: Ids) -> Reached:
        return cls(len(numbers), blake2b(np.sort(numbers).tobytes(), digest_size=16).digest())


class Oracle:
    """Answers from the workload's columns, by numbers of nodes.

    Attributes
    ----------
    edge_count : of distinct edges.

    Cost: a sort of the edges, and 24 bytes for each.
    """

    def __init__(self, work: Workload) -> None:
        self.work = work
        sources, _, self._targets = _distinct(work)
        self.edge_count = len(sources)
        self._offsets = np.searchsorted(sources, np.arange(work.node_count + 1))
        random = np.random.default_rng(_SEED)
        nodes = np.arange(work.node_count)
        have_edges = np.unique(sources)
        self._sources = _some(random, have_edges, SOURCES)
        self._starts = _some(random, have_edges, STARTS)
        self._look_ups = _some(random, nodes, LOOK_UPS)
        self._batch: list[int] = random.integers(0, work.node_count, BATCH_NAMES).tolist()
        self._reached = [self._k_hop(number) for number in self._starts]

    def queries(self) -> Queries:
        """Return the names of what is asked for."""
        numbers = (self._look_ups, self._batch, self._sources, self._starts)
        return Queries(*([self.work.name(number) for number in some] for some in numbers))

    def check(self, peer: Peer, keep_on: Callable[[], bool]) -> int:
        """Ask a peer everything that is timed later, and compare; so caches are warm after it.

        Returns how many multi-hop queries were made.

        Parameters
        ----------
        keep_on : asked before each multi-hop query but the first, whether to make it.

        Raises
        ------
        WrongAnswerError : says what differs, at the first difference.
        """
        work, queries = self.work, self.queries()
        _same("counts", peer.counts(), (work.node_count, self.edge_count))
        _same("the id of an absent name", peer.node_id(_ABSENT), None)
        ids = [ids_array(peer.node_ids(names)) for names in _batches(work)]
        numbers = Numbers(np.concatenate(ids))
        _same("node_ids", numbers(peer.node_ids(queries.batch)).tolist(), self._batch)
        for number, name in zip(self._look_ups, queries.look_ups, strict=True):
            node = peer.node_id(name)
            _same(f"node_id of {name!r}", None if node is None else numbers([node])[0], number)
            _same(f"fields of {name!r}", peer.fields(peer.read_node(name)), self._fields(number))
        for number, name in zip(self._sources, queries.sources, strict=True):
            found = np.sort(numbers(peer.neighbor_ids(peer.start(name)))).tolist()
            _same(f"neighbors of {name!r}", found, np.sort(self._out(np.array([number]))).tolist())
        for count, (reached, name) in enumerate(zip(self._reached, queries.starts, strict=True)):
            if count and not keep_on():
                return count
            _same(
                f"nodes reached from {name!r}",
                [Reached.of(numbers(level)) for level in peer.k_hop(name)],
                reached,
            )
        return len(self._reached)

    def _fields(self, number: int) -> Fields:
        row = self.work.node(number)
        return row.name, row.type, row.observations, micros(row.created_at)

    def _k_hop(self, number: int) -> list[Reached]:
        seen = np.zeros(self.work.node_count, bool)
        seen[number] = True
        frontier, levels = np.array([number]), []
        for _ in range(HOPS):
            targets = np.unique(self._out(frontier))
            frontier = targets[~seen[targets]]
            seen[frontier] = True
            levels.append(Reached.of(frontier))
        return levels

    def _out(self, numbers: Ids) -> Ids:
        """Return the targets of all out-edges of some nodes, one per edge."""
        firsts = self._offsets[numbers]
        counts = self._offsets[numbers + 1] - firsts
        before = np.cumsum(counts) - counts
        positions = np.arange(counts.sum()) + np.repeat(firsts - before, counts)
        targets: Ids = self._targets[positions]
        return targets


class Numbers:
    """A peer's ids as numbers of nodes. Raises WrongAnswerError where an id is absent or twice.

    ids : of the nodes, by number.
    """

    def __init__(self, ids: Ids) -> None:
        self._order = np.argsort(ids)
        self._sorted = ids[self._order]
        if self._sorted[0] < 0 or (np.diff(self._sorted) == 0).any():
            raise WrongAnswerError("names are missing, or two of them have one id")

    def __call__(self, found: Iterable[int]) -> Ids:
        ids = ids_array(found)
        positions = np.searchsorted(self._sorted, ids)
        positions[positions == len(self._sorted)] = 0
        if (self._sorted[positions] != ids).any():
            raise WrongAnswerError("an answer has an id that no name has")
        numbers: Ids = self._order[positions]
        return numbers


def _batches(work: Workload) -> Iterator[list[str]]:
    """Yield the names of all nodes, by number."""
    for start in range(0, work.node_count, BATCH_NAMES):
        end = min(start + BATCH_NAMES, work.node_count)
        yield [work.name(number) for number in range(start, end)]


def _distinct(work: Workload) -> tuple[Ids, Ids, Ids]:
    """Return source, type and target of the distinct edges, sorted by all three."""
    keys = (work.sources * TYPE_COUNT + work.edge_types) * work.node_count + work.targets
    rest, targets = np.divmod(np.unique(keys), work.node_count)
    sources, types = np.divmod(rest, TYPE_COUNT)
    return sources, types, targets


def _some(random: np.random.Generator, numbers: Ids, count: int) -> list[int]:
    """Return some of the numbers, in random order, none twice."""
    chosen: list[int] = random.choice(numbers, min(count, len(numbers)), replace=False).tolist()
    return chosen


def _same(what: str, found: object, right: object) -> None:
    if found != right:
        raise WrongAnswerError(f"{what}: found {_short(found)}, expected {_short(right)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}…"
