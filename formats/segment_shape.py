"""How many entries the blocks of segments and histories have (SPEC.md, section 12.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lithograph.formats.adjacency_group import GROUP_COUNT_MAX
from lithograph.formats.adjacency_list import UNINDEXED_SIZE_MAX


@dataclass(frozen=True, slots=True)
class SegmentShape:
    """Entries per block, and the sizes from which things stand elsewhere.

    The defaults are on disk; tests shrink them to reach every split in a few entries. Files do not
    say which shape they have.

    inline_size_max : bytes of a record in a block; larger ones are out of line.
    """

    names: int = 128
    nodes: int = 64
    lists: int = 64
    positions: int = 256
    commits: int = 128
    group_edges: int = GROUP_COUNT_MAX
    unindexed_size_max: int = UNINDEXED_SIZE_MAX
    inline_size_max: int = 1024


ON_DISK: Final = SegmentShape()
