"""Resolving a draft: `resolve`, for transactions that only put.

The kernel encodes the operations; what it must know of the newest state is looked up in bulk.
Whatever is rare is left to the plain way, which also has the words for what is wrong.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from lithograph.formats.operations import AdjacentEdge
from lithograph.read.fold import find_edge, find_name
from lithograph.segments.layer import Layers

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft
    from lithograph.kernel._reads import QuickView

_EDGE: Final = struct.Struct("<QQQQ")
"""An edge in what `Draft.between_old` returns: source, target, type code, place."""
_SORTED_FROM: Final = 256


class Newest(Protocol):
    """The newest state, including what the same group commits before."""

    @property
    def quick(self) -> QuickView | None: ...

    @property
    def sequence(self) -> int: ...

    @property
    def next_id(self) -> int: ...

    @property
    def type_count(self) -> int: ...

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
    if len(plain) >= _SORTED_FROM * _EDGE.size:
        # Edges of one source behind each other: the kernel finds its lists once (3 µs to 1 µs per
        # edge over a dozen segments).
        rows = np.frombuffer(plain, np.int64).reshape(-1, 4)
        plain = rows[np.argsort(rows[:, 0])].tobytes()
    patience = 16
    while plain:
        there, doubtful = quick.known_edges(plain)
        if not all([draft.leave(_edge_at(plain, at)[3]) for at in there]):
            return False
        for at in doubtful[:patience]:
            source, target, code, place = _edge_at(plain, at)
            if not _may_stay(draft, newest, source, (code, target, ""), place):
                return False
        # The careful look at the first of them opened files that nobody had opened yet: then the
        # kernel is asked again, for it was unsure of all edges, not only of these.
        plain = b"".join(
            [plain[at * _EDGE.size : (at + 1) * _EDGE.size] for at in doubtful[patience:]]
        )
        patience *= 2
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


def _edge_at(edges: bytes, at: int) -> tuple[int, int, int, int]:
    """Return source, target, type code and place of an edge."""
    return _EDGE.unpack_from(edges, at * _EDGE.size)
