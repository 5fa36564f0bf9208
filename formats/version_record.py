"""Version records: what one commit made of a node or an edge (SPEC.md, section 12.5).

Small: sequences count from the file's first, times from their commit's, and what is not there takes
no byte. A version is the tuple (sequence, commit time, patch or None, full, born, born_sequence),
in which a tombstone has no patch, and the last two are the commit time and the sequence of the
commit that made the node or edge, zeros unless the version is full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import EDGE_FIELDS, UNCHANGED_EDGE, EdgePatch
from lithograph.formats.moment import check_moment
from lithograph.formats.node_patch import NODE_FIELDS, UNCHANGED, NodePatch
from lithograph.formats.operations import TYPE_CODE_END
from lithograph.formats.optional_fields import NO_MOMENT, OptionalFields
from lithograph.formats.properties import check_encoded
from lithograph.formats.varint import append_varint, unzigzag, zigzag

CHANGE: Final = 1
_FULL: Final = 2
BORN_DIFFERS: Final = 4
_HEAD_BITS: Final = 3
_TOMBSTONE: Final = 0
_VERSION_SIZE_MIN: Final = 2

Patch = TypeVar("Patch", NodePatch, EdgePatch)
Version = tuple[int, int, Patch | None, bool, int, int]


@dataclass(frozen=True, slots=True)
class CommitSpan:
    """The commits of a file, and when they were.

    time_of : sequence -> commit time, µs since 1970 UTC.
    """

    first_sequence: int
    last_sequence: int
    time_of: Callable[[int], int]

    def read_sequence(self, cursor: Cursor) -> int:
        """Read a sequence, stored as its distance from the first."""
        return self.first_sequence + cursor.varint(self.last_sequence - self.first_sequence + 1)


class VersionCodec(Generic[Patch]):
    """Writes and reads the versions of nodes, or those of edges.

    fields_in_head : the flags of the fields stand in the head byte, not in one of their own.
    """

    def __init__(
        self, fields: OptionalFields, make: Callable[..., Patch], *, fields_in_head: bool
    ) -> None:
        self._codecs = tuple(_CODECS[field.codec] for field in fields.fields)
        self._make: Callable[..., Patch] = make
        self._in_head = fields_in_head
        self._flags_end = 1 << len(self._codecs)
        assert self._flags_end <= 1 << (8 - _HEAD_BITS if fields_in_head else 8)

    def append(self, out: bytearray, version: Version[Patch], first_sequence: int) -> None:
        """Append one version."""
        sequence, time, patch, full, _, born_sequence = version
        if patch is None:
            assert not full
            out.append(_TOMBSTONE)
            append_varint(out, sequence - first_sequence)
            return
        born_differs = full and born_sequence != sequence
        flags = 0
        for bit, value in enumerate(patch):
            if value is not None:
                flags |= 1 << bit
        head = CHANGE | _FULL * full | BORN_DIFFERS * born_differs
        if self._in_head:
            out.append(head | flags << _HEAD_BITS)
        else:
            out.append(head)
            out.append(flags)
        append_varint(out, sequence - first_sequence)
        if born_differs:
            assert first_sequence <= born_sequence < sequence
            append_varint(out, born_sequence - first_sequence)
        for value, codec in zip(patch, self._codecs, strict=True):
            if value is not None:
                codec.append(out, value, time)

    def read(self, cursor: Cursor, span: CommitSpan) -> Version[Patch]:
        """Read one version.

        Raises
        ------
        CorruptionError, TruncatedError
        """
        start = cursor.offset
        head = cursor.u8()
        flags = head >> _HEAD_BITS
        if head & CHANGE and not self._in_head:
            if flags:
                raise CorruptionError(f"version head {head:#04x} is unknown", offset=start)
            flags = cursor.u8()
        full = bool(head & _FULL)
        if (
            (not head & CHANGE and head != _TOMBSTONE)
            or (head & BORN_DIFFERS and not full)
            or flags >= self._flags_end
        ):
            raise CorruptionError(f"version head {head:#04x} is unknown", offset=start)
        sequence = span.read_sequence(cursor)
        time = span.time_of(sequence)
        if head == _TOMBSTONE:
            return sequence, time, None, False, 0, 0
        born, born_sequence = (time, sequence) if full else (0, 0)
        if head & BORN_DIFFERS:
            at = cursor.offset
            born_sequence = span.read_sequence(cursor)
            if born_sequence >= sequence:
                raise CorruptionError(
                    f"born by commit {born_sequence}, changed by {sequence}", offset=at
                )
            born = span.time_of(born_sequence)
        patch = self._make(
            *[
                codec.read(cursor, time) if flags >> bit & 1 else None
                for bit, codec in enumerate(self._codecs)
            ]
        )
        if isinstance(patch, NodePatch):
            _check_exclusive(patch, start)
        return sequence, time, patch, full, born, born_sequence

    def append_list(
        self, out: bytearray, versions: Sequence[Version[Patch]], first_sequence: int
    ) -> None:
        """Append the versions of one node or edge of a history, oldest first; at least one."""
        assert versions
        append_varint(out, len(versions))
        for version in versions:
            self.append(out, version, first_sequence)

    def read_list(self, cursor: Cursor, span: CommitSpan) -> list[Version[Patch]]:
        """Read the versions of one node or edge of a history; their sequences ascend."""
        start = cursor.offset
        count = cursor.varint()
        if not 0 < count <= (cursor.end - cursor.offset) // _VERSION_SIZE_MIN:
            raise CorruptionError(f"{count} versions are announced", offset=start)
        versions = [self.read(cursor, span) for _ in range(count)]
        if any(versions[i - 1][0] >= versions[i][0] for i in range(1, count)):
            raise CorruptionError("versions do not ascend", offset=start)
        return versions


def _check_exclusive(patch: NodePatch, offset: int) -> None:
    if patch.observations is not None and (patch.removed or patch.appended):
        raise CorruptionError("observations are both replaced and changed", offset=offset)
    if patch.properties is not None and (patch.properties_set or patch.properties_unset):
        raise CorruptionError("properties are both replaced and changed", offset=offset)


# Values, more compact than in the log -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one kind of value is written and read; both get the commit time of the version."""

    append: Callable[[bytearray, Any, int], None]
    read: Callable[[Cursor, int], Any]


def _append_code(out: bytearray, value: int, time: int) -> None:
    append_varint(out, value)


def _read_code(cursor: Cursor, time: int) -> int:
    return cursor.varint(TYPE_CODE_END)


_UNITS: Final = (1, 1_000, 1_000_000)
"""Of times, in µs: most of those that users give are on whole seconds or milliseconds."""


def _append_moment(out: bytearray, value: int, time: int) -> None:
    if value == NO_MOMENT:
        append_varint(out, 0)
        return
    code = _unit_of(value)
    unit = _UNITS[code]
    append_varint(out, 1 + (zigzag(value // unit - time // unit) << 2 | code))


def _read_moment(cursor: Cursor, time: int) -> int:
    start = cursor.offset
    return decode_moment(cursor.varint(), time, start)


def decode_moment(value: int, time: int, start: int) -> int:
    """Return the time that a varint stands for; `time` is that of the commit."""
    if not value:
        return NO_MOMENT
    code = value - 1 & 3
    if code >= len(_UNITS):
        raise CorruptionError(f"a time in unit {code}", offset=start)
    unit = _UNITS[code]
    moment = check_moment((time // unit + unzigzag(value - 1 >> 2)) * unit, start)
    if _unit_of(moment) != code:
        raise CorruptionError(f"{moment} µs is not in its largest unit", offset=start)
    return moment


def _unit_of(moment: int) -> int:
    """Return the code of the largest unit that the time is a whole number of."""
    if moment % 1_000:
        return 0
    return 1 if moment % 1_000_000 else 2


def _append_texts(out: bytearray, texts: Sequence[str], time: int) -> None:
    append_varint(out, len(texts))
    for text in texts:
        _append_bytes(out, text.encode(), time)


def _read_texts(cursor: Cursor, time: int) -> tuple[str, ...]:
    start = cursor.offset
    count = cursor.varint()
    if count > cursor.end - cursor.offset:
        raise TruncatedError(
            f"{count} texts are announced, {cursor.end - cursor.offset} bytes are left",
            offset=start,
        )
    return tuple([_read_text(cursor) for _ in range(count)])


def _read_text(cursor: Cursor) -> str:
    size = cursor.varint()
    start = cursor.take(size)
    try:
        return str(cursor.data[start : start + size], "utf-8")
    except UnicodeDecodeError as error:
        raise CorruptionError(
            f"invalid UTF-8: {error.reason}", offset=start + error.start
        ) from None


def _append_bytes(out: bytearray, data: bytes, time: int) -> None:
    append_varint(out, len(data))
    out += data


def _read_map(cursor: Cursor, time: int) -> bytes:
    size = cursor.varint()
    start = cursor.take(size)
    return check_encoded(bytes(cursor.data[start : start + size]), start)


_CODECS: Final = {
    "u32": _Codec(_append_code, _read_code),
    "time": _Codec(_append_moment, _read_moment),
    "texts": _Codec(_append_texts, _read_texts),
    "map": _Codec(_append_bytes, _read_map),
}

NODE_VERSIONS: Final = VersionCodec(NODE_FIELDS, NodePatch, fields_in_head=False)
EDGE_VERSIONS: Final = VersionCodec(EDGE_FIELDS, EdgePatch, fields_in_head=True)

assert len(UNCHANGED) <= 8
assert len(UNCHANGED_EDGE) <= 8 - _HEAD_BITS
