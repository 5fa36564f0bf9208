"""Entries of a name page: a key, and what stands for it (SPEC.md, sections 13.3 and 13.4).

A key is prefix-compressed against the one before it. Its first 1,024 bytes, the *head*, stand in
the page; the *rest* of a longer one continues in overflow pages, a *chain*. In a leaf the key is a
name and has versions, in a branch it is a fence and has a child. Offsets count from the page's
start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.varint import U64_END, append_varint
from lithograph.ids import ABSENT, ID_END, SEQUENCE_END

HEAD_SIZE_MAX: Final = 1024
INLINE_SIZE_MAX: Final = 512
"""Bytes of versions that a writer leaves in the leaf; older ones go to overflow pages."""
_PAIR_SIZE_MIN: Final = 2

SHARED_BITS: Final = 4
SHARED_INLINE_END: Final = 15
SUFFIX_INLINE_END: Final = 14
"""From these on, a size does not fit the first byte of an entry: the rest of it follows."""
_WITH_FLAGS: Final = 15
_MULTI: Final = 1
_OVERFLOW: Final = 2
_FLAGS_END: Final = 4


class Chain(NamedTuple):
    """Bytes in consecutive overflow pages: the first page's number, and how many bytes."""

    page: int
    size: int


class PageEntry(NamedTuple):
    """One entry as it was read.

    Attributes
    ----------
    offset, end : where it stands in its page.
    head, rest : the key's first 1,024 bytes, and where the others are.
    child : in a branch, the number of a page; in a leaf 0.
    versions : in a leaf, (sequence minus the run's first, id or ABSENT), newest first.
    more_count, more : how many older versions there are, and where.
    """

    offset: int
    end: int
    head: bytes
    rest: Chain | None
    child: int
    versions: Sequence[tuple[int, int]]
    more_count: int
    more: Chain | None


LoadChain = Callable[[Chain], bytes]
"""Returns the bytes of a chain; the reader's, who knows the file."""


def split_key(key: bytes) -> tuple[bytes, bytes]:
    """Return the head and the rest of a key."""
    return key[:HEAD_SIZE_MAX], key[HEAD_SIZE_MAX:]


def compare_key(entry: PageEntry, key: tuple[bytes, bytes], load: LoadChain) -> int:
    """Return -1, 0 or 1: the entry's key is less than, equal to or greater than `key`.

    Only where both are longer than 1,024 bytes and begin alike, overflow pages are read.
    """
    head, rest = key
    if entry.head != head:
        return -1 if entry.head < head else 1
    if entry.rest is None or not rest:
        return (entry.rest is not None) - bool(rest)
    found = load(entry.rest)
    return (found > rest) - (found < rest)


def read_entry(page: bytes, offset: int, end: int, previous: bytes, *, in_leaf: bool) -> PageEntry:
    """Read the entry at `offset`; `previous` is the head before it, b"" at a restart.

    Raises
    ------
    CorruptionError, TruncatedError : it contradicts SPEC.md, or does not end before `end`.
    """
    start = offset
    shared, size, flags, offset = _read_sizes(page, offset, end)
    if shared > len(previous):
        raise CorruptionError(
            f"a key shares {shared} bytes with one of {len(previous)}", offset=start
        )
    if shared + size > HEAD_SIZE_MAX:
        raise CorruptionError(f"{shared + size} bytes of a key in the page", offset=start)
    if size > end - offset:
        raise TruncatedError(f"a key has {size} bytes, {end - offset} are left", offset=offset)
    head = previous[:shared] + page[offset : offset + size]
    offset += size
    rest = None
    if flags & _OVERFLOW:
        rest, offset = _read_chain(page, offset, end, TEXT_SIZE_MAX - HEAD_SIZE_MAX)
        if len(head) != HEAD_SIZE_MAX:
            raise CorruptionError(
                f"a key goes on elsewhere after {len(head)} bytes, not {HEAD_SIZE_MAX}",
                offset=start,
            )
    if in_leaf:
        if not head:
            raise CorruptionError("a name is empty", offset=start)
        versions, more_count, more, offset = _read_value(page, offset, end, flags & _MULTI)
        return PageEntry(start, offset, head, rest, 0, versions, more_count, more)
    if flags & _MULTI:
        raise CorruptionError("a fence has versions", offset=start)
    child, offset = _varint(page, offset, end)
    return PageEntry(start, offset, head, rest, child, (), 0, None)


def encode_entry(shared: int, head: bytes, rest: Chain | None, multi: bool, value: bytes) -> bytes:
    """Return an entry that shares the first `shared` bytes with the key before it."""
    assert shared <= len(head) <= HEAD_SIZE_MAX
    assert rest is None or len(head) == HEAD_SIZE_MAX
    out = bytearray()
    _append_sizes(out, shared, len(head) - shared, (rest is not None) * _OVERFLOW | multi * _MULTI)
    out += head[shared:]
    if rest is not None:
        _append_chain(out, rest)
    out += value
    return bytes(out)


def _append_sizes(out: bytearray, shared: int, size: int, flags: int) -> None:
    """Append how many bytes a key shares, how many are its own, and flags if there are any."""
    low = min(shared, SHARED_INLINE_END)
    high = _WITH_FLAGS if flags else min(size, SUFFIX_INLINE_END)
    out.append(low | high << SHARED_BITS)
    if flags:
        out.append(flags)
    if low == SHARED_INLINE_END:
        append_varint(out, shared - SHARED_INLINE_END)
    if flags:
        append_varint(out, size)
    elif high == SUFFIX_INLINE_END:
        append_varint(out, size - SUFFIX_INLINE_END)


def _read_sizes(page: bytes, offset: int, end: int) -> tuple[int, int, int, int]:
    """Return what `_append_sizes` was given, and the offset behind it."""
    start = offset
    if offset >= end:
        raise TruncatedError("an entry is announced, 0 bytes are left", offset=offset)
    shared, size = page[offset] & 0xF, page[offset] >> SHARED_BITS
    flags, offset = 0, offset + 1
    has_flags = size == _WITH_FLAGS
    if has_flags:
        if offset >= end or not 0 < page[offset] < _FLAGS_END:
            raise CorruptionError("the flags of an entry are unknown", offset=start)
        flags, offset = page[offset], offset + 1
    if shared == SHARED_INLINE_END:
        more, offset = _varint(page, offset, end)
        shared += more
    if has_flags:
        size, offset = _varint(page, offset, end)
    elif size == SUFFIX_INLINE_END:
        more, offset = _varint(page, offset, end)
        size += more
    return shared, size, flags, offset


def encode_versions(
    versions: Sequence[tuple[int, int]], first_sequence: int
) -> tuple[bool, bytes, int, bytes]:
    """Return (multi, value, more_count, more): a value, and the versions that it has no room for.

    versions : (sequence, id or ABSENT), newest first. With a `more_count`, the value still lacks
        the chain in which `more` will stand: see `append_more`.
    """
    assert versions
    out = bytearray()
    if len(versions) == 1 and versions[0][1] != ABSENT:
        append_varint(out, versions[0][1])
        append_varint(out, versions[0][0] - first_sequence)
        return False, bytes(out), 0, b""
    pairs = bytearray()
    inline_count, inline_end = 0, 0
    for sequence, node_id in versions:
        append_varint(pairs, sequence - first_sequence)
        append_varint(pairs, node_id + 1)
        if len(pairs) <= INLINE_SIZE_MAX:
            inline_count, inline_end = inline_count + 1, len(pairs)
    append_varint(out, inline_count)
    out += pairs[:inline_end]
    append_varint(out, len(versions) - inline_count)
    return True, bytes(out), len(versions) - inline_count, bytes(pairs[inline_end:])


def append_more(value: bytes, more: Chain) -> bytes:
    """Return a value from `encode_versions` with the chain of its older versions."""
    out = bytearray(value)
    _append_chain(out, more)
    return bytes(out)


def decode_more(data: bytes, count: int) -> list[tuple[int, int]]:
    """Return the `count` versions that a chain holds, newest first."""
    cursor = Cursor(data)
    if count * _PAIR_SIZE_MIN > len(data):
        raise TruncatedError(f"{count} versions are announced in {len(data)} bytes")
    versions = [
        (cursor.varint(SEQUENCE_END), cursor.varint(ID_END + 1) + ABSENT) for _ in range(count)
    ]
    cursor.finish("older versions")
    return versions


def is_newest_first(versions: Sequence[tuple[int, int]]) -> bool:
    """Return whether sequences fall.

    Two may be equal where one commit deleted a node and made another: the live one comes first.
    """
    return all(
        newer[0] > older[0] or (newer[0] == older[0] and newer[1] != ABSENT == older[1])
        for newer, older in pairwise(versions)
    )


def shared_size(first: bytes, second: bytes) -> int:
    """Return how many bytes two strings have in common at their start.

    >>> shared_size(b"node", b"nods"), shared_size(b"no", b"node")
    (3, 2)
    """
    size = min(len(first), len(second))
    differing = int.from_bytes(first[:size], "big") ^ int.from_bytes(second[:size], "big")
    return size - (differing.bit_length() + 7) // 8


def _read_value(
    page: bytes, offset: int, end: int, multi: int
) -> tuple[Sequence[tuple[int, int]], int, Chain | None, int]:
    if not multi:
        node_id, offset = _varint(page, offset, end, ID_END)
        sequence, offset = _varint(page, offset, end, SEQUENCE_END)
        return ((sequence, node_id),), 0, None, offset
    start = offset
    count, offset = _varint(page, offset, end)
    if not 1 <= count <= (end - offset) // _PAIR_SIZE_MIN:
        raise CorruptionError(f"{count} versions in {end - offset} bytes", offset=start)
    versions = []
    for _ in range(count):
        sequence, offset = _varint(page, offset, end, SEQUENCE_END)
        node_id, offset = _varint(page, offset, end, ID_END + 1)
        versions.append((sequence, node_id + ABSENT))
    more_count, offset = _varint(page, offset, end)
    if not more_count:
        return versions, 0, None, offset
    more, offset = _read_chain(page, offset, end, U64_END)
    return versions, more_count, more, offset


def _read_chain(page: bytes, offset: int, end: int, size_max: int) -> tuple[Chain, int]:
    start = offset
    number, offset = _varint(page, offset, end)
    size, offset = _varint(page, offset, end)
    if not 1 <= size <= size_max:
        raise CorruptionError(f"{size} bytes in overflow pages", offset=start)
    return Chain(number, size), offset


def _append_chain(out: bytearray, chain: Chain) -> None:
    append_varint(out, chain.page)
    append_varint(out, chain.size)


def _varint(page: bytes, offset: int, end: int, value_end: int = U64_END) -> tuple[int, int]:
    """Return an integer below `value_end` and the offset behind it."""
    if offset < end and page[offset] < 0x80 and page[offset] < value_end:
        return page[offset], offset + 1
    value = shift = 0
    position = offset
    while position < end and shift < 70:
        byte = page[position]
        position += 1
        if byte < 0x80:
            value |= byte << shift
            if value < value_end and (byte or not shift):
                return value, position
            break
        value |= (byte & 0x7F) << shift
        shift += 7
    # It is none: the cursor says why.
    cursor = Cursor(page, offset, end)
    return cursor.varint(value_end), cursor.offset


assert ABSENT == -1  # On disk an id is one more, so that the absent one is 0.
