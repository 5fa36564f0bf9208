"""A snapshot: the graph as it was at one commit, however much is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from lithograph.errors import ClosedError
from lithograph.view.reads import Reads
from lithograph.view.view import View


class Snapshot(Reads):
    """All reading methods of `Graph`, as of the commit it was taken at; a context manager.

    Ends with `close()`, with its graph, or with its process.
    """

    def __init__(self, view: View, check_graph: Callable[[], None]) -> None:
        self._fixed = view
        self._check_graph = check_graph
        self._closed = False

    def _view(self) -> View:
        self._check_open()
        return self._fixed

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the snapshot is closed; take a new one with graph.snapshot()")
        self._check_graph()

    def close(self) -> None:
        """Let go of what the snapshot keeps; its iterators raise ClosedError from now on."""
        self._closed = True

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Snapshot at commit {self._fixed.sequence}>"
