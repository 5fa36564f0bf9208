"""A copy of the store as it is now, made while others write (SPEC.md, section 11.7).

Sealed files never change, so the copy shares them with the store where the medium has hard links.
The commits behind them are written into one new log. CURRENT comes last: what a crash leaves is no
store.

Invariants
1. The store is not written to; the pin of this process keeps what is copied.
2. Nothing that is ever written in place, a log or CURRENT, is shared.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from lithograph.catalog.current_file import create_current
from lithograph.catalog.manifest_file import write_manifest
from lithograph.errors import CorruptionError, LithographError, StorageError, StoreExistsError
from lithograph.files import Files
from lithograph.formats.current import CURRENT_SIZE, CurrentSlot
from lithograph.formats.file_names import (
    CURRENT,
    DIRECTORIES,
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    is_partition,
    manifest_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.backup_log import BackupLog
from lithograph.maintenance.obsolete import sealed_sizes
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.verify_files import FilesCheck, check_blocks
from lithograph.write.layer_stack import LayerStack
from lithograph.write.log_chain import LogChain
from lithograph.write.replay import before_log, follow
from lithograph.write.wal_file import LogPosition

Progress = Callable[[int, int], None]
"""Called with bytes done and to do."""

_ATTEMPTS: Final = 8
_PIECE_SIZE: Final = 2**20


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What a backup holds.

    sequence : of its newest commit.   file_count : its files, without locks.
    size_bytes : of these files.   shared_bytes : of these, what it shares with the store.
    """

    sequence: int
    file_count: int
    size_bytes: int
    shared_bytes: int


def backup_store(
    store: OpenStore, target: Files, *, link: bool = True, progress: Progress | None = None
) -> BackupResult:
    """Make `target`, an empty directory, a store that holds what is published now.

    link : share the sealed files where the medium can; without it each is copied and read back.

    Raises
    ------
    StoreExistsError : `target` holds files.
    CorruptionError : a file of the store is missing, or damaged as far as it was looked at.
    StorageError : the machine failed. In all cases nothing new but directories is in `target`.

    Cost: the log, and a small read per sealed file; without links, every byte twice.
    """
    _check_empty(target)
    copying = _Copying(store, target, link, progress)
    try:
        return copying.run()
    except BaseException:
        copying.take_back()
        raise


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is copied: the files of a generation, and the commits behind them up to a position.

    stack : held so that the files of its generation are kept.
    """

    stack: LayerStack
    position: LogPosition

    @property
    def manifest(self) -> Manifest:
        return self.stack.generation.manifest


class _Copying:
    """One backup under way."""

    def __init__(
        self, store: OpenStore, target: Files, link: bool, progress: Progress | None
    ) -> None:
        self._source = store.files
        self._journal = store.journal
        self._random = store.environment.random_u64
        self._target = target
        self._link = link
        self._progress = progress
        self._made: list[str] = []
        self._shared_bytes = 0
        self._partitions: list[str] = []

    def run(self) -> BackupResult:
        """Do the whole of it. Order: log, sealed files, manifest, CURRENT."""
        target, uuid = self._target, self._journal.store_uuid
        for directory in DIRECTORIES:
            target.make_directory(directory)
        moment, end = self._write_log()
        try:
            self._check_sealed(moment.manifest)
            self._copy_sealed(moment.manifest, done=end.offset)
        except CorruptionError as error:
            raise self._explained(error, moment) from error.__cause__
        number = end.wal_number + 1
        manifest = replace(
            moment.manifest, first_wal_number=end.wal_number, next_file_number=number + 1
        )
        with self._making(manifest_name(number)):
            digest = write_manifest(target, uuid, number, manifest)
        # All that CURRENT is about to name must be found before it is.
        target.sync_directory("")
        with self._making(CURRENT):
            # Turn 1: whoever opens it first syncs the directories once more (11.2).
            create_current(
                target,
                CurrentSlot(
                    uuid, 1, manifest.generation, number, digest, end.wal_number, end.offset
                ),
            )
        target.sync_directory("")
        target.sync_directory("..")
        own = len(manifest.encode(uuid, number)) + CURRENT_SIZE + end.offset
        size = own + sum(sealed_sizes(manifest).values())
        return BackupResult(end.sequence, len(self._made), size, self._shared_bytes)

    def take_back(self) -> None:
        """Remove the files that were made, CURRENT first, as far as the machine lets us."""
        for name in reversed(self._made):
            with contextlib.suppress(LithographError):
                if self._target.exists(name):
                    self._target.unlink(name)
        for partition in self._partitions:
            with contextlib.suppress(LithographError):
                self._target.remove_directory(f"{PARTITIONS_DIRECTORY}/{partition}")

    @contextlib.contextmanager
    def _making(self, name: str) -> Iterator[None]:
        """Note a file before it is there, to be taken back; StoreExistsError if it is already."""
        self._made.append(name)
        try:
            yield
        except FileExistsError:
            self._made.remove(name)
            raise StoreExistsError(
                f"{self._target.path_of(name)} appeared while the backup was made: "
                "use a directory that nobody else writes to"
            ) from None

    # The log -----------------------------------------------------------------------------------

    def _write_log(self) -> tuple[_Moment, LogPosition]:
        """Choose the moment and write the commits behind its files; return it and the log's end.

        Whoever reads alone keeps no logs: others may put new ones with the same commits in their
        place before all of them were read.
        """
        journal = self._journal
        for _ in range(_ATTEMPTS):
            journal.refresh()
            # The layers first: their files hold no commit that the position is not behind.
            stack = journal.stack
            moment = _Moment(stack, journal.position)
            try:
                return moment, self._write_log_of(moment)
            except CorruptionError as error:
                failure = error
                journal.refresh()
                if journal.stack is stack and journal.position == moment.position:
                    break
        raise failure

    def _write_log_of(self, moment: _Moment) -> LogPosition:
        manifest, position, uuid = moment.manifest, moment.position, self._journal.store_uuid
        number = max(manifest.next_file_number, moment.stack.generation.manifest_number + 1)
        self._discard(wal_name(number))
        chain = LogChain.read(
            self._source, uuid, position.wal_number, manifest.first_wal_number, writable=False
        )
        try:
            with (
                self._making(wal_name(number)),
                BackupLog(self._target, uuid, number, self._random() or 1, manifest) as log,
            ):
                follow(chain, before_log(manifest), position.offset, log.append)
                log.finish()
        finally:
            chain.close()
        assert log.position.sequence == position.sequence
        return log.position

    def _discard(self, name: str) -> None:
        """Remove what an earlier attempt has made."""
        if name in self._made:
            self._target.unlink(name)
            self._made.remove(name)

    # The sealed files --------------------------------------------------------------------------

    def _check_sealed(self, manifest: Manifest) -> None:
        """Raise the first thing that is wrong: a file is missing, or not what was published."""
        check = FilesCheck(self._source, self._journal.store_uuid, manifest)
        for error in check.run():
            raise error

    def _explained(self, error: LithographError, moment: _Moment) -> LithographError:
        """Return the error, or what it comes of: without a pin, writers remove files under us."""
        journal = self._journal
        if not journal.hold.is_pinned:
            journal.refresh()
            if journal.stack.generation is not moment.stack.generation:
                return StorageError(
                    f"{self._source.root}: files were replaced while they were copied, because "
                    "this process may not write to locks/pins there; make the backup as a user "
                    "who may, or again later"
                )
        return error

    def _copy_sealed(self, manifest: Manifest, done: int) -> None:
        target = self._target
        self._partitions = sorted({segment.partition for segment in manifest.segments})
        directories = [f"{PARTITIONS_DIRECTORY}/{partition}" for partition in self._partitions]
        # From below: a directory is synced when all that it names is.
        directories += [PARTITIONS_DIRECTORY] * bool(directories)
        directories += [NAMES_DIRECTORY] * bool(manifest.runs)
        for directory in reversed(directories):
            target.make_directory(directory)
        sizes = sealed_sizes(manifest)
        total = done + sum(sizes.values())
        for name, size in sizes.items():
            self._report(done, total)
            with self._making(name):
                if self._link and target.link(name, self._source):
                    self._shared_bytes += size
                else:
                    self._copy(name, done, total)
            done += size
        if self._shared_bytes < sum(sizes.values()):
            # Read back: what was read of the store may have been damaged, too.
            for error in check_blocks(target, self._journal.store_uuid, manifest):
                raise error
        for directory in directories:
            target.sync_directory(directory)
        self._report(done, total)

    def _copy(self, name: str, done: int, total: int) -> None:
        source = self._source.open(name)
        try:
            copy = self._target.create(name)
            try:
                offset = 0
                while piece := source.read_at(offset, _PIECE_SIZE):
                    copy.write_at(offset, piece)
                    offset += len(piece)
                    self._report(done + offset, total)
                copy.sync_data()
            finally:
                copy.close()
        finally:
            source.close()

    def _report(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, total)


def _check_empty(target: Files) -> None:
    """Raise StoreExistsError unless the directory holds nothing but a store's empty directories."""
    for path in _files_in(target):
        raise StoreExistsError(
            f"{target.path_of(path)} is there already: a copy of a store needs an empty directory, "
            "or a path that does not exist yet; what one that was cut short has left can be removed"
        )


def _files_in(target: Files) -> Iterator[str]:
    """Yield what is in the directory, but for directories that a backup cut short may leave."""
    for entry in target.entries(""):
        if entry == PARTITIONS_DIRECTORY:
            for partition in target.entries(entry):
                path = posixpath.join(entry, partition)
                within = target.entries(path) if is_partition(partition) else [""]
                yield from (posixpath.join(path, name) for name in within)
        elif entry in (*DIRECTORIES, NAMES_DIRECTORY):
            yield from (posixpath.join(entry, name) for name in target.entries(entry))
        else:
            yield entry
