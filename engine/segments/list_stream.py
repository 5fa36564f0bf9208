"""The lists of a slice in one direction, put into tables by the kernel.

What the kernel does not do is done here, one node at a time, by what makes the slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from lithograph.segments.built_edges import BuiltEdges
from lithograph.segments.built_table import BuiltTable

if TYPE_CHECKING:
    from lithograph.kernel._tables import ListMerge

Entry = TypeVar("Entry")


class ListStream(Generic[Entry]):
    """Lists on their way from their sources into tables, in the order of the ids.

    merge : the kernel's.
    answer : does what a source, by its rank, asks for.
    careful : returns the edges of an id, merged; gets the ranks of the sources that have it.
    disorder : returns the error about a source whose ids do not ascend, or leave the slice.
    """

    def __init__(
        self,
        merge: ListMerge,
        answer: Callable[[int], None],
        careful: Callable[[int, Sequence[int]], list[Entry]],
        disorder: Callable[[int], Exception],
    ) -> None:
        self._merge = merge
        self._answer = answer
        self._careful = careful
        self._disorder = disorder

    @property
    def superseding_count(self) -> int:
        """Of the edges that the kernel has put, those that are dead or changed."""
        return self._merge.superseding_count

    def step(
        self, table: BuiltTable, edges: BuiltEdges | None, end_id: int, work_max: int
    ) -> tuple[int, list[Entry]] | bool:
        """Put lists of ids below `end_id` into a table, about `work_max` edges.

        edges : takes the end states of edges that leave the ids.

        Returns
        -------
        An id and its edges, which the caller must put before the next step; else whether there is
        more below `end_id`.

        Raises
        ------
        CorruptionError
        """
        versions = edges.builder if edges is not None else None
        while True:
            outcome = self._merge.step(table.builder, versions, end_id, work_max)
            if outcome[0] == "asked":
                self._answer(outcome[1])
                continue
            table.drain()
            if edges is not None:
                edges.drain()
            if outcome[0] == "careful":
                _, node_id, ranks = outcome
                found = self._careful(node_id, ranks)
                self._merge.put_carefully()
                return node_id, found
            if outcome[0] == "disordered":
                raise self._disorder(outcome[1])
            return bool(outcome[0] == "paused")

    def finish(self) -> None:
        """Raise CorruptionError unless all ids were below the last `end_id`."""
        rank = self._merge.unfinished()
        if rank >= 0:
            raise self._disorder(rank)
