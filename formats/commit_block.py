"""Blocks of the commit table: when each commit was, and what it left alive (SPEC.md, 12.7).

The directory row of a block holds its first commit; the block the others, as differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.layout import Field, Layout
from lithograph.formats.moment import check_moment
from lithograph.formats.varint import append_varint, unzigzag, zigzag
from lithograph.ids import ID_END, SEQUENCE_END

COMMIT_ROW: Final = Layout(
    "directory row of the commit table",
    Field("offset", "Q", "of the block, from the start of the section"),
    Field("time", "q", "µs since 1970 UTC, of the block's first commit"),
    Field("node_count", "Q", "live nodes at that commit"),
    Field("edge_count", "Q", "live edges at that commit"),
)


class CommitState(NamedTuple):
    """One commit: its time (µs since 1970 UTC), and how many nodes and edges were alive at it."""

    time: int
    node_count: int
    edge_count: int


def encode_commits(commits: Sequence[CommitState]) -> bytes:
    """Return a block: every commit but the first."""
    out = bytearray()
    for before, commit in pairwise(commits):
        append_varint(out, commit.time - before.time)
        append_varint(out, zigzag(commit.node_count - before.node_count))
        append_varint(out, zigzag(commit.edge_count - before.edge_count))
    return bytes(out)


def decode_commits(cursor: Cursor, first: CommitState, count: int) -> list[CommitState]:
    """Return the `count` commits of a block of which the directory holds the first.

    Raises
    ------
    CorruptionError : a time or a count is out of range; offsets count from the block's start.
    """
    commits = [check_commit(first, cursor.offset)]
    for _ in range(count - 1):
        start = cursor.offset
        time, node_count, edge_count = commits[-1]
        commit = CommitState(
            time + cursor.varint(),
            node_count + unzigzag(cursor.varint()),
            edge_count + unzigzag(cursor.varint()),
        )
        commits.append(check_commit(commit, start))
    cursor.finish("block of commits")
    return commits


def check_commit(commit: CommitState, offset: int) -> CommitState:
    """Return a commit read from disk if its values can be, else raise CorruptionError."""
    check_moment(commit.time, offset)
    if not 0 <= commit.node_count <= ID_END or not 0 <= commit.edge_count < SEQUENCE_END:
        raise CorruptionError(
            f"{commit.node_count} nodes and {commit.edge_count} edges are alive", offset=offset
        )
    return commit
