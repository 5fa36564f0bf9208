"""The tree of a run on its way, in the kernel; every byte is that of `plain_tree`."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Final

from lithograph.files import Files
from lithograph.formats.name_page import PAGE_SIZE
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.tree_children import TreeChildren

if TYPE_CHECKING:
    from lithograph.kernel._runs import RunMerge, TreeBuilder

_TAKE_SIZE: Final = 256 * 1024
"""Bytes of finished pages that the kernel keeps at most before the file gets them."""


class QuickTree:
    """A tree on its way.

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
        self._children = TreeChildren(files)

    @property
    def entry_count(self) -> int:
        return self.builder.entry_count

    @property
    def version_count(self) -> int:
        return self.builder.version_count

    def add(self, name: bytes, versions: Sequence[tuple[int, int]]) -> None:
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
        below, above = self._children, TreeChildren(self._files)
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

    def _take(self, children: TreeChildren) -> None:
        pages, notes, note_count, digests = self.builder.take()
        self._file.append(pages)
        children.add_many(notes, note_count)
        self._filter.add_many(digests)
