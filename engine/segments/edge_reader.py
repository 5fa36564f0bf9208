"""Reading the versions of edges, by position of the out-edge (SPEC.md, section 12.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_block import PLAIN, decode_mode, decode_plain
from lithograph.formats.edge_patch import UNCHANGED_EDGE
from lithograph.formats.segment_footer import Section
from lithograph.formats.table_directory import DENSE_ROW
from lithograph.formats.version_record import EDGE_VERSIONS, CommitSpan
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.table_reader import Block, Identity, TableReader
from lithograph.segments.version import EdgeVersion

T = TypeVar("T")


class EdgeReader(TableReader):
    """The table of edge versions: end states in a segment, lists of versions in a history."""

    def __init__(
        self,
        file: SealedFile,
        identity: Identity,
        blocks: Section,
        directory: Section,
        edge_count: int,
        block_count_max: int,
        cache: BlockCache,
    ) -> None:
        super().__init__(file, identity, blocks, directory, DENSE_ROW, block_count_max, cache)
        self.edge_count = edge_count
        wanted = -(-edge_count // block_count_max)
        if wanted != self.block_count:
            raise self.wrong(f"{self.block_count} blocks for {edge_count} edges, not {wanted}")

    def versions(self, start: int, count: int, span: CommitSpan) -> Iterator[EdgeVersion]:
        """Yield the end states of `count` edges, from a position on."""
        for index, first, end in self._parts(start, count):
            found = self._block(index, span)
            if isinstance(found, list):
                for sequence in found[first:end]:
                    time = span.time_of(sequence)
                    yield EdgeVersion(sequence, time, UNCHANGED_EDGE, True, time, sequence)
            else:
                yield from self._decode(found, first, end, lambda cursor: _version(cursor, span))

    def lists(self, start: int, count: int, span: CommitSpan) -> Iterator[list[EdgeVersion]]:
        """Yield the histories of `count` edges, from a position on, oldest versions first."""
        for index, first, end in self._parts(start, count):
            found = self._block(index, span)
            if isinstance(found, list):
                raise self.wrong(f"block {index} of a history is plain")
            yield from self._decode(found, first, end, lambda cursor: _versions(cursor, span))

    def plain_block(self, index: int, span: CommitSpan) -> list[int] | None:
        """Return the commits of a block of plain inserts, None for a block of records."""
        found = self._block(index, span)
        return found if isinstance(found, list) else None

    def record_block(self, index: int, span: CommitSpan) -> Block | None:
        """Return a block, or None if it is plain."""
        found = self._block(index, span)
        return found if isinstance(found, Block) else None

    def unpacked(self, index: int) -> bytes:
        """Return the body of a block, as it was before it was compressed."""
        _, start, end = self.row(index)
        body = self.body(start, end)
        return body.read(0, body.size)

    def _parts(self, start: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield the blocks that hold the positions: index, first place, place behind the last."""
        end = start + count
        if end > self.edge_count:
            raise self.wrong(f"edges {start} to {end} of {self.edge_count} are wanted")
        block_count = self._block_count_max
        while start < end:
            index, first = divmod(start, block_count)
            stop = min(end - index * block_count, block_count)
            yield index, first, stop
            start = index * block_count + stop

    def _block(self, index: int, span: CommitSpan) -> Block | list[int]:
        """Return a block of records, or the sequences of a plain one."""
        row, start, end = self.row(index)
        body = self.body(start, end)
        first = index * self._block_count_max
        positions = range(first, min(first + self._block_count_max, self.edge_count))
        cursor = self._head_cursor(body)
        try:
            if decode_mode(cursor) == PLAIN:
                # The cursor has more bytes than a plain block can take: one with more is refused.
                return decode_plain(cursor, len(positions), span)
        except CorruptionError as error:
            raise body.located(error) from None
        return Block(body, positions, self._decode_heads(body, cursor, len(positions)), row)

    def _decode(
        self, block: Block, first: int, end: int, decoder: Callable[[Cursor], T]
    ) -> Iterator[T]:
        for place in range(first, end):
            yield self.record(block, place).decode(lambda data: decode_whole(data, decoder))


def decode_whole(data: bytes, decoder: Callable[[Cursor], T]) -> T:
    """Return what `decoder` reads; CorruptionError if it leaves bytes."""
    cursor = Cursor(data)
    found = decoder(cursor)
    cursor.finish("record")
    return found


def _version(cursor: Cursor, span: CommitSpan) -> EdgeVersion:
    return EdgeVersion(*EDGE_VERSIONS.read(cursor, span))


def _versions(cursor: Cursor, span: CommitSpan) -> list[EdgeVersion]:
    return [EdgeVersion(*version) for version in EDGE_VERSIONS.read_list(cursor, span)]
