"""Writing a run of the name index: a B+tree, bulk-loaded from names in order (SPEC.md, section 13).

Leaves are written as they fill; what the branches above them need, and the hashes for the filter,
waits in spools. So memory stays bounded however many names there are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from lithograph.files import Files
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import run_name
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
from lithograph.formats.name_run import RunFooter
from lithograph.formats.sealed import SealedRef
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.varint import encode_varint
from lithograph.ids import SEQUENCE_END
from lithograph.kernel import xxh64
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.spool import Spool

_NOTE: Final = struct.Struct("<QI")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run that was written; it does not count before a manifest names it."""

    ref: SealedRef
    first_sequence: int
    last_sequence: int
    entry_count: int
    version_count: int


class RunWriter:
    """One run on its way.

    Attributes
    ----------
    first_sequence, last_sequence : of the commits it covers, both included.
    entry_count, version_count : names and versions so far.
    """

    def __init__(
        self,
        files: Files,
        number: int,
        store_uuid: bytes,
        first_sequence: int,
        last_sequence: int,
    ) -> None:
        """Create the file; FileExistsError if the number is taken."""
        assert 0 < first_sequence <= last_sequence < SEQUENCE_END
        self.first_sequence = first_sequence
        self.last_sequence = last_sequence
        self.entry_count = 0
        self.version_count = 0
        self._files = files
        self._file = SealedWriter(files, run_name(number), number, store_uuid, FileKind.RUN)
        self._file.pad_to(PAGE_SIZE)
        self._filter = FilterBuilder(files)
        self._leaf = PageBuilder(0)
        self._fence = b""
        self._children = _Children(files)
        self._previous = b""

    def add(self, name: bytes, versions: Sequence[tuple[int, int]]) -> None:
        """Add a name above all others so far.

        name : UTF-8, 1 to 65,535 bytes.
        versions : (sequence, id or ABSENT), at least one, newest first. Two may have the same
            sequence where one commit deleted a node and made another, the live one first.
        """
        assert self._previous < name
        assert len(name) <= TEXT_SIZE_MAX
        assert self.first_sequence <= versions[-1][0]
        assert versions[0][0] <= self.last_sequence
        assert is_newest_first(versions)
        multi, value, more_count, more = encode_versions(versions, self.first_sequence)
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

    def finish(self) -> RunInfo:
        """Write what is above the leaves, and the filter; sync the file, not its directory."""
        root, height = self._write_branches()
        filter_offset = self._file.offset
        for piece in self._filter.chunks():
            self._file.append(piece)
        footer = RunFooter(
            first_sequence=self.first_sequence,
            last_sequence=self.last_sequence,
            entry_count=self.entry_count,
            version_count=self.version_count,
            root=root,
            page_count=filter_offset // PAGE_SIZE,
            filter_offset=filter_offset,
            filter_size=self._file.offset - filter_offset,
            height=height,
        )
        ref = self._file.finish(footer.encode())
        self._close_spools()
        return RunInfo(
            ref, self.first_sequence, self.last_sequence, self.entry_count, self.version_count
        )

    def abandon(self) -> None:
        """Remove the file, as far as the machine lets us."""
        self._close_spools()
        self._file.abandon()

    def _close_spools(self) -> None:
        self._filter.close()
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

    def _write_branches(self) -> tuple[int, int]:
        """Write the rest of the tree; return the number of its root and its height."""
        if not self.entry_count:
            return 0, 0
        self._write_leaf()
        height = 1
        while self._children.count > 1:
            self._write_level(height)
            height += 1
        [(_, root)] = self._children
        return root, height

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


class _Children:
    """The pages of one level: each one's fence and number, in order."""

    def __init__(self, files: Files) -> None:
        self.count = 0
        self._spool = Spool(files)

    def add(self, fence: bytes, number: int) -> None:
        self._spool.append(_NOTE.pack(number, len(fence)) + fence)
        self.count += 1

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
