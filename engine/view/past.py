"""The past of a view: which commit a time means, and what commits changed.

The past ends at the floor: what was superseded before it may be gone, so nothing older is
answered. The floor is 0, before the first commit, where everything is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from lithograph.errors import InvalidArgumentError, NodeNotFoundError
from lithograph.formats.moment import decode_moment, encode_moment
from lithograph.ids import SEQUENCE_END
from lithograph.read.fold import find_edge, fold_each, fold_node, name_of
from lithograph.read.past import all_node_versions, changes, commit_time, ids_of_name, sequence_at
from lithograph.segments.layer import Change
from lithograph.segments.version import NodeVersion
from lithograph.view.changes import EdgeChange, NodeChange
from lithograph.view.view import View


def commit_as_of(view: View, when: Any) -> int:
    """Return the sequence of the commit that `as_of(when)` shows.

    Raises
    ------
    InvalidArgumentError : no such commit, or below the floor.
    """
    if isinstance(when, datetime):
        sequence = sequence_at(view.layers, encode_moment(when, "as_of"), view.sequence)
    else:
        sequence = _parse_sequence(when, "as_of")
        if sequence > view.sequence:
            raise InvalidArgumentError(
                f"as_of({sequence}): the newest commit is {view.sequence}; use a time, or a "
                "sequence up to that"
            )
    if sequence < view.floor:
        raise _forgotten(view, f"as_of({when}) is below")
    return sequence


def first_commit(view: View, since: Any) -> int:
    """Return the first commit of a range that begins at `since`.

    Raises
    ------
    InvalidArgumentError : what that commit deleted may be gone.
    """
    oldest = view.floor + 1
    if since is None:
        return oldest
    if isinstance(since, datetime):
        first = 1 + sequence_at(view.layers, encode_moment(since, "since") - 1, view.sequence)
    else:
        first = max(_parse_sequence(since, "since"), 1)
    if first < oldest:
        raise _forgotten(view, f"changes(since={since}) begins at or below")
    return first


def end_commit(view: View, until: Any) -> int:
    """Return the first commit behind a range that ends before `until`."""
    if isinstance(until, datetime):
        return 1 + sequence_at(view.layers, encode_moment(until, "until") - 1, view.sequence)
    end = SEQUENCE_END if until is None else _parse_sequence(until, "until")
    return min(end, view.sequence + 1)


def history_of(view: View, name: str) -> Iterator[NodeChange]:
    """Return an iterator over the changes of all nodes of a name; see `Reads.history`."""
    found: list[tuple[int, list[NodeVersion], int]] = []
    for node_id in ids_of_name(view.layers, name, view.sequence):
        versions = all_node_versions(view.layers, node_id, view.sequence)
        start = sum(version.sequence <= view.floor for version in versions)
        if start > 0 and versions[start - 1].change is not None:
            start -= 1  # Alive at the floor.
        if start < len(versions):
            found.append((node_id, versions, start))
    if not found:
        raise NodeNotFoundError(name)
    return _told(view, name, found)


def _told(
    view: View, name: str, nodes: list[tuple[int, list[NodeVersion], int]]
) -> Iterator[NodeChange]:
    """Yield the changes of nodes of one name, each from a position in its versions on."""
    # Ids ascend, and no node of a name is made before the last one has ended: so do sequences.
    for node_id, versions, start in nodes:
        states = zip(versions, fold_each(node_id, versions), strict=True)
        for version, state in islice(states, start, None):
            node = view.node_of(state, name) if state is not None else None
            yield NodeChange(version.sequence, decode_moment(version.time), name, node)


def changes_of(view: View, first: int, end: int) -> Iterator[NodeChange | EdgeChange]:
    """Yield what the commits first <= commit < end changed; see `Reads.changes`."""
    for change in changes(view.layers, first, end - 1):
        if change.of_edge:
            yield _edge_change(view, change)
        else:
            yield _node_change(view, change.node_id, change.sequence)


def _node_change(view: View, node_id: int, sequence: int) -> NodeChange:
    name = name_of(view.layers, node_id)
    state = fold_node(view.layers, node_id, sequence)
    node = view.node_of(state, name) if state is not None else None
    return NodeChange(sequence, _time(view, sequence), name, node)


def _edge_change(view: View, change: Change) -> EdgeChange:
    sequence, _, source, adjacent = change
    type_code, target, key = adjacent
    names = {node_id: name_of(view.layers, node_id) for node_id in (source, target)}
    state = find_edge(view.layers, source, adjacent, sequence)
    return EdgeChange(
        sequence,
        _time(view, sequence),
        names[source],
        view.type_name(type_code),
        names[target],
        key,
        view.edge_of(state, names) if state is not None else None,
    )


def _time(view: View, sequence: int) -> datetime:
    return decode_moment(commit_time(view.layers, sequence))


def _parse_sequence(value: Any, what: str) -> int:
    """Return a sequence from 0 up; bool is none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidArgumentError(
            f"{what}: use an aware datetime, or the sequence of a commit from 0 up, "
            f"not {value!r:.60}"
        )
    return value


def _forgotten(view: View, what: str) -> InvalidArgumentError:
    time = decode_moment(view.floor_time).isoformat()
    return InvalidArgumentError(
        f"{what} the floor, commit {view.floor} of {time}: what was superseded before that is "
        "gone, for the store was opened with history=, or compacted with drop_history_before="
    )
