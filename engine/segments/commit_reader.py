"""Reading the commit table of a segment (SPEC.md, section 12.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.commit_block import COMMIT_ROW, CommitState, decode_commits
from lithograph.formats.cursor import Cursor
from lithograph.formats.segment_footer import Section
from lithograph.segments.sealed_file import SealedFile

_KEPT_MAX: Final = 64
"""Decoded blocks that a reader keeps: every version asks for the time of its commit."""


class CommitReader:
    """Times and counts by sequence; any number of threads may read it.

    Attributes
    ----------
    first_sequence, last_sequence : of the commits in the table.
    """

    def __init__(
        self,
        file: SealedFile,
        blocks: Section,
        directory: Section,
        first_sequence: int,
        last_sequence: int,
        block_count_max: int,
    ) -> None:
        self.first_sequence = first_sequence
        self.last_sequence = last_sequence
        self._file = file
        self._blocks = blocks
        self._directory = directory
        self._block_count_max = block_count_max
        self._kept: dict[int, list[CommitState]] = {}
        count = last_sequence - first_sequence + 1
        self._block_count = -(-count // block_count_max)
        if directory.size != self._block_count * COMMIT_ROW.size:
            raise CorruptionError(
                f"a directory of {directory.size} bytes for {count} commits",
                path=file.path,
                offset=directory.offset,
            )

    def commit(self, sequence: int) -> CommitState:
        """Return the time of a commit of the table, and the counts it left."""
        assert self.first_sequence <= sequence <= self.last_sequence
        index, place = divmod(sequence - self.first_sequence, self._block_count_max)
        return self._block(index)[place]

    def time_of(self, sequence: int) -> int:
        """Return when a commit of the table was, µs since 1970 UTC."""
        return self.commit(sequence).time

    def sequence_at(self, time: int) -> int | None:
        """Return the newest commit that is not after `time` (µs); None if all are."""
        low, high = 0, self._block_count
        # Invariant: blocks below `low` begin at or before the time, blocks from `high` on after.
        while low < high:
            middle = (low + high) // 2
            if self._row(middle)[1].time <= time:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return None
        index = low - 1
        inside = sum(commit.time <= time for commit in self._block(index))
        return self.first_sequence + index * self._block_count_max + max(inside, 1) - 1

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (sequence, time, node count, edge count) of every commit."""
        sequence = self.first_sequence
        for index in range(self._block_count):
            for commit in self._block(index):
                yield (sequence, *commit)
                sequence += 1

    def check(self) -> Iterator[CorruptionError]:
        """Yield what is wrong with the table: damage, gaps, times that run back."""
        end = last_time = 0
        for index in range(self._block_count):
            try:
                start, first = self._row(index)
                commits = self._decode(index)
            except CorruptionError as error:
                yield error
                return
            if start != end or (index and first.time < last_time):
                yield self._wrong(f"block {index} of the commit table does not follow the last")
            end, last_time = self._end(index), commits[-1].time

    def _row(self, index: int) -> tuple[int, CommitState]:
        start = self._directory.offset + index * COMMIT_ROW.size
        offset, *state = COMMIT_ROW.unpack_from(self._file.read(start, COMMIT_ROW.size))
        return offset, CommitState(*state)

    def _end(self, index: int) -> int:
        """Return where a block ends in the section."""
        return self._row(index + 1)[0] if index + 1 < self._block_count else self._blocks.size

    def _block(self, index: int) -> list[CommitState]:
        found = self._kept.get(index)
        if found is None:
            found = self._decode(index)
            if len(self._kept) >= _KEPT_MAX:
                self._kept = {}
            self._kept[index] = found
        return found

    def _decode(self, index: int) -> list[CommitState]:
        start, first = self._row(index)
        end = self._end(index)
        if not start <= end <= self._blocks.size:
            raise self._wrong(f"block {index} of the commit table is at {start} to {end}")
        count = self.last_sequence - self.first_sequence + 1 - index * self._block_count_max
        data = self._file.read(self._blocks.offset + start, end - start)
        try:
            return decode_commits(Cursor(data), first, min(count, self._block_count_max))
        except CorruptionError as error:
            raise error.located(self._file.path, self._blocks.offset + start) from None

    def _wrong(self, message: str) -> CorruptionError:
        return CorruptionError(message, path=self._file.path, offset=self._directory.offset)
