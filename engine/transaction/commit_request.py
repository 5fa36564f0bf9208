"""One transaction on its way to the committer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lithograph.transaction.intents import Intents
from lithograph.transaction.reads_made import NO_VIEW, ReadsMade

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft


@dataclass(slots=True, eq=False)
class CommitRequest:
    """One transaction on its way; `sequence` or `error` is set when `done`.

    at : the commit time asked for, in µs since 1970 UTC, or None for now.
    found : ids of names, None for absent ones, as of the view that `reads` were made at.
    draft : puts in the kernel's form, instead of intents, or None.
    """

    intents: Intents
    reads: ReadsMade
    at: int | None = None
    found: Mapping[str, int | None] = field(default_factory=dict)
    draft: Draft | None = None
    sequence: int | None = None
    error: BaseException | None = None
    done: bool = field(default=False)

    @classmethod
    def of_draft(cls, draft: Draft) -> CommitRequest:
        """Return the request of puts that nothing was read for."""
        return cls(_NOTHING_WANTED, _NOTHING_READ, draft=draft)

    @property
    def size_min(self) -> int:
        """Bytes that the commit takes at least."""
        return self.intents.size_min if self.draft is None else self.draft.size_min


# Neither is ever changed: one of each is enough.
_NOTHING_WANTED: Final = Intents()
_NOTHING_READ: Final = ReadsMade(NO_VIEW)
