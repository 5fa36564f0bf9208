"""What a run of the name index says: its pages, their entries, its filter (SPEC.md, section 13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import FileKind
from lithograph.formats.layout import Described
from lithograph.formats.name_entry import PageEntry
from lithograph.formats.name_page import (
    PAGE_HEAD,
    PAGE_HEAD_SIZE,
    PAGE_SIZE,
    RESTART_SIZE,
    NamePage,
    PageKind,
)
from lithograph.formats.name_run import RUN_FOOTER, RunFooter
from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE
from lithograph.ids import ABSENT
from lithograph.segments.run_check import check_run
from lithograph.segments.run_pages import RunPages
from lithograph.tools.annotation import Note, Part, damage
from lithograph.tools.regular_file import RegularFile
from lithograph.tools.sealed_annotation import (
    Sealed,
    Selection,
    annotate_sealed,
    moved,
    section_part,
)

_VERSIONS_SHOWN_MAX: Final = 8
_BYTES_SHOWN_MAX: Final = 64


def annotate_run(file: RegularFile, selection: Selection) -> Iterator[Note]:
    """Yield the header, pages with their entries, the filter, the checksums and the footer."""
    return annotate_sealed(
        file,
        FileKind.RUN,
        RUN_FOOTER,
        _open,
        lambda sealed, pages: _show(pages, selection),
        lambda sealed, pages: check_run(pages),
        selection,
    )


def _open(sealed: Sealed) -> RunPages:
    return RunPages(sealed.file, RunFooter.decode(sealed.file.body, sealed.file.data_size))


def _show(pages: RunPages, selection: Selection) -> Iterator[Note]:
    footer = pages.footer
    count = footer.page_count
    shown = range(1, 1 + selection.count(count - 1))
    if selection.page is not None:
        shown = range(selection.page, selection.page + (selection.page < count))
        if not 1 <= selection.page < count:
            yield Part(0, f"there is no page {selection.page}: the run has pages 1 to {count - 1}")
            shown = range(0)
    else:
        yield section_part(PAGE_SIZE, "", "page", count - 1, len(shown))
    for number in shown:
        yield from _page(pages, number)
    yield Part(footer.filter_offset, "filter")
    yield Described(
        footer.filter_offset,
        footer.filter_size,
        "filter",
        footer.filter_size // FILTER_BLOCK_SIZE,
        "blocks of a split-block Bloom filter over the names",
    )


def _page(pages: RunPages, number: int) -> Iterator[Note]:
    base = number * PAGE_SIZE
    try:
        data = pages.file.read(base, PAGE_SIZE)
    except CorruptionError as error:
        yield Part(base, f"page {number}")
        yield damage(error)
        return
    kind, level, entry_count, used, restart_count = PAGE_HEAD.unpack_from(data)[:5]
    yield Part(base, f"page {number}: {_title(kind, level, entry_count)}")
    yield from moved(PAGE_HEAD.describe(data), base)
    try:
        with pages.at(number):
            if kind == PageKind.OVERFLOW:
                carried = data[PAGE_HEAD_SIZE : PAGE_HEAD_SIZE + used]
                yield Described(base + PAGE_HEAD_SIZE, len(carried), "bytes", _hex(carried))
                return
            page = NamePage.decode(data, level)
            for index, entry in enumerate(page.entries()):
                yield _entry(pages, index, entry, base, in_leaf=level == 0)
    except CorruptionError as error:
        yield damage(error)
        return
    start = PAGE_SIZE - RESTART_SIZE * restart_count
    restarts = [
        int.from_bytes(data[at : at + RESTART_SIZE], "little")
        for at in range(start, PAGE_SIZE, RESTART_SIZE)
    ]
    yield Described(
        base + start, PAGE_SIZE - start, "restarts", restarts, "offsets of every sixteenth entry"
    )


def _title(kind: int, level: int, entry_count: int) -> str:
    if kind == PageKind.OVERFLOW:
        return "overflow"
    if kind == PageKind.LEAF:
        return f"leaf, {entry_count} names"
    return f"branch of level {level}, {entry_count} children"


def _entry(pages: RunPages, index: int, entry: PageEntry, base: int, *, in_leaf: bool) -> Described:
    key = pages.name(entry).decode(errors="backslashreplace")
    if in_leaf:
        meaning = "; ".join(_versions(pages, entry))
    else:
        meaning = f"page {entry.child}: names from here on"
    size = entry.end - entry.offset
    return Described(base + entry.offset, size, f"entry {index}", key, meaning)


def _versions(pages: RunPages, entry: PageEntry) -> Iterator[str]:
    """Yield what became of a name, newest first."""
    versions = pages.versions(entry)
    for sequence, node_id in versions[:_VERSIONS_SHOWN_MAX]:
        what = "deleted" if node_id == ABSENT else f"node {node_id}"
        yield f"{what} by commit {sequence}"
    rest = len(versions) - _VERSIONS_SHOWN_MAX
    if rest > 0:
        yield f"and {rest:,} older"


def _hex(data: bytes) -> str:
    shown = data[:_BYTES_SHOWN_MAX].hex()
    return shown if len(data) <= _BYTES_SHOWN_MAX else f"{shown}…"
