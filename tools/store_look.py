"""A store that is looked at as a whole: its newest view, and the files that it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lithograph.graph import registry
from lithograph.graph.engine import Engine
from lithograph.graph.stats import Stats, collect_stats
from lithograph.options import Options
from lithograph.view.view import View
from lithograph.write.layer_stack import LayerStack


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a store; its files stay as long as somebody has it.

    stack : the memtable and the generation that `view` is over.
    """

    path: str
    engine: Engine
    stack: LayerStack
    view: View

    @property
    def id_end(self) -> int:
        """Ids of the view's nodes are below."""
        return self.stack.memtable.next_id

    @property
    def type_count(self) -> int:
        """Codes of the view's types are below."""
        return self.stack.memtable.type_count

    def stats(self) -> Stats:
        """Return the figures that `Graph.stats()` does, as of now."""
        return collect_stats(self.engine, self.view)


@contextmanager
def look_at(path: str) -> Iterator[Look]:
    """Open a store to be looked at, without a lock; yield what it is made of.

    Raises
    ------
    StoreNotFoundError, NotAStoreError, LockedError, CorruptionError, FormatVersionError,
    StorageError
    """
    engine = registry.acquire(path, Options(mode="r"))
    try:
        engine.view()  # Catches up with what others wrote.
        stack, sequence = engine.journal.newest()
        yield Look(path, engine, stack, View.over(stack, sequence))
    finally:
        registry.release(engine)
