"""The shapes of what `segtool ls` lists."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Partition(msgspec.Struct, tag="partition", tag_field="kind", forbid_unknown_fields=True):
    """A window of commit time with files in it.

    partition : its name.
    start, end : times; the window ends just before the second.
    segment_count : segments in it.
    size_bytes, history_size_bytes : of the segments, and of the histories beside them.
    entry_count, superseding_count : nodes and edges that the segments say something of, and how
        many of those hide or change what older segments say.
    version_count : superseded versions in the histories.
    first_sequence, last_sequence : commits, both included.
    """

    partition: str
    start: datetime
    end: datetime | None
    segment_count: int
    size_bytes: int
    history_size_bytes: int
    entry_count: int
    superseding_count: int
    version_count: int
    first_sequence: int
    last_sequence: int


class Segment(msgspec.Struct, tag="segment", tag_field="kind", forbid_unknown_fields=True):
    """A segment, with the history beside it.

    file, history : by their names in the store; the history None where there is none.
    partition : the window of commit time that it belongs to.
    size_bytes, history_size_bytes : of the two files.
    first_sequence, last_sequence, first_time, last_time : commits and their times, both included.
    first_id, end_id : ids from the first to just before the second were born in it.
    entry_count, superseding_count, version_count : as of a partition.
    is_sealed : its window is closed, or all was merged: it is compressed.
    """

    file: str
    history: str | None
    partition: str
    size_bytes: int
    history_size_bytes: int
    first_sequence: int
    last_sequence: int
    first_time: datetime
    last_time: datetime
    first_id: int
    end_id: int
    entry_count: int
    superseding_count: int
    version_count: int
    is_sealed: bool


class Run(msgspec.Struct, tag="run", tag_field="kind", forbid_unknown_fields=True):
    """A run of the name index.

    file : by its name in the store.
    size_bytes : of the file.
    first_sequence, last_sequence : the commits whose names it holds, both included.
    name_count : names in it.
    """

    file: str
    size_bytes: int
    first_sequence: int
    last_sequence: int
    name_count: int


class Wal(msgspec.Struct, tag="wal", tag_field="kind", forbid_unknown_fields=True):
    """A write-ahead log.

    file : by its name in the store.
    size_bytes : of the file; of what is published where commits go to it.
    first_sequence : of the commit that is or will be first in it.
    last_sequence : of its last published commit, where commits go to it; None otherwise.
    state : "current" where commits go to it, "needed" where opening reads it, "leaving" where it
        will be removed.
    """

    file: str
    size_bytes: int
    first_sequence: int
    last_sequence: int | None
    state: str


Record = Partition | Segment | Run | Wal
RECORD_SHAPE = Record
