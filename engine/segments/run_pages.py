"""The pages of one run, by number: bounds checked, errors with path and file offset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.name_entry import Chain, PageEntry, decode_more, is_newest_first
from lithograph.formats.name_page import (
    OVERFLOW_CAPACITY,
    PAGE_SIZE,
    NamePage,
    decode_overflow,
    overflow_page_count,
)
from lithograph.formats.name_run import RunFooter
from lithograph.segments.filter_reader import FilterReader
from lithograph.segments.sealed_file import SealedFile

_BRANCHES_KEPT: Final = 64
"""Branch pages that an open run keeps: all of a run of some million names."""


class RunPages:
    """What a search, a scan and a check of a run share.

    Attributes
    ----------
    footer : of the run.   filter : its filter.   file : the file it stands in.
    """

    def __init__(self, file: SealedFile, footer: RunFooter) -> None:
        self.file = file
        self.footer = footer
        self.filter = FilterReader(file, footer.filter_offset, footer.filter_size)
        self._branches: dict[int, NamePage] = {}

    def page(self, number: int, level: int) -> NamePage:
        """Return the page of that number, which must be of that level."""
        page = self._branches.get(number)
        if page is not None and page.level == level:
            return page
        data = self.file.read(number * PAGE_SIZE, PAGE_SIZE)
        with self.at(number):
            page = NamePage.decode(data, level)
        if level and len(self._branches) < _BRANCHES_KEPT:
            self._branches[number] = page
        return page

    def load(self, chain: Chain) -> bytes:
        """Return the bytes of a chain; never more than the file has pages for."""
        self.check_chain(chain)
        pieces = []
        left = chain.size
        for number in range(chain.page, chain.page + overflow_page_count(chain.size)):
            data = self.file.read(number * PAGE_SIZE, PAGE_SIZE)
            with self.at(number):
                pieces.append(decode_overflow(data, left))
            left -= OVERFLOW_CAPACITY
        return b"".join(pieces)

    def check_chain(self, chain: Chain) -> None:
        """Raise CorruptionError if a chain reaches out of the pages."""
        end = chain.page + overflow_page_count(chain.size)
        if chain.page < 1 or end > self.footer.page_count:
            raise CorruptionError(
                f"overflow pages {chain.page} to {end}, the run has {self.footer.page_count}"
            )

    def child(self, entry: PageEntry) -> int:
        """Return the page that an entry of a branch leads to."""
        if not 1 <= entry.child < self.footer.page_count:
            raise CorruptionError(
                f"child {entry.child}, the run has {self.footer.page_count} pages",
                offset=entry.offset,
            )
        return entry.child

    def name(self, entry: PageEntry) -> bytes:
        """Return the whole key of an entry."""
        return entry.head + self.load(entry.rest) if entry.rest else entry.head

    def inline_versions(self, entry: PageEntry) -> list[tuple[int, int]]:
        """Return the versions (sequence, id or ABSENT) that stand in the leaf, newest first."""
        return self._checked(entry, entry.versions)

    def versions(self, entry: PageEntry) -> list[tuple[int, int]]:
        """Return all versions of a name, newest first."""
        if entry.more is None:
            return self._checked(entry, entry.versions)
        data = self.load(entry.more)
        with self.at(entry.more.page):
            older = decode_more(data, entry.more_count)
        return self._checked(entry, [*entry.versions, *older])

    def _checked(
        self, entry: PageEntry, versions: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        first = self.footer.first_sequence
        if versions[0][0] > self.footer.last_sequence - first:
            raise CorruptionError(
                f"sequence {versions[0][0] + first}, the run ends at {self.footer.last_sequence}",
                offset=entry.offset,
            )
        if not is_newest_first(versions):
            raise CorruptionError("versions are not newest first", offset=entry.offset)
        return [(sequence + first, node_id) for sequence, node_id in versions]

    @contextlib.contextmanager
    def at(self, number: int) -> Iterator[None]:
        """Give errors that have no place yet the place of page `number`."""
        try:
            yield
        except CorruptionError as error:
            if error.path:
                raise
            raise error.located(self.file.path, number * PAGE_SIZE) from None
