"""Runs of the name index: what the footer of one says (SPEC.md, section 13.1).

A run is a sealed file: page 0 with the file header, the pages of a bulk-loaded B+tree from names to
versions, a filter. It covers one contiguous range of commit sequences.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.layout import Buffer, Field, Layout
from lithograph.formats.name_page import PAGE_SIZE
from lithograph.formats.split_block_filter import BLOCK_COUNT_MAX, FILTER_BLOCK_SIZE
from lithograph.ids import SEQUENCE_END

RUN_FOOTER: Final = Layout(
    "run footer",
    Field("first_sequence", "Q", "of the commits that the run covers"),
    Field("last_sequence", "Q", "of the commits that the run covers, itself included"),
    Field("entry_count", "Q", "names in the run"),
    Field("version_count", "Q", "versions of all of them"),
    Field("root", "Q", "number of the topmost page; 0 in an empty run"),
    Field("page_count", "Q", "pages, page 0 included"),
    Field("filter_offset", "Q", "where the filter begins: page_count times 4,096"),
    Field("filter_size", "Q", "bytes of the filter: 32 per block, to the end of the data region"),
    Field("height", "H", "levels of the tree; the root's level is one less; 0 in an empty run"),
    Field("reserved", "14s", "zero"),
)
assert RUN_FOOTER.size == 80  # On disk; SPEC.md, section 13.1.

HEIGHT_MAX: Final = 32
"""Three children per branch at least, so this height outgrows every file."""


@dataclass(frozen=True, slots=True)
class RunFooter:
    """Where the parts of a run are, and what it covers."""

    first_sequence: int
    last_sequence: int
    entry_count: int
    version_count: int
    root: int
    page_count: int
    filter_offset: int
    filter_size: int
    height: int

    def encode(self) -> bytes:
        """Return the body of the footer."""
        return RUN_FOOTER.encode(**asdict(self))

    @classmethod
    def decode(cls, data: Buffer, data_size: int) -> RunFooter:
        """Read the body of the footer of a file with a data region of `data_size` bytes.

        Raises
        ------
        CorruptionError, TruncatedError : offsets count from the start of the footer.
        """
        values = RUN_FOOTER.decode(data)
        footer = cls(**values)
        is_empty = footer.entry_count == 0
        low = 0 if is_empty else 1
        for name, minimum, end in (
            ("first_sequence", 1, SEQUENCE_END),
            ("last_sequence", footer.first_sequence, SEQUENCE_END),
            ("entry_count", 0, footer.version_count + 1),
            ("version_count", 0, 1 if is_empty else data_size),
            ("page_count", low + 1, data_size // PAGE_SIZE + 1),
            ("root", low, footer.page_count if low else 1),
            ("height", low, HEIGHT_MAX + 1 if low else 1),
            ("filter_offset", footer.page_count * PAGE_SIZE, footer.page_count * PAGE_SIZE + 1),
            ("filter_size", FILTER_BLOCK_SIZE, BLOCK_COUNT_MAX * FILTER_BLOCK_SIZE + 1),
        ):
            if not minimum <= values[name] < end:
                raise CorruptionError(
                    f"run footer: {name} is {values[name]}, not in [{minimum}, {end})",
                    offset=RUN_FOOTER.offset_of[name],
                )
        blocks, odd = divmod(data_size - footer.filter_offset, FILTER_BLOCK_SIZE)
        if odd or footer.filter_size != blocks * FILTER_BLOCK_SIZE:
            raise CorruptionError(
                f"a filter of {footer.filter_size} bytes at {footer.filter_offset}, "
                f"the data region ends at {data_size}",
                offset=RUN_FOOTER.offset_of["filter_size"],
            )
        return footer
