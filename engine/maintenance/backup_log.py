"""The log of a copy: the commits behind its files, in one new log that continues none.

It has an epoch of its own, so that records of the store's logs are never taken for its own.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

from lithograph.files import Files
from lithograph.formats.file_names import WAL_DIRECTORY, wal_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.wal_header import WAL_START, WalHeader
from lithograph.formats.wal_record import WalRecord
from lithograph.write.wal_file import LogPosition, WalFile

_PIECE_SIZE: Final = 2**20


class BackupLog:
    """A new log in `files`, behind what `manifest` holds; a context manager, which closes it.

    Attributes
    ----------
    position : behind the last record that was appended.
    """

    def __init__(
        self, files: Files, store_uuid: bytes, number: int, epoch: int, manifest: Manifest
    ) -> None:
        """Create the file; FileExistsError if it is there."""
        sequence, time = manifest.last_sequence, manifest.last_commit_time
        header = WalHeader(store_uuid, number, epoch, sequence + 1, 0, 0, 0)
        self.position = LogPosition(number, WAL_START, 0, sequence, time)
        self._files = files
        self._log = WalFile(files.create(wal_name(number)), header)
        self._pieces = [header.encode()]
        self._size = WAL_START
        self._written = 0

    def append(self, record: WalRecord) -> None:
        """Write a commit behind the last one, sooner or later."""
        piece, self.position = self._log.encode_next(self.position, record, synced_upto=WAL_START)
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _PIECE_SIZE:
            self._flush()

    def finish(self) -> None:
        """Return when everything is on the medium, and the entry of the file."""
        self._flush()
        self._log.file.sync_data()
        self._files.sync_directory(WAL_DIRECTORY)

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        self._log.file.write_at(self._written, data)
        self._written += len(data)
        self._pieces.clear()
        self._size = 0

    def __enter__(self) -> BackupLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()
