"""The tree of a run on its way, in plain Python: written to be believed (SPEC.md, section 13).

Names in order become leaves, branches and overflow pages. Leaves are written as they fill; what the
branches above them need waits in a spool, and so do the hashes for the filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

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
from lithograph.kernel import xxh64
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.tree_children import TreeChildren


class PlainTree:
    """A tree on its way.

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
        self._children = TreeChildren(files)
        self._previous = b""

    def add(self, name: bytes, versions: Sequence[tuple[int, int]]) -> None:
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
        below, above = self._children, TreeChildren(self._files)
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
