"""Whether the filters of a store are as full as what is in them makes them (SPEC.md, section 13.5).

Hashes are spread evenly, so a few adjacent blocks say what all of them are like. A filter that is
too full lets names pass that are not there, and each costs pages; one that is too empty hides names
that are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from lithograph.formats.split_block_filter import (
    BITS_PER_NAME,
    FILTER_BLOCK_SIZE,
    WORD_COUNT,
    false_positive_rate,
)
from lithograph.maintenance.open_store import OpenStore
from lithograph.segments.filter_reader import FilterReader

SAMPLE_COUNT: Final = 256
"""Blocks that are looked at: the share of bits that are set is that of the filter within 1 %."""

ENTRY_COUNT_MIN: Final = 1_000
"""Filters of fewer entries vary too much, and cost nothing."""

_WORD_BITS: Final = 8 * FILTER_BLOCK_SIZE // WORD_COUNT


@dataclass(frozen=True, slots=True)
class FilterLook:
    """What a sample says of one filter; shares are from 0 to 1.

    path : of the file.   is_run : it is a run's, of names; else a segment's, of ids.
    entry_count : names or ids in it.
    fullness, fullness_usual : of its bits, those that are set, and those that so many entries set.
    passing, passing_usual : of entries that are not there, those that it lets pass, and those that
        a filter made for so many lets pass.
    """

    path: str
    is_run: bool
    entry_count: int
    fullness: float
    fullness_usual: float
    passing: float
    passing_usual: float

    @property
    def is_too_empty(self) -> bool:
        """Whether entries must be missing from it."""
        return self.fullness < 0.9 * self.fullness_usual

    @property
    def is_too_full(self) -> bool:
        """Whether it keeps away far less than it could."""
        return self.passing > 4 * self.passing_usual


def look_at_filters(store: OpenStore) -> Iterator[FilterLook]:
    """Yield a look at each filter of the newest generation that has many entries.

    Raises
    ------
    CorruptionError : a block that is looked at is damaged.

    Cost: 8 KiB of each file.
    """
    store_uuid = store.journal.store_uuid
    manifest = store.journal.stack.generation.manifest
    for run in manifest.runs:
        if run.entry_count >= ENTRY_COUNT_MIN:
            reader = store.shelf.run(run, store_uuid)
            yield look_at(reader.filter, reader.path, reader.entry_count, is_run=True)
    for entry in manifest.segments:
        segment = store.shelf.segment(entry, store_uuid)
        count, found = segment.footer.sparse_node_count, segment.sparse_nodes.filter
        if found is not None and count >= ENTRY_COUNT_MIN:
            yield look_at(found, segment.path, count, is_run=False)


def look_at(filter_: FilterReader, path: str, entry_count: int, *, is_run: bool) -> FilterLook:
    """Return what a sample of a filter's blocks says."""
    words = np.frombuffer(filter_.sample(SAMPLE_COUNT), "<u4")
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, WORD_COUNT, _WORD_BITS)
    shares = bits.mean(axis=2)
    per_block = entry_count / filter_.block_count
    return FilterLook(
        path,
        is_run,
        entry_count,
        float(shares.mean()),
        1 - math.exp(-per_block / _WORD_BITS),
        # An entry that is not there asks for one bit of each word of its block.
        float(shares.prod(axis=1).mean()),
        false_positive_rate(BITS_PER_NAME),
    )
