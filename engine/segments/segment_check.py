"""Checking a segment and its history against SPEC.md, section 12, in bounded memory.

Every block is checked, every record decoded, every count counted. That the two directions list the
same edges is compared by sums of hashes, so that neither has to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.kernel import xxh64
from lithograph.segments.adjacency_reader import AdjacencyReader
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.slice_columns import are_right
from lithograph.segments.table_check import check_edge_blocks, check_padding, check_records
from lithograph.segments.version import EdgeVersion, NodeVersion

Findings = Iterator[CorruptionError]
_SUM_END = 2**64


def check_segment(segment: SegmentReader, *, contents: bool = True) -> Findings:
    """Yield everything that is wrong with a segment, in itself.

    contents : also what `check_tables` and `check_contents` find; else blocks, padding and the
        commit table alone are looked at.

    Cost: the whole file is read once, with contents three times.
    """
    damaged = False
    for error in segment.file.check_blocks():
        damaged = True
        yield error
    if damaged:
        return
    yield from check_padding(segment.file, segment.footer.sections)
    if contents:
        yield from check_tables(segment)
    yield from segment.commits.check()
    if contents:
        yield from check_contents(segment)


def check_written(segment: SegmentReader, history: HistoryReader | None) -> Findings:
    """Yield what is wrong with a segment and its history, as the other two together.

    Cost: where nothing is, 0.25 µs per node and edge in the kernel.
    """
    if not any(_caught(lambda: _check_frame(segment, history))) and are_right(segment, history):
        return
    yield from check_segment(segment)
    if history is not None:
        yield from check_history(history, segment)


def _check_frame(segment: SegmentReader, history: HistoryReader | None) -> Findings:
    """Yield what is wrong outside of tables and records."""
    yield from check_segment(segment, contents=False)
    if history is not None:
        yield from check_history(history, segment, contents=False)


def check_tables(segment: SegmentReader) -> Findings:
    """Yield what is wrong with where the blocks of a segment stand, and what they hold."""
    footer = segment.footer
    born, older = range(footer.first_id, footer.end_id), range(footer.first_id)
    yield from check_records(segment.names, born)
    yield from check_records(segment.sparse_nodes, older)
    yield from check_records(segment.dense_nodes, born)
    for lists in segment.lists:
        yield from check_records(lists.sparse, older)
        if lists.dense is not None:
            yield from check_records(lists.dense, born)
    yield from check_edge_blocks(segment.edge_table, segment.span)


def check_contents(segment: SegmentReader) -> Findings:
    """Yield what is wrong with the records and lists of a segment, whose blocks are sound."""
    for check in (_check_names, _check_nodes, _check_positions, _check_edges):
        yield from _caught(lambda check=check: check(segment))  # type: ignore[misc]


def check_history(
    history: HistoryReader, segment: SegmentReader, *, contents: bool = True
) -> Findings:
    """Yield everything that is wrong with a history, in itself and beside its segment.

    contents : also what `check_past` finds; else blocks and padding alone are looked at.
    """
    footer, whose = history.footer, segment.footer
    damaged = False
    for error in history.file.check_blocks():
        damaged = True
        yield error
    if damaged:
        return
    mine = (footer.first_sequence, footer.last_sequence, footer.first_id, footer.end_id)
    if mine != (whose.first_sequence, whose.last_sequence, whose.first_id, whose.end_id):
        yield _wrong(history, f"the slice is {mine}, not that of the segment")
        return
    yield from check_padding(history.file, footer.sections)
    if contents:
        yield from check_past(history, segment)


def check_past(history: HistoryReader, segment: SegmentReader) -> Findings:
    """Yield what is wrong with the tables and records of a history, whose blocks are sound."""
    known = range(history.footer.end_id)
    yield from check_records(history.nodes, known)
    for lists in history.lists:
        yield from check_records(lists.sparse, known)
    yield from check_edge_blocks(history.edge_table, segment.span)
    for check in (_check_past_nodes, _check_past_positions, _check_past_edges):
        yield from _caught(lambda check=check: check(history, segment))  # type: ignore[misc]


def _caught(check: Callable[[], Findings]) -> Findings:
    """Yield what a check finds, and what stops it."""
    try:
        yield from check()
    except CorruptionError as error:
        yield error


# Segments ----------------------------------------------------------------------------------------


def _check_names(segment: SegmentReader) -> Findings:
    count = sum(1 for _ in segment.all_names())
    yield from _compare(segment, "names", count, segment.footer.name_count)


def _check_nodes(segment: SegmentReader) -> Findings:
    footer = segment.footer
    counts = [0, 0]
    for node_id, _ in segment.all_nodes():
        counts[node_id >= footer.first_id] += 1
    yield from _compare(segment, "older nodes", counts[0], footer.sparse_node_count)
    yield from _compare(segment, "nodes born here", counts[1], footer.dense_node_count)


def _check_positions(segment: SegmentReader) -> Findings:
    footer = segment.footer
    yield from _check_list_positions(
        segment, segment.lists[Direction.OUT], footer.sparse_edge_count, footer.edge_count
    )


def _check_edges(segment: SegmentReader) -> Findings:
    footer = segment.footer
    outgoing = incoming = superseding = 0
    for source, edges in segment.all_edges():
        for (code, target, key), mark, version in edges:
            outgoing += _edge_hash(source, code, target, key, mark)
            superseding += mark != Mark.MADE
            dead = version.change is None
            if target >= footer.end_id or dead != (mark == Mark.DEAD):
                yield _wrong(segment, f"the edge {source} -> {target} contradicts itself")
            elif mark == Mark.MADE and not version.full:
                yield _wrong(segment, f"the edge {source} -> {target} was changed, never made")
    for target, found in segment.all_incoming():
        for (code, source, key), mark in found:
            incoming += _edge_hash(source, code, target, key, mark)
    if outgoing % _SUM_END != incoming % _SUM_END:
        yield _wrong(segment, "the two directions list different edges or marks")
    yield from _compare(segment, "superseding edges", superseding, footer.superseding_edge_count)


# Histories ---------------------------------------------------------------------------------------


def _check_past_nodes(history: HistoryReader, segment: SegmentReader) -> Findings:
    count = version_count = 0
    for node_id, versions in history.all_nodes(segment.span):
        count += 1
        version_count += len(versions)
        if _is_out_of_order(versions, segment.node_version(node_id)):
            yield _wrong(history, f"a version of node {node_id} is newer than its end state")
    yield from _compare(history, "nodes", count, history.footer.node_count)
    yield from _compare(
        history, "versions of nodes", version_count, history.footer.node_version_count
    )


def _check_past_positions(history: HistoryReader, segment: SegmentReader) -> Findings:
    count = history.footer.edge_count
    yield from _check_list_positions(history, history.lists[Direction.OUT], count, count)


def _check_past_edges(history: HistoryReader, segment: SegmentReader) -> Findings:
    version_count = 0
    for source, edges in history.all_edges(segment.span):
        for adjacent, versions in edges:
            version_count += len(versions)
            code, target, key = adjacent
            incoming = history.list_of(target, Direction.IN)
            if incoming is None or incoming.find((code, source, key)) is None:
                yield _wrong(history, f"the edge {source} -> {target} is in one direction only")
            if _is_out_of_order(versions, segment.edge_version(source, adjacent)):
                yield _wrong(
                    history, f"a version of {source} -> {target} is newer than its end state"
                )
    for direction, lists in zip(Direction, history.lists, strict=True):
        for node_id, found in lists.lists():
            found.decode()
            if not found.is_pure:
                yield _wrong(history, f"the {direction.name} list of {node_id} has marks")
    yield from _compare(
        history, "versions of edges", version_count, history.footer.edge_version_count
    )


def _is_out_of_order(
    versions: list[NodeVersion] | list[EdgeVersion], end: NodeVersion | EdgeVersion | None
) -> bool:
    """Return whether history reaches beyond the end state; up to it, if that is relative."""
    if end is None:
        return False
    newest = versions[-1].sequence
    return newest >= end.sequence if end.full or end.change is None else newest != end.sequence


# Both --------------------------------------------------------------------------------------------


def _check_list_positions(
    reader: SegmentReader | HistoryReader,
    lists: AdjacencyReader,
    sparse_count: int,
    edge_count: int,
) -> Findings:
    """Check the positions in the directories against the lengths of the lists."""
    position = 0
    for table in (lists.sparse, lists.dense):
        for block in table.blocks() if table is not None else ():
            if block.row[-1] != position:
                yield _wrong(reader, f"a block begins at edge {block.row[-1]}, not {position}")
                return
            position += sum(found.count() for _, found in lists.block_lists(block))
        if table is lists.sparse:
            yield from _compare(reader, "edges of older nodes", position, sparse_count)
    yield from _compare(reader, "edges", position, edge_count)


def _edge_hash(source: int, code: int, target: int, key: str, mark: Mark) -> int:
    numbers = b"".join(value.to_bytes(8, "little") for value in (source, code, target, mark))
    return xxh64(numbers + key.encode())


def _compare(
    reader: SegmentReader | HistoryReader, what: str, found: int, expected: int
) -> Findings:
    if found != expected:
        yield _wrong(reader, f"{found} {what} are there, the footer counts {expected}")


def _wrong(reader: SegmentReader | HistoryReader, message: str) -> CorruptionError:
    return CorruptionError(message, path=reader.path, offset=reader.file.footer_offset)
