"""The file shared.map: how processes tell each other what is published (SPEC.md, section 8).

Read with `pread`, which costs 0.43 µs; but for a look at the counter before every read the compiled
kernel goes through a map, under its guard: a map that somebody truncates under a live process costs
an error, not the interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lithograph.errors import CorruptionError
from lithograph.files import File, Files
from lithograph.formats.file_header import FileHeader, FileKind
from lithograph.formats.file_names import SHARED_MAP
from lithograph.formats.shared_map import (
    COUNTER_OFFSET,
    COUNTER_SIZE,
    SHARED_MAP_SIZE,
    SharedState,
)
from lithograph.kernel import encode_slot, quick

if TYPE_CHECKING:
    from lithograph.kernel._reads import Watch

_READ_TRIES: Final = 1000
"""A torn sight lasts as long as one write of 128 bytes; this many in a row are damage."""


class SharedMapFile:
    """The open map of one store. Writers hold the commit lock, or are alone.

    Attributes
    ----------
    watch : the counter as the kernel sees it, or None.
    """

    def __init__(self, file: File, mapped: memoryview | None = None) -> None:
        self._file = file
        self.watch: Watch | None = None
        if quick is not None and mapped is not None and len(mapped) >= SHARED_MAP_SIZE:
            self.watch = quick.Watch(mapped, COUNTER_OFFSET)

    @classmethod
    def open(cls, files: Files, *, writable: bool) -> SharedMapFile:
        return cls(files.open(SHARED_MAP, writable=writable), files.watch(SHARED_MAP))

    @classmethod
    def rewrite(cls, files: Files, store_uuid: bytes, state: SharedState) -> SharedMapFile:
        """Make the map say `state`, whatever it held; the caller is alone with the store."""
        exists = files.exists(SHARED_MAP)
        file = files.open(SHARED_MAP, writable=True) if exists else files.create(SHARED_MAP)
        size = file.size()
        old = file.read_at(COUNTER_OFFSET, COUNTER_SIZE)
        # A reader that is not attached watches the counter: it must not come out as it was.
        state = state._replace(counter=(int.from_bytes(old, "little") + 1) % 2**63)
        image = bytearray(SHARED_MAP_SIZE)
        header = FileHeader(FileKind.SHARED_MAP, store_uuid).encode()
        image[: len(header)] = header
        image[state.offset : state.offset + len(state.encode())] = state.encode()
        image[COUNTER_OFFSET : COUNTER_OFFSET + COUNTER_SIZE] = _counter(state)
        file.write_at(0, bytes(image))
        if size != SHARED_MAP_SIZE:
            file.truncate(SHARED_MAP_SIZE)
        return cls(file, files.watch(SHARED_MAP))

    def counter(self) -> bytes:
        """Return the bytes of the counter: as long as they stay the same, nothing was published."""
        watch = self.watch
        if watch is not None:
            seen = watch.load()
            if seen is not None:
                return seen
        return self._file.read_at(COUNTER_OFFSET, COUNTER_SIZE)

    def read(self) -> SharedState:
        """Return what is published.

        Raises
        ------
        CorruptionError : the map cannot be read; the first process to be alone makes it anew.
        """
        for _ in range(_READ_TRIES):
            try:
                return SharedState.decode(self._file.read_at(0, SHARED_MAP_SIZE))
            except CorruptionError as error:
                damage = error
        raise CorruptionError(
            f"{damage.message}; close the store in every process and open it again",
            path=self._file.path,
            offset=damage.offset,
        )

    def check_owner(self, store_uuid: bytes) -> None:
        """Raise CorruptionError unless the map belongs to this store."""
        try:
            header = FileHeader.decode(self._file.read_at(0, SHARED_MAP_SIZE))
            header.expect(FileKind.SHARED_MAP, store_uuid)
        except CorruptionError as error:
            raise error.located(self._file.path) from None

    @property
    def path(self) -> str:
        return self._file.path

    def next_counter(self) -> int:
        """Return the counter under which the next state is stored."""
        # That of the file, not of a state: after a write that failed, only the file knows which
        # slot is in force, and that one is never written to.
        return (int.from_bytes(self.counter(), "little") + 1) % 2**63

    def store(self, state: SharedState) -> bytes:
        """Put `state`, which has the `next_counter`, in force; return the bytes of its counter.

        Readers see the old state or the new one: the slot is filled first, then the counter stored.
        """
        counter = _counter(state)
        self._file.write_at(state.offset, encode_slot(*state))
        self._file.write_at(COUNTER_OFFSET, counter)
        return counter

    def publish(self, state: SharedState) -> SharedState:
        """Put `state` in force under the next counter; return it with that counter."""
        state = state._replace(counter=self.next_counter())
        self.store(state)
        return state

    def close(self) -> None:
        self.watch = None
        self._file.close()


def _counter(state: SharedState) -> bytes:
    return state.counter.to_bytes(COUNTER_SIZE, "little")
