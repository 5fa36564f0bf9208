"""Store-wide type codes: names of node and edge types in the order of their first use."""

from __future__ import annotations

from collections.abc import Sequence


class TypeTable:
    """Type name <-> code. Only grows; a code never changes its name."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._codes = {name: code for code, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> int | None:
        """Return the code of a type, or None if it was never used."""
        return self._codes.get(name)

    def define(self, code: int, name: str) -> None:
        """Add the next type; one that is there already stays."""
        # The code first: interrupted between the two, it is set again, and not in use before.
        self._codes[name] = code
        if code == len(self.names):
            self.names.append(name)
        assert self.names[code] == name
