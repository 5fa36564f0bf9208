"""The manifest: one complete description of a generation (SPEC.md, section 5).

It is written once, whole, and never changed; CURRENT names it together with its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor, encode_text
from lithograph.formats.file_header import HEADER, HEADER_SIZE, FileHeader, FileKind
from lithograph.formats.layout import Buffer, Described, Field, Layout
from lithograph.formats.moment import check_moment
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.ids import ID_END, SEQUENCE_END

MANIFEST: Final = Layout(
    "manifest",
    Field("generation", "Q", "one more than that of the manifest it replaced; the first is 1"),
    Field("first_wal_number", "Q", "recovery replays the WALs from this one on"),
    Field("next_file_number", "Q", "no file of the store has this number or a higher one yet"),
    Field("next_id", "Q", "the id of the next new node"),
    Field("last_sequence", "Q", "of the newest commit that the named files hold"),
    Field("last_commit_time", "q", "µs since 1970 UTC, of that commit"),
    Field("node_count", "Q", "live nodes at that commit"),
    Field("edge_count", "Q", "live edges at that commit"),
    Field("type_count", "I", "texts that follow: the type names, by code"),
    Field("run_count", "I", "entries of name runs that follow the types: zero in version 0"),
    Field("segment_count", "I", "entries of segments that follow the runs: zero in version 0"),
    Field("reserved", "4s", "zero"),
)
_CHECKSUM_SIZE: Final = 8
MANIFEST_SIZE_MIN: Final = HEADER_SIZE + MANIFEST.size + _CHECKSUM_SIZE
MANIFEST_SIZE_MAX: Final = 2**28


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which files are the store, and where its counters stand."""

    generation: int
    first_wal_number: int
    next_file_number: int
    next_id: int = 0
    last_sequence: int = 0
    last_commit_time: int = 0
    node_count: int = 0
    edge_count: int = 0
    types: tuple[str, ...] = ()

    def encode(self, store_uuid: bytes, file_number: int) -> bytes:
        """Return the whole file."""
        checked = b"".join(
            (
                FileHeader(FileKind.MANIFEST, store_uuid, file_number).encode(),
                MANIFEST.encode(
                    generation=self.generation,
                    first_wal_number=self.first_wal_number,
                    next_file_number=self.next_file_number,
                    next_id=self.next_id,
                    last_sequence=self.last_sequence,
                    last_commit_time=self.last_commit_time,
                    node_count=self.node_count,
                    edge_count=self.edge_count,
                    type_count=len(self.types),
                    run_count=0,
                    segment_count=0,
                ),
                *map(encode_text, self.types),
            )
        )
        return checked + xxhash.xxh64_intdigest(checked).to_bytes(8, "little")

    @classmethod
    def decode(cls, data: Buffer, store_uuid: bytes | None, file_number: int) -> Manifest:
        """Read the whole file `data`; every length and range is checked.

        Raises
        ------
        CorruptionError, ChecksumError, TruncatedError, FormatVersionError
        """
        FileHeader.decode(data).expect(FileKind.MANIFEST, store_uuid, file_number)
        if len(data) < MANIFEST_SIZE_MIN:
            raise TruncatedError(
                f"a manifest takes {MANIFEST_SIZE_MIN} bytes at least, {len(data)} are there",
                offset=HEADER_SIZE,
            )
        end = len(data) - _CHECKSUM_SIZE
        stored = int.from_bytes(data[end:], "little")
        computed = xxhash.xxh64_intdigest(bytes(data[:end]))
        if stored != computed:
            raise ChecksumError(
                f"manifest: xxh64 {stored:#018x}, computed {computed:#018x}", offset=end
            )
        values = MANIFEST.decode(data, HEADER_SIZE)
        cursor = Cursor(data, HEADER_SIZE + MANIFEST.size, end)
        type_count = values.pop("type_count")
        if values.pop("run_count") or values.pop("segment_count"):
            raise CorruptionError("version 0 has neither runs nor segments", offset=HEADER_SIZE)
        if type_count * 4 > end - cursor.offset:
            raise TruncatedError(f"{type_count} types are announced", offset=cursor.offset)
        types = tuple([cursor.text(TEXT_SIZE_MAX) for _ in range(type_count)])
        cursor.finish("manifest")
        if len(set(types)) != len(types):
            raise CorruptionError("a type stands twice", offset=HEADER_SIZE + MANIFEST.size)
        _check_ranges(values)
        return cls(types=types, **values)


def hash_manifest(data: Buffer) -> bytes:
    """Return the BLAKE2b-256 by which CURRENT knows a manifest file."""
    return hashlib.blake2b(data, digest_size=32).digest()


def describe_manifest(data: Buffer) -> Iterator[Described]:
    """Yield the fields of a manifest, as far as the bytes reach."""
    yield from HEADER.describe(data)
    yield from MANIFEST.describe(data, HEADER_SIZE)
    cursor = Cursor(data, HEADER_SIZE + MANIFEST.size, len(data) - _CHECKSUM_SIZE)
    code = 0
    while cursor.offset < cursor.end:
        start = cursor.offset
        name = cursor.text(TEXT_SIZE_MAX)
        yield Described(start, cursor.offset - start, f"type {code}", name, "a type name")
        code += 1
    checksum = int.from_bytes(data[cursor.end :], "little")
    yield Described(cursor.end, 8, "checksum", checksum, "XXH64 of all bytes before it")


def _check_ranges(values: dict[str, int]) -> None:
    """Raise CorruptionError where a counter is outside what the engine can work with."""
    for name, low, end in (
        ("generation", 1, SEQUENCE_END),
        ("first_wal_number", 1, values["next_file_number"]),
        ("next_file_number", 1, SEQUENCE_END),
        ("next_id", 0, ID_END + 1),
        ("last_sequence", 0, SEQUENCE_END),
        ("node_count", 0, values["next_id"] + 1),
        ("edge_count", 0, SEQUENCE_END),
    ):
        if not low <= values[name] < end:
            raise CorruptionError(
                f"manifest: {name} is {values[name]}, not in [{low}, {end})",
                offset=HEADER_SIZE + MANIFEST.offset_of[name],
            )
    check_moment(values["last_commit_time"], HEADER_SIZE + MANIFEST.offset_of["last_commit_time"])
