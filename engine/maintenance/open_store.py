"""What maintenance works on: the parts of one open store, together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lithograph.catalog.shelf import Shelf
from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.files import Files
from lithograph.options import Options
from lithograph.transaction.committer import Committer
from lithograph.write.journal import Journal


@dataclass(frozen=True, slots=True)
class OpenStore:
    """One process's hold on a store, as flush, compaction and their thread see it.

    renew_view : makes the process's newest view one of the newest layers, and drops the old one.
    """

    files: Files
    environment: Environment
    options: Options
    locks: StoreLocks
    journal: Journal
    committer: Committer
    shelf: Shelf
    renew_view: Callable[[], object]

    def claim_number(self) -> int:
        """Return a file number that nobody else gets."""
        return self.committer.exclusively(self.journal.claim_number)
