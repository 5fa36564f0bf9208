"""Exit codes of the command-line tools: what a script may rely on."""

from __future__ import annotations

from typing import Final

from lithograph.errors import (
    CorruptionError,
    InvalidArgumentError,
    LockedError,
    NodeNotFoundError,
)

OK: Final = 0
ABSENT: Final = 1
FINDINGS: Final = 1
USAGE: Final = 2
LOCKED: Final = 3
CORRUPTION: Final = 4
STORAGE: Final = 5
INTERRUPTED: Final = 130

EXPLANATION: Final = """\
exit codes:
  0  done
  1  something is wrong, differs or was set aside; or there is no such name
  2  wrong usage
  3  another process holds the store
  4  stored bytes are damaged
  5  cannot be read or written, not a store, not found, or of a newer format
  130  interrupted"""


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error of the library or of the system."""
    for kind, code in (
        (NodeNotFoundError, ABSENT),
        (InvalidArgumentError, USAGE),
        (LockedError, LOCKED),
        (CorruptionError, CORRUPTION),
        (KeyboardInterrupt, INTERRUPTED),
    ):
        if isinstance(error, kind):
            return code
    return STORAGE
