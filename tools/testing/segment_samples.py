"""Segments and histories of slices drawn or made by hand, on a simulated disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from lithograph.files import Files
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.file_names import history_name, segment_name
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.properties import encode_properties
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import HISTORY_FOOTER, SEGMENT_FOOTER
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.segment_writer import WrittenSegment, write_segment
from lithograph.segments.slice import Slice
from lithograph.segments.version import (
    EdgeVersion,
    NodeVersion,
)
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.slices import RawSlice
from lithograph.tools.testing.strategies import edge_patches, names, node_patches

UUID = bytes(range(16))
PARTITION, NUMBER = "2026-11", 7
FIRST_SEQUENCE, FIRST_ID = 10, 4
TINY = SegmentShape(
    names=2,
    nodes=2,
    lists=2,
    positions=3,
    commits=2,
    group_edges=2,
    unindexed_size_max=6,
    inline_size_max=8,
)


# Slices ------------------------------------------------------------------------------------------


def time_of(sequence: int) -> int:
    return MOMENT + (sequence - FIRST_SEQUENCE) ** 2 * 1_000_003


def _versions(
    draw: st.DrawFn,
    kind: Callable[..., Any],
    patches: st.SearchStrategy[Any],
    sequences: Iterable[int],
    *,
    alive: bool,
    reborn: bool,
) -> list[Any]:
    """Return raw versions at some of the sequences; `alive`: an older layer has it."""
    raw = []
    may_begin = True
    for sequence in sequences:
        time = time_of(sequence)
        if not alive:
            if not may_begin:
                break
            raw.append(kind(sequence, time, draw(patches), True, time, sequence))
            alive = True
        elif draw(st.integers(0, 2)):
            raw.append(kind(sequence, time, draw(patches), False))
        else:
            raw.append(kind(sequence, time, None, False))
            alive, may_begin = False, reborn
    return raw


@st.composite
def slices(draw: st.DrawFn) -> RawSlice:
    commit_count = draw(st.integers(1, 5))
    born_count = draw(st.integers(0, 5))
    span = range(FIRST_SEQUENCE, FIRST_SEQUENCE + commit_count)
    some = st.lists(st.sampled_from(span), min_size=1, max_size=4, unique=True).map(sorted)
    slice_ = RawSlice(
        FIRST_SEQUENCE,
        FIRST_ID,
        FIRST_ID + born_count,
        [time_of(sequence) for sequence in span],
        draw(st.lists(st.integers(0, 9), min_size=commit_count, max_size=commit_count)),
        draw(st.lists(st.integers(0, 9), min_size=commit_count, max_size=commit_count)),
    )
    end_id = slice_.end_id
    for node_id in range(FIRST_ID, end_id):
        if draw(st.integers(0, 5)):
            slice_.raw_names[node_id] = draw(names)
    for node_id in draw(st.sets(st.integers(0, end_id - 1))):
        slice_.raw_nodes[node_id] = _versions(
            draw, NodeVersion, node_patches(), draw(some), alive=node_id < FIRST_ID, reborn=False
        )
    ends = st.integers(0, end_id - 1)
    adjacent = st.tuples(st.sampled_from([0, 1, 40]), ends, st.sampled_from(["", "", "é", "k"]))
    for source, edge in draw(st.sets(st.tuples(ends, adjacent), max_size=14)):
        older = max(source, edge[1]) < FIRST_ID
        slice_.raw_edges[source, edge] = _versions(
            draw,
            EdgeVersion,
            st.just(EdgePatch()) | edge_patches,
            draw(some),
            alive=older and draw(st.booleans()),
            reborn=True,
        )
    return slice_


def sample() -> RawSlice:
    """Return a small slice with something of everything."""

    def at(sequence: int) -> tuple[int, int]:
        return sequence, time_of(sequence)

    def born(kind: Any, sequence: int, patch: Any) -> Any:
        return kind(*at(sequence), patch, True, time_of(sequence), sequence)

    slice_ = RawSlice(
        10, 4, 8, [time_of(s) for s in range(10, 15)], [4, 6, 8, 7, 7], [2, 2, 5, 4, 5]
    )
    slice_.raw_names = {4: "Ada", 5: "Zoë", 6: "Charles", 7: "l" * 300}
    long = NodePatch(type_code=1, observations=("wrote the first program " * 60,))
    slice_.raw_nodes = {
        1: [NodeVersion(*at(11), NodePatch(appended=("a", "b")), False)],
        3: [
            NodeVersion(*at(11), NodePatch(appended=("a",)), False),
            NodeVersion(*at(12), NodePatch(removed=("a",), appended=("c",)), False),
        ],
        4: [born(NodeVersion, 10, NodePatch(type_code=2, created_at=MOMENT - 5))],
        5: [born(NodeVersion, 10, long), NodeVersion(*at(13), None, False)],
        6: [
            born(NodeVersion, 11, NodePatch(properties=encode_properties({"born": 1791}))),
            NodeVersion(*at(14), NodePatch(observations=("engine",)), False),
        ],
        7: [born(NodeVersion, 12, NodePatch())],
    }
    plain = EdgePatch()
    slice_.raw_edges = {
        (0, (0, 1, "")): [EdgeVersion(*at(13), None, False)],
        (0, (0, 2, "k")): [
            EdgeVersion(*at(12), None, False),
            born(EdgeVersion, 14, EdgePatch(valid_from=MOMENT)),
        ],
        (2, (0, 0, "")): [EdgeVersion(*at(12), EdgePatch(valid_to=MOMENT), False)],
        (4, (0, 5, "")): [born(EdgeVersion, 10, plain), EdgeVersion(*at(13), None, False)],
        (4, (1, 6, "")): [born(EdgeVersion, 12, plain)],
        (4, (1, 7, "")): [born(EdgeVersion, 12, plain)],
        (6, (40, 4, "é")): [born(EdgeVersion, 12, EdgePatch(properties=b"\x81\xa1w\x05"))],
        (6, (40, 6, "")): [born(EdgeVersion, 14, plain)],
    }
    return slice_


# Files -------------------------------------------------------------------------------------------


@dataclass
class Written:
    """A slice on a simulated disk, and its readers."""

    files: Files
    written: WrittenSegment
    shape: SegmentShape

    def segment(self, ref: SealedRef | None = None, nodes_size_bytes: int = 10**6) -> SegmentReader:
        return SegmentReader.open(
            self.files,
            PARTITION,
            ref or self.written.segment,
            UUID,
            BlockCache(10**6, nodes_size_bytes),
            self.shape,
        )

    def history(self, ref: SealedRef | None = None) -> HistoryReader | None:
        ref = ref or self.written.history
        if ref is None:
            return None
        return HistoryReader.open(self.files, PARTITION, ref, UUID, BlockCache(10**6), self.shape)

    def layer(self) -> SegmentLayer:
        return SegmentLayer(self.segment(), self.history)


def segment_files() -> Files:
    files = SimulatedDisk().process(create=True)
    for directory in ("partitions", f"partitions/{PARTITION}", "names"):
        files.make_directory(directory)
    return files


def write(slice_: Slice, *, compress: bool = False, shape: SegmentShape = ON_DISK) -> Written:
    files = segment_files()
    steps = write_segment(
        files, NUMBER, PARTITION, UUID, slice_, compress=compress, shape=shape, step_count=1
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return Written(files, stop.value, shape)


def data_and_body(written: Written, kind: FileKind) -> tuple[bytes, bytes]:
    ref, name, body_size = _file(written, kind)
    file = SealedFile.open(written.files, name, ref, kind, UUID, body_size)
    return file.read(0, file.data_size), file.body


def whole_files(written: Written) -> list[tuple[bytes, bytes]]:
    """Return data and footer of the segment, and of its history if it has one."""
    kinds = [FileKind.SEGMENT, FileKind.HISTORY]
    return [
        data_and_body(written, kind)
        for kind in (kinds if written.written.history is not None else kinds[:1])
    ]


def _file(written: Written, kind: FileKind) -> tuple[SealedRef, str, int]:
    if kind == FileKind.SEGMENT:
        return written.written.segment, segment_name(PARTITION, NUMBER), SEGMENT_FOOTER.size
    assert written.written.history is not None
    return written.written.history, history_name(PARTITION, NUMBER), HISTORY_FOOTER.size


def seal(written: Written, kind: FileKind, data: bytes, body: bytes) -> SealedRef:
    """Write the file anew, with checksums that match whatever is in it."""
    _, name, _ = _file(written, kind)
    written.files.unlink(name)
    writer = SealedWriter(written.files, name, NUMBER, UUID, kind)
    writer.append(data[HEADER_SIZE:])
    return writer.finish(body)
