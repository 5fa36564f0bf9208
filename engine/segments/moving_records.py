"""Names and end states of nodes on their way from stored segments into a new one, in the kernel
(SPEC.md, section 12.10).

What one input alone says of an id moves as it stands. All other ids are handed back, to be written
the plain way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from lithograph.kernel import tables
from lithograph.segments.built_table import BuiltTable
from lithograph.segments.framing import take_columns
from lithograph.segments.slice import NodeItem, Slice
from lithograph.segments.stored_blocks import HeldRecord, StoredBlocks
from lithograph.segments.table_reader import RecordTable

if TYPE_CHECKING:
    from lithograph.kernel._tables import BlockBuilder, RecordMerge

NAMES: Final = 0
END_STATES: Final = 1
HISTORIES: Final = 2

_TEXTS_COUNT: Final = 4096
"""Records that move between two looks at how many texts there are."""

_FORGOTTEN_COUNT: Final = 1024
"""Ids of which nothing is left that are looked at between two pauses."""

_TEXTS_SIZE: Final = 256 * 1024
"""Bytes of blocks that may wait for one."""

Held = list[tuple[int, HeldRecord]]
"""What streams hold of an id: the number of each, and its record."""

Item = TypeVar("Item")
NameItem = tuple[int, str]


class RecordStream(NamedTuple):
    """Records of one input.

    tables : whose ids ascend from table to table.
    kind : NAMES and END_STATES can move, HISTORIES only say which ids cannot.
    sparse_end : above all ids of sparse tables.
    sequence_max : the highest that a version may have, from the input's first commit on.
    distance : commits from the first of the output to that of the input.
    """

    tables: Sequence[RecordTable]
    kind: int
    sparse_end: int
    sequence_max: int = 0
    distance: int = 0


class MovingRecords(Generic[Item]):
    """Records of adjacent inputs, oldest first, that can be moved any number of times.

    plain : returns what is to be written of an id that is handed back, or None.
    living_only : tombstones are handed back.
    named : only names move, those of nodes that have an end state; the others are passed by.
    careful : ids that are handed back, ascending.
    """

    def __init__(
        self,
        streams: Sequence[RecordStream],
        plain: Callable[[int, Held], Item | None],
        *,
        living_only: bool = False,
        named: bool = False,
        careful: Sequence[int] = (),
    ) -> None:
        self._streams = streams
        self._plain = plain
        self._living_only = living_only
        self._named = named
        self._careful = careful

    def begin(self, inline_size_max: int) -> Move[Item]:
        """Begin to move them; records above `inline_size_max` bytes are handed back."""
        assert tables is not None
        sources = [StoredBlocks(stream.tables) for stream in self._streams]
        streams = [
            (source, *stream[1:]) for source, stream in zip(sources, self._streams, strict=True)
        ]
        merge = tables.RecordMerge(
            streams, inline_size_max, self._living_only, self._named, self._careful
        )
        return Move(merge, sources, self._plain)


class Move(Generic[Item]):
    """One run through the records."""

    def __init__(
        self,
        merge: RecordMerge,
        sources: Sequence[StoredBlocks],
        plain: Callable[[int, Held], Item | None],
    ) -> None:
        self._merge = merge
        self._sources = sources
        self._plain = plain

    def below(self, end_id: int, table: BuiltTable, pause_count: int) -> Iterator[Item | None]:
        """Move records of ids below `end_id` into a table; yield those that the caller has to add,
        and None where to pause, after at most `pause_count` that moved.

        Raises
        ------
        CorruptionError
        """
        forgotten_count = 0
        while (found := self._merge.run(table.builder, end_id, pause_count)) is not None:
            if not found:
                table.drain()
            elif (item := self._item(*found)) is not None:
                yield item
                continue
            else:
                forgotten_count += 1
                if forgotten_count % _FORGOTTEN_COUNT:
                    continue
            yield None

    def texts(
        self, block_count: int, inline_size_max: int, record: Callable[[Item], bytes | None]
    ) -> Iterator[bytes]:
        """Yield what `dictionary.texts_of_nodes` does of all records; `record` encodes those that
        do not move, None where there is no end state."""
        assert tables is not None
        builder = tables.BlockBuilder(block_count, first_id=0, framed=True, versions=True)
        is_moving = True
        while is_moving:
            found = self._merge.run(builder, 2**63, _TEXTS_COUNT, True)
            is_moving = found is not None
            if found:
                item = self._item(*found)
                data = record(item) if item is not None else None
                if data is not None and len(data) <= inline_size_max:
                    builder.add(builder.next_id, data)
                if builder.waiting_size < _TEXTS_SIZE:
                    continue
            yield from _texts_in(builder)

    def _item(self, node_id: int, held: list[tuple[int, bytes | None, int, int]]) -> Item | None:
        """Return what is to be written of an id that was handed back."""
        records = [
            (number, HeldRecord(self._sources[number], record, block, position))
            for number, record, block, position in held
        ]
        return self._plain(node_id, records)


def _texts_in(builder: BlockBuilder) -> Iterator[bytes]:
    """Yield the texts of the blocks that wait in a builder, and forget them."""
    builder.take()
    for columns in take_columns(builder):
        if columns is not None and columns[1]:
            yield columns[1]


@runtime_checkable
class MovingSlice(Slice, Protocol):
    """A slice whose records may be able to move."""

    def moving_names(self) -> MovingRecords[NameItem] | None:
        """Return what `names` yields, or None where the plain way must be taken."""

    def moving_nodes(self) -> MovingRecords[NodeItem] | None:
        """Return what `nodes` yields, or None."""
