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
from lithograph.formats.manifest_entries import (
    RUN_ENTRY,
    SEGMENT_ENTRY,
    RunEntry,
    SegmentEntry,
)
from lithograph.formats.moment import MOMENT_MIN, check_moment
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
    Field("run_count", "I", "entries of runs (5.1) that follow the types, oldest first"),
    Field("segment_count", "I", "entries of segments (5.1) that follow the runs, oldest first"),
    Field("purged_count", "I", "ids of which nothing is left: their nodes were erased for good"),
    Field("floor_sequence", "Q", "the oldest commit as of which the store can still be read"),
    Field("floor_time", "q", "µs since 1970 UTC, of that commit; 0 with floor_sequence 0"),
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
    runs: tuple[RunEntry, ...] = ()
    segments: tuple[SegmentEntry, ...] = ()
    floor_sequence: int = 0
    floor_time: int = 0
    purged_count: int = 0

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
                    run_count=len(self.runs),
                    segment_count=len(self.segments),
                    purged_count=self.purged_count,
                    floor_sequence=self.floor_sequence,
                    floor_time=self.floor_time,
                ),
                *map(encode_text, self.types),
                *(run.encode() for run in self.runs),
                *(segment.encode() for segment in self.segments),
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
        run_count, segment_count = values.pop("run_count"), values.pop("segment_count")
        if type_count * 4 > end - cursor.offset:
            raise TruncatedError(f"{type_count} types are announced", offset=cursor.offset)
        types = tuple([cursor.text(TEXT_SIZE_MAX) for _ in range(type_count)])
        entries = cursor.offset
        entries_size = run_count * RUN_ENTRY.size + segment_count * SEGMENT_ENTRY.size
        if entries_size != end - entries:
            raise TruncatedError(
                f"{run_count} runs and {segment_count} segments are announced", offset=entries
            )
        segments_start = entries + run_count * RUN_ENTRY.size
        runs = [
            RunEntry.decode(data, start) for start in range(entries, segments_start, RUN_ENTRY.size)
        ]
        segments = [
            SegmentEntry.decode(data, start)
            for start in range(segments_start, end, SEGMENT_ENTRY.size)
        ]
        if len(set(types)) != len(types):
            raise CorruptionError("a type stands twice", offset=HEADER_SIZE + MANIFEST.size)
        _check_ranges(values)
        manifest = cls(types=types, runs=tuple(runs), segments=tuple(segments), **values)
        manifest._check_order(entries)
        return manifest

    def _check_order(self, offset: int) -> None:
        """Raise CorruptionError unless the entries cover the commits as section 5 says."""
        reached, next_id, time = 0, 0, MOMENT_MIN
        for segment in self.segments:
            if (segment.first_sequence, segment.first_id) != (reached + 1, next_id):
                raise CorruptionError(
                    f"segment {segment.number} begins at commit {segment.first_sequence} and id "
                    f"{segment.first_id}, expected {reached + 1} and {next_id}",
                    offset=offset,
                )
            if segment.first_time < time:
                raise CorruptionError("commit times of segments run back", offset=offset)
            reached, next_id, time = segment.last_sequence, segment.end_id, segment.last_time
        if reached != self.last_sequence or (self.segments and next_id != self.next_id):
            raise CorruptionError(
                f"the segments end with commit {reached} and id {next_id}, the manifest says "
                f"{self.last_sequence} and {self.next_id}",
                offset=offset,
            )
        reached = 0
        for run in self.runs:
            if run.first_sequence <= reached:
                raise CorruptionError("runs overlap", offset=offset)
            reached = run.last_sequence
        if reached > self.last_sequence or self.floor_sequence > self.last_sequence:
            raise CorruptionError("an entry is newer than the newest commit", offset=offset)
        numbers = [run.number for run in self.runs]
        numbers += [segment.number for segment in self.segments]
        if len(set(numbers)) != len(numbers) or max(numbers, default=0) >= self.next_file_number:
            raise CorruptionError("a file number stands twice, or is not given yet", offset=offset)


def hash_manifest(data: Buffer) -> bytes:
    """Return the BLAKE2b-256 by which CURRENT knows a manifest file."""
    return hashlib.blake2b(data, digest_size=32).digest()


def describe_manifest(data: Buffer) -> Iterator[Described]:
    """Yield the fields of a manifest, as far as the bytes reach."""
    yield from HEADER.describe(data)
    yield from MANIFEST.describe(data, HEADER_SIZE)
    cursor = Cursor(data, HEADER_SIZE + MANIFEST.size, len(data) - _CHECKSUM_SIZE)
    values = MANIFEST.decode(data, HEADER_SIZE)
    for code in range(values["type_count"]):
        start = cursor.offset
        name = cursor.text(TEXT_SIZE_MAX)
        yield Described(start, cursor.offset - start, f"type {code}", name, "a type name")
    for layout, count in ((RUN_ENTRY, "run_count"), (SEGMENT_ENTRY, "segment_count")):
        for _ in range(values[count]):
            yield from layout.describe(data, cursor.take(layout.size))
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
        ("floor_sequence", 0, SEQUENCE_END),
        ("purged_count", 0, values["next_id"] + 1),
    ):
        if not low <= values[name] < end:
            raise CorruptionError(
                f"manifest: {name} is {values[name]}, not in [{low}, {end})",
                offset=HEADER_SIZE + MANIFEST.offset_of[name],
            )
    for name in ("last_commit_time", "floor_time"):
        check_moment(values[name], HEADER_SIZE + MANIFEST.offset_of[name])
