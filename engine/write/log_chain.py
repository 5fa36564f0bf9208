"""The logs from an older one to a newer one, found by the links in their headers.

At most two of them are open at a time, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.wal_header import WalHeader
from lithograph.write.wal_file import WalFile


class LogChain:
    """A walk over logs, oldest first.

    Attributes
    ----------
    newest : the newest log, open once the walk has reached it; it is the caller's then.
    """

    def __init__(self, headers: list[WalHeader], files: Files, *, writable: bool) -> None:
        self.headers = headers
        self.newest: WalFile | None = None
        self._files = files
        self._writable = writable

    @classmethod
    def read(
        cls, files: Files, store_uuid: bytes, newest: int, oldest: int, *, writable: bool
    ) -> LogChain:
        """Read the headers from `newest` back to `oldest`.

        Raises
        ------
        CorruptionError : a log is missing, damaged, foreign, or the links do not lead to `oldest`.
        """
        headers: list[WalHeader] = []
        number = newest
        while True:
            log = WalFile.open(files, number, store_uuid)
            log.close()
            headers.append(log.header)
            if number == oldest:
                return cls(headers[::-1], files, writable=writable)
            number = log.header.previous_number
            if number < oldest:
                raise CorruptionError(
                    f"the logs before WAL {log.number} do not lead to WAL {oldest}", path=log.path
                )

    @classmethod
    def of(cls, log: WalFile, files: Files) -> LogChain:
        """Return the walk over one log that is open and stays open."""
        chain = cls([log.header], files, writable=False)
        chain.newest = log
        return chain

    def walk(self) -> Iterator[tuple[WalFile, WalHeader | None]]:
        """Yield each log, open, with the header of the next one; only the last one stays open."""
        for header, successor in zip(self.headers, [*self.headers[1:], None], strict=True):
            if successor is not None:
                log = WalFile.open(self._files, header.file_number, header.store_uuid)
                try:
                    yield log, successor
                finally:
                    log.close()
                continue
            if self.newest is None:
                self.newest = WalFile.open(
                    self._files, header.file_number, header.store_uuid, writable=self._writable
                )
            yield self.newest, None

    def take(self) -> WalFile:
        """Return the newest log after the walk."""
        assert self.newest is not None
        return self.newest

    def close(self) -> None:
        """Close the newest log, if the walk opened it."""
        if self.newest is not None:
            self.newest.close()
