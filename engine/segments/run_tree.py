"""The tree of a run on its way: names in order become leaves, branches and overflow pages.

`PlainTree` is written to be believed; `QuickTree` has the kernel do the same, and every byte is the
same. Leaves are written as they fill; what the branches above them need waits in a spool, and so do
the hashes for the filter (SPEC.md, section 13).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Final

from lithograph.files import Files
from lithograph.formats.name_entry import (
    Chain,
    append_more,
    encode_versions,
    is_newest_first,
    shared_size,
    split_key,
)
from lithograph.formats.name_page import (
    PAGE_SIZE,
    PageBuilder,
    encode_overflow,
    overflow_page_count,
)
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.varint import encode_varint
from lithograph.kernel import runs, xxh64
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.spool import Spool

if TYPE_CHECKING:
    from lithograph.kernel._runs import RunMerge, TreeBuilder

_NOTE: Final = struct.Struct("<QI")
_TAKE_SIZE: Final = 256 * 1024
"""Bytes of finished pages that the kernel keeps at most before the file gets them."""

Versions = Sequence[tuple[int, int]]


class PlainTree:
    """A tree on its way, in plain Python.

    Attributes
    ----------
    entry_count, version_count : names and versions so far.
    """

    def __init__(
        self,
        files: Files,
        file: SealedWriter,
        filter_: FilterBuilder,
        first_sequence: int,
        last_sequence: int,
    ) -> None:
        """file : at the place of its first page, on a whole page."""
        self.entry_count = 0
        self.version_count = 0
        self._files = files
        self._file = file
        self._filter = filter_
        self._first_sequence = first_sequence
        self._last_sequence = last_sequence
        self._leaf = PageBuilder(0)
        self._fence = b""
        self._children = _Children(files)
        self._previous = b""

    def add(self, name: bytes, versions: Versions) -> None:
        """Add a name above all others so far; see `RunWriter.add`."""
        assert self._previous < name
        assert len(name) <= TEXT_SIZE_MAX
        assert self._first_sequence <= versions[-1][0]
        assert versions[0][0] <= self._last_sequence
        assert is_newest_first(versions)
        multi, value, more_count, more = encode_versions(versions, self._first_sequence)
        assert (more_count > 0) == bool(more)
        if not self._add_entry(self._leaf, name, multi, value, more):
            self._write_leaf()
            self._fence = name[: shared_size(self._previous, name) + 1]
            is_added = self._add_entry(self._leaf, name, multi, value, more)
            assert is_added
        self._filter.add(xxh64(name))
        self._previous = name
        self.entry_count += 1
        self.version_count += len(versions)

    def add_many(self, names: list[str], versions: dict[str, list[tuple[int, int]]]) -> None:
        """Add names as `RunWriter.add_many` does."""
        for name in names:
            self.add(name.encode(), versions[name][::-1])

    def finish(self) -> tuple[int, int]:
        """Write the rest of the tree; return the number of its root and its height."""
        if not self.entry_count:
            return 0, 0
        self._write_leaf()
        height = 1
        while self._children.count > 1:
            self._write_level(height)
            height += 1
        return self._children.root(), height

    def close(self) -> None:
        """Forget what waits in spools."""
        self._children.close()

    def _next_page(self) -> int:
        assert self._file.offset % PAGE_SIZE == 0
        return self._file.offset // PAGE_SIZE

    def _add_entry(
        self, page: PageBuilder, key: bytes, multi: bool, value: bytes, more: bytes
    ) -> bool:
        """Add an entry to a page and write what it has in overflow pages, if there is room."""
        head, rest = split_key(key)
        number = self._next_page()
        rest_chain = Chain(number, len(rest)) if rest else None
        if more:
            value = append_more(value, Chain(number + overflow_page_count(len(rest)), len(more)))
        if not page.add(head, rest_chain, multi, value):
            return False
        for data in chain(encode_overflow(rest), encode_overflow(more)):
            self._file.append(data)
        return True

    def _write_leaf(self) -> None:
        self._children.add(self._fence, self._write_page(self._leaf))
        self._leaf = PageBuilder(0)

    def _write_page(self, page: PageBuilder) -> int:
        """Write a page; return its number."""
        number = self._next_page()
        self._file.append(page.encode())
        return number

    def _write_level(self, level: int) -> None:
        """Write the branches above the current children; they become the children."""
        below, above = self._children, _Children(self._files)
        try:
            page, page_fence = PageBuilder(level), b""
            for fence, child in below:
                value = encode_varint(child)
                if not self._add_entry(page, fence, False, value, b""):
                    above.add(page_fence, self._write_page(page))
                    # The fence of a page's first child stands in the page above; the leftmost
                    # page of each level has none.
                    page, page_fence = PageBuilder(level), fence
                    is_added = self._add_entry(page, b"", False, value, b"")
                    assert is_added
            above.add(page_fence, self._write_page(page))
        except BaseException:
            above.close()
            raise
        self._children = above
        below.close()


class QuickTree:
    """A tree on its way, in the kernel.

    Attributes
    ----------
    builder : the kernel's; whoever feeds it calls `spill` now and then.
    """

    def __init__(
        self,
        kernel: ModuleType,
        files: Files,
        file: SealedWriter,
        filter_: FilterBuilder,
        first_sequence: int,
        last_sequence: int,
    ) -> None:
        """file : at the place of its first page, on a whole page."""
        self.builder: TreeBuilder = kernel.TreeBuilder(
            first_sequence, last_sequence, file.offset // PAGE_SIZE
        )
        self._kernel = kernel
        self._files = files
        self._file = file
        self._filter = filter_
        self._children = _Children(files)

    @property
    def entry_count(self) -> int:
        return self.builder.entry_count

    @property
    def version_count(self) -> int:
        return self.builder.version_count

    def add(self, name: bytes, versions: Versions) -> None:
        """Add a name above all others so far; see `RunWriter.add`."""
        self.builder.add(name, versions)
        self.spill()

    def add_many(self, names: list[str], versions: dict[str, list[tuple[int, int]]]) -> None:
        """Add names as `RunWriter.add_many` does."""
        self.add_from(self._kernel.NameList(names, versions).source(), len(names))

    def add_from(self, source: object, count: int) -> int:
        """Add up to `count` names from a capsule of the kernel (`name_source.h`).

        Returns how many there were: fewer than `count` only at the end.
        """
        done = self.builder.add_from(source, count)
        self.spill()
        return done

    def merge(
        self, first_sequences: list[int], last_sequences: list[int], floor: int, oldest: bool
    ) -> RunMerge:
        """Return what merges runs into this tree; `spill` is the caller's."""
        merge: RunMerge = self._kernel.RunMerge(
            self.builder, first_sequences, last_sequences, floor, oldest
        )
        return merge

    def spill(self) -> None:
        """Write what the kernel has finished, if it is much."""
        if self.builder.size >= _TAKE_SIZE:
            self._take(self._children)

    def finish(self) -> tuple[int, int]:
        """Write the rest of the tree; return the number of its root and its height."""
        if not self.entry_count:
            return 0, 0
        self.builder.end_level()
        self._take(self._children)
        height = 1
        while self._children.count > 1:
            self._write_level(height)
            height += 1
        return self._children.root(), height

    def close(self) -> None:
        """Forget what waits in spools."""
        self._children.close()

    def _write_level(self, level: int) -> None:
        """Write the branches above the current children; they become the children."""
        below, above = self._children, _Children(self._files)
        try:
            self.builder.begin_level(level)
            for notes in below.chunks():
                self.builder.add_children(notes)
                self._take(above)
            self.builder.end_level()
            self._take(above)
        except BaseException:
            above.close()
            raise
        self._children = above
        below.close()

    def _take(self, children: _Children) -> None:
        pages, notes, note_count, digests = self.builder.take()
        self._file.append(pages)
        children.add_many(notes, note_count)
        self._filter.add_many(digests)


def make_tree(
    files: Files,
    file: SealedWriter,
    filter_: FilterBuilder,
    first_sequence: int,
    last_sequence: int,
) -> PlainTree | QuickTree:
    """Return a tree, the kernel's where it is compiled."""
    if runs is None:
        return PlainTree(files, file, filter_, first_sequence, last_sequence)
    return QuickTree(runs, files, file, filter_, first_sequence, last_sequence)


class _Children:
    """The pages of one level: each one's fence and number, in order."""

    def __init__(self, files: Files) -> None:
        self.count = 0
        self._spool = Spool(files)

    def add(self, fence: bytes, number: int) -> None:
        self._spool.append(_NOTE.pack(number, len(fence)) + fence)
        self.count += 1

    def add_many(self, notes: bytes, count: int) -> None:
        """Add notes that the kernel made."""
        self._spool.append(notes)
        self.count += count

    def chunks(self) -> Iterator[bytes]:
        """Yield the notes as they stand, in pieces that end anywhere."""
        return self._spool.chunks()

    def root(self) -> int:
        """Return the number of the only page."""
        [(_, number)] = self
        return number

    def close(self) -> None:
        self._spool.close()

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        data = b""
        for piece in self._spool.chunks():
            data += piece
            start = 0
            while len(data) - start >= _NOTE.size:
                number, size = _NOTE.unpack_from(data, start)
                end = start + _NOTE.size + size
                if end > len(data):
                    break
                yield data[start + _NOTE.size : end], number
                start = end
            data = data[start:]
        assert not data
