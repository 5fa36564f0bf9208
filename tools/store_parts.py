"""What the bytes of a store's files are for."""

from __future__ import annotations

from collections import Counter
from typing import Final

from lithograph.tools.commands.stats_answer import PartSize
from lithograph.tools.store_look import Look

_NAMES: Final = "names of nodes"
_NODES: Final = "nodes"
_OUT: Final = "edges, by source"
_IN: Final = "edges, by target"
_FIELDS: Final = "fields of edges"
_COMMITS: Final = "commit times and counts"
_CHECKSUMS: Final = "checksums and footers"
_HISTORIES: Final = "superseded versions"
_INDEX: Final = "name index"
_LOG: Final = "log"

_PART_OF: Final = {
    "names": _NAMES,
    "dictionary": _NODES,
    "sparse_nodes": _NODES,
    "dense_nodes": _NODES,
    "sparse_out": _OUT,
    "dense_out": _OUT,
    "sparse_in": _IN,
    "dense_in": _IN,
    "edges": _FIELDS,
    "commits": _COMMITS,
}
"""What each section of a segment is for; a directory or filter is for what it leads to."""


def read_parts(look: Look) -> list[PartSize]:
    """Return the sizes of the parts of a store, largest first.

    Raises
    ------
    CorruptionError : a segment or history does not open.

    Cost: every segment and history is opened, one after the other.
    """
    sizes = Counter[str]()
    for entry, segment, _ in look.stack.generation.footers():
        known = 0
        for name, section in segment.sections.items():
            of = name.removesuffix("_directory").removesuffix("_filter")
            sizes[_PART_OF[of]] += section.size
            known += section.size
        sizes[_CHECKSUMS] += entry.size - known
        sizes[_HISTORIES] += entry.history_size
    stats = look.stats()
    sizes[_INDEX] += stats.run_size_bytes
    sizes[_LOG] += stats.wal_total_size_bytes
    return [PartSize(part, size) for part, size in sizes.most_common() if size]
