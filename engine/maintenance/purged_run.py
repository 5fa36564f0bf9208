"""A run of the name index as if some nodes of a name had never been (SPEC.md, section 12.10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lithograph.formats.name_page import NamePage
from lithograph.ids import ABSENT
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_stream import merge_quickly
from lithograph.segments.run_tree import QuickTree
from lithograph.segments.run_writer import RunWriter

_STEP: Final = 256
"""Names between two pauses where Python writes them."""

_QUICK_STEP: Final = 4096
"""Likewise where the kernel does."""

_Versions = list[tuple[int, int]]


class PurgedRun:
    """Implements `segments.run_stream.Leaves` over a run, without nodes `ids` of a name.

    Attributes
    ----------
    first_sequence, last_sequence : as the run's.
    careful : number of the leaf that has the name; all others are as they stand.
    """

    def __init__(self, reader: RunReader, name: bytes, ids: frozenset[int]) -> None:
        self.first_sequence = reader.first_sequence
        self.last_sequence = reader.last_sequence
        self.careful = reader.leaf_of(name)
        self._reader = reader
        self._name = name
        self._ids = ids

    def leaves(self) -> Iterator[tuple[int, NamePage]]:
        return self._reader.leaves()

    def scan_leaf(
        self, number: int, leaf: NamePage, previous: bytes
    ) -> Iterator[tuple[bytes, _Versions]]:
        return self._kept(self._reader.scan_leaf(number, leaf, previous))

    def write(self, writer: RunWriter) -> Iterator[None]:
        """Feed a writer what stays; a bounded step between two yields.

        Raises
        ------
        CorruptionError : the run is damaged; the writer is the caller's to abandon.

        Cost: 0.3 µs per name in the kernel.
        """
        if isinstance(writer.tree, QuickTree):
            yield from merge_quickly([self], writer.tree, _QUICK_STEP, 0, False)
            return
        for count, (name, versions) in enumerate(self._kept(self._reader.scan()), 1):
            writer.add(name, versions)
            if count % _STEP == 0:
                yield

    def _kept(self, items: Iterator[tuple[bytes, _Versions]]) -> Iterator[tuple[bytes, _Versions]]:
        for name, versions in items:
            kept = versions if name != self._name else self._living(versions)
            if kept:
                yield name, kept

    def _living(self, versions: _Versions) -> _Versions:
        """Return the name's versions, newest first, that say nothing of beginnings and ends of the
        nodes."""
        return [one for one in versions if one[1] != ABSENT and one[1] not in self._ids]
