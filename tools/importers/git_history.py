"""A git history as a graph: each commit is one of the store, at its time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from lithograph import Graph, Transaction
from lithograph.errors import InvalidArgumentError
from lithograph.formats.text import check_name
from lithograph.tools.importers.git_log import Change, GitCommit, GitLog
from lithograph.tools.importers.import_run import Import
from lithograph.tools.importers.replay import Replay
from lithograph.tools.importers.rows import Reject
from lithograph.tools.progress import Report

COMMIT: Final = "Commit"
AUTHOR: Final = "Author"
FILE: Final = "File"

_CHANGES_MAX: Final = 20_000
"""Files of one commit of the store: what touches more of them becomes several at one time."""


class GitHistory:
    """What an import does with a log."""

    def __init__(self, log: GitLog) -> None:
        self._log = log

    def check(self, report: Report) -> Iterator[Reject]:
        """Yield a Reject for every path that cannot be a name."""
        for number, commit in enumerate(self._log.commits(), 1):
            for change in commit.changes:
                reason = _unfit(change)
                if reason is not None:
                    yield _rejected(commit, change, reason)
            report(number, self._log.count)

    def load(self, work: Import, report: Report) -> None:
        """Write the commits that the store does not know."""
        graph, loader = work.graph, work.loader
        replay = Replay(graph)
        nodes, edges = graph.node_count, graph.edge_count
        known = 0
        for number, commit in enumerate(self._log.commits(), 1):
            report(number, self._log.count)
            there = graph.get_node(f"commit:{commit.sha}")
            if there is not None and there.type == COMMIT:
                known += 1
                continue
            fit = []
            for change in commit.changes:
                reason = _unfit(change)
                if reason is None:
                    fit.append(change)
                else:
                    work.rejects.add(_rejected(commit, change, reason))
            _Write(graph, replay, commit).all(fit)
            loader.node_rows += 2 + len(fit)
            renamed = sum(change.old_path is not None for change in fit)
            loader.edge_rows += 1 + len(commit.parents) + len(fit) + renamed
        loader.commits = replay.commits
        loader.written = graph.node_count - nodes + graph.edge_count - edges
        work.more["commits_read"] = self._log.count
        work.more["commits_known"] = known
        work.more["commits_moved"] = replay.moved
        work.more["not_utf8"] = self._log.not_utf8


class _Write:
    """One commit on its way into the store."""

    def __init__(self, graph: Graph, replay: Replay, commit: GitCommit) -> None:
        self._graph = graph
        self._replay = replay
        self._commit = commit
        self._name = f"commit:{commit.sha}"
        self._time = _time_of(commit)

    def all(self, changes: list[Change]) -> None:
        """Write the files, then the commit itself, which says that it is whole."""
        time = self._time if self._time is not None else datetime.min.replace(tzinfo=UTC)
        parts = list(_parts(changes))
        for place, part in enumerate(parts, 1):
            is_last = place == len(parts)

            def write(
                transaction: Transaction, part: list[Change] = part, is_last: bool = is_last
            ) -> None:
                self._files(transaction, part)
                if is_last:
                    self._itself(transaction)

            self._replay.commit(time, write)

    def _files(self, transaction: Transaction, changes: list[Change]) -> None:
        for change in changes:
            file = self._file(transaction, change.path)
            fields: dict[str, Any] = {"change": change.status}
            if change.similarity is not None:
                fields["similarity"] = change.similarity
            if change.old_path is not None:
                fields["from"] = change.old_path
                old = self._file(transaction, change.old_path)
                kind = "renamed_from" if change.status == "R" else "copied_from"
                # The same file may get the same name more than once.
                transaction.put_edge(file, kind, old, key=self._commit.sha, create_missing=True)
            transaction.put_edge(
                self._name, "touched", file, properties=fields, create_missing=True
            )

    def _file(self, transaction: Transaction, path: str) -> str:
        name = f"file:{path}"
        if self._graph.node_id(name) is None:
            transaction.put_node(name, type=FILE, properties={"path": path})
        return name

    def _itself(self, transaction: Transaction) -> None:
        commit = self._commit
        author = f"author:{commit.email or commit.author}"
        fields: dict[str, Any] = {"authored_at": commit.authored_at, "sha": commit.sha}
        if self._time is not None:
            transaction.put_node(self._name, created_at=self._time)
        else:
            fields["committed_at"] = commit.time
        transaction.put_node(
            self._name,
            type=COMMIT,
            observations=[commit.message] if commit.message else [],
            properties=fields,
        )
        known = self._graph.get_node(author)
        described = {"name": commit.author, "email": commit.email}
        if known is None or known.properties != described:
            transaction.put_node(author, type=AUTHOR, properties=described)
        transaction.put_edge(author, "authored", self._name, create_missing=True)
        for place, parent in enumerate(commit.parents):
            transaction.put_edge(
                self._name,
                "parent",
                f"commit:{parent}",
                properties={"place": place},
                create_missing=True,
            )


def _parts(changes: list[Change]) -> Iterator[list[Change]]:
    """Yield the changes in parts of bounded size, at least one."""
    for start in range(0, max(len(changes), 1), _CHANGES_MAX):
        yield changes[start : start + _CHANGES_MAX]


def _time_of(commit: GitCommit) -> datetime | None:
    """Return the time of a commit; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(commit.time, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _unfit(change: Change) -> str | None:
    """Return why a file cannot be a node, or None."""
    for path in (change.path, change.old_path):
        if path is not None:
            try:
                check_name(f"file:{path}", "the path")
            except InvalidArgumentError as error:
                return str(error)
    return None


def _rejected(commit: GitCommit, change: Change, reason: str) -> Reject:
    return Reject(0, f"in commit {commit.sha}: {reason}", change.path)
