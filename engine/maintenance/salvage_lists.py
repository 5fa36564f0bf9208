"""Lists of edges in blocks of which a part is lost: whose they are, and at which positions.

The directory says where a block's positions begin and where those of the next one do. Lists that
can be read are placed from either end, up to the first that cannot; if the targets know all edges
of the others, which the number of positions tells, these are placed too.
"""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.operations import AdjacentEdge
from lithograph.maintenance.salvage_tables import LostBlock
from lithograph.segments.adjacency_reader import AdjacencyReader
from lithograph.segments.table_reader import Block

Listed = list[tuple[AdjacentEdge, Mark]]
"""The edges at one node, ascending, each with its mark."""


def decoded(
    lists: AdjacencyReader, block: Block
) -> tuple[dict[int, Listed], list[tuple[int, CorruptionError]]]:
    """Return the lists of a block that can be read, by node, and what is wrong with the others."""
    found: dict[int, Listed] = {}
    broken = []
    for node_id, stored in lists.block_lists(block):
        try:
            found[node_id] = list(zip(*stored.decode(), strict=True))
        except CorruptionError as error:
            broken.append((node_id, error))
    return found, broken


def placed(
    lost: LostBlock, known: dict[int, Listed], incoming: dict[int, Listed]
) -> Iterator[tuple[int, int | None, Listed]]:
    """Yield (source, position of its first edge or None, edges) of the lists of a lost block.

    known : those that can be read.   incoming : the edges of the others, as far as targets say.
    """
    edges = {source: listed for source, listed in incoming.items() if source in lost.ids} | known
    sources = sorted(edges)
    places: dict[int, int] = {}
    if lost.positions is not None:
        first, end = lost.positions.start, lost.positions.stop
        is_whole = sum(map(len, edges.values())) == len(lost.positions)
        for source in sources if is_whole else _while_known(lost, known):
            places[source] = first
            first += len(edges[source])
        if not is_whole:
            for source in _while_known(lost, known, backwards=True):
                end -= len(edges[source])
                places[source] = end
    for source in sources:
        yield source, places.get(source), edges[source]


def _while_known(
    lost: LostBlock, known: dict[int, Listed], *, backwards: bool = False
) -> Iterator[int]:
    """Yield the sources of a block up to the first whose list is lost, from either end."""
    if lost.block is None:
        return
    heads = lost.block.heads
    there = [node_id for place, node_id in enumerate(lost.block.ids) if heads.size(place)]
    for node_id in reversed(there) if backwards else there:
        if node_id not in known:
            return
        yield node_id
