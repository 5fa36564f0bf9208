"""The deep check of a run: every rule of SPEC.md, section 13, that no checksum can keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.layout import check_zero
from lithograph.formats.name_entry import Chain, PageEntry
from lithograph.formats.name_page import PAGE_SIZE, NamePage, overflow_page_count
from lithograph.kernel import survey
from lithograph.segments.name_sum import NameSum
from lithograph.segments.run_pages import RunPages

if TYPE_CHECKING:
    from lithograph.kernel._survey import LeafSurvey

Step = Callable[[int], None]
"""Takes how many more names were checked."""


def check_run(
    pages: RunPages, names: NameSum | None = None, step: Step | None = None
) -> Iterator[CorruptionError]:
    """Yield everything in a run that contradicts SPEC.md; of one page at most one thing.

    Damaged blocks come first, and alone if there are any.

    names : every name is added to it, as far as nothing is wrong.

    Cost: 0.1 µs per name in the kernel, 5 in plain Python.
    """
    is_damaged = False
    for error in pages.file.check_blocks():
        is_damaged = True
        yield error
    if not is_damaged:
        yield from _RunCheck(pages, names or NameSum(), step).run()


class _RunCheck:
    """One walk over a tree, in order.

    Invariant: a page is read only if its bit in `_used` was set just before, so the walk ends.
    """

    def __init__(self, pages: RunPages, names: NameSum, step: Step | None) -> None:
        self._pages = pages
        self._names = names
        self._step = step
        self._filter = pages.filter.whole()
        self._footer = pages.footer
        self._leaves = self._quick_leaves()
        self._used = bytearray(-(-pages.footer.page_count // 8))
        self._previous = b""
        self._entry_count = 0
        self._version_count = 0

    def _quick_leaves(self) -> LeafSurvey | None:
        """Return what checks leaves in the kernel; None where it cannot."""
        footer, view = self._footer, self._pages.file.view()
        if survey is None or view is None:
            return None
        end = footer.filter_offset + footer.filter_size
        found: LeafSurvey = survey.LeafSurvey(
            self._names.key,
            view[0][footer.filter_offset : end],
            footer.first_sequence,
            footer.last_sequence,
            self._names.floor,
        )
        return found

    def run(self) -> Iterator[CorruptionError]:
        is_sound = True
        for error in self._walk():
            is_sound = False
            yield error
        # Behind an error names and pages are missing that may well be there.
        if is_sound:
            yield from self._check_counts()

    def _walk(self) -> Iterator[CorruptionError]:
        self._claim(0, 1)
        try:
            with self._pages.at(0):
                check_zero(self._pages.file.read(0, PAGE_SIZE), HEADER_SIZE, PAGE_SIZE, "page 0")
        except CorruptionError as error:
            yield error
        if self._footer.height:
            yield from self._check_page(self._footer.root, self._footer.height - 1, b"", None)

    def _check_page(
        self, number: int, level: int, low: bytes, high: bytes | None
    ) -> Iterator[CorruptionError]:
        """Check what is below a page; its keys must lie in [low, high)."""
        children: list[tuple[bytes, int]] = []
        try:
            self._claim(number, 1)
            if level == 0 and self._is_right(number, low, high):
                return
            page = self._pages.page(number, level)
            with self._pages.at(number):
                if level == 0:
                    self._check_leaf(page, low, high)
                else:
                    children = self._check_branch(page, low, high)
        except CorruptionError as error:
            yield error
        ends: list[bytes | None] = [*(fence for fence, _ in children[1:]), high]
        for (fence, child), end in zip(children, ends, strict=False):
            yield from self._check_page(child, level - 1, fence, end)

    def _check_branch(
        self, page: NamePage, low: bytes, high: bytes | None
    ) -> list[tuple[bytes, int]]:
        """Return the fence and the number of each child."""
        children: list[tuple[bytes, int]] = []
        for entry in page.entries():
            child = self._pages.child(entry)
            fence = self._key(entry)
            if not children:
                fence = low
            elif fence <= children[-1][0] or (high is not None and fence >= high):
                raise CorruptionError("a fence is out of place", offset=entry.offset)
            children.append((fence, child))
        return children

    def _is_right(self, number: int, low: bytes, high: bytes | None) -> bool:
        """Check a leaf in the kernel; False where the careful way must look."""
        leaves = self._leaves
        if leaves is None:
            return False
        before = (leaves.names, leaves.versions, leaves.sum)
        data = self._pages.file.read(number * PAGE_SIZE, PAGE_SIZE)
        last = leaves.take(data, low, high, self._previous)
        if last is None:
            return False
        self._previous = last
        self._entry_count += leaves.names - before[0]
        self._version_count += leaves.versions - before[1]
        self._names.add_sum(leaves.sum - before[2])
        if self._step is not None:
            self._step(leaves.names - before[0])
        return True

    def _check_leaf(self, page: NamePage, low: bytes, high: bytes | None) -> None:
        names: list[bytes] = []
        offsets: list[int] = []
        for entry in page.entries():
            name = self._key(entry)
            if name <= self._previous:
                raise CorruptionError("names do not ascend", offset=entry.offset)
            if name < low or (high is not None and name >= high):
                raise CorruptionError("a name is outside its fences", offset=entry.offset)
            self._previous = name
            try:
                name.decode()
            except UnicodeDecodeError as error:
                raise CorruptionError(
                    f"a name is not valid UTF-8: {error.reason}", offset=entry.offset
                ) from None
            if entry.more is not None:
                self._claim_chain(entry.more)
            versions = self._pages.versions(entry)
            self._version_count += len(versions)
            self._names.add(name, versions)
            self._entry_count += 1
            names.append(name)
            offsets.append(entry.offset)
        if self._step is not None:
            self._step(len(names))
        missing = self._missing(names)
        if missing is not None:
            raise CorruptionError("a name is not in the filter", offset=offsets[missing])

    def _missing(self, names: list[bytes]) -> int | None:
        """Return the place of the first name that the filter does not know."""
        if self._filter is not None:
            return self._filter.missing(names)
        known = map(self._pages.filter.may_hold, names)
        return next((place for place, holds in enumerate(known) if not holds), None)

    def _key(self, entry: PageEntry) -> bytes:
        if entry.rest is not None:
            self._claim_chain(entry.rest)
        return self._pages.name(entry)

    def _claim_chain(self, chain: Chain) -> None:
        self._pages.check_chain(chain)
        self._claim(chain.page, overflow_page_count(chain.size))

    def _claim(self, first: int, count: int) -> None:
        """Note that pages are used; raise CorruptionError if one was before."""
        for number in range(first, first + count):
            bit = 1 << (number & 7)
            if self._used[number >> 3] & bit:
                raise CorruptionError(
                    "the page is used twice",
                    path=self._pages.file.path,
                    offset=number * PAGE_SIZE,
                )
            self._used[number >> 3] |= bit

    def _check_counts(self) -> Iterator[CorruptionError]:
        for what, found, expected in (
            ("names", self._entry_count, self._footer.entry_count),
            ("versions", self._version_count, self._footer.version_count),
        ):
            if found != expected:
                yield CorruptionError(
                    f"{found} {what}, the footer counts {expected}",
                    path=self._pages.file.path,
                    offset=self._pages.file.footer_offset,
                )
        for number in range(self._footer.page_count):
            if not self._used[number >> 3] >> (number & 7) & 1:
                yield CorruptionError(
                    "the page is not used",
                    path=self._pages.file.path,
                    offset=number * PAGE_SIZE,
                )
