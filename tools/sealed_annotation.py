"""What runs, segments and histories have in common (SPEC.md, section 12.1): header, checksums,
footer.

They are read through the engine's own readers, so that nothing is shown that the engine would not
take, and every block is checked before anything in it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from lithograph.errors import CorruptionError, FormatVersionError, TruncatedError
from lithograph.files import FileMap
from lithograph.formats.file_header import HEADER, HEADER_SIZE, FileHeader, FileKind
from lithograph.formats.layout import Described, Layout
from lithograph.formats.sealed import (
    CHECKSUM_SIZE,
    FOOTER_TAIL,
    TAIL_SIZE,
    SealedRef,
    SealedShape,
    decode_footer,
    hash_footer,
)
from lithograph.segments.sealed_file import SealedFile
from lithograph.tools.annotation import Damage, Note, Part, damage, fitting
from lithograph.tools.regular_file import RegularFile

SHOWN_MAX: Final = 16
"""Pages, blocks and rows of each kind that are shown unless all are asked for."""

DEEP_SIZE_MAX: Final = 16 * 2**20
"""Of larger files only the checksums are compared."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a large file is shown.

    page : number of one page of a run.   node_id : of one node, in a segment or a history.
    sequence : of one commit, in a log.
    everything : no matter how much it is.
    """

    page: int | None = None
    node_id: int | None = None
    sequence: int | None = None
    everything: bool = False

    @property
    def is_narrow(self) -> bool:
        return self.page is not None or self.node_id is not None

    def count(self, there: int) -> int:
        """Return how many of so many things of a kind are shown."""
        return there if self.everything else min(there, SHOWN_MAX)


class FileBytes:
    """Implements `files.FileMap` over a file that is read, not mapped: it may change meanwhile."""

    def __init__(self, file: RegularFile) -> None:
        self._file = file

    @property
    def path(self) -> str:
        return self._file.path

    def size(self) -> int:
        return self._file.size

    def read(self, offset: int, size: int) -> bytes:
        data = self._file.read_at(offset, size)
        if len(data) != size:
            raise TruncatedError(
                f"bytes {offset} to {offset + size} are wanted, the file ends at {self._file.size}",
                path=self._file.path,
                offset=self._file.size,
            )
        return data

    def view(self) -> memoryview | None:
        return None

    def close(self) -> None:
        """Leave the file to whoever opened it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed file with a sound header and a sound footer.

    ref : as a manifest that named this very file would have it.
    """

    file: SealedFile
    ref: SealedRef
    shape: SealedShape


Reader = TypeVar("Reader")
Checks = Iterable[CorruptionError]


def open_sealed(file: RegularFile, kind: FileKind, body_size: int) -> Sealed:
    """Return the file, checked as far as can be without its manifest.

    Raises
    ------
    CorruptionError, FormatVersionError : offsets count from the start of the file.
    """
    mapped: FileMap = FileBytes(file)
    header = FileHeader.decode(file.read_at(0, HEADER_SIZE))
    header.expect(kind, None, header.file_number)
    start = file.size - body_size - TAIL_SIZE
    if start < HEADER_SIZE:
        raise TruncatedError(f"a file of {file.size} bytes has no room for its footer")
    footer = file.read_at(start, file.size - start)
    try:
        body, shape, root = decode_footer(footer, file.size)
    except CorruptionError as error:
        raise error.located(file.path, start) from None
    ref = SealedRef(header.file_number, file.size, hash_footer(footer))
    return Sealed(SealedFile(mapped, body, shape, root), ref, shape)


def annotate_sealed(
    file: RegularFile,
    kind: FileKind,
    footer: Layout,
    open_reader: Callable[[Sealed], Reader],
    show: Callable[[Sealed, Reader], Iterator[Note]],
    check: Callable[[Sealed, Reader], Checks],
    selection: Selection,
) -> Iterator[Note]:
    """Yield the notes on a sealed file: header, what `show` makes of the data region, checksums,
    footer, and what is wrong with the whole.

    open_reader : decodes the footer's body; `check` finds what reading alone would not.
    """
    yield Part(0, "file header")
    yield from fitting(HEADER, file.read_at(0, HEADER_SIZE))
    try:
        sealed = open_sealed(file, kind, footer.size)
        reader = _located(sealed, open_reader)
    except FormatVersionError as error:
        yield damage(error)
        return
    except CorruptionError as error:
        yield from _footer_as_it_stands(file, footer)
        yield damage(error)
        return
    told: set[tuple[int, str]] = set()
    for note in show(sealed, reader):
        if isinstance(note, Damage):
            told.add((note.offset, note.message))
        yield note
    yield from _checksums(sealed.shape)
    yield from _footer(file, footer)
    if not selection.is_narrow:
        errors = check(sealed, reader) if file.size <= DEEP_SIZE_MAX else sealed.file.check_blocks()
        yield from _of_the_whole(errors, told)


def section_part(offset: int, title: str, what: str, count: int, shown: int) -> Part:
    """Return the heading of things of one kind, which says if not all of them are shown.

    what : of them one is called so.
    """
    more = f", the first {shown:,} shown: --all shows them all" if shown < count else ""
    return Part(offset, f"{title}{count:,} {what}{'s' if count != 1 else ''}{more}")


def moved(fields: Iterable[Described], base: int) -> Iterator[Described]:
    """Yield fields with offsets that count from `base` as they count in the file."""
    for field in fields:
        yield replace(field, offset=base + field.offset)


def _located(sealed: Sealed, open_reader: Callable[[Sealed], Reader]) -> Reader:
    try:
        return open_reader(sealed)
    except CorruptionError as error:
        if error.path:
            raise
        raise error.located(sealed.file.path, sealed.file.footer_offset) from None


def _checksums(shape: SealedShape) -> Iterator[Note]:
    for level, (offset, count) in enumerate(
        zip(shape.level_offsets, shape.level_counts, strict=True)
    ):
        yield Part(offset, f"checksums, level {level}")
        of = "blocks of the data region" if level == 0 else f"pages of level {level - 1}"
        yield Described(offset, count * CHECKSUM_SIZE, "checksums", count, f"XXH64 of the {of}")


def _footer(file: RegularFile, layout: Layout) -> Iterator[Note]:
    start = file.size - layout.size - TAIL_SIZE
    data = file.read_at(start, file.size - start)
    yield Part(start, layout.title)
    yield from fitting(layout, data, 0, start)
    yield Part(start + layout.size, FOOTER_TAIL.title)
    for field in fitting(FOOTER_TAIL, data, layout.size, start):
        # Elsewhere a root is a page.
        yield replace(field, value=f"{field.value:#018x}") if field.name == "root" else field


def _footer_as_it_stands(file: RegularFile, layout: Layout) -> Iterator[Note]:
    """Yield the fields of a damaged footer, if one is where it should be."""
    start = file.size - TAIL_SIZE
    if start >= HEADER_SIZE + layout.size:
        tail = dict(
            zip(
                FOOTER_TAIL.offset_of,
                FOOTER_TAIL.unpack_from(file.read_at(start, TAIL_SIZE)),
                strict=True,
            )
        )
        if file.size in (tail["file_size"], _size_of(tail["data_size"], file.size, layout)):
            yield from _footer(file, layout)
            return
    yield Part(max(start - layout.size, 0), layout.title)


def _size_of(data_size: int, size_max: int, layout: Layout) -> int:
    """Return the size of a file with such a data region; 0 where it cannot be."""
    if not HEADER_SIZE <= data_size <= size_max:
        return 0
    return SealedShape.of(data_size).footer_offset + layout.size + TAIL_SIZE


def _of_the_whole(errors: Checks, told: set[tuple[int, str]]) -> Iterator[Note]:
    """Yield what is wrong that was not told where it stands."""
    first = True
    for error in errors:
        note = damage(error)
        if (note.offset, note.message) in told:
            continue
        if first:
            yield Part(note.offset, "the file as a whole")
            first = False
        yield note
