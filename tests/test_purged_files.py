"""Files without some nodes: what the kernel moves past them is, byte for byte, as Python has it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.ids import ABSENT
from lithograph.maintenance import purged_run, purged_slice
from lithograph.maintenance.purged_run import PurgedRun
from lithograph.maintenance.purged_slice import Counted, PurgedSlice
from lithograph.segments import built_edges, built_table, columns, stored_feed, stored_feeds
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import NodeVersion
from lithograph.tools.testing import segment_samples as samples
from lithograph.tools.testing.merge_samples import GrowingStore, Growth
from lithograph.tools.testing.segment_samples import TINY, UUID
from lithograph.tools.testing.slices import RawSlice

if kernel.tables is None:
    pytest.skip("the reference kernel moves nothing", allow_module_level=True)

from lithograph.kernel._tables import BlockBuilder, ListMerge, RecordMerge

SMALL = replace(TINY, lists=7, positions=5, group_edges=3, inline_size_max=90)
NAMES = [
    b"a",
    b"aa",
    b"ab",
    b"b" * 300,
    b"b" * 1500,
    b"c",
    b"c\xc3\xa9",
    *(b"n%04d" % n for n in range(400)),
]


@contextmanager
def plain_writers() -> Iterator[None]:
    """Write in plain Python, one record after the other."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (built_edges, built_table, columns, stored_feed, stored_feeds, purged_slice):
            patch.setattr(module, "tables", None)
        yield


# Segments ----------------------------------------------------------------------------------------


def grown(seed: int, growth: Growth) -> RawSlice:
    """Return the second slice of a store, in which nodes change and end, too."""
    rng = random.Random(seed)
    store = GrowingStore(rng, growth)
    store.slice_of(4)
    slice_ = store.slice_of(6)
    for node_id in range(slice_.end_id):
        versions = slice_.raw_nodes.get(node_id, [])
        for sequence in range(slice_.first_sequence, slice_.last_sequence + 1):
            if rng.random() < 0.2 and not (versions and versions[-1].sequence >= sequence):
                patch = NodePatch(appended=(rng.choice(["short", "long " * 30]),))
                time = slice_.times[sequence - slice_.first_sequence]
                versions.append(NodeVersion(sequence, time, patch, False))
        if versions:
            slice_.raw_nodes[node_id] = versions
    return slice_


def without(slice_: RawSlice, ids: frozenset[int]) -> RawSlice:
    return replace(
        slice_,
        raw_names={i: name for i, name in slice_.raw_names.items() if i not in ids},
        raw_nodes={i: versions for i, versions in slice_.raw_nodes.items() if i not in ids},
        raw_edges={
            (source, adjacent): versions
            for (source, adjacent), versions in slice_.raw_edges.items()
            if source not in ids and adjacent[1] not in ids
        },
    )


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**9),
    st.sampled_from([Growth(), Growth(edges_max=40), Growth(0, 1, 0.6), Growth(birth_max=0)]),
    st.sampled_from([0, 0.1, 0.5, 1]),
    st.sampled_from([TINY, SMALL, ON_DISK]),
    st.booleans(),
    st.booleans(),
)
@example(1, Growth(edges_max=40), 0.1, SMALL, False, False)
@example(1, Growth(edges_max=40), 0.1, SMALL, True, True)
def test_a_segment_is_one_that_never_had_the_nodes(
    seed: int, growth: Growth, share: float, shape: SegmentShape, was_sealed: bool, compress: bool
) -> None:
    slice_ = grown(seed, growth)
    rng = random.Random(seed + 1)
    ids = frozenset(node_id for node_id in range(slice_.end_id) if rng.random() < share)
    held = samples.write(slice_, compress=was_sealed, shape=shape)

    def written() -> Any:
        stored = StoredSlice(held.segment(), held.history())
        purged = PurgedSlice(stored, ids, Counted(Counter(), Counter()))
        return samples.whole_files(samples.write(purged, compress=compress, shape=shape))

    expected = samples.whole_files(
        samples.write(without(slice_, ids), compress=compress, shape=shape)
    )
    assert written() == expected
    with plain_writers():
        assert written() == expected


def test_what_is_not_purged_moves() -> None:
    """Or else the test above compares the plain way with itself."""
    slice_ = grown(5, Growth(birth_max=40, edges_max=60))
    held = samples.write(slice_)
    ids = frozenset({slice_.first_id + 3, slice_.first_id + 9})
    purged = PurgedSlice(
        StoredSlice(held.segment(), held.history()), ids, Counted(Counter(), Counter())
    )
    for moving in (purged.moving_names(), purged.moving_nodes()):
        assert moving is not None
        moved = BlockBuilder(64, first_id=0)
        merge = moving.begin(1000)._merge
        seen: set[int] = set()
        while (found := merge.run(moved, 2**48, 5)) is not None:
            seen.update(found[:1] if found else ())
        assert ids <= seen
        assert moved.record_count > len(seen)
    assert purged.edge_stream(ON_DISK) is not None
    assert purged.incoming_stream(ON_DISK) is not None


@pytest.mark.parametrize("ids", [[3, 3], [4, 3], [-1], [2**64], ["a"]])
def test_ids_that_do_not_ascend_are_refused(ids: list[Any]) -> None:
    for make in (
        lambda: RecordMerge([], 10, careful=ids),
        lambda: ListMerge([], 0, 128, 1024, True, ids),
    ):
        with pytest.raises((ValueError, OverflowError, TypeError)):
            make()


# Runs --------------------------------------------------------------------------------------------

Versions = list[tuple[int, int]]


def run_of(names: dict[bytes, Versions]) -> RunReader:
    files = samples.segment_files()
    writer = RunWriter(files, 1, UUID, 1, 1000)
    for name in sorted(names):
        writer.add(name, names[name])
    return RunReader.open(files, writer.finish().ref, UUID)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**9),
    st.sampled_from([1, 3, 12, len(NAMES)]),
    st.sampled_from(NAMES),
    st.integers(1, 60),
)
def test_a_run_is_one_that_never_had_the_nodes(
    seed: int, count: int, name: bytes, version_count: int
) -> None:
    rng = random.Random(seed)
    names = {one: [(rng.randrange(1, 1000), rng.randrange(50))] for one in rng.sample(NAMES, count)}
    lives = sorted({rng.randrange(1, 1000) for _ in range(version_count)}, reverse=True)
    names[name] = [(at, rng.choice([ABSENT, 7, 8, 9])) for at in lives]
    ids = frozenset(rng.sample([7, 8, 9], rng.randrange(1, 4)))
    left = [one for one in names[name] if one[1] != ABSENT and one[1] not in ids]
    reader = run_of(names)

    def written(is_plain: bool) -> dict[bytes, Versions]:
        files = samples.segment_files()
        writer = RunWriter(files, 1, UUID, 1, 1000)
        with pytest.MonkeyPatch.context() as patch:
            if is_plain:
                patch.setattr(purged_run, "QuickTree", ())
            for _ in PurgedRun(reader, name, ids).write(writer):
                pass
        made = RunReader.open(files, writer.finish().ref, UUID)
        assert list(made.check()) == []
        return dict(made.scan())

    expected = {one: versions for one, versions in names.items() if one != name}
    if left:
        expected[name] = left
    assert written(False) == written(True) == expected
