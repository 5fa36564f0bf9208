"""Name pages: leaves, branches and overflow pages of a run (SPEC.md, sections 13.2 and 13.3).

A page is 4,096 bytes: a head, entries back to back, zeros, and at the end the offsets of its
restarts. Every sixteenth entry is a restart: its key stands whole, so a search goes by halves over
the restarts and then reads at most sixteen entries. Pure functions of the page's bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.layout import Field, Layout, check_zero
from lithograph.formats.name_entry import (
    Chain,
    LoadChain,
    PageEntry,
    compare_key,
    encode_entry,
    read_entry,
    shared_size,
)
from lithograph.formats.name_skim import skim_group, skim_key

PAGE_SIZE: Final = 4096
PAGE_HEAD: Final = Layout(
    "page head",
    Field("kind", "B", "1 leaf, 2 branch, 3 overflow"),
    Field("level", "B", "0 in leaves and overflow pages; a branch has one more than its children"),
    Field("entry_count", "H", "entries; 0 in an overflow page"),
    Field("used", "H", "bytes of entries, or of what an overflow page carries"),
    Field("restart_count", "H", "one per 16 entries begun; 0 in an overflow page"),
    Field("reserved", "8s", "zero"),
)
PAGE_HEAD_SIZE: Final = PAGE_HEAD.size
assert PAGE_HEAD_SIZE == 16  # On disk; SPEC.md, section 13.2.
RESTART_INTERVAL: Final = 16
RESTART_SIZE: Final = 2
OVERFLOW_CAPACITY: Final = PAGE_SIZE - PAGE_HEAD_SIZE
"""Bytes that one overflow page carries."""


class PageKind(IntEnum):
    """What a page of a run is; on disk (SPEC.md, section 13.2)."""

    LEAF = 1
    BRANCH = 2
    OVERFLOW = 3


@dataclass(frozen=True, slots=True)
class NamePage:
    """A leaf or a branch: its head, padding and sizes are checked, its entries when they are read.

    Attributes
    ----------
    end : offset behind the last entry.
    """

    data: bytes
    level: int
    entry_count: int
    restart_count: int
    end: int

    @classmethod
    def decode(cls, data: bytes, level: int) -> NamePage:
        """Return the page of that level, a leaf if it is 0.

        Raises
        ------
        CorruptionError, TruncatedError : it is something else, or its head contradicts SPEC.md.
        """
        expected = PageKind.BRANCH if level else PageKind.LEAF
        entry_count, used, restart_count = _decode_head(data, expected, level)
        end = PAGE_HEAD_SIZE + used
        restarts = PAGE_SIZE - RESTART_SIZE * restart_count
        if restart_count != -(-entry_count // RESTART_INTERVAL) or not entry_count:
            raise CorruptionError(f"{restart_count} restarts for {entry_count} entries", offset=2)
        if end > restarts:
            raise CorruptionError(f"{used} bytes of entries reach into the restarts", offset=4)
        check_zero(data, end, restarts, "name page")
        return cls(data, level, entry_count, restart_count, end)

    def entries(self, group: int = 0) -> Iterator[PageEntry]:
        """Yield the entries from group `group` on; each group begins with a restart.

        Raises
        ------
        CorruptionError : an entry contradicts SPEC.md, is in the wrong place or order.
        """
        for index in range(group, self.restart_count):
            yield from self.group(index)

    def group(self, index: int) -> Iterator[PageEntry]:
        """Yield the entries between two restarts."""
        offset = self._restart(index)
        end = self._restart(index + 1) if index + 1 < self.restart_count else self.end
        count = min(RESTART_INTERVAL, self.entry_count - index * RESTART_INTERVAL)
        previous = b""
        in_leaf = self.level == 0
        for position in range(count):
            entry = read_entry(self.data, offset, end, previous, in_leaf=in_leaf)
            # Where both keys go on in overflow pages, these decide, and the deep check reads them.
            if position and entry.head <= previous and (entry.head < previous or not entry.rest):
                raise CorruptionError("keys do not ascend", offset=offset)
            if not in_leaf and index == position == 0 and entry.head:
                raise CorruptionError("the first child of a branch has a fence", offset=offset)
            yield entry
            offset, previous = entry.end, entry.head
        if offset != end:
            raise CorruptionError("the entries of a restart end elsewhere", offset=offset)

    def find_group(self, key: tuple[bytes, bytes], load: LoadChain) -> int:
        """Return the last group whose first key is not above `key`, or 0.

        key : head and rest, from `split_key`.
        Cost: O(log restarts) entries read.
        """
        low, high = 0, self.restart_count
        # Invariant: the first key of group `low` is not above `key`, or low is 0; that of group
        # `high` is above it, or there is none.
        while high - low > 1:
            middle = (low + high) // 2
            first = skim_key(self.data, self._restart(middle), self.end)
            if first is not None and first != key[0]:
                is_before = first < key[0]
            else:
                is_before = compare_key(self._first(middle), key, load) <= 0
            if is_before:
                low = middle
            else:
                high = middle
        return low

    def find(self, key: tuple[bytes, bytes], load: LoadChain) -> PageEntry | None:
        """Return the entry of exactly this key."""
        group = self.find_group(key, load)
        quick = self._skim(group, key)
        if quick is not None:
            return quick if quick.head == key[0] else None
        for entry in self.group(group):
            order = compare_key(entry, key, load)
            if order >= 0:
                return None if order else entry
        return None

    def find_last(self, key: tuple[bytes, bytes], load: LoadChain) -> PageEntry:
        """Return the last entry whose key is not above `key`, or the first entry."""
        group = self.find_group(key, load)
        return self._skim(group, key) or next(self._entries_from(group, key, load))

    def entries_from(self, key: tuple[bytes, bytes], load: LoadChain) -> Iterator[PageEntry]:
        """Yield the last entry whose key is not above `key`, or the first, and all behind it."""
        return self._entries_from(self.find_group(key, load), key, load)

    def _entries_from(
        self, group: int, key: tuple[bytes, bytes], load: LoadChain
    ) -> Iterator[PageEntry]:
        last: PageEntry | None = None
        is_found = False
        for entry in self.entries(group):
            if not is_found:
                if last is None or compare_key(entry, key, load) <= 0:
                    last = entry
                    continue
                is_found = True
                yield last
            yield entry
        if not is_found:
            assert last is not None
            yield last

    def _skim(self, group: int, key: tuple[bytes, bytes]) -> PageEntry | None:
        """Return the last entry of the group whose key is not above `key`, the quick way, or None
        if the careful way must look."""
        head, rest = key
        if rest:
            return None
        last = group + 1 == self.restart_count
        end = self.end if last else self._restart(group + 1)
        count = min(RESTART_INTERVAL, self.entry_count - group * RESTART_INTERVAL)
        in_leaf = self.level == 0
        found = skim_group(self.data, self._restart(group), end, count, head, 2 if in_leaf else 1)
        if found is None:
            return None
        offset, previous = found
        return read_entry(self.data, offset, end, previous, in_leaf=in_leaf)

    def _first(self, group: int) -> PageEntry:
        return read_entry(self.data, self._restart(group), self.end, b"", in_leaf=self.level == 0)

    def _restart(self, group: int) -> int:
        """Return where a group begins."""
        place = PAGE_SIZE - RESTART_SIZE * (self.restart_count - group)
        offset = int.from_bytes(self.data[place : place + RESTART_SIZE], "little")
        if not PAGE_HEAD_SIZE <= offset < self.end or (group == 0 and offset != PAGE_HEAD_SIZE):
            raise CorruptionError(f"restart {group} is at {offset}", offset=place)
        return offset


class PageBuilder:
    """A leaf or a branch on its way."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.entry_count = 0
        self._entries = bytearray()
        self._restarts: list[int] = []
        self._previous = b""

    def add(self, head: bytes, rest: Chain | None, multi: bool, value: bytes) -> bool:
        """Add an entry behind the others; return False if there is no room for it."""
        is_restart = self.entry_count % RESTART_INTERVAL == 0
        shared = 0 if is_restart else shared_size(self._previous, head)
        entry = encode_entry(shared, head, rest, multi, value)
        restarts = len(self._restarts) + is_restart
        if PAGE_HEAD_SIZE + len(self._entries) + len(entry) + RESTART_SIZE * restarts > PAGE_SIZE:
            assert self.entry_count, "an entry fits an empty page"
            return False
        if is_restart:
            self._restarts.append(PAGE_HEAD_SIZE + len(self._entries))
        self._entries += entry
        self.entry_count += 1
        self._previous = head
        return True

    def encode(self) -> bytes:
        """Return the page."""
        assert self.entry_count
        head = PAGE_HEAD.encode(
            kind=PageKind.BRANCH if self.level else PageKind.LEAF,
            level=self.level,
            entry_count=self.entry_count,
            used=len(self._entries),
            restart_count=len(self._restarts),
        )
        restarts = b"".join(offset.to_bytes(RESTART_SIZE, "little") for offset in self._restarts)
        return (head + self._entries).ljust(PAGE_SIZE - len(restarts), b"\0") + restarts


def overflow_page_count(size: int) -> int:
    """Return how many overflow pages carry `size` bytes."""
    return -(-size // OVERFLOW_CAPACITY)


def encode_overflow(data: bytes) -> Iterator[bytes]:
    """Yield the overflow pages that carry `data`."""
    for start in range(0, len(data), OVERFLOW_CAPACITY):
        piece = data[start : start + OVERFLOW_CAPACITY]
        head = PAGE_HEAD.encode(
            kind=PageKind.OVERFLOW, level=0, entry_count=0, used=len(piece), restart_count=0
        )
        yield (head + piece).ljust(PAGE_SIZE, b"\0")


def decode_overflow(data: bytes, left: int) -> bytes:
    """Return what an overflow page carries, `left` bytes of its chain being left."""
    entry_count, used, restart_count = _decode_head(data, PageKind.OVERFLOW, 0)
    if entry_count or restart_count:
        raise CorruptionError("an overflow page has entries", offset=2)
    if used != min(left, OVERFLOW_CAPACITY):
        raise CorruptionError(
            f"an overflow page carries {used} bytes, {min(left, OVERFLOW_CAPACITY)} are due",
            offset=4,
        )
    check_zero(data, PAGE_HEAD_SIZE + used, PAGE_SIZE, "overflow page")
    return data[PAGE_HEAD_SIZE : PAGE_HEAD_SIZE + used]


def _decode_head(data: bytes, kind: PageKind, level: int) -> tuple[int, int, int]:
    """Return entry_count, used and restart_count of a page that must be of this kind and level."""
    if len(data) != PAGE_SIZE:
        raise TruncatedError(f"a page takes {PAGE_SIZE} bytes, {len(data)} are there")
    found_kind, found_level, entry_count, used, restart_count, reserved = PAGE_HEAD.unpack_from(
        data
    )
    if found_kind != kind:
        raise CorruptionError(f"page kind {found_kind}, expected {kind} ({kind.name.lower()})")
    if found_level != level:
        raise CorruptionError(f"page level {found_level}, expected {level}", offset=1)
    if any(reserved):
        raise CorruptionError("page head: reserved bytes are not zero", offset=8)
    return entry_count, used, restart_count
