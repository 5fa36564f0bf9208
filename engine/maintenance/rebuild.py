"""Making the name index again from the segments and histories alone (SPEC.md, sections 12.2, 13.1).

Every node's name stands in the segment that it was born in, with the commit that made it, and the
commit that ended it in that segment or a newer one. So runs that are damaged or missing are never
read: one new run takes the place of all. Names come in the order of ids and are sorted on disk;
memory stays bounded, whatever the store holds.

Until the new run is published the old ones are in force; a process that dies on the way leaves
files that nothing names.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Final

from lithograph.errors import CorruptionError, StorageError
from lithograph.formats.file_names import PARTITIONS_DIRECTORY
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry
from lithograph.ids import ABSENT
from lithograph.maintenance.flush import clean_up
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.output import (
    Output,
    finish_run,
    install,
    make_run_writer,
)
from lithograph.segments.folding import raw_versions
from lithograph.segments.name_sorter import NameSorter
from lithograph.segments.run_merge import versions_above
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import NodeVersion

_STEP: Final = 256

_Versions = list[tuple[int, int]]


def rebuild_index(
    store: OpenStore, sorter: NameSorter | None = None
) -> Generator[None, None, RunEntry | None]:
    """Put one run, made from the segments, in place of all runs; in steps of at most 256 names.

    sorter : for tests, with a chunk of few names.

    Returns
    -------
    RunEntry | None : of the new run; None where the segments hold no name that is still known.

    Raises
    ------
    CorruptionError : a segment or history is damaged, or two of them contradict each other.
    StorageError : the disk has no room for the names twice, or failed; or the runs were merged
        with newer ones meanwhile.
        Whatever is raised, the runs in force stay as they are.

    Cost: reads the names and the nodes of every segment and history; writes every name two or three
    times.
    """
    sorter = NameSorter(store.files) if sorter is None else sorter
    try:
        floor, last = yield from _collect(store, sorter)
        if not last:
            return None
        runs = yield from _write_run(store, sorter, floor, last)
    finally:
        sorter.close()
    yield from _install(store, runs, last)
    return runs[0] if runs else None


def _collect(store: OpenStore, sorter: NameSorter) -> Generator[None, None, tuple[int, int]]:
    """Fill the sorter; return the floor and the newest commit of what it was filled from."""
    # Held until all is read, so that no merge takes the files away.
    generation = store.journal.stack.generation
    manifest, store_uuid = generation.manifest, store.journal.store_uuid
    slices = [
        StoredSlice(store.shelf.segment(entry, store_uuid), store.shelf.history(entry, store_uuid))
        for entry in manifest.segments
    ]
    place = store.files.path_of(PARTITIONS_DIRECTORY)
    for count, (node_id, name, born, ended) in enumerate(_lives(slices, place), 1):
        encoded = name.encode()
        sorter.add(encoded, born, node_id)
        if ended:
            sorter.add(encoded, ended, ABSENT)
        if count % _STEP == 0:
            yield
    return manifest.floor_sequence, manifest.last_sequence


def _lives(slices: Sequence[StoredSlice], place: str) -> Iterator[tuple[int, str, int, int]]:
    """Yield (id, name, sequence that made the node, sequence that ended it or 0), ids ascending.

    slices : all of a store, oldest first: each id has its name in one of them, in their order.
    place : for messages.
    """
    nodes = _sequences(slices)
    known = next(nodes, None)
    for node_id, name in (named for part in slices for named in part.names()):
        # A node whose name is gone was forgotten (12.2).
        while known is not None and known[0] < node_id:
            known = next(nodes, None)
        if known is None or known[0] != node_id or not known[1]:
            raise CorruptionError(f"node {node_id} has a name, and no commit made it", path=place)
        yield node_id, name, known[1], known[2]


def _sequences(slices: Sequence[StoredSlice]) -> Iterator[tuple[int, int, int]]:
    """Yield (id, sequence that made the node, sequence that ended it), each 0 where unknown."""
    streams = [_ranked(rank, part) for rank, part in enumerate(slices)]
    for node_id, same in groupby(heapq.merge(*streams), key=lambda found: found[0]):
        born = ended = 0
        for _, _, made, gone in same:
            born, ended = born or made, gone or ended
        yield node_id, born, ended


def _ranked(rank: int, part: StoredSlice) -> Iterator[tuple[int, int, int, int]]:
    for node_id, end, history in part.nodes():
        raw: list[NodeVersion] = raw_versions(end, history)
        born = next((version.born_sequence for version in raw if version.full), 0)
        yield node_id, rank, born, raw[-1].sequence if raw[-1].change is None else 0


def _write_run(
    store: OpenStore, sorter: NameSorter, floor: int, last: int
) -> Generator[None, None, tuple[RunEntry, ...]]:
    """Write what the sorter holds; return one run, or none without names."""
    place = store.files.path_of(PARTITIONS_DIRECTORY)
    writer = make_run_writer(store, 1, last)
    try:
        for count, (name, versions) in enumerate(sorter.sorted(), 1):
            _check_alternating(name, versions, place)
            kept = versions_above(versions, floor, oldest=True)
            if kept:
                writer.add(name, kept)
            if count % _STEP == 0:
                yield
        if not writer.entry_count:
            writer.abandon()
            return ()
        return (finish_run(store, writer),)
    except BaseException:
        writer.abandon()
        raise


def _check_alternating(name: bytes, versions: _Versions, place: str) -> None:
    """Raise CorruptionError unless a name was taken from each of its nodes before the next one."""
    for (newer, node_id), (older, before) in pairwise(versions):
        # Newest first; by one commit, the live one stands before the deletion.
        if (node_id == ABSENT) == (before == ABSENT) or (newer == older and node_id == ABSENT):
            raise CorruptionError(
                f"two nodes are named {name[:80].decode(errors='replace')!r} at commit {newer}",
                path=place,
            )


def _install(
    store: OpenStore, runs: tuple[RunEntry, ...], last: int
) -> Generator[None, None, None]:
    """Publish the new run instead of those over the same commits, or take it back."""

    def edit(manifest: Manifest) -> Manifest | None:
        newer = tuple([run for run in manifest.runs if run.first_sequence > last])
        replaced = manifest.runs[: len(manifest.runs) - len(newer)]
        if any(run.last_sequence > last for run in replaced):
            return None  # Merged meanwhile with names that the segments did not hold yet.
        return replace(manifest, runs=(*runs, *newer))

    published = yield from install(store, Output(runs=runs), edit)
    # Also where it was given up: the files that were read here may be all that waits to go.
    clean_up(store)
    if not published:
        raise StorageError(
            f"the name index of {store.files.root} was merged while it was made again; "
            "it is as it was: do it once more"
        )
