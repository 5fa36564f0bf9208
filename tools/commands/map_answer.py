"""The shape of the answer of `segtool map`."""

from __future__ import annotations

from datetime import datetime

import msgspec


class MapSegment(msgspec.Struct, forbid_unknown_fields=True):
    """One segment, with its history.

    number : of the file.
    file : its name in the store.
    sealed : it is compressed, because its window was closed or all was merged.
    first_sequence, last_sequence : the commits that it is made of.
    first_time, last_time : when these were.
    entry_count : nodes and edges that it says something of.
    superseding_entry_count : of them, those that change or hide what older segments say.
    version_count : superseded versions in its history.
    size_bytes : of segment and history together.
    superseded_size_bytes : of the history: versions that are no longer the newest.
    superseded_share : of the size, 0 to 1.
    """

    number: int
    file: str
    sealed: bool
    first_sequence: int
    last_sequence: int
    first_time: datetime
    last_time: datetime
    entry_count: int
    superseding_entry_count: int
    version_count: int
    size_bytes: int
    superseded_size_bytes: int
    superseded_share: float


class MapPartition(msgspec.Struct, forbid_unknown_fields=True):
    """The segments of one calendar window of commit time.

    name : of the window and its directory: a day, a month, a quarter, a year, or several years.
    size_bytes, superseded_size_bytes : of its segments together.
    segments : oldest first.
    """

    name: str
    size_bytes: int
    superseded_size_bytes: int
    segments: list[MapSegment]


class MapAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The files of a store over time.

    path : of the store.
    sequence : of its newest commit.
    size_bytes : of all segments and histories.
    superseded_size_bytes : of the histories.
    superseded_share : of the size, 0 to 1.
    log_commit_count : commits that are in the log and in no segment yet.
    log_size_bytes : of the log's files.
    run_count, run_size_bytes : of the name index.
    partitions : oldest first.
    """

    path: str
    sequence: int
    size_bytes: int
    superseded_size_bytes: int
    superseded_share: float
    log_commit_count: int
    log_size_bytes: int
    run_count: int
    run_size_bytes: int
    partitions: list[MapPartition]


SHAPE = MapAnswer
