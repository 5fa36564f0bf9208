"""Names and nodes that the kernel moves from segment to segment: the files of the plain way, byte
for byte, and its errors."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, NoReturn
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.file_header import FileKind
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.properties import encode_properties
from lithograph.formats.segment_footer import HistoryFooter, SegmentFooter
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.table_block import decode_heads, decode_presence, encode_block
from lithograph.formats.version_record import NODE_VERSIONS, CommitSpan
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.segments import built_edges, built_table, columns
from lithograph.segments.dictionary import texts_of_nodes
from lithograph.segments.moving_records import END_STATES, NAMES
from lithograph.segments.segment_reader import decode_name, decode_node_version
from lithograph.segments.slice import NodeItem, Slice
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import NodeVersion
from lithograph.tools.testing import segment_samples as samples
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.segment_samples import TINY, time_of
from lithograph.tools.testing.slices import RawSlice
from lithograph.tools.testing.strategies import names, node_patches

if kernel.tables is None:
    pytest.skip("the reference kernel moves nothing", allow_module_level=True)

from lithograph.kernel._tables import BlockBuilder as Builder
from lithograph.kernel._tables import RecordMerge

STEP = 1 if os.environ.get("LITHOGRAPH_FUZZ") else 3
FIRST, FIRST_ID = samples.FIRST_SEQUENCE, samples.FIRST_ID
LARGE = 1000
"""Characters; a text of them stands out of line."""

SMALL = replace(TINY, inline_size_max=100)
"""Few records in a block, and most of them in one."""


class Careful:
    """A slice that offers only the plain way."""

    def __init__(self, slice_: Slice) -> None:
        self._slice = slice_

    def __getattr__(self, name: str) -> Any:
        if name.startswith("moving") or name.endswith("_stream"):
            raise AttributeError(name)
        return getattr(self._slice, name)


@contextmanager
def plain_writers() -> Iterator[None]:
    with ExitStack() as patches:
        for module in (built_edges, built_table, columns):
            patches.enter_context(mock.patch.object(module, "tables", None))
        yield


# Adjacent slices ---------------------------------------------------------------------------------


def lives(
    rng: random.Random, commits: range, patches: Sequence[NodePatch], *, born: bool
) -> list[NodeVersion]:
    """Return versions at some of the commits, the first of a new node at the first."""
    found: list[NodeVersion] = []
    for sequence in commits:
        time = time_of(sequence)
        patch = rng.choice(patches)
        if born and not found:
            found.append(NodeVersion(sequence, time, patch, True, time, sequence))
        elif rng.random() < 0.1:
            found.append(NodeVersion(sequence, time, None, False))
            break
        elif rng.random() < 0.15:
            found.append(NodeVersion(sequence, time, patch, False))
    return found


def adjacent(
    seed: int, patches: Sequence[NodePatch], texts: Sequence[str], cuts: set[int]
) -> list[RawSlice]:
    """Return the slices of some commits, cut before those of `cuts`."""
    rng = random.Random(seed)
    count = rng.randrange(1, 9)
    births = [rng.choice([0, 1, 3, 9]) for _ in range(count)]
    raw = {
        node_id: lives(rng, range(FIRST, FIRST + count), patches, born=False)
        for node_id in range(FIRST_ID)
    }
    named: dict[int, str] = {}
    ends = [FIRST_ID]
    for place, born in enumerate(births):
        for node_id in range(ends[-1], ends[-1] + born):
            # Of some nodes nothing is left, of some only the name.
            if rng.random() < 0.9:
                named[node_id] = rng.choice(texts)
            if rng.random() < 0.9:
                raw[node_id] = lives(rng, range(FIRST + place, FIRST + count), patches, born=True)
        ends.append(ends[-1] + born)
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    found = []
    for start, end in pairwise(bounds):
        span = range(FIRST + start, FIRST + end)
        slice_ = RawSlice(
            span.start,
            ends[start],
            ends[end],
            [time_of(s) for s in span],
            [0] * len(span),
            [0] * len(span),
        )
        slice_.raw_names = {
            node_id: name for node_id, name in named.items() if ends[start] <= node_id < ends[end]
        }
        within = {
            node_id: [version for version in versions if version.sequence in span]
            for node_id, versions in raw.items()
        }
        slice_.raw_nodes = {node_id: versions for node_id, versions in within.items() if versions}
        found.append(slice_)
    return found


def stored(
    slices: Sequence[RawSlice], compressed: Sequence[bool], shape: SegmentShape
) -> list[StoredSlice]:
    found = []
    for slice_, compress in zip(slices, compressed, strict=False):
        written = samples.write(slice_, compress=compress, shape=shape)
        found.append(StoredSlice(written.segment(), written.history()))
    return found


def no_edges(source: int, edge: object) -> int:
    raise AssertionError("there are no edges")


def merged_both_ways(
    inputs: Sequence[StoredSlice], floor: int, *, compress: bool, shape: SegmentShape
) -> tuple[Any, Any]:
    """Return the files of a merge as the kernel makes them, and as the plain way does."""
    moved: Any = MergeSlice(inputs, floor, no_edges)
    fast = samples.whole_files(samples.write(moved, compress=compress, shape=shape))
    with plain_writers():
        careful: Any = Careful(moved)
        return fast, samples.whole_files(samples.write(careful, compress=compress, shape=shape))


LONG = NodePatch(type_code=3, observations=("long " * LARGE,))
patch_lists = st.lists(node_patches() | st.just(LONG), min_size=1, max_size=5)
seeds = st.integers(0, 2**32)


@given(
    seeds,
    patch_lists,
    st.lists(names, min_size=1, max_size=5),
    st.sets(st.integers(1, 8)),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.booleans(),
    st.sampled_from([TINY, SMALL, ON_DISK]),
    st.none() | st.integers(0, 9),
)
@example(1, [LONG], ["name"], {1, 2, 3}, [True, False] * 5, True, TINY, None)
def test_a_merge_has_the_files_of_the_plain_way(
    seed: int,
    patches: list[NodePatch],
    texts: list[str],
    cuts: set[int],
    compressed: list[bool],
    compress: bool,
    shape: SegmentShape,
    floor: int | None,
) -> None:
    inputs = stored(adjacent(seed, patches, texts, cuts), compressed, shape)
    fast, plain = merged_both_ways(
        inputs, 0 if floor is None else FIRST + floor, compress=compress, shape=shape
    )

    assert fast == plain


def test_what_moves_does_move() -> None:
    """Or else the tests above compare the plain way with itself."""
    slices = adjacent(7, [NodePatch(type_code=1)], ["name"], {2, 4, 6})
    moved = MergeSlice(stored(slices, [False] * 9, ON_DISK), 0, no_edges)
    nodes = moved.moving_nodes()
    assert nodes is not None
    builder = Builder(64, first_id=0)
    handed_back = 0
    merge = nodes.begin(1000)._merge
    while (found := merge.run(builder, 2**48, 5)) is not None:
        handed_back += bool(found)

    assert builder.record_count > 5
    assert handed_back > 3
    assert builder.record_count + handed_back == len(list(moved.nodes()))


def test_names_of_what_is_left_above_a_floor_move() -> None:
    """Of a node that ended below the floor, the name goes too; its name may be all that is left."""
    slices = adjacent(48, [NodePatch(type_code=1)], ["name"], {2, 3, 5, 6})
    inputs = stored(slices, [False] * 9, SMALL)
    for floor in range(1, 9):
        merged = MergeSlice(inputs, FIRST + floor, no_edges)
        moving = merged.moving_names()
        assert moving is not None
        builder = Builder(64, first_id=FIRST_ID)
        merge = moving.begin(1000)
        table: Any = mock.Mock(builder=builder)
        handed = [item for item in merge.below(2**48, table, 2) if item is not None]
        assert builder.record_count > 2
        assert builder.record_count + len(handed) == len(list(merged.names()))


@pytest.mark.parametrize("compress", [False, True])
def test_blocks_that_are_far_apart_are_read_alone(compress: bool) -> None:
    """A large record out of line stands between two of them."""
    slice_ = RawSlice(FIRST, 0, 200, [time_of(FIRST)], [0], [0])
    for node_id in range(200):
        text = random.Random(node_id).randbytes(600_000).hex() if node_id in (70, 71) else "short"
        patch, time = NodePatch(observations=(text,)), time_of(FIRST)
        slice_.raw_nodes[node_id] = [NodeVersion(FIRST, time, patch, True, time, FIRST)]
    inputs = stored([slice_], [compress], ON_DISK)
    fast, plain = merged_both_ways(inputs, 0, compress=compress, shape=ON_DISK)

    assert fast == plain


@pytest.mark.parametrize("is_updated", [False, True])
def test_the_texts_of_a_dictionary_are_those_of_the_plain_way(is_updated: bool) -> None:
    """More of them than may wait in the kernel, whether they move or are handed back."""
    count = 2_500
    words = random.Random(1).choices(["graph", "stone", "é", "letter"], k=count)
    slices = [
        RawSlice(sequence, 0, end_id, [time_of(sequence)], [0], [0])
        for sequence, end_id in ((FIRST, count), (FIRST + 1, count))
    ]
    slices[1].first_id = count
    for node_id in range(count):
        patch = NodePatch(observations=(words[node_id] * 30, str(node_id)))
        time = time_of(FIRST)
        slices[0].raw_nodes[node_id] = [NodeVersion(FIRST, time, patch, True, time, FIRST)]
        if is_updated:
            patch = NodePatch(appended=("more",))
            slices[1].raw_nodes[node_id] = [NodeVersion(FIRST + 1, time, patch, False)]
    merged = MergeSlice(stored(slices, [False] * 2, ON_DISK), 0, no_edges)
    nodes = merged.moving_nodes()
    assert nodes is not None

    def record(version: NodeVersion | None) -> bytes:
        assert version is not None
        out = bytearray()
        NODE_VERSIONS.append(out, version, FIRST)
        return bytes(out)

    plain = (record(version) for _, version, _ in merged.nodes())
    expected = list(texts_of_nodes(plain, 64, 1000))
    assert sum(map(len, expected)) > 256 * 1024
    encoded = []

    def encode(item: NodeItem) -> bytes:
        encoded.append(item)
        return record(item[1])

    found = nodes.begin(1000).texts(64, 1000, encode)
    texts = [next(found)]
    assert len(encoded) < count
    assert [*texts, *found] == expected
    assert bool(encoded) == is_updated


# Damage ------------------------------------------------------------------------------------------


HISTORIC = 48
"""A seed of slices that have much history."""


def outcome(inputs: Sequence[StoredSlice], *, compress: bool) -> Any:
    """Return the files of a merge, or the class of its error."""
    try:
        slice_: Any = MergeSlice(inputs, 0, no_edges)
        return samples.whole_files(samples.write(slice_, compress=compress, shape=SMALL))
    except CorruptionError:
        return CorruptionError


def careful_outcome(inputs: Sequence[StoredSlice], *, compress: bool) -> Any:
    try:
        slice_: Any = Careful(MergeSlice(inputs, 0, no_edges))
        with plain_writers():
            return samples.whole_files(samples.write(slice_, compress=compress, shape=SMALL))
    except (CorruptionError, AssertionError):
        return CorruptionError


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", [FileKind.SEGMENT, FileKind.HISTORY])
def test_damage_is_told_or_stays_where_it_is(kind: FileKind, compress: bool) -> None:
    """Under checksums that match it. Only a time that no year holds may move unseen."""
    patches = [
        NodePatch(
            type_code=300,
            created_at=MOMENT,
            observations=("wrote é", ""),
            properties=encode_properties({"a": [1, -7, 2.5, None, {"b": True}]}),
        ),
        NodePatch(removed=("a",), appended=("b" * 9,), properties_unset=("a",)),
    ]
    slices = adjacent(HISTORIC, patches, ["Ada", "Zoë"], {3, 5})
    good = stored(slices, [compress] * 9, SMALL)
    written = samples.write(slices[1], compress=compress, shape=SMALL)
    data, body = samples.data_and_body(written, kind)
    footer = (SegmentFooter if kind == FileKind.SEGMENT else HistoryFooter).decode(body, len(data))
    places = [
        at
        for name, (offset, size) in footer.sections.items()
        if "name" in name or "node" in name or name == "dictionary"
        for at in range(offset, offset + size)
    ]
    rng = random.Random(5)
    told = 0
    for _ in range(150 if STEP > 1 else 3000):
        at = rng.choice(places)
        damaged = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        ref = samples.seal(written, kind, damaged, body)
        is_segment = kind == FileKind.SEGMENT
        try:
            segment = written.segment(ref if is_segment else None)
            history = written.history(None if is_segment else ref)
        except CorruptionError:
            continue
        inputs = [good[0], StoredSlice(segment, history), *good[2:]]
        expected = careful_outcome(inputs, compress=compress)
        found = outcome(inputs, compress=compress)
        told += found is CorruptionError
        if found != expected:
            # It was told by the plain way alone: whoever reads what was moved is told as well.
            assert expected is CorruptionError
            moved: Any = MergeSlice(inputs, 0, no_edges)
            again = samples.write(moved, compress=compress, shape=SMALL)
            with pytest.raises(CorruptionError):
                list(StoredSlice(again.segment(), again.history()).nodes())
    assert told > 9


class OneBlock:
    """Blocks of one record each, ids from 0."""

    def __init__(self, records: Sequence[bytes]) -> None:
        self._batches = [
            [(encode_block([(record, 0)]), place, 1, True)] for place, record in enumerate(records)
        ]

    def next_blocks(self) -> list[tuple[bytes, int, int, bool]] | None:
        return self._batches.pop(0) if self._batches else None

    def blame(self, place: int) -> NoReturn:
        raise CorruptionError("blamed")


def test_a_tombstone_moves_unless_only_the_living_do() -> None:
    builder = Builder(1, first_id=0)
    for living_only in (False, True):
        merge = RecordMerge([(OneBlock([b"\0\5"]), END_STATES, 0, 20, 4)], 1000, living_only)
        assert (merge.run(builder, 9, 9) is None) != living_only


def test_a_name_moves_if_a_living_node_has_it() -> None:
    for state, is_moved in ((b"\3\0\5", True), (b"\0\5", False)):
        streams: list[Any] = [
            (OneBlock([b"name"]), NAMES, 0, 0, 0),
            (OneBlock([state]), END_STATES, 0, 20, 4),
        ]
        merge = RecordMerge(streams, 1000, True, True)
        assert (merge.run(Builder(1, first_id=0), 9, 9) is None) == is_moved


def test_a_record_that_grows_too_large_is_handed_back() -> None:
    """Its sequence takes one byte more."""
    for size_max in (3, 2):
        merge = RecordMerge([(OneBlock([b"\0\5"]), END_STATES, 0, 20, 200)], size_max)
        assert (merge.run(Builder(1, first_id=0), 9, 9) is None) == (size_max == 3)


def moved_record(record: bytes, kind: int) -> bytes | None:
    """Return a record as it moves, four commits on, and None if it is handed back."""
    builder = Builder(1, first_id=0)
    merge = RecordMerge([(OneBlock([record]), kind, 0, 20, 4)], 1000)
    if merge.run(builder, 9, 9) is not None:
        return None
    [block, _, _] = builder.take()
    cursor = Cursor(block)
    [place] = decode_heads(cursor, 1, len(block), decode_presence(cursor, 1)).offsets[:1]
    return block[place:]


def span(first: int) -> CommitSpan:
    return CommitSpan(first, first + 20, lambda _: MOMENT)


@st.composite
def damaged_records(draw: st.DrawFn) -> bytes:
    sequence = draw(st.integers(0, 24))
    out = bytearray()
    patch = draw(st.none() | node_patches())
    full = patch is not None and draw(st.booleans())
    born = draw(st.integers(0, sequence)) if full else 0
    NODE_VERSIONS.append(out, (sequence, MOMENT, patch, full, 0, born), 0)
    for _ in range(draw(st.integers(0, 2))):
        out[draw(st.integers(0, len(out) - 1))] = draw(st.integers(0, 255))
    return bytes(out[: draw(st.sampled_from([len(out), len(out), draw(st.integers(1, 40))]))])


@example(b"\x03\x20\x00\x04\x81\xa1a\xc1")
@given(damaged_records() | st.binary(min_size=1, max_size=20).map(b"\x03\x20\x00".__add__))
def test_a_record_that_moves_says_what_it_said(record: bytes) -> None:
    moved = moved_record(record, END_STATES)
    is_time = False
    version: NodeVersion | None
    try:
        version = decode_node_version(record, span(0))
    except CorruptionError as error:
        # Times alone are left to the reader.
        is_time = " µs " in error.message or "a time" in error.message
        version = None
    if version is None:
        assert moved is None or is_time
    elif len(record) <= 1000:
        out = bytearray()
        NODE_VERSIONS.append(out, version, -4)
        assert moved == bytes(out)


@given(st.binary(min_size=1, max_size=9) | names.map(str.encode))
def test_a_name_that_moves_is_one(name: bytes) -> None:
    moved = moved_record(name, NAMES)
    try:
        decode_name(name)
    except CorruptionError:
        assert moved is None
    else:
        assert moved == name


def test_blocks_that_are_none_are_blamed() -> None:
    builder = Builder(1, first_id=0)
    source = OneBlock([b"name"])
    source._batches[0][0] = (b"\x03", 0, 1, True)
    with pytest.raises(CorruptionError, match="blamed"):
        RecordMerge([(source, NAMES, 0, 0, 0)], 1000).run(builder, 9, 9)
    source = OneBlock([b"name", b"other"])
    source._batches.reverse()
    with pytest.raises(CorruptionError, match="blamed"):
        RecordMerge([(source, NAMES, 0, 0, 0)], 1000).run(builder, 9, 9)
    with pytest.raises(ValueError, match="kind 3"):
        RecordMerge([(source, 3, 0, 0, 0)], 1000)
