"""Writing a run of the name index: a B+tree, bulk-loaded from names in order (SPEC.md, section 13).

Memory stays bounded however many names there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lithograph.files import Files
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.name_page import PAGE_SIZE
from lithograph.formats.name_run import RunFooter
from lithograph.formats.sealed import SealedRef
from lithograph.ids import SEQUENCE_END
from lithograph.kernel import runs
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.plain_tree import PlainTree
from lithograph.segments.run_tree import QuickTree
from lithograph.segments.sealed_writer import SealedWriter


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
    tree : what the names go into.
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
        self._file = SealedWriter(files, run_name(number), number, store_uuid, FileKind.RUN)
        self._file.pad_to(PAGE_SIZE)
        self._filter = FilterBuilder(files)
        self.tree = _make_tree(files, self._file, self._filter, first_sequence, last_sequence)

    @property
    def entry_count(self) -> int:
        """Names so far."""
        return self.tree.entry_count

    def add(self, name: bytes, versions: Sequence[tuple[int, int]]) -> None:
        """Add a name above all others so far.

        name : UTF-8, 1 to 65,535 bytes.
        versions : (sequence, id or ABSENT), at least one, newest first. Two may have the same
            sequence where one commit deleted a node and made another, the live one first.
        """
        self.tree.add(name, versions)

    def add_many(self, names: list[str], versions: dict[str, list[tuple[int, int]]]) -> None:
        """Add names above all others so far.

        names : valid Unicode, ascending: by code point, which is the order of their UTF-8.
        versions : of each of them, and perhaps of others, *oldest first*; otherwise as in `add`.

        Cost: 0.6 µs per name in the kernel, 5 µs on the reference.
        """
        self.tree.add_many(names, versions)

    def finish(self) -> RunInfo:
        """Write what is above the leaves, and the filter; sync the file, not its directory."""
        root, height = self.tree.finish()
        filter_offset = self._file.offset
        for piece in self._filter.chunks():
            self._file.append(piece)
        footer = RunFooter(
            first_sequence=self.first_sequence,
            last_sequence=self.last_sequence,
            entry_count=self.tree.entry_count,
            version_count=self.tree.version_count,
            root=root,
            page_count=filter_offset // PAGE_SIZE,
            filter_offset=filter_offset,
            filter_size=self._file.offset - filter_offset,
            height=height,
        )
        ref = self._file.finish(footer.encode())
        self._close_spools()
        return RunInfo(
            ref,
            self.first_sequence,
            self.last_sequence,
            self.tree.entry_count,
            self.tree.version_count,
        )

    def abandon(self) -> None:
        """Remove the file, as far as the machine lets us."""
        self._close_spools()
        self._file.abandon()

    def _close_spools(self) -> None:
        self._filter.close()
        self.tree.close()


def _make_tree(
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
