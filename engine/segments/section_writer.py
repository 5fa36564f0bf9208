"""Writing the sections of a segment or a history, one behind the other (SPEC.md, section 12.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import SECTION_ALIGNMENT, Section
from lithograph.segments.sealed_writer import SealedWriter


class SectionWriter:
    """A file made of sections. It is created when the first byte comes.

    Attributes
    ----------
    sections : those begun so far, by name.
    """

    def __init__(self, create: Callable[[], SealedWriter]) -> None:
        self.sections: dict[str, Section] = {}
        self._create = create
        self._file: SealedWriter | None = None
        self._name = ""

    def begin(self, name: str) -> None:
        """Begin a section behind the last one."""
        offset = HEADER_SIZE if self._file is None else self._file.pad_to(SECTION_ALIGNMENT)
        self.sections[name] = Section(offset, 0)
        self._name = name

    def append(self, data: bytes) -> None:
        """Add bytes to the section."""
        if not data:
            return
        if self._file is None:
            self._file = self._create()
            assert self._file.offset == HEADER_SIZE
        self._file.append(data)
        start = self.sections[self._name].offset
        self.sections[self._name] = Section(start, self._file.offset - start)

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a whole section."""
        self.begin(name)
        for piece in pieces:
            self.append(piece)

    def finish(self, body: bytes) -> SealedRef:
        """Write the footer and sync the file."""
        if self._file is None:
            self._file = self._create()
        return self._file.finish(body)

    def abandon(self) -> None:
        """Remove the file if it was created."""
        if self._file is not None:
            self._file.abandon()


assert HEADER_SIZE % SECTION_ALIGNMENT == 0
