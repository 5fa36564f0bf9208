"""Adjacent segments of one store that grew at random, for tests of merges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from lithograph.files import Files
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import encode_properties
from lithograph.formats.segment_shape import SegmentShape
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.slice import Slice
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.segment_samples import PARTITION, UUID
from lithograph.tools.testing.slices import RawSlice

PATCHES = [
    EdgePatch(created_at=MOMENT - 7),
    EdgePatch(valid_from=MOMENT // 10**6 * 10**6, valid_to=NO_MOMENT),
    EdgePatch(properties=encode_properties({})),
    EdgePatch(properties=encode_properties({"ö": ["a", {"b": [1.5, None, -1, 2**63]}]})),
    EdgePatch(MOMENT // 1000 * 1000, NO_MOMENT, MOMENT + 1, encode_properties({"long": "x" * 40})),
    EdgePatch(properties=encode_properties({"longer": "y" * 2000})),
]
KEYS = ["k", "é", "ü" * 70, "k\0"]


@dataclass
class Growth:
    """How a store grows.

    plain_share : of the edges that are made, those without fields.   keyed_share : those with keys.
    change_share : of what happens, changes and ends of edges that there are.
    """

    plain_share: float = 0.7
    keyed_share: float = 0.2
    change_share: float = 0.2
    birth_max: int = 3
    edges_max: int = 8
    type_codes: Sequence[int] = (0, 1, 2, 30, 31, 32, 500)


@dataclass
class GrowingStore:
    """A store of which one slice after the other is cut off."""

    random: random.Random
    growth: Growth
    sequence: int = 0
    next_id: int = 0
    alive: dict[tuple[int, AdjacentEdge], int] = field(default_factory=dict)

    def slice_of(self, commit_count: int) -> RawSlice:
        """Return what so many further commits leave; `alive` has the youngest end of each edge."""
        first = self.sequence + 1
        times = [MOMENT + (first + n) ** 2 * 1_000_003 for n in range(commit_count)]
        counts = [0] * commit_count
        cut = RawSlice(first, self.next_id, self.next_id, times, counts, counts)
        for time in times:
            self.sequence += 1
            self._commit(cut, time)
        cut.end_id = self.next_id
        return cut

    def _commit(self, cut: RawSlice, time: int) -> None:
        rng, growth = self.random, self.growth
        for _ in range(max(rng.randint(0, growth.birth_max), not self.next_id)):
            born = NodeVersion(self.sequence, time, NodePatch(), True, time, self.sequence)
            cut.raw_names[self.next_id] = f"n{self.next_id}"
            cut.raw_nodes[self.next_id] = [born]
            self.next_id += 1
        touched = set()
        for _ in range(rng.randint(0, growth.edges_max)):
            name = self._edge()
            if name not in touched:
                touched.add(name)
                version = self._version(name, time)
                cut.raw_edges.setdefault(name, []).append(version)

    def _edge(self) -> tuple[int, AdjacentEdge]:
        rng = self.random
        if self.alive and rng.random() < self.growth.change_share:
            return rng.choice(sorted(self.alive))
        source, target = (int(self.next_id * rng.random() ** 3) for _ in "12")
        key = rng.choice(KEYS) if rng.random() < self.growth.keyed_share else ""
        return source, (rng.choice(self.growth.type_codes), target, key)

    def _version(self, name: tuple[int, AdjacentEdge], time: int) -> EdgeVersion:
        rng, sequence = self.random, self.sequence
        is_plain = rng.random() < self.growth.plain_share
        if name not in self.alive:
            self.alive[name] = sequence
            patch = EdgePatch() if is_plain else rng.choice(PATCHES)
            return EdgeVersion(sequence, time, patch, True, time, sequence)
        if rng.random() < 0.5:
            return EdgeVersion(sequence, time, rng.choice(PATCHES), False)
        del self.alive[name]
        return EdgeVersion(sequence, time, None, False)


def written(
    files: Files, number: int, slice_: Slice, shape: SegmentShape, *, compress: bool = False
) -> WrittenSegment:
    """Write a slice, in small steps."""
    steps = write_segment(
        files, number, PARTITION, UUID, slice_, compress=compress, shape=shape, step_count=1
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: WrittenSegment = stop.value
            return found


def stored(files: Files, found: WrittenSegment, shape: SegmentShape) -> StoredSlice:
    """Open what was written."""
    cache = BlockCache(10**6)
    segment = SegmentReader.open(files, PARTITION, found.segment, UUID, cache, shape)
    history = None
    if found.history is not None:
        history = HistoryReader.open(files, PARTITION, found.history, UUID, cache, shape)
    return StoredSlice(segment, history)
