"""What an import says when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


class ImportAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was read, and what became of it.

    kind : "jsonl", "csv", and so on.
    files : what was read, as it was named.
    nodes, edges : descriptions read, several of one node each counted.
    nodes_made, edges_made : how many more of them the store holds now.
    written : nodes and edges made or changed; what was there already is not written again.
    missing_ends : nodes made only because an edge names them.
    commits : commits made.
    rejected : lines set aside.
    rejects : the file that holds them, null where there are none.
    refused : --strict was given and a line would have been set aside: nothing was written.
    seconds : the time it took.
    more : figures of this kind alone, by name; "segtool import KIND --help" says which.
    """

    kind: str
    files: list[str]
    nodes: int
    edges: int
    nodes_made: int
    edges_made: int
    written: int
    missing_ends: int
    commits: int
    rejected: int
    rejects: str | None
    refused: bool
    seconds: float
    more: dict[str, int]

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Yield (figure, value) for tables and pipes."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "files":
                yield from (("file", file) for file in value)
            elif name == "more":
                yield from value.items()
            elif value is not None:
                yield name, value
