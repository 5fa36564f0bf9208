"""What a manifest says of each sealed file (SPEC.md, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.file_names import FILE_NUMBER_END, is_partition
from lithograph.formats.layout import Buffer, Field, Layout
from lithograph.formats.moment import check_moment
from lithograph.formats.sealed import SealedRef
from lithograph.ids import ID_END, SEQUENCE_END

RUN_ENTRY: Final = Layout(
    "run entry",
    Field("number", "Q", "file number of the run"),
    Field("size", "Q", "of the file, in bytes"),
    Field("footer_hash", "32s", "BLAKE2b-256 of its footer"),
    Field("first_sequence", "Q", "the run holds the names that commits from this one"),
    Field("last_sequence", "Q", "to this one made or ended"),
    Field("entry_count", "Q", "names in it"),
    Field("reserved", "8s", "zero"),
)
SEGMENT_ENTRY: Final = Layout(
    "segment entry",
    Field("number", "Q", "file number of the segment, and of its history"),
    Field("partition", "16s", "name of its directory, ASCII, zeros behind it"),
    Field("size", "Q", "of the segment, in bytes"),
    Field("footer_hash", "32s", "BLAKE2b-256 of its footer"),
    Field("history_size", "Q", "of the history, in bytes; 0: there is none"),
    Field("history_hash", "32s", "BLAKE2b-256 of its footer, or zero"),
    Field("first_sequence", "Q", "the segment is what commits from this one"),
    Field("last_sequence", "Q", "to this one left"),
    Field("first_time", "q", "commit time of the first, µs since 1970 UTC"),
    Field("last_time", "q", "commit time of the last"),
    Field("first_id", "Q", "ids from this one"),
    Field("end_id", "Q", "to just before this one were born in it"),
    Field("entry_count", "Q", "nodes and edges that it says something of"),
    Field("version_count", "Q", "versions in its history"),
    Field("superseding_count", "Q", "of the entries, those that change or hide older layers'"),
    Field("flags", "I", "bit 0: sealed, because its window was closed or all was merged"),
    Field("reserved", "12s", "zero"),
)
FLAG_SEALED: Final = 1


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run of the name index, over the commits first_sequence to last_sequence."""

    ref: SealedRef
    first_sequence: int
    last_sequence: int
    entry_count: int

    @property
    def number(self) -> int:
        return self.ref.number

    @property
    def size(self) -> int:
        return self.ref.size

    def encode(self) -> bytes:
        return RUN_ENTRY.encode(
            number=self.ref.number,
            size=self.ref.size,
            footer_hash=self.ref.footer_hash,
            first_sequence=self.first_sequence,
            last_sequence=self.last_sequence,
            entry_count=self.entry_count,
        )

    @classmethod
    def decode(cls, data: Buffer, offset: int) -> RunEntry:
        """Read the entry at `offset`; CorruptionError where a value is out of range."""
        values = RUN_ENTRY.decode(data, offset)
        _check_ranges(values, offset)
        ref = SealedRef(values["number"], values["size"], values["footer_hash"])
        return cls(ref, values["first_sequence"], values["last_sequence"], values["entry_count"])


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment and its history, if it has one.

    first_time, last_time : commit times, µs since 1970 UTC.
    entry_count, version_count, superseding_count : as in SPEC.md, section 5.1.
    """

    ref: SealedRef
    history: SealedRef | None
    partition: str
    first_sequence: int
    last_sequence: int
    first_time: int
    last_time: int
    first_id: int
    end_id: int
    entry_count: int
    version_count: int = 0
    superseding_count: int = 0
    sealed: bool = False

    @property
    def number(self) -> int:
        return self.ref.number

    @property
    def size(self) -> int:
        return self.ref.size

    @property
    def history_size(self) -> int:
        return self.history.size if self.history else 0

    def encode(self) -> bytes:
        history = self.history or SealedRef(self.number, 0, bytes(32))
        return SEGMENT_ENTRY.encode(
            number=self.ref.number,
            partition=self.partition.encode().ljust(16, b"\0"),
            size=self.ref.size,
            footer_hash=self.ref.footer_hash,
            history_size=history.size,
            history_hash=history.footer_hash,
            first_sequence=self.first_sequence,
            last_sequence=self.last_sequence,
            first_time=self.first_time,
            last_time=self.last_time,
            first_id=self.first_id,
            end_id=self.end_id,
            entry_count=self.entry_count,
            version_count=self.version_count,
            superseding_count=self.superseding_count,
            flags=FLAG_SEALED if self.sealed else 0,
        )

    @classmethod
    def decode(cls, data: Buffer, offset: int) -> SegmentEntry:
        """Read the entry at `offset`; CorruptionError where a value is out of range."""
        values = SEGMENT_ENTRY.decode(data, offset)
        _check_ranges(values, offset)
        number = values["number"]
        history = None
        if values["history_size"]:
            history = SealedRef(number, values["history_size"], values["history_hash"])
        elif values["history_hash"].count(0) != 32 or values["version_count"]:
            raise CorruptionError("a history that is not there", offset=offset)
        if values["flags"] & ~FLAG_SEALED:
            raise CorruptionError(f"segment flags {values['flags']:#x} are unknown", offset=offset)
        if not values["first_id"] <= values["end_id"] <= ID_END:
            raise CorruptionError(
                f"ids {values['first_id']} to {values['end_id']} in one segment", offset=offset
            )
        for name in ("first_time", "last_time"):
            check_moment(values[name], offset + SEGMENT_ENTRY.offset_of[name])
        if values["first_time"] > values["last_time"]:
            raise CorruptionError("a segment ends before it begins", offset=offset)
        return cls(
            SealedRef(number, values["size"], values["footer_hash"]),
            history,
            _partition(values["partition"], offset),
            values["first_sequence"],
            values["last_sequence"],
            values["first_time"],
            values["last_time"],
            values["first_id"],
            values["end_id"],
            values["entry_count"],
            values["version_count"],
            values["superseding_count"],
            bool(values["flags"] & FLAG_SEALED),
        )


def _partition(data: bytes, offset: int) -> str:
    text = data.rstrip(b"\0")
    name = text.decode("ascii", "replace")
    if not is_partition(name) or text.count(0):
        raise CorruptionError(f"{name!r} is not the name of a partition", offset=offset)
    return name


def _check_ranges(values: dict[str, int], offset: int) -> None:
    if not 0 < values["number"] < FILE_NUMBER_END:
        raise CorruptionError(f"file number {values['number']} is out of range", offset=offset)
    if not 0 < values["size"] < SEQUENCE_END:
        raise CorruptionError(f"a sealed file of {values['size']} bytes", offset=offset)
    if not 0 < values["first_sequence"] <= values["last_sequence"] < SEQUENCE_END:
        raise CorruptionError(
            f"commits {values['first_sequence']} to {values['last_sequence']} in one file",
            offset=offset,
        )
