"""Reading a run of the name index: one name, or names in order (SPEC.md, section 13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import run_name
from lithograph.formats.name_entry import PageEntry, split_key
from lithograph.formats.name_page import NamePage
from lithograph.formats.name_run import RUN_FOOTER, RunFooter
from lithograph.formats.sealed import SealedRef
from lithograph.kernel import UNSURE, quick, runs
from lithograph.segments.name_sum import NameSum
from lithograph.segments.run_check import Step, check_run
from lithograph.segments.run_pages import RunPages
from lithograph.segments.sealed_file import SealedFile

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickRun

_BEGINNING: Final = (b"", b"")
"""The key, as `split_key` has it, that every name is above."""


class RunReader:
    """One open run; any number of threads may read it.

    Attributes
    ----------
    ref : what the manifest knows of it.   path : for messages.   file, footer : of the run.
    quick : the run as the kernel reads it, or None.   filter : of its names.
    first_sequence, last_sequence : of the commits it covers, both included.
    entry_count, version_count : names, and versions of all of them.
    careful : None; a merge may take every leaf as it stands.
    """

    careful: None = None

    def __init__(self, ref: SealedRef, pages: RunPages) -> None:
        self.ref = ref
        self.path = pages.file.path
        self.first_sequence = pages.footer.first_sequence
        self.last_sequence = pages.footer.last_sequence
        self.entry_count = pages.footer.entry_count
        self.version_count = pages.footer.version_count
        self.file = pages.file
        self.footer = pages.footer
        self.filter = pages.filter
        self.quick = _quick(pages)
        self._pages = pages
        self._root = pages.footer.root
        self._height = pages.footer.height

    @classmethod
    def open(cls, files: Files, ref: SealedRef, store_uuid: bytes) -> RunReader:
        """Map a run and check that it is the one that `ref` speaks of.

        Raises
        ------
        CorruptionError : it is missing, damaged, stale, foreign, or its footer cannot be.
        """
        name = run_name(ref.number)
        file = SealedFile.open(files, name, ref, FileKind.RUN, store_uuid, RUN_FOOTER.size)
        try:
            footer = RunFooter.decode(file.body, file.data_size)
        except CorruptionError as error:
            file.close()
            raise error.located(file.path, file.footer_offset) from None
        return cls(ref, RunPages(file, footer))

    def find(self, name: bytes) -> list[tuple[int, int]]:
        """Return the versions (sequence, id or ABSENT) of a name, newest first; [] if unknown.

        Cost: one block of the filter; an unknown name that passes it (about one in 180), and a
        known one, `height` pages, in each a binary search and at most 16 entries.
        """
        found = self._find(name)
        if found is None:
            return []
        number, entry = found
        with self._pages.at(number):
            return self._pages.versions(entry)

    def find_at(self, name: bytes, sequence: int) -> int | None:
        """Return the id as of a commit, ABSENT if the name was deleted, None if unknown by then.

        Cost: as `find`; older versions that stand in overflow pages are read only for a sequence
        that needs them.
        """
        if sequence < self.first_sequence:
            return None
        if self.quick is not None and sequence >= self.last_sequence:
            known = self.quick.find(name)
            if known is not UNSURE:
                node_id: int | None = known
                return node_id
        found = self._find(name)
        if found is None:
            return None
        number, entry = found
        with self._pages.at(number):
            versions = self._pages.inline_versions(entry)
            if versions[-1][0] > sequence:
                versions = self._pages.versions(entry)
        return next((node_id for made, node_id in versions if made <= sequence), None)

    def scan(
        self, start: bytes = b"", after: bool = False
    ) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """Yield names from `start` on with their versions, ascending; with `after`, without it.

        Raises
        ------
        CorruptionError : what comes next contradicts SPEC.md; nothing is yielded behind it.
        """
        for name, number, entry in self._entries(start, after):
            with self._pages.at(number):
                versions = self._pages.versions(entry)
            yield name, versions

    def names(self, start: bytes = b"", after: bool = False) -> Iterator[bytes]:
        """Yield names as `scan` does, without reading their versions.

        Cost: 0.12 µs per name in the kernel, 2.2 µs on the reference.
        """
        previous = b""
        key = split_key(start)
        for number, leaf in self._leaves(self._root, self._height - 1, key):
            for name in self._leaf_names(number, leaf, key, previous):
                previous = name
                if name > start or (name == start and not after):
                    yield name

    def leaves(self) -> Iterator[tuple[int, NamePage]]:
        """Yield every leaf with its number, in order; `scan` is `scan_leaf` of all of them."""
        return self._leaves(self._root, self._height - 1, _BEGINNING)

    def scan_leaf(
        self, number: int, leaf: NamePage, previous: bytes
    ) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
        """Yield the names of a leaf as `scan` does; `previous` is the name before them, or b""."""
        for name, entry in self._names_of(number, leaf, _BEGINNING, previous):
            with self._pages.at(number):
                versions = self._pages.versions(entry)
            yield name, versions

    def leaf_of(self, name: bytes) -> int | None:
        """Return the number of the leaf that has a name, None if it is unknown. Cost: as `find`."""
        found = self._find(name)
        return None if found is None else found[0]

    def check(
        self, names: NameSum | None = None, step: Step | None = None
    ) -> Iterator[CorruptionError]:
        """Yield everything in the file that contradicts SPEC.md.

        names : every name with its versions is added to it on the way.
        step : is told of names as they pass.

        If a block is damaged, only damaged blocks are told: what stands in them is not known.
        Cost: reads the whole file; one bit of memory per page.
        """
        return check_run(self._pages, names, step)

    def close(self) -> None:
        self._pages.file.close()

    def _find(self, name: bytes) -> tuple[int, PageEntry] | None:
        """Return the entry of a name and the number of its leaf."""
        if not self._height or not self._pages.filter.may_hold(name):
            return None
        key = split_key(name)
        number = self._root
        for level in range(self._height - 1, 0, -1):
            page = self._pages.page(number, level)
            with self._pages.at(number):
                number = self._pages.child(page.find_last(key, self._pages.load))
        page = self._pages.page(number, 0)
        with self._pages.at(number):
            entry = page.find(key, self._pages.load)
        return None if entry is None else (number, entry)

    def _entries(self, start: bytes, after: bool) -> Iterator[tuple[bytes, int, PageEntry]]:
        """Yield (name, number of the leaf, entry) in order from `start` on."""
        previous = b""
        key = split_key(start)
        for number, leaf in self._leaves(self._root, self._height - 1, key):
            for name, entry in self._names_of(number, leaf, key, previous):
                previous = name
                if name > start or (name == start and not after):
                    yield name, number, entry

    def _leaf_names(
        self, number: int, leaf: NamePage, key: tuple[bytes, bytes], previous: bytes
    ) -> Iterable[bytes]:
        """Return the names of a leaf in order; of the first one, from about `key` on, or all."""
        if runs is not None:
            sequences = self.last_sequence - self.first_sequence
            names: list[bytes] | None = runs.leaf_names(leaf.data, sequences, previous)
            if names is not None:
                return names
        return (name for name, _ in self._names_of(number, leaf, key, previous))

    def _names_of(
        self, number: int, leaf: NamePage, key: tuple[bytes, bytes], previous: bytes
    ) -> Iterator[tuple[bytes, PageEntry]]:
        """Yield (name, entry) of a leaf in order; of the first one, from about `key` on."""
        with self._pages.at(number):
            entries = leaf.entries() if previous else leaf.entries_from(key, self._pages.load)
            for entry in entries:
                name = self._pages.name(entry)
                if name <= previous:
                    raise CorruptionError("names do not ascend", offset=entry.offset)
                previous = name
                yield name, entry

    def _leaves(
        self, number: int, level: int, key: tuple[bytes, bytes]
    ) -> Iterator[tuple[int, NamePage]]:
        """Yield the leaves below a page, from the one on that `key` belongs to."""
        if level < 0:
            return
        page = self._pages.page(number, level)
        if level == 0:
            yield number, page
            return
        with self._pages.at(number):
            for entry in page.entries_from(key, self._pages.load):
                yield from self._leaves(self._pages.child(entry), level - 1, key)


def _quick(pages: RunPages) -> QuickRun | None:
    """Return a run as the kernel reads it; None without the kernel, or where nothing is mapped."""
    view, footer = pages.file.view() if quick is not None else None, pages.footer
    if quick is None or view is None:
        return None
    found: QuickRun = quick.QuickRun(
        *view,
        footer.root,
        footer.height,
        footer.page_count,
        footer.filter_offset,
        footer.filter_size,
        footer.last_sequence - footer.first_sequence,
    )
    return found


class RunLayer:
    """A run as a layer of the name index; implements `segments.layer.NameLayer`."""

    def __init__(self, reader: RunReader) -> None:
        self.reader = reader

    def find_name(self, name: str, sequence: int) -> int | None:
        """Return the id, ABSENT if the name was deleted here, None if it is unknown here."""
        return self.reader.find_at(_encode(name), sequence)

    def versions_of_name(self, name: str) -> list[tuple[int, int]]:
        """Return every (sequence, id or ABSENT) of a name here, newest first."""
        return self.reader.find(_encode(name))

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        """Return up to `count` names from `start` on, ascending; with `after`, without `start`.

        Names that are dead by now are among them; only an empty page is the last one.
        """
        names: list[str] = []
        if count > 0:
            for name in self.reader.names(_encode(start), after):
                names.append(self._decode(name))
                if len(names) == count:
                    break
        return names

    def _decode(self, name: bytes) -> str:
        try:
            return name.decode()
        except UnicodeDecodeError as error:
            raise CorruptionError(
                f"a name is not valid UTF-8: {error.reason}", path=self.reader.path
            ) from None


def _encode(name: str) -> bytes:
    """Return a name's UTF-8; what is none (a lone surrogate) is in no run and has its place."""
    return name.encode("utf-8", "surrogatepass")
