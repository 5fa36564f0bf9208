"""The end states of edges by position, each block of them decoded once.

Lists of edges come in the order of the positions, a few edges each: whoever asks for a few finds
the block that has the next few, too.
"""

from __future__ import annotations

from lithograph.errors import CorruptionError
from lithograph.maintenance.salvage_span import SalvageSpan
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.version import EdgeVersion


class EndStates:
    """What stands in whole blocks, as far as nothing in them is wrong.

    per_block : positions of a block.
    """

    def __init__(self, table: EdgeReader, clock: SalvageSpan, per_block: int) -> None:
        self._table = table
        self._clock = clock
        self._per_block = per_block
        self._index = -1
        self._held: list[EdgeVersion] | None = None

    def at(self, first: int, count: int) -> list[EdgeVersion] | None:
        """Return the end states of `count` edges, from a position on; None where those, or others
        in their blocks, are damaged, or times of theirs are lost.

        Cost: 4 µs per edge where they are asked for in their order.
        """
        end = first + count
        if end > self._table.edge_count:
            return None
        found: list[EdgeVersion] = []
        while first < end:
            index, place = divmod(first, self._per_block)
            block = self._block(index)
            if block is None:
                return None
            stop = min(self._per_block, place + end - first)
            found += block[place:stop]
            first += stop - place
        return found

    def _block(self, index: int) -> list[EdgeVersion] | None:
        if index == self._index:
            return self._held
        first = index * self._per_block
        count = min(self._per_block, self._table.edge_count - first)
        self._clock.guessed = False
        try:
            self._held = list(self._table.versions(first, count, self._clock.span))
        except CorruptionError:
            self._held = None
        if self._clock.guessed:
            self._held = None
        self._index = index
        return self._held
