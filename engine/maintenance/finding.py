"""One thing that verification finds."""

from __future__ import annotations

from dataclasses import dataclass

from lithograph.errors import CorruptionError, LithographError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, and what."""

    path: str
    offset: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}@{self.offset}: {self.message}"

    @classmethod
    def of(cls, error: LithographError) -> Finding:
        """Return what an error says."""
        if isinstance(error, CorruptionError):
            return cls(error.path, error.offset, error.message)
        return cls("", 0, str(error))
