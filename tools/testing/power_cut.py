"""What a power cut may leave: part of what was not synced, of each inode on its own.

All subsets and tears are tried where they are few. Otherwise those that tell most are (ALICE,
Pillai et al., OSDI 2014): prefixes, one operation missing, one alone, and samples drawn from a
seeded rng.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from lithograph.tools.testing.inodes import (
    DirectoryInode,
    Entries,
    FileInode,
    Image,
    Inode,
    Landing,
    Status,
    Truncate,
    Write,
    image_of,
    set_entry,
)

SECTOR_SIZE: Final = 512
PAGE_SIZE: Final = 4096

_SUBSETS_MAX: Final = 4
"""Up to this many operations of one inode every subset is tried."""
_SAMPLES: Final = 8
_NOTHING: Final = Landing(0, ())

T = TypeVar("T")


class PowerCut:
    """The images a power cut can leave of the tree below one directory, as it stands now."""

    def __init__(self, parent: DirectoryInode, rng: random.Random) -> None:
        self._parent = parent
        self._rng = rng
        self._files: dict[FileInode, _Outcomes[bytes]] = {}
        self._directories: dict[DirectoryInode, _Outcomes[Entries]] = {}
        self._collect(parent)

    def images(self, limit: int) -> Iterator[Image]:
        """Yield images, some repeatedly: nothing landed, everything landed, then what lies between.

        All combinations when they are no more than `limit`, otherwise a finite number of them.
        """
        outcomes: list[_Outcomes[bytes] | _Outcomes[Entries]] = []
        outcomes += [*self._files.values(), *self._directories.values()]
        uncertain = [outcome for outcome in outcomes if outcome.count > 1]
        files, directories = self._files, self._directories
        for choice in _choices([outcome.count for outcome in uncertain], self._rng, limit):
            for outcome, index in zip(uncertain, choice, strict=True):
                outcome.chosen = index
            yield image_of(
                self._parent,
                lambda directory: directories[directory].value(),
                lambda file: files[file].value(),
            )

    def _collect(self, inode: Inode) -> None:
        """Note the outcomes of every inode that can be reachable from this one afterwards."""
        if isinstance(inode, FileInode):
            if inode not in self._files:
                self._files[inode] = _file_outcomes(inode, self._rng)
        elif inode not in self._directories:
            self._directories[inode] = _directory_outcomes(inode, self._rng)
            for _, child in itertools.chain(inode.durable.items(), inode.pending):
                if child is not None:
                    self._collect(child)


class _Outcomes(Generic[T]):
    """What a power cut may leave of one inode: first nothing pending, last everything."""

    __slots__ = ("build", "choices", "chosen", "count", "values")

    def __init__(self, choices: Sequence[_Choice], build: Callable[[_Choice], T]) -> None:
        self.choices = choices
        self.build = build
        self.count = len(choices)
        self.chosen = 0
        self.values: list[T | None] = [None] * self.count

    def value(self) -> T:
        """Return the chosen outcome, built when it is first asked for."""
        value = self.values[self.chosen]
        if value is None:
            value = self.values[self.chosen] = self.build(self.choices[self.chosen])
        return value


@dataclass(frozen=True, slots=True)
class _Choice:
    """A bit for each operation that lands whole, and one operation of which a part does."""

    whole: int
    torn: int = -1
    landing: Landing = _NOTHING


def _directory_outcomes(directory: DirectoryInode, rng: random.Random) -> _Outcomes[Entries]:
    durable, pending = directory.durable, tuple(directory.pending)

    def build(choice: _Choice) -> Entries:
        entries = dict(durable)
        for index, (name, inode) in enumerate(pending):
            if choice.whole >> index & 1:
                set_entry(entries, name, inode)
        return entries

    every = (1 << len(pending)) - 1
    subsets = (0, every) if directory.is_whole else _subsets(len(pending), rng)
    return _Outcomes([_Choice(subset) for subset in dict.fromkeys(subsets)], build)


def _file_outcomes(file: FileInode, rng: random.Random) -> _Outcomes[bytes]:
    durable = file.durable
    # The status is noted now: a sync may change it while the states are used.
    operations = tuple((operation, operation.status is Status.SYNCED) for operation in file.pending)

    def build(choice: _Choice) -> bytes:
        if not operations:
            return durable  # Not a copy: images are kept, and most files of theirs are the same.
        image = bytearray(durable)
        index = 0
        for operation, is_synced in operations:
            if is_synced:
                operation.apply(image)
                continue
            if index == choice.torn:
                assert isinstance(operation, Write)
                operation.apply_part(image, choice.landing)
            elif choice.whole >> index & 1:
                operation.apply(image)
            index += 1
        return bytes(image)

    unsure = [operation for operation, is_synced in operations if not is_synced]
    subsets = _subsets(len(unsure), rng)
    choices = [_Choice(subset) for subset in subsets]
    if unsure:
        sizes = [operation.size for operation in file.pending if isinstance(operation, Truncate)]
        choices[-1:-1] = _torn_choices(unsure, subsets, min([len(durable), *sizes]), rng)
    return _Outcomes(choices, build)


def _torn_choices(
    operations: Sequence[Write | Truncate],
    subsets: Sequence[int],
    size_min: int,
    rng: random.Random,
) -> Iterator[_Choice]:
    """Yield what lands when one write does so in part, with the others whole or not at all."""
    every = (1 << len(operations)) - 1
    for index in _some(range(len(operations)), rng, 2 * _SAMPLES):
        operation = operations[index]
        if not isinstance(operation, Write):
            continue
        bit = 1 << index
        grows = operation.offset + len(operation.data) > size_min
        for landing in _landings(operation, grows, rng):
            for whole in dict.fromkeys((bit - 1, every ^ bit, rng.randrange(every + 1) & ~bit)):
                yield _Choice(whole, index, landing)
        if grows and index == len(operations) - 1:
            for whole in dict.fromkeys(subset & ~bit for subset in subsets):
                if whole not in (bit - 1, every ^ bit):
                    yield _Choice(whole, index, Landing(len(operation.data), ()))


def _landings(write: Write, grows: bool, rng: random.Random) -> Iterator[Landing]:
    """Yield the parts of a write that can land: sectors of it, and its growth or a part of that."""
    size = len(write.data)
    cuts = range(SECTOR_SIZE - write.offset % SECTOR_SIZE, size, SECTOR_SIZE)
    if grows:
        yield Landing(size, ())
    for cut in _some_cuts(write.offset, cuts, rng):
        if grows:
            yield Landing(cut, ((0, cut),))
        yield Landing(size, ((0, cut),))
        yield Landing(size, ((cut, size),))
    if len(cuts) > 1:
        sectors = list(itertools.pairwise((0, *cuts, size)))
        missing = rng.randrange(1, len(sectors) - 1)
        yield Landing(size, tuple(sectors[:missing] + sectors[missing + 1 :]))
        yield Landing(size, tuple(sector for sector in sectors if rng.random() < 0.5))


def _some_cuts(offset: int, cuts: range, rng: random.Random) -> list[int]:
    if len(cuts) <= _SAMPLES:
        return list(cuts)
    pages = [cut for cut in cuts if (offset + cut) % PAGE_SIZE == 0]
    chosen = {cuts[0], cuts[-1], *_some(pages, rng, 4), *_some(cuts, rng, 4)}
    return sorted(chosen)


def _subsets(count: int, rng: random.Random) -> list[int]:
    """Return subsets of `count` operations as bits, without repeats: first none, last all."""
    every = (1 << count) - 1
    if count <= _SUBSETS_MAX:
        return list(range(every + 1))
    chosen = [0]
    for index in _some(range(count), rng, 4 * _SAMPLES):
        chosen += [(1 << index) - 1, every ^ (1 << index), 1 << index]
    chosen += [rng.getrandbits(count) for _ in range(_SAMPLES)]
    return [subset for subset in dict.fromkeys(chosen) if subset != every] + [every]


def _choices(counts: list[int], rng: random.Random, limit: int) -> Iterator[Sequence[int]]:
    """Yield one index of an outcome per inode: all combinations if within `limit`, or some."""
    nothing = [0] * len(counts)
    everything = [count - 1 for count in counts]
    yield nothing
    yield everything
    if math.prod(counts) <= limit:
        yield from itertools.product(*map(range, counts))
        return
    for at, count in enumerate(counts):
        for base, other in ((nothing, count - 1), (everything, 0)):
            yield [*base[:at], other, *base[at + 1 :]]
    singles = [(at, index) for at, count in enumerate(counts) for index in range(1, count - 1)]
    rng.shuffle(singles)
    for tried in range(4 * limit):
        if tried < len(singles):
            at, index = singles[tried]
            for base in (everything, nothing):
                yield [*base[:at], index, *base[at + 1 :]]
        yield [rng.randrange(count) for count in counts]


def _some(items: Sequence[int], rng: random.Random, count: int) -> Sequence[int]:
    """Return all items, or `count` of them, in their order: half at random and the last ones."""
    if len(items) <= count:
        return items
    last = len(items) - count // 2
    return sorted(rng.sample(items[:last], count - count // 2)) + list(items[last:])
