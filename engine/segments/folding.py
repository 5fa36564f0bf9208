"""Folding raw versions into an end state and the history that it overwrote.

Raw versions are those that commits made, oldest first. A segment keeps the end state, the history
file the rest. Readers at or above the end state's sequence use it alone, readers below it use the
history alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lithograph.errors import CorruptionError
from lithograph.segments.version import AnyVersion, EdgeVersion, NodeVersion


def fold_node_versions(raw: list[NodeVersion]) -> tuple[NodeVersion, list[NodeVersion]]:
    """Return the end state of a node's versions, and its history, oldest first.

    raw : oldest first, at least one.

    Raises
    ------
    CorruptionError : a relative version stands on a tombstone.
    """
    start = _base(raw)
    newest, base = raw[-1], raw[start]
    if start == len(raw) - 1:
        return newest, raw[:-1]
    patch = base.change
    if patch is None:
        raise _ended(base)
    for version in raw[start + 1 :]:
        assert version.change is not None
        patch = patch.then(version.change)
    if not base.full:
        return NodeVersion(newest.sequence, newest.time, patch, False), raw
    folded = NodeVersion(
        newest.sequence, newest.time, patch.as_full(), True, base.born, base.born_sequence
    )
    return folded, raw[:-1]


def fold_edge_versions(raw: list[EdgeVersion]) -> tuple[EdgeVersion, list[EdgeVersion]]:
    """Return the end state of an edge's versions, and its history; as for nodes."""
    start = _base(raw)
    newest, base = raw[-1], raw[start]
    if start == len(raw) - 1:
        return newest, raw[:-1]
    patch = base.change
    if patch is None:
        raise _ended(base)
    for version in raw[start + 1 :]:
        assert version.change is not None
        patch = patch.then(version.change)
    if not base.full:
        return EdgeVersion(newest.sequence, newest.time, patch, False), raw
    folded = EdgeVersion(newest.sequence, newest.time, patch, True, base.born, base.born_sequence)
    return folded, raw[:-1]


def fold_versions(raw: list[AnyVersion]) -> tuple[AnyVersion, list[AnyVersion]]:
    """Return end state and history of the versions of a node or of an edge."""
    if isinstance(raw[0], NodeVersion):
        return fold_node_versions(raw)
    return fold_edge_versions(raw)


def raw_versions(end: AnyVersion | None, history: list[AnyVersion]) -> list[AnyVersion]:
    """Return the raw versions that end state and history were folded from, or equal ones.

    Inverse of folding, for merges: `end` is None for an edge that is only in history.
    """
    raw = list(history)
    if end is not None and not (raw and raw[-1].sequence == end.sequence):
        raw.append(end)
    return raw


def trim_history(raw: list[AnyVersion], floor: int) -> list[AnyVersion]:
    """Return raw versions of which those up to the sequence `floor` are folded into one.

    A view at `floor` or later sees what it saw before; earlier ones are no longer served.
    """
    count = 0
    while count < len(raw) and raw[count].sequence <= floor:
        count += 1
    if count < 2:
        return raw
    end, _ = fold_versions(raw[:count])
    kept = raw[count - 1 :]
    kept[0] = end
    return kept


def _base(raw: Sequence[AnyVersion]) -> int:
    """Return the position of the newest version that stands by itself; 0 if none does."""
    for position in range(len(raw) - 1, 0, -1):
        if raw[position].full or raw[position].change is None:
            return position
    return 0


def _ended(base: NodeVersion | EdgeVersion) -> CorruptionError:
    return CorruptionError(f"what commit {base.sequence} ended was changed by a later one")
