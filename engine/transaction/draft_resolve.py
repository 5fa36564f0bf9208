"""Resolving a draft: `resolve`, for transactions that only put.

The kernel encodes the operations; what it must know of the newest state is looked up in bulk.
Whatever is rare is left to the plain way, which also has the words for what is wrong.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from lithograph.formats.operations import AdjacentEdge
from lithograph.read.fold import find_edge, find_name
from lithograph.segments.layer import Layers

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft
    from lithograph.kernel._reads import QuickView

_EDGE: Final = struct.Struct("<QQQQ")
"""An edge in what `Draft.between_old` returns: source, target, type code, place."""


class Newest(Protocol):
    """The newest state, including what the same group commits before."""

    quick: QuickView | None
    sequence: int
    next_id: int
    type_count: int

    @property
    def layers(self) -> Layers: ...

    @property
    def type_code(self) -> Callable[[str], int | None]: ...


def resolve_draft(draft: Draft, newest: Newest, *, is_newest: bool) -> tuple[bytes, int] | None:
    """Return the operations of a draft, encoded, and their number; None: resolve its intents.

    is_newest : what the transaction's view said is what is there now.
    """
    quick = newest.quick
    if quick is None:
        return None
    names = draft.unresolved(is_newest)
    ids = array("q", bytes(8 * len(names)))
    quick.find_many(names, ids, lambda name: find_name(newest.layers, name, newest.sequence))
    codes = [newest.type_code(name) for name in draft.type_names()]
    if not draft.resolve(ids):
        return None
    if draft.edge_count and not _leave_known_edges(draft, quick, newest, codes):
        return None
    return draft.encode(newest.next_id, codes, newest.type_count)


def _leave_known_edges(
    draft: Draft, quick: QuickView, newest: Newest, codes: list[int | None]
) -> bool:
    """Take out the edges that are there as they shall be; return False if one is to change."""
    plain, keyed = draft.between_old(codes)
    for source, target, code, place in _doubtful(quick, plain):
        if not _may_stay(draft, newest, source, (code, target, ""), place):
            return False
    return all(
        _may_stay(draft, newest, source, (code, target, key), place)
        for source, code, target, key, place in keyed
    )


def _may_stay(
    draft: Draft, newest: Newest, source: int, adjacent: AdjacentEdge, place: int
) -> bool:
    """Take an edge out of the draft if it is there; return False if it is and is to change."""
    there = find_edge(newest.layers, source, adjacent, newest.sequence)
    return there is None or draft.leave(place)


def _doubtful(quick: QuickView, edges: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield the edges that may be there already: source, target, type code, place.

    The careful look at the first of them opens files that nobody has opened yet: then the kernel
    is asked again, for it was unsure of all edges, not only of these.
    """
    done, patience = 0, 16
    while done < len(edges):
        places = quick.known_edges(edges[done:])
        for at in places[:patience]:
            yield _EDGE.unpack_from(edges, done + at * _EDGE.size)
        if len(places) <= patience:
            return
        done += (places[patience - 1] + 1) * _EDGE.size
        patience *= 2
