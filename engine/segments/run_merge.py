"""Merging adjacent runs of the name index into one (SPEC.md, section 13.6)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.ids import ABSENT
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_stream import merge_quickly
from lithograph.segments.run_tree import QuickTree
from lithograph.segments.run_writer import RunWriter

STEP: Final = 256
"""Names between two yields."""

_Versions = list[tuple[int, int]]


def merge_runs(
    readers_newest_first: Sequence[RunReader], writer: RunWriter, *, floor: int, oldest: bool
) -> Iterator[None]:
    """Feed `writer` what the runs hold together; a step of at most 256 names between two yields.

    Parameters
    ----------
    readers_newest_first : adjacent runs, which cover disjoint ranges within the writer's.
    floor : of a name's versions up to this sequence only the newest is kept; 0 keeps all.
    oldest : no older run is left out, so a name that is deleted at the floor is forgotten.

    Raises
    ------
    CorruptionError : an input is damaged, or ranges overlap; the writer is the caller's to abandon.
    """
    for newer, older in pairwise(readers_newest_first):
        if newer.first_sequence <= older.last_sequence:
            raise CorruptionError(
                f"the run begins at sequence {newer.first_sequence}, "
                f"the one before it ends at {older.last_sequence}",
                path=newer.path,
            )
    if isinstance(writer.tree, QuickTree):
        yield from merge_quickly(readers_newest_first, writer.tree, STEP, floor, oldest)
        return
    for count, (name, versions) in enumerate(_merged(readers_newest_first), 1):
        kept = versions_above(versions, floor, oldest=oldest)
        if kept:
            writer.add(name, kept)
        if count % STEP == 0:
            yield


def _merged(readers: Sequence[RunReader]) -> Iterator[tuple[bytes, _Versions]]:
    """Yield each name once, ascending, with the versions of all runs, newest first."""
    name, versions = b"", list[tuple[int, int]]()
    for found, _, more in heapq.merge(*map(_ranked, range(len(readers)), readers)):
        if found != name:
            if versions:
                yield name, versions
            name, versions = found, []
        versions += more
    if versions:
        yield name, versions


def _ranked(rank: int, reader: RunReader) -> Iterator[tuple[bytes, int, _Versions]]:
    # Of equal names the newest run's comes first; no two ranks are equal.
    for name, versions in reader.scan():
        yield name, rank, versions


def versions_above(versions: _Versions, floor: int, *, oldest: bool) -> _Versions:
    """Return those of a name's versions, newest first, that outlive the floor.

    oldest : nothing older is known of the name, so that it need not be said that it was deleted.
    """
    count = sum(sequence > floor for sequence, _ in versions)
    kept = versions[: count + 1]
    if oldest and len(kept) > count and kept[-1][1] == ABSENT:
        kept.pop()
    return kept
