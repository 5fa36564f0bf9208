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
from lithograph.formats.file_names import CURRENT, SHARED_MAP, is_pin
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
from lithograph.formats.pin import PIN, PIN_SIZE, PinState
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


PIN_KIND: Final = "pin"
"""A pin has no header: its name says what it is."""

KIND_NAMES: Final = {
    FileKind.CURRENT: "CURRENT",
    FileKind.MANIFEST: "manifest",
    FileKind.WAL: "WAL",
    FileKind.SHARED_MAP: "shared.map",
    FileKind.RUN: "run",
    FileKind.SEGMENT: "segment",
    FileKind.HISTORY: "history",
}


def guess_kind(file: RegularFile) -> str:
    """Return what the file says it is; where its header is damaged, what its name says.

    Raises
    ------
    NotAStoreError : neither looks like a file of a store.
    """
    path = PurePath(file.path)
    if path.suffix == ".pin" and is_pin(path.name):
        return PIN_KIND
    data = file.read_at(0, HEADER_SIZE)
    claimed = int.from_bytes(data[10:12], "little")
    kinds = {int(kind): kind for kind in FileKind} if data.startswith(MAGIC) else {}
    try:
        return KIND_NAMES[FileHeader.decode(data).kind]
    except FormatVersionError:
        sound = kinds.get(claimed)
    except CorruptionError:
        sound = None
    kind = sound or _KIND_OF_NAME.get(path.name) or _KIND_OF_SUFFIX.get(path.suffix)
    kind = kind or kinds.get(claimed)
    if kind is None:
        raise NotAStoreError(
            f"{file.path} is not a lithograph file: it starts with {data[:8].hex() or 'nothing'},"
            f" not with {MAGIC.hex()}"
        )
    return KIND_NAMES[kind]


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
        yield from judged(partial(CurrentSlot.decode, page, index), start)
    yield from _nothing_behind(file, CURRENT_SIZE)


def annotate_manifest(file: RegularFile) -> Iterator[Note]:
    """Yield a manifest."""
    data = file.read_at(0, MANIFEST_SIZE_MAX)
    yield Part(0, "manifest")
    if len(data) < MANIFEST_SIZE_MIN:
        yield from fitting(HEADER, data)
        yield from fitting(MANIFEST, data, HEADER_SIZE)
    else:
        yield from _manifest_parts(data)
    number = HEADER.offset_of["file_number"]
    file_number = int.from_bytes(data[number : number + 8], "little")
    yield from judged(lambda: Manifest.decode(data, None, file_number))
    yield from _nothing_behind(file, MANIFEST_SIZE_MAX)


def _manifest_parts(data: bytes) -> Iterator[Note]:
    """Yield the fields of a manifest, each entry as a part of its own."""
    run_count = 0
    entry_count = 0
    try:
        for field in describe_manifest(data):
            if field.name == "run_count":
                run_count = field.value
            elif field.name == "number":
                kind = "run" if entry_count < run_count else "segment"
                yield Part(field.offset, f"{kind} {field.value}")
                entry_count += 1
            elif entry_count and field.name == "checksum":
                yield Part(field.offset, "end of the manifest")
            yield field
    except CorruptionError as error:
        yield damage(error)


def annotate_pin(file: RegularFile) -> Iterator[Note]:
    """Yield a pin; whether its process lives only the lock on the file can tell."""
    data = file.read_at(0, PIN_SIZE)
    yield Part(0, "pin")
    yield from fitting(PIN, data)
    yield from judged(lambda: PinState.decode(data))


def annotate_shared_map(file: RegularFile) -> Iterator[Note]:
    """Yield shared.map: the counter says which of the two slots is in force."""
    data = file.read_at(0, SHARED_MAP_SIZE)
    yield Part(0, "shared.map")
    yield from fitting(HEADER, data)
    yield from judged(lambda: FileHeader.decode(data))
    if len(data) >= COUNTER_OFFSET + COUNTER_SIZE:
        counter = int.from_bytes(data[COUNTER_OFFSET : COUNTER_OFFSET + COUNTER_SIZE], "little")
        yield Described(
            COUNTER_OFFSET, COUNTER_SIZE, "counter", counter, "odd: slot 1 is in force; even: 0"
        )
    for index in (0, 1):
        start = SLOTS_OFFSET + index * SHARED_MAP_SLOT.size
        yield Part(start, f"shared.map slot {index}")
        yield from fitting(SHARED_MAP_SLOT, data, start)
    yield from judged(lambda: SharedState.decode(data))
    yield from _nothing_behind(file, SHARED_MAP_SIZE)


def shown(field: Described) -> Any:
    """Return the field's value as JSON can hold it, in the form people compare it in.

    Bytes and checksums are hexadecimal, flags binary, times ISO 8601.
    """
    name, value = field.name, field.value
    if isinstance(value, bytes):
        if name == "partition":
            return value.rstrip(b"\0").decode("ascii", "backslashreplace")
        return str(UUID(bytes=value)) if name == "store_uuid" else value.hex()
    if isinstance(value, int):
        if name in _HEXADECIMAL:
            return f"{value:#018x}"
        if name == "flags":
            return f"{value:#b}"
        if name in _TIMES:
            return shown_time(value)
    return value


def shown_time(moment: int) -> Any:
    """Return a time as ISO 8601; one that cannot be, as the number it is."""
    if moment == NO_MOMENT:
        return "none"
    return decode_moment(moment).isoformat() if MOMENT_MIN <= moment <= MOMENT_MAX else moment


def judged(decode: Callable[[], object], base: int = 0) -> Iterable[Damage]:
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
    (
        "commit_time",
        "last_commit_time",
        "floor_time",
        "first_time",
        "last_time",
        "created_at",
        "valid_from",
        "valid_to",
    )
)
_KIND_OF_NAME: Final = {CURRENT: FileKind.CURRENT, SHARED_MAP: FileKind.SHARED_MAP}
_KIND_OF_SUFFIX: Final = {
    ".wal": FileKind.WAL,
    ".manifest": FileKind.MANIFEST,
    ".run": FileKind.RUN,
    ".seg": FileKind.SEGMENT,
    ".his": FileKind.HISTORY,
}
