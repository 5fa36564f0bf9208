"""Runs fed to the kernel, which merges them: leaf by leaf.

The kernel takes a leaf as it stands, whole, where everything in it is usual. Names that go on in
overflow pages or have many versions, and whatever contradicts SPEC.md, are read here by the leaf's
plain way: so an error is the same, and comes when its turn does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from lithograph.formats.name_page import NamePage
from lithograph.segments.run_tree import QuickTree

if TYPE_CHECKING:
    from lithograph.kernel._runs import RunMerge


class Leaves(Protocol):
    """What a stream is read from: a run, or one that is changed on its way.

    Attributes
    ----------
    careful : number of a leaf that the kernel may not take as it stands, or None.
    """

    @property
    def first_sequence(self) -> int: ...

    @property
    def last_sequence(self) -> int: ...

    @property
    def careful(self) -> int | None: ...

    def leaves(self) -> Iterator[tuple[int, NamePage]]:
        """Yield every leaf with its number, in order."""

    def scan_leaf(
        self, number: int, leaf: NamePage, previous: bytes
    ) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """Yield the names of a leaf with their versions; `previous` is the name before them."""


def merge_quickly(
    readers: Sequence[Leaves], tree: QuickTree, step: int, floor: int, oldest: bool
) -> Iterator[None]:
    """Do what `merge_runs` does, in the kernel: `step` names between two yields."""
    merge = tree.merge(
        [reader.first_sequence for reader in readers],
        [reader.last_sequence for reader in readers],
        floor,
        oldest,
    )
    streams = [RunStream(merge, rank, reader) for rank, reader in enumerate(readers)]
    left = step
    while True:
        done, hungry = merge.step(left)
        left -= done
        if hungry >= 0:
            # Before the yield, as the plain way looks for the next name before it is done with one.
            streams[hungry].feed()
        elif left == 0:
            tree.spill()
            yield
            left = step
        elif done == 0:
            tree.spill()
            return


class RunStream:
    """One run among those that the kernel merges.

    rank : its place among them, the newest first.
    """

    def __init__(self, merge: RunMerge, rank: int, reader: Leaves) -> None:
        self._merge = merge
        self._rank = rank
        self._reader = reader
        self._leaves = reader.leaves()
        # The rest of a leaf that the kernel does not take.
        self._names: Iterator[tuple[bytes, list[tuple[int, int]]]] = iter(())

    def feed(self) -> None:
        """Give the kernel what comes next: a leaf, a name, or that there is no more.

        Raises
        ------
        CorruptionError : as `RunReader.scan` raises it.

        Cost: 7 µs per leaf besides the kernel's (12 where its checksum is not checked yet): 0.03 µs
        per name of 17 bytes. Sixteen leaves at a time would save 0.01 of it.
        """
        while not self._put_name():
            number, leaf = next(self._leaves, (0, None))
            if leaf is None:
                self._merge.end(self._rank)
                return
            if number != self._reader.careful and self._merge.feed(self._rank, leaf.data):
                return
            previous = self._merge.last_name(self._rank)
            self._names = self._reader.scan_leaf(number, leaf, previous)

    def _put_name(self) -> bool:
        for name, versions in self._names:
            self._merge.put(self._rank, name, versions)
            return True
        return False
