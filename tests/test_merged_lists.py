"""Merges of lists in the kernel write, byte for byte, what plain merges write."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.files import Files
from lithograph.formats.adjacency_list import INDEX_HEAD, INDEX_ROW
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.file_names import history_name, segment_name
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import HISTORY_FOOTER, SEGMENT_FOOTER
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.segments import built_edges, built_table, stored_feed, stored_feeds
from lithograph.segments.list_stream import ListStream
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.segment_check import check_history, check_segment
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import EdgeVersion
from lithograph.tools.testing.merge_samples import GrowingStore, Growth, stored, written
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.segment_samples import PARTITION, TINY, UUID, segment_files
from lithograph.tools.testing.slices import RawSlice

if kernel.tables is None:
    pytest.skip("the reference kernel merges no lists", allow_module_level=True)

SMALL = SegmentShape(lists=7, positions=5, group_edges=3, unindexed_size_max=20, inline_size_max=90)
DAMAGE_COUNT = 150
SHAPES = [TINY, SMALL, ON_DISK]
OUTPUT = 99


@contextlib.contextmanager
def plain_writers() -> Iterator[None]:
    """Write and merge in plain Python."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (built_edges, built_table, stored_feed, stored_feeds):
            patch.setattr(module, "tables", None)
        yield


def bytes_of(files: Files, found: WrittenSegment) -> list[bytes]:
    refs = [(segment_name, found.segment), (history_name, found.history)]
    data = []
    for name, ref in refs:
        if ref is not None:
            mapped = files.map(name(PARTITION, ref.number))
            data.append(mapped.read(0, mapped.size()))
            mapped.close()
    return data


def merge_of(parts: Sequence[StoredSlice], floor: int = 0) -> MergeSlice:
    def newest(source: int, adjacent: Any) -> int:
        return max(part.newest_edge(source, adjacent) for part in parts)

    return MergeSlice(parts, floor, newest)


def outcome(files: Files, parts: Sequence[StoredSlice], shape: SegmentShape, compress: bool) -> Any:
    """Return the files that a merge writes, or its error."""
    try:
        found = written(files, OUTPUT, merge_of(parts), shape, compress=compress)
    except CorruptionError as error:
        assert not any("0099" in name for name in files.entries(f"partitions/{PARTITION}"))
        return type(error), str(error), error.path, error.offset
    data = bytes_of(files, found)
    for name in [segment_name, history_name][: len(data)]:
        files.unlink(name(PARTITION, OUTPUT))
    counts = (found.entry_count, found.version_count, found.superseding_count)
    return data, counts, found.footer


def assert_same(
    files: Files, parts: Callable[[], Sequence[StoredSlice]], shape: SegmentShape
) -> Any:
    """Merge both ways, stored as it is and compressed; the parts are opened anew each time."""
    found = None
    for compress in (False, True):
        with plain_writers():
            wanted = outcome(files, parts(), shape, compress)
        found = outcome(files, parts(), shape, compress)

        assert found == wanted
    return found


def segments_of(
    slices: Sequence[RawSlice], shape: SegmentShape, compress: Sequence[bool] = (False,)
) -> tuple[Files, list[WrittenSegment]]:
    files = segment_files()
    found = []
    for number, slice_ in enumerate(slices):
        sealed = compress[number % len(compress)]
        found.append(written(files, number + 1, slice_, shape, compress=sealed))
    return files, found


growths = st.builds(
    Growth,
    st.sampled_from([0, 0.7, 1]),
    st.sampled_from([0, 0.2, 1]),
    st.sampled_from([0, 0.2, 0.6]),
    st.integers(0, 3),
    st.integers(0, 40),
)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**9),
    growth=growths,
    commit_counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    shape=st.sampled_from(SHAPES),
    compress=st.lists(st.booleans(), min_size=1, max_size=3),
)
def test_merges_of_any_segments_are_the_same(
    seed: int, growth: Growth, commit_counts: list[int], shape: SegmentShape, compress: list[bool]
) -> None:
    store = GrowingStore(random.Random(seed), growth)
    slices = [store.slice_of(count) for count in commit_counts]
    with plain_writers():
        wanted = [bytes_of(*pair) for pair in _each(segments_of(slices, shape, compress))]
    files, found = segments_of(slices, shape, compress)
    assert [bytes_of(files, one) for one in found] == wanted

    assert_same(files, lambda: [stored(files, one, shape) for one in found], shape)
    # A merge that does not begin with the first commit keeps tombstones.
    assert_same(files, lambda: [stored(files, one, shape) for one in found[1:] or found], shape)


def _each(pair: tuple[Files, list[WrittenSegment]]) -> Iterator[tuple[Files, WrittenSegment]]:
    for one in pair[1]:
        yield pair[0], one


def plain_slice(
    first: int, ids: range, edges: Sequence[tuple[int, int, int]], commits: int = 50
) -> RawSlice:
    """Return plain inserts (source, type code, target), by as many commits."""
    times = [MOMENT + first + n for n in range(commits)]
    slice_ = RawSlice(first, ids.start, ids.stop, times, [0] * commits, [0] * commits)
    for place, (source, code, target) in enumerate(edges):
        sequence = first + place % commits
        time = MOMENT + sequence
        version = EdgeVersion(sequence, time, EdgePatch(), True, time, sequence)
        slice_.raw_edges[source, (code, target, "")] = [version]
    return slice_


def handed_back(files: Files, found: Sequence[WrittenSegment]) -> list[tuple[int, int]]:
    """Return the nodes of which the kernel does not merge all edges that leave them, and how many
    edges it hands back."""
    taken: list[tuple[int, int]] = []
    plain = MergeSlice._edges

    def noted(merge: MergeSlice, source: int, lists: Any) -> Any:
        taken.append((source, sum(map(len, lists))))
        return plain(merge, source, lists)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MergeSlice, "_edges", noted)
        outcome(files, [stored(files, part, ON_DISK) for part in found], ON_DISK, False)
    return taken


def test_hubs_are_the_same() -> None:
    """Lists of several groups, with an index, over many blocks of end states; nothing is handed
    back."""
    slices = []
    for part in range(3):
        ids = range(part * 3000, (part + 1) * 3000)
        edges = [(7, at % 2, at) for at in range(part, ids.stop, 3)]
        edges += [(at, 5, 7) for at in ids] + [(ids.start, 4, at) for at in range(200)]
        slices.append(plain_slice(1 + 50 * part, ids, edges))
    files, found = segments_of(slices, ON_DISK, [False, True])
    data, _, footer = assert_same(
        files, lambda: [stored(files, one, ON_DISK) for one in found], ON_DISK
    )

    assert footer.edge_count == sum(len(slice_.raw_edges) for slice_ in slices)
    assert len(data) == 1
    assert handed_back(files, found) == []


def test_edges_in_two_inputs_are_handed_back_and_the_others_are_not() -> None:
    one = plain_slice(1, range(100), [(at, 0, 5) for at in range(100)])
    other = plain_slice(51, range(100, 200), [(at, 0, 5) for at in range(100, 200)])
    plain = next(iter(other.raw_edges.values()))
    change = EdgePatch(properties=b"\x80")
    other.raw_edges[8, (0, 5, "")] = [EdgeVersion(60, MOMENT + 60, change, False)]
    # The end of an edge that was never made: nothing is left of it.
    other.raw_edges[7, (0, 6, "")] = [EdgeVersion(61, MOMENT + 61, None, False)]
    other.raw_edges.update({(8, (2, at, "")): plain for at in range(90)})
    other.raw_edges[9, (1, 5, "")] = other.raw_edges.pop((109, (0, 5, "")))
    files, found = segments_of([one, other], ON_DISK)

    assert handed_back(files, found) == [(7, 1), (8, 2)]
    assert_same(files, lambda: [stored(files, part, ON_DISK) for part in found], ON_DISK)


def test_what_was_merged_passes_the_checks() -> None:
    store = GrowingStore(random.Random(5), Growth(edges_max=60))
    files, found = segments_of([store.slice_of(20) for _ in range(4)], SMALL)
    merged = written(files, OUTPUT, merge_of([stored(files, one, SMALL) for one in found]), SMALL)
    part = stored(files, merged, SMALL)
    history = part._history

    assert list(check_segment(part._segment)) == []
    assert history is not None
    assert list(check_history(history, part._segment)) == []


def test_a_floor_takes_the_careful_way() -> None:
    store = GrowingStore(random.Random(6), Growth())
    files, found = segments_of([store.slice_of(3) for _ in range(2)], ON_DISK)
    parts = [stored(files, one, ON_DISK) for one in found]

    assert isinstance(merge_of(parts).edge_stream(ON_DISK), ListStream)
    assert merge_of(parts, 2).edge_stream(ON_DISK) is None
    assert merge_of(parts, 2).incoming_stream(ON_DISK) is None


# Damage ------------------------------------------------------------------------------------------

EDGE_PARTS = ("out", "in", "edges")


def resealed(files: Files, found: WrittenSegment, kind: FileKind, at: int, change: int) -> Any:
    """Change a byte of the data region under checksums that match; return what undoes it, and what
    was written then."""
    ref = found.segment if kind == FileKind.SEGMENT else found.history
    assert ref is not None
    name, size = segment_name(PARTITION, ref.number), SEGMENT_FOOTER.size
    if kind == FileKind.HISTORY:
        name, size = history_name(PARTITION, ref.number), HISTORY_FOOTER.size
    file = SealedFile.open(files, name, ref, kind, UUID, size)
    data, body = file.read(0, file.data_size), file.body
    file.close()

    def seal(data: bytes) -> SealedRef:
        files.unlink(name)
        writer = SealedWriter(files, name, ref.number, UUID, kind)
        writer.append(data[HEADER_SIZE:])
        return writer.finish(body)

    damaged = bytearray(data)
    damaged[at] ^= change
    sealed = seal(bytes(damaged))
    if kind == FileKind.SEGMENT:
        return lambda: seal(data), replace(found, segment=sealed)
    return lambda: seal(data), replace(found, history=sealed)


def edge_bytes(found: WrittenSegment, kind: FileKind) -> list[int]:
    """Return where in a file the bytes stand that are about edges."""
    footer = found.footer if kind == FileKind.SEGMENT else found.history_footer
    assert footer is not None
    return [
        at
        for name, section in footer.sections.items()
        if any(part in name.split("_") for part in EDGE_PARTS)
        for at in range(section.offset, section.end)
    ]


def damaged_outcome(
    files: Files, found: Sequence[WrittenSegment], shape: SegmentShape, *, plain: bool
) -> Any:
    with plain_writers() if plain else contextlib.nullcontext():
        try:
            return outcome(files, [stored(files, one, shape) for one in found], shape, False)
        except CorruptionError as error:
            return "not opened", str(error)
        except AssertionError:
            return "asserted"


@pytest.mark.parametrize("kind", [FileKind.SEGMENT, FileKind.HISTORY])
@pytest.mark.parametrize(("shape", "compress"), [(SMALL, False), (SMALL, True), (ON_DISK, False)])
def test_bytes_changed_under_matching_checksums_have_the_same_outcome(
    kind: FileKind, shape: SegmentShape, compress: bool
) -> None:
    rng = random.Random(f"{kind} {compress} {shape.lists}")
    store = GrowingStore(rng, Growth(edges_max=20))
    files, found = segments_of([store.slice_of(3) for _ in range(3)], shape, [compress])
    for at in rng.sample(edge_bytes(found[1], kind), DAMAGE_COUNT):
        undo, changed = resealed(files, found[1], kind, at, 1 << at % 8 if at % 3 else 0xFF)
        parts = [found[0], changed, found[2]]
        merged = damaged_outcome(files, parts, shape, plain=False)
        # The plain way does not think of such ids: it fills the table up to the highest.
        if "do not ascend to its end" not in merged[1]:
            wanted = damaged_outcome(files, parts, shape, plain=True)
            assert merged == wanted or is_left_to_readers(wanted), f"byte {at}"
        undo()


def test_an_index_that_contradicts_its_list_is_the_same_error() -> None:
    parts = [plain_slice(1 + 50 * n, range(n * 1500, n * 1500 + 1500), []) for n in range(2)]
    for part in parts:
        edges = [(part.first_id, at % 3, at) for at in range(1500)]
        part.raw_edges = plain_slice(part.first_sequence, range(0), edges).raw_edges
    files, found = segments_of(parts, ON_DISK)
    mapped = files.map(segment_name(PARTITION, 2))
    index = INDEX_HEAD.pack(1500, 12)
    start = mapped.read(0, mapped.size()).index(index)
    for at in range(start, start + len(index) + 12 * INDEX_ROW.size, 3):
        undo, changed = resealed(files, found[1], FileKind.SEGMENT, at, 1 << at % 8)
        wanted = damaged_outcome(files, [found[0], changed], ON_DISK, plain=True)
        merged = damaged_outcome(files, [found[0], changed], ON_DISK, plain=False)
        undo()

        assert wanted[0] in (CorruptionError, TruncatedError)
        assert merged == wanted


def is_left_to_readers(wanted: Any) -> bool:
    """Return whether the error is about a time that cannot be: the kernel does not know when the
    commits were."""
    texts = ("outside the years", "not in its largest unit")
    return wanted[0] is CorruptionError and any(text in wanted[1] for text in texts)


@pytest.mark.parametrize("shape", [SMALL, ON_DISK])
def test_damaged_bytes_are_the_same_error(shape: SegmentShape) -> None:
    rng = random.Random(shape.lists)
    store = GrowingStore(rng, Growth(edges_max=60))
    files, found = segments_of([store.slice_of(4) for _ in range(3)], shape)
    name = segment_name(PARTITION, 2)
    mapped = files.map(name)
    data = mapped.read(0, mapped.size())
    for at in rng.sample(edge_bytes(found[1], FileKind.SEGMENT), DAMAGE_COUNT):
        files.unlink(name)
        file = files.create(name)
        file.write_at(0, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        file.close()
        wanted = damaged_outcome(files, found, shape, plain=True)

        assert wanted[0] is ChecksumError
        assert damaged_outcome(files, found, shape, plain=False) == wanted


CUT = """
import os, random, sys
from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.files import OsFiles
from lithograph.formats.segment_shape import ON_DISK
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.tools.testing.merge_samples import Growth, GrowingStore, stored, written

files = OsFiles.create_root(sys.argv[1])
for directory in ("partitions", "partitions/2026-11", "names"):
    files.make_directory(directory)
store = GrowingStore(random.Random(1), Growth(edges_max=900, change_share=0, birth_max=90))
found = [written(files, n, store.slice_of(9), ON_DISK) for n in (1, 2)]
parts = [stored(files, one, ON_DISK) for one in found]
for part in parts:
    assert not list(part._segment.file.check_blocks())
merge = MergeSlice(parts, 0, lambda source, adjacent: 0)
stream = merge.edge_stream(ON_DISK)
os.truncate(sys.argv[1] + "/partitions/2026-11/00000002.seg", 4096)
try:
    merge.names = merge.nodes = lambda: iter(())
    written(files, 3, merge, ON_DISK)
except CorruptionError as error:
    print(error)
"""


def test_a_file_that_is_cut_under_a_merge_ends_no_process(tmp_path: Path) -> None:
    """In a child: it would be killed by SIGBUS."""
    ran = subprocess.run(
        [sys.executable, "-c", CUT, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "00000002.seg" in ran.stdout


def test_a_merge_that_is_closed_early_leaves_no_file() -> None:
    store = GrowingStore(random.Random(7), Growth())
    files, found = segments_of([store.slice_of(9) for _ in range(3)], TINY)
    before = sorted(files.entries(f"partitions/{PARTITION}"))
    count = 0
    while True:
        parts = [stored(files, one, TINY) for one in found]
        steps = write_segment(
            files,
            OUTPUT,
            PARTITION,
            UUID,
            merge_of(parts),
            compress=False,
            shape=TINY,
            step_count=1,
        )
        done = True
        for _ in range(count + 1):
            if next(steps, "ended") == "ended":
                break
        else:
            done = False
        steps.close()
        if done:
            break
        assert sorted(files.entries(f"partitions/{PARTITION}")) == before
        count += 1
    assert count > 20
