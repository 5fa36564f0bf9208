"""What the bytes of a store's file say, field by field, as far as they can be read.

The declarations in `lithograph.formats` are the only source of names, places and meanings. Damage
does not end an annotation where something sound can be found behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from lithograph.errors import (
    CorruptionError,
    FormatVersionError,
    LithographError,
    NotAStoreError,
    TruncatedError,
)
from lithograph.formats.current import CURRENT_SIZE, SLOT_SIZE, CurrentSlot, describe_current
from lithograph.formats.file_header import HEADER, HEADER_SIZE, MAGIC, FileHeader, FileKind
from lithograph.formats.file_names import CURRENT, SHARED_MAP
from lithograph.formats.layout import Buffer, Described, Layout
from lithograph.formats.manifest import (
    MANIFEST,
    MANIFEST_SIZE_MAX,
    MANIFEST_SIZE_MIN,
    Manifest,
    describe_manifest,
)
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN, decode_moment
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.shared_map import (
    COUNTER_OFFSET,
    COUNTER_SIZE,
    SHARED_MAP_SIZE,
    SLOTS_OFFSET,
    SharedState,
)
from lithograph.formats.shared_map import SLOT as SHARED_MAP_SLOT
from lithograph.tools.regular_file import RegularFile


@dataclass(frozen=True, slots=True)
class Part:
    """A structure begins here; the fields that follow are its own."""

    offset: int
    title: str


@dataclass(frozen=True, slots=True)
class Damage:
    """What is here contradicts SPEC.md; `offset` is in bytes from the start of the file."""

    offset: int
    message: str
    error: LithographError


Note = Part | Described | Damage


def guess_kind(file: RegularFile) -> FileKind:
    """Return what the file says it is; where its header is damaged, what its name says.

    Raises
    ------
    NotAStoreError : neither looks like a file of a store.
    """
    data = file.read_at(0, HEADER_SIZE)
    claimed = int.from_bytes(data[10:12], "little")
    kinds = {int(kind): kind for kind in FileKind} if data.startswith(MAGIC) else {}
    try:
        return FileHeader.decode(data).kind
    except FormatVersionError:
        sound = kinds.get(claimed)
    except CorruptionError:
        sound = None
    path = PurePath(file.path)
    kind = sound or _KIND_OF_NAME.get(path.name) or _KIND_OF_SUFFIX.get(path.suffix)
    kind = kind or kinds.get(claimed)
    if kind is None:
        raise NotAStoreError(
            f"{file.path} is not a lithograph file: it starts with {data[:8].hex() or 'nothing'},"
            f" not with {MAGIC.hex()}"
        )
    return kind


def fitting(layout: Layout, data: Buffer, offset: int = 0, base: int = 0) -> Iterator[Described]:
    """Yield the fields of `layout` at `offset` that `data` holds whole.

    base : offset of `data` in the file, added to every field's.
    """
    held = bytes(data[offset : offset + layout.size])
    for field in layout.describe(held.ljust(layout.size, b"\0")):
        if field.offset + field.size <= len(held):
            yield replace(field, offset=base + offset + field.offset)


def damage(error: CorruptionError | FormatVersionError, base: int = 0) -> Damage:
    """Return the note for an error whose offset counts from `base`."""
    if isinstance(error, CorruptionError):
        return Damage(base + error.offset, error.message, error)
    return Damage(base + HEADER.offset_of["format_version"], str(error), error)


def annotate_current(file: RegularFile) -> Iterator[Note]:
    """Yield both slots of CURRENT."""
    data = file.read_at(0, CURRENT_SIZE)
    for start in range(0, CURRENT_SIZE, SLOT_SIZE):
        index = start // SLOT_SIZE
        page = data[start : start + SLOT_SIZE]
        yield Part(start, f"CURRENT slot {index}")
        if len(page) == SLOT_SIZE:
            for field in describe_current(page):
                yield replace(field, offset=start + field.offset)
        else:
            yield from fitting(HEADER, page, 0, start)
        yield from _judged(partial(CurrentSlot.decode, page, index), start)
    yield from _nothing_behind(file, CURRENT_SIZE)


def annotate_manifest(file: RegularFile) -> Iterator[Note]:
    """Yield a manifest."""
    data = file.read_at(0, MANIFEST_SIZE_MAX)
    yield Part(0, "manifest")
    if len(data) < MANIFEST_SIZE_MIN:
        yield from fitting(HEADER, data)
        yield from fitting(MANIFEST, data, HEADER_SIZE)
    else:
        try:
            yield from describe_manifest(data)
        except CorruptionError as error:
            yield damage(error)
    number = HEADER.offset_of["file_number"]
    file_number = int.from_bytes(data[number : number + 8], "little")
    yield from _judged(lambda: Manifest.decode(data, None, file_number))
    yield from _nothing_behind(file, MANIFEST_SIZE_MAX)


def annotate_shared_map(file: RegularFile) -> Iterator[Note]:
    """Yield shared.map: the counter says which of the two slots is in force."""
    data = file.read_at(0, SHARED_MAP_SIZE)
    yield Part(0, "shared.map")
    yield from fitting(HEADER, data)
    yield from _judged(lambda: FileHeader.decode(data))
    if len(data) >= COUNTER_OFFSET + COUNTER_SIZE:
        counter = int.from_bytes(data[COUNTER_OFFSET : COUNTER_OFFSET + COUNTER_SIZE], "little")
        yield Described(
            COUNTER_OFFSET, COUNTER_SIZE, "counter", counter, "odd: slot 1 is in force; even: 0"
        )
    for index in (0, 1):
        start = SLOTS_OFFSET + index * SHARED_MAP_SLOT.size
        yield Part(start, f"shared.map slot {index}")
        yield from fitting(SHARED_MAP_SLOT, data, start)
    yield from _judged(lambda: SharedState.decode(data))
    yield from _nothing_behind(file, SHARED_MAP_SIZE)


def shown(field: Described) -> Any:
    """Return the field's value as JSON can hold it, in the form people compare it in.

    Bytes and checksums are hexadecimal, flags binary, times ISO 8601.
    """
    name, value = field.name, field.value
    if isinstance(value, bytes):
        return str(UUID(bytes=value)) if name == "store_uuid" else value.hex()
    if isinstance(value, int):
        if name in _HEXADECIMAL:
            return f"{value:#018x}"
        if name == "flags":
            return f"{value:#b}"
        if name in _TIMES:
            return _time(value)
    return value


def _time(moment: int) -> Any:
    if moment == NO_MOMENT:
        return "none"
    return decode_moment(moment).isoformat() if MOMENT_MIN <= moment <= MOMENT_MAX else moment


def _judged(decode: Callable[[], object], base: int = 0) -> Iterable[Damage]:
    """Return what the engine would say about a structure: nothing when it takes it."""
    try:
        decode()
    except (CorruptionError, FormatVersionError) as error:
        return [damage(error, base)]
    return []


def _nothing_behind(file: RegularFile, end: int) -> Iterator[Damage]:
    if file.size > end:
        error = TruncatedError(f"{file.size - end} bytes too many", offset=end)
        yield damage(error)


_HEXADECIMAL: Final = frozenset(("checksum", "chain", "epoch", "session"))
_TIMES: Final = frozenset(
    ("commit_time", "last_commit_time", "created_at", "valid_from", "valid_to")
)
_KIND_OF_NAME: Final = {CURRENT: FileKind.CURRENT, SHARED_MAP: FileKind.SHARED_MAP}
_KIND_OF_SUFFIX: Final = {".wal": FileKind.WAL, ".manifest": FileKind.MANIFEST}
