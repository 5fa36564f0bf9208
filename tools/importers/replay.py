"""Commits at times of the past, in the order they come: the nearest time that the store allows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from lithograph import Graph, Transaction
from lithograph.errors import ConflictError, InvalidArgumentError
from lithograph.formats.moment import decode_moment
from lithograph.read.past import commit_time


class Replay:
    """Replays commits into a store.

    Attributes
    ----------
    commits : those that changed something.
    moved : those that got another time than asked for: commit times never run back, and none is in
        the future.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._last = newest_time(graph)
        self.commits = 0
        self.moved = 0

    def commit(self, time: datetime, write: Callable[[Transaction], None]) -> datetime | None:
        """Commit what `write` writes at `time`, or as near to it as can be.

        Return the time of the commit, None where nothing changed. `write` is called again where
        another commit came between.
        """
        while True:
            last, now = self._last, datetime.now(UTC)
            # Behind a commit from the future, after the clock was set back, none has a choice.
            at = min(max(time, last), now) if last <= now else None
            try:
                with self._graph.transaction(at=at) as transaction:
                    write(transaction)
            except ConflictError:
                continue
            except InvalidArgumentError:
                self._last = newest_time(self._graph)
                if self._last == last:
                    raise
                continue
            if transaction.sequence is None:
                return None
            self._last = newest_time(self._graph) if at is None else at
            self.commits += 1
            self.moved += self._last != time
            return self._last


def newest_time(graph: Graph) -> datetime:
    """Return the time of the newest commit; the year 1 for an empty store."""
    view = graph._view()
    if not view.sequence:
        return datetime.min.replace(tzinfo=UTC)
    return decode_moment(commit_time(view.layers, view.sequence))
