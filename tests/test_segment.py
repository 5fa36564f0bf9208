"""Segments and histories: what was written is served at every commit, and damage never is."""

from __future__ import annotations

import gc
import os
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.file_header import HEADER_SIZE, FileKind
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.sealed import TAIL_SIZE, SealedRef, hash_footer
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.segments.layer import Direction
from lithograph.segments.segment_check import check_history, check_segment
from lithograph.segments.segment_layer import SegmentLayer
from lithograph.segments.segment_writer import write_segment
from lithograph.segments.spool import Spool
from lithograph.segments.version import (
    AnyVersion,
    EdgeVersion,
    visible_down_to_full,
)
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.segment_samples import (
    FIRST_ID,
    FIRST_SEQUENCE,
    NUMBER,
    PARTITION,
    TINY,
    UUID,
    Written,
    _file,
    data_and_body,
    sample,
    seal,
    segment_files,
    slices,
    time_of,
    write,
)
from lithograph.tools.testing.slices import RawSlice

STEP = 1 if os.environ.get("LITHOGRAPH_FUZZ") else 3

KINDS = pytest.mark.parametrize(
    "kind", [FileKind.SEGMENT, FileKind.HISTORY], ids=lambda kind: kind.name.lower()
)


# What is written is served -----------------------------------------------------------------------


def _folded(versions: Sequence[AnyVersion]) -> tuple[Any, ...] | None:
    """Return what versions, newest first, amount to in this layer."""
    if not versions:
        return None
    base = versions[-1]
    patch: Any = base.change
    if patch is not None:
        if base.full and isinstance(patch, NodePatch):
            patch = patch.with_defaults()
        for version in versions[-2::-1]:
            patch = patch.then(version.change)
        if base.full and isinstance(patch, NodePatch):
            patch = patch.as_full()
    return versions[0].sequence, versions[0].time, patch, base.full, base.born, base.born_sequence


def _assert_serves(layer: SegmentLayer, slice_: RawSlice, sequence: int) -> None:
    for node_id in range(-1, slice_.end_id + 2):
        raw = slice_.raw_nodes.get(node_id, [])
        assert _folded(layer.node_versions(node_id, sequence)) == _folded(
            visible_down_to_full(raw, sequence)
        )
        assert layer.name_of(node_id) == slice_.raw_names.get(node_id)
        for direction in Direction:
            _assert_lists(layer, slice_, node_id, direction, sequence)


def _assert_lists(
    layer: SegmentLayer, slice_: RawSlice, node_id: int, direction: Direction, sequence: int
) -> None:
    wanted: dict[AdjacentEdge, list[EdgeVersion]] = {}
    for (source, (code, target, key)), raw in slice_.raw_edges.items():
        versions = visible_down_to_full(raw, sequence)
        ends = (source, target)
        if versions and ends[direction] == node_id:
            wanted[code, ends[1 - direction], key] = versions
    alive = [edge for edge, versions in sorted(wanted.items()) if versions[0].change is not None]

    found = layer.adjacency(node_id, direction, sequence)
    assert [edge for edge, is_alive in found if is_alive] == alive
    assert [edge for edge, _ in found] == sorted({edge for edge, _ in found} & wanted.keys())
    # Only what the slice both made and ended may be missing.
    for edge in wanted.keys() - {edge for edge, _ in found}:
        assert sequence >= slice_.last_sequence
        assert edge not in alive
    degree = layer.degree(node_id, direction, sequence)
    assert degree in (None, len(alive))
    if direction == Direction.OUT:
        out = layer.out_edges(node_id, sequence)
        assert [(edge, versions[0].change is not None) for edge, versions in out] == found
        for edge, versions in out:
            assert _folded(versions) == _folded(wanted[edge])
        for edge, versions in wanted.items():
            found_versions = layer.edge_versions(node_id, edge, sequence)
            assert not found_versions or _folded(found_versions) == _folded(versions)
        assert layer.edge_versions(node_id, (2, 0, ""), sequence) == []


@given(slices(), st.booleans(), st.sampled_from([TINY, ON_DISK]))
def test_every_commit_is_served_as_it_was(
    slice_: RawSlice, compress: bool, shape: SegmentShape
) -> None:
    written = write(slice_, compress=compress, shape=shape)
    layer = written.layer()

    for sequence in range(FIRST_SEQUENCE, slice_.last_sequence + 3):
        _assert_serves(layer, slice_, sequence)
    sources = sorted({source for source, _ in slice_.raw_edges})
    for start in range(-1, slice_.end_id + 1):
        wanted = [source for source in sources if source >= start]
        assert list(layer.sources(start, 2)) == wanted[:2]
        assert list(layer.sources(start, 100)) == wanted
    assert layer.first_id == slice_.first_id


@given(slices(), st.booleans(), st.sampled_from([TINY, ON_DISK]))
def test_everything_comes_back_in_order_and_passes_the_checks(
    slice_: RawSlice, compress: bool, shape: SegmentShape
) -> None:
    written = write(slice_, compress=compress, shape=shape)
    segment, history = written.segment(), written.history()
    span = segment.span

    assert list(segment.all_commits()) == list(slice_.commits())
    assert list(segment.all_names()) == list(slice_.names())
    assert list(segment.all_nodes()) == [
        (node_id, end) for node_id, end, _ in slice_.nodes() if end is not None
    ]
    assert list(segment.all_edges()) == _kept(
        (source, [(e.adjacent, e.mark, e.version) for e in edges if e.mark != Mark.GONE])
        for source, edges in slice_.edges()
    )
    assert list(segment.all_incoming()) == _kept(
        (target, [(edge, mark) for edge, mark, _ in edges if mark != Mark.GONE])
        for target, edges in slice_.incoming()
    )
    assert list(check_segment(segment)) == []
    past_nodes = [(node_id, past) for node_id, _, past in slice_.nodes() if past]
    past_edges = _kept(
        (source, [(e.adjacent, e.history) for e in edges if e.history])
        for source, edges in slice_.edges()
    )
    past_incoming = _kept(
        (target, [edge for edge, _, has_history in edges if has_history])
        for target, edges in slice_.incoming()
    )
    assert (history is None) == (not past_nodes and not past_edges)
    if history is not None:
        assert list(history.all_nodes(span)) == past_nodes
        assert list(history.all_edges(span)) == past_edges
        assert list(history.all_incoming()) == past_incoming
        assert list(check_history(history, segment)) == []


def _kept(lists: Iterable[tuple[int, list[Any]]]) -> list[tuple[int, list[Any]]]:
    """Return those that are not empty."""
    return [(node_id, found) for node_id, found in lists if found]


@given(slices())
def test_the_manifest_learns_what_is_in_the_files(slice_: RawSlice) -> None:
    written = write(slice_).written
    ends = [end for _, end, _ in slice_.nodes() if end is not None]
    marks = [edge.mark for _, edges in slice_.edges() for edge in edges if edge.mark != Mark.GONE]
    past = sum(len(past) for _, _, past in slice_.nodes()) + sum(
        len(edge.history) for _, edges in slice_.edges() for edge in edges
    )
    older = sum(1 for node_id in slice_.raw_nodes if node_id < FIRST_ID)

    assert written.entry_count == len(ends) + len(marks)
    assert written.version_count == past
    assert written.superseding_count == older + len(marks) - marks.count(Mark.MADE)


def test_commits_are_found_by_time() -> None:
    slice_ = sample()
    for shape in (TINY, ON_DISK):
        segment = write(slice_, shape=shape).segment()
        for index, time in enumerate(slice_.times):
            sequence = FIRST_SEQUENCE + index
            assert segment.sequence_at(time) == sequence
            assert segment.sequence_at(time + 1) == sequence
            assert segment.commit_row(sequence) == (
                time,
                slice_.node_counts[index],
                slice_.edge_counts[index],
            )
        with pytest.raises(CorruptionError):
            segment.sequence_at(slice_.times[0] - 1)


def test_of_commits_at_one_time_the_last_is_found() -> None:
    slice_ = RawSlice(10, 0, 0, [5, 5, 5, 5, 7], [0] * 5, [0] * 5)
    segment = write(slice_, shape=TINY).segment()

    assert segment.sequence_at(5) == segment.sequence_at(6) == 13
    assert segment.sequence_at(7) == 14


def test_reads_of_now_do_not_open_the_history() -> None:
    written = write(sample())
    segment = written.segment()
    layer = SegmentLayer(segment, lambda: pytest.fail("the history was opened"))

    for node_id in range(8):
        layer.node_versions(node_id, segment.footer.last_sequence)
        layer.out_edges(node_id, segment.footer.last_sequence)
        for direction in Direction:
            layer.adjacency(node_id, direction, segment.footer.last_sequence)
            layer.degree(node_id, direction, segment.footer.last_sequence)


def test_readers_that_nobody_holds_are_gone_without_the_collector() -> None:
    """The pool of open files counts on it: dropping the last reference closes the file."""
    written = write(sample())
    gc.disable()
    try:
        segment, history = written.segment(), written.history()
        assert history is not None
        list(segment.all_edges())
        list(history.all_edges(segment.span))
        files = weakref.ref(segment.file), weakref.ref(history.file)
        del segment, history

        assert [file() for file in files] == [None, None]
    finally:
        gc.enable()


def test_a_slice_without_anything_but_commits_is_a_segment() -> None:
    slice_ = RawSlice(10, 4, 4, [MOMENT], [0], [0])
    written = write(slice_)

    assert written.written.history is None
    assert list(check_segment(written.segment())) == []
    assert written.layer().sources(0, 10) == []


GOLDEN = Path(__file__).parent / "golden" / "v0"


@KINDS
@pytest.mark.parametrize("compress", [False, True])
def test_golden_bytes(kind: FileKind, compress: bool, request: pytest.FixtureRequest) -> None:
    """Frames are whatever the installed zstandard makes, so compressed files are only read."""
    written = write(sample(), compress=compress)
    ref, name, body_size = _file(written, kind)
    data = written.files.open(name).read_at(0, ref.size)
    path = GOLDEN / f"{kind.name.lower()}{'_zstandard' if compress else ''}.hex"
    if request.config.getoption("--rewrite-golden"):
        path.write_text(data.hex(" ", 16).replace(" ", "\n") + "\n")
    golden = bytes.fromhex(path.read_text())
    wanted = _read_all(written, written.written.segment, written.written.history)
    written.files.unlink(name)
    copy = written.files.create(name)
    copy.write_at(0, golden)
    copy.close()
    footer_size = body_size + TAIL_SIZE
    golden_ref = SealedRef(NUMBER, len(golden), hash_footer(golden[-footer_size:]))
    refs = [written.written.segment, written.written.history]
    refs[kind == FileKind.HISTORY] = golden_ref

    assert compress or data == golden
    assert refs[0] is not None
    assert _read_all(written, refs[0], refs[1]) == wanted


# Slices that lie ---------------------------------------------------------------------------------


class _Lying(RawSlice):
    """A slice whose parts contradict each other where `change_…` says so."""

    def __init__(self, **changes: Callable[[Any], Any]) -> None:
        super().__init__(**vars(sample()))
        self._changes = changes

    def _changed(self, part: str, found: Iterable[Any]) -> Any:
        return iter(self._changes.get(part, list)(list(found)))

    def nodes(self) -> Any:
        return self._changed("nodes", super().nodes())

    def edges(self) -> Any:
        return self._changed("edges", super().edges())

    def incoming(self) -> Any:
        return self._changed("incoming", super().incoming())

    def commits(self) -> Any:
        return self._changed("commits", super().commits())


def _marked(mark: Mark) -> Callable[[list[Any]], list[Any]]:
    """Return what gives the last list's first edge another mark, as its target sees it."""

    def change(lists: list[Any]) -> list[Any]:
        target, edges = lists[-1]
        (adjacent, _, has_history), *rest = edges
        return [*lists[:-1], (target, [(adjacent, mark, has_history), *rest])]

    return change


def _without_history(lists: list[Any]) -> list[Any]:
    return [(target, [(edge, mark, False) for edge, mark, _ in edges]) for target, edges in lists]


def _late_history(nodes: list[Any]) -> list[Any]:
    node_id, end, history = nodes[-1]
    assert not history
    return [*nodes[:-1], (node_id, end, [end._replace(sequence=14, time=time_of(14))])]


def _late_edge_history(lists: list[Any]) -> list[Any]:
    source, (*edges, last) = lists[-1]
    return [*lists[:-1], (source, [*edges, last._replace(history=[last.version])])]


def _unordered_commits(commits: list[Any]) -> list[Any]:
    first, second, *rest = [list(commit) for commit in commits]
    first[1] = rest[0][1] + 1
    second[1] = first[1]
    return [first, second, *rest]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"incoming": _marked(Mark.CHANGED)}, "different edges or marks"),
        ({"incoming": lambda lists: lists[:-1]}, "different edges or marks"),
        ({"edges": lambda lists: lists[:-1]}, "different edges or marks"),
        ({"incoming": _without_history}, "in one direction only"),
        ({"nodes": _late_history}, "newer than its end state"),
        ({"edges": _late_edge_history}, "newer than its end state"),
        ({"commits": _unordered_commits}, "does not follow"),
    ],
)
def test_the_checks_find_what_contradicts_itself(
    changes: dict[str, Callable[[Any], Any]], message: str
) -> None:
    written = write(_Lying(**changes), shape=TINY)
    segment, history = written.segment(), written.history()
    assert history is not None
    found = [*check_segment(segment), *check_history(history, segment)]

    assert any(message in str(error) for error in found), found
    assert all(error.path for error in found)


# Failing writers ---------------------------------------------------------------------------------


def test_a_writer_that_is_closed_early_leaves_no_file() -> None:
    files = segment_files()
    step_count = sum(1 for _ in write_steps(segment_files(), sample()))
    for stop in range(step_count):
        steps = write_steps(files, sample())
        for _ in range(stop):
            next(steps)
        steps.close()

        assert files.entries(f"partitions/{PARTITION}") == []
        assert files.entries("names") == []


@pytest.mark.parametrize("stop", [12, 10**6])
def test_notes_that_outgrow_memory_leave_no_file(
    monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    in_memory = write(sample()).written
    monkeypatch.setattr(Spool.__init__, "__defaults__", (0,))
    files = segment_files()
    steps = write_steps(files, sample())
    try:
        for _ in range(stop):
            next(steps)
        assert any(name.endswith(".spool") for name in files.entries("names"))
        steps.close()
    except StopIteration as done:
        assert done.value == in_memory  # noqa: PT017

    assert files.entries("names") == []


def test_a_slice_that_raises_leaves_no_file() -> None:
    class Failing(RawSlice):
        def incoming(self) -> Any:
            raise OSError("no more")

    slice_ = sample()
    failing = Failing(**vars(slice_))
    files = segment_files()
    with pytest.raises(OSError, match="no more"):
        list(write_steps(files, failing))

    assert files.entries(f"partitions/{PARTITION}") == []


def write_steps(files: Files, slice_: RawSlice) -> Any:
    return write_segment(files, NUMBER, PARTITION, UUID, slice_, compress=False, step_count=1)


# Damage ------------------------------------------------------------------------------------------


def _read_all(written: Written, segment_ref: SealedRef, history_ref: SealedRef | None) -> Any:
    """Return everything both files say, and what the checks find; reads go on behind errors."""
    found: list[Any] = []

    def read(reader: Callable[[], Any]) -> None:
        try:
            found.append(reader())
        except CorruptionError as error:
            found.append(("error", error.path != ""))

    try:
        segment = written.segment(segment_ref)
        history = written.history(history_ref) if history_ref else None
    except CorruptionError as error:
        return [("error", error.path != "")]
    layer = SegmentLayer(segment, lambda: history)
    everything: list[Callable[[], Any]] = [
        lambda: list(segment.all_commits()),
        lambda: list(segment.all_names()),
        lambda: list(segment.all_nodes()),
        lambda: list(segment.all_edges()),
        lambda: list(segment.all_incoming()),
        lambda: [str(error) for error in check_segment(segment)],
        lambda: segment.sequence_at(time_of(12)),
    ]
    if history is not None:
        everything += [
            lambda: list(history.all_nodes(segment.span)),
            lambda: list(history.all_edges(segment.span)),
            lambda: list(history.all_incoming()),
            lambda: [str(error) for error in check_history(history, segment)],
        ]
    for sequence in (12, 14):
        for node_id in range(9):
            everything += [
                lambda n=node_id: layer.name_of(n),  # type: ignore[misc]
                lambda n=node_id, s=sequence: layer.node_versions(n, s),  # type: ignore[misc]
                lambda n=node_id, s=sequence: layer.out_edges(n, s),  # type: ignore[misc]
                lambda n=node_id, s=sequence: layer.adjacency(  # type: ignore[misc]
                    n, Direction.IN, s
                ),
                lambda n=node_id, s=sequence: layer.degree(  # type: ignore[misc]
                    n, Direction.OUT, s
                ),
            ]
    for reader in everything:
        read(reader)
    return found


@KINDS
@pytest.mark.parametrize(("compress", "shape"), [(False, ON_DISK), (True, TINY)])
def test_bytes_changed_under_matching_checksums_are_noticed_or_another_graph(
    kind: FileKind, compress: bool, shape: SegmentShape
) -> None:
    """Nothing but CorruptionError comes, and what comes instead of it is not the old answer."""
    written = write(sample(), compress=compress, shape=shape)
    segment_ref, history_ref = written.written.segment, written.written.history
    data, body = data_and_body(written, kind)
    wanted = _read_all(written, segment_ref, history_ref)
    footer = written.written.footer if kind == FileKind.SEGMENT else written.written.history_footer
    assert footer is not None
    filters = [part for name, part in footer.sections.items() if name.endswith("filter")]
    frames = _frames(data)
    for offset in range(HEADER_SIZE, len(data), STEP):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8 if offset % 5 else 0xFF
        ref = seal(written, kind, bytes(damaged), body)
        refs = (ref, history_ref) if kind == FileKind.SEGMENT else (segment_ref, ref)
        found = _read_all(written, *refs)

        in_filter = any(part.offset <= offset < part.end for part in filters)
        # A bit that is set in a filter costs a look-up, nothing else. There is more than one frame
        # of the same contents.
        in_frame = any(offset in frame for frame in frames)
        assert found != wanted or in_filter or in_frame, f"byte {offset}"


def _frames(data: bytes) -> list[range]:
    """Return where the zstandard frames of a file stand."""
    frames = []
    for magic in re.finditer(re.escape(zstandard.FRAME_HEADER), data):
        opened = zstandard.ZstdDecompressor().decompressobj()
        opened.decompress(data[magic.start() :])
        frames.append(range(magic.start(), len(data) - len(opened.unused_data)))
    return frames


@KINDS
def test_hostile_footers_are_corruption_or_another_graph(kind: FileKind) -> None:
    written = write(sample())
    segment_ref, history_ref = written.written.segment, written.written.history
    data, body = data_and_body(written, kind)
    wanted = _read_all(written, segment_ref, history_ref)
    for start in range(0, len(body), 8):
        value = int.from_bytes(body[start : start + 8], "little")
        for changed in {0, 1, value + 1, value - 1, value + 32, 2**48, 2**63, 2**64 - 1} - {value}:
            if changed < 0:
                continue
            hostile = body[:start] + changed.to_bytes(8, "little") + body[start + 8 :]
            ref = seal(written, kind, data, hostile)
            refs = (ref, history_ref) if kind == FileKind.SEGMENT else (segment_ref, ref)

            assert _read_all(written, *refs) != wanted, f"u64 at {start}: {changed}"


@KINDS
def test_bytes_behind_the_last_section_are_corruption(kind: FileKind) -> None:
    written = write(sample())
    data, body = data_and_body(written, kind)
    ref = seal(written, kind, data + bytes(32), body)

    with pytest.raises(CorruptionError, match="the sections end at"):
        written.segment(ref) if kind == FileKind.SEGMENT else written.history(ref)


@KINDS
def test_a_wrong_position_in_a_directory_is_found(kind: FileKind) -> None:
    written = write(sample(), shape=TINY)
    data, body = data_and_body(written, kind)
    found = written.written
    footer = found.footer if kind == FileKind.SEGMENT else found.history_footer
    assert footer is not None
    name = "dense_out_directory" if kind == FileKind.SEGMENT else "out_directory"
    damaged = bytearray(data)
    damaged[footer.sections[name].end - 8] ^= 1
    ref = seal(written, kind, bytes(damaged), body)
    if kind == FileKind.SEGMENT:
        findings = list(check_segment(written.segment(ref)))
    else:
        history = written.history(ref)
        assert history is not None
        findings = list(check_history(history, written.segment()))

    assert any("a block begins at edge" in str(error) for error in findings)


@KINDS
def test_any_damaged_byte_is_noticed_by_the_checks(kind: FileKind) -> None:
    written = write(sample())
    ref, name, _ = _file(written, kind)
    file = written.files.open(name)
    data = file.read_at(0, ref.size)
    for offset in range(0, len(data), STEP):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << offset % 8
        written.files.unlink(name)
        copy = written.files.create(name)
        copy.write_at(0, bytes(damaged))
        copy.close()
        assert written.written.history is not None
        found = _read_all(written, written.written.segment, written.written.history)

        assert any(found[0]) if found == [("error", True)] else _has_findings(found), offset


def _has_findings(found: list[Any]) -> bool:
    """Whether one of the checks, which return lists of str, found something."""
    return any(isinstance(part, list) and part and isinstance(part[0], str) for part in found)


@KINDS
def test_any_shorter_file_is_corruption(kind: FileKind) -> None:
    written = write(sample())
    ref, name, _ = _file(written, kind)
    data = written.files.open(name).read_at(0, ref.size)
    for size in range(0, len(data), 7):
        written.files.unlink(name)
        copy = written.files.create(name)
        copy.write_at(0, data[:size])
        copy.close()
        with pytest.raises(CorruptionError):
            written.segment() if kind == FileKind.SEGMENT else written.history()
