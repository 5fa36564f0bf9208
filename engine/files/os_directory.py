"""One open directory of this machine."""

from __future__ import annotations

import os
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


class OsDirectory:
    """A descriptor that is closed when the last reference goes: never under a call that uses it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls, path: str) -> OsDirectory:
        """Open a directory by its path, links followed; OSError passes."""
        return cls(os.open(path, _DIRECTORY))

    def below(self, leaf: str) -> OsDirectory:
        """Open a directory in this one, which must not be a link; OSError passes."""
        assert leaf not in ("", ".", "..")
        assert "/" not in leaf
        return OsDirectory(os.open(leaf, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd))

    def __del__(self) -> None:
        os.close(self.fd)
