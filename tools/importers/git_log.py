"""The history of a git repository, out of `git log`: one process, read as it writes.

Promises:

1. Nothing of the repository is changed, and nothing in it is run: no hooks, filters or pagers.
2. Memory is bounded: one commit is held, and no part of it takes more than `_TOKEN_SIZE_MAX` bytes.
3. A name that is not UTF-8 has \\xNN for each byte that is none, and is counted.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from lithograph.errors import StorageError

_TOKEN_SIZE_MAX: Final = 16 * 2**20
_CHUNK: Final = 1 << 16
_COMMIT: Final = b"\x01"
_BETWEEN: Final = "\x02"
# The message comes last: whatever it holds, it holds no NUL.
_FORMAT: Final = "%x01" + "%x02".join(["%H", "%P", "%ct", "%aI", "%aN", "%aE", "%B"])
_LOG: Final = (
    "log",
    "--reverse",
    "--topo-order",
    "--no-color",
    "--no-decorate",
    "--no-show-signature",
    "--no-notes",
    "--no-ext-diff",
    "--no-textconv",
    "--no-mailmap",
    "--encoding=UTF-8",
    "--root",
    "-r",
    "-M",
    "-z",
    "--name-status",
    f"--format={_FORMAT}",
)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to a file.

    status : A added, M modified, D deleted, T of another kind, R renamed, C copied.
    similarity : of what was renamed or copied, in percent.   old_path : where that was before.
    """

    status: str
    path: str
    old_path: str | None = None
    similarity: int | None = None


@dataclass(slots=True)
class GitCommit:
    """A commit.   time : the committer's, in seconds since 1970.   authored_at : ISO 8601."""

    sha: str
    parents: list[str]
    time: int
    authored_at: str
    author: str
    email: str
    message: str
    changes: list[Change] = field(default_factory=list)


class GitLog:
    """The commits of a repository, parents before children.

    Attributes
    ----------
    not_utf8 : names and messages, as far as they were read, with bytes that are not UTF-8.
    """

    def __init__(self, path: str, *, every_branch: bool = False) -> None:
        """Look at a repository.

        Raises
        ------
        StorageError : there is none, git cannot read it, or there is no git.
        """
        self.not_utf8 = 0
        self._path = path
        self._start = ["--all"] if every_branch else ["HEAD"]
        self._run("rev-parse", "--git-dir")
        self.count = 0
        if self._tells("rev-parse", "--verify", "--quiet", "HEAD") or every_branch:
            self.count = int(self._run("rev-list", "--count", *self._start) or "0")

    def commits(self) -> Iterator[GitCommit]:
        """Yield every commit.

        Raises
        ------
        StorageError : git failed, or a part of a commit is too large.
        """
        self.not_utf8 = 0
        if not self.count:
            return
        with tempfile.TemporaryFile() as complaints:
            process = self._started([*_LOG, *self._start, "--"], complaints)
            try:
                assert process.stdout is not None
                yield from self._parsed(process.stdout)
                if process.wait():
                    complaints.seek(0)
                    raise self._failed(complaints.read(4096))
            finally:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()

    # Reading -----------------------------------------------------------------------------------

    def _parsed(self, stream: IO[bytes]) -> Iterator[GitCommit]:
        commit: GitCommit | None = None
        tokens = self._tokens(stream)
        for token in tokens:
            # Statuses are letters; in front of the first of a commit stands a newline.
            if token.startswith(_COMMIT):
                if commit is not None:
                    yield commit
                commit = self._commit(token)
            elif token and commit is not None:
                commit.changes.append(self._change(token.strip(b"\n"), tokens))
        if commit is not None:
            yield commit

    def _commit(self, token: bytes) -> GitCommit:
        fields = self._text(token[1:]).split(_BETWEEN, 6)
        if len(fields) != 7:
            raise StorageError(f"{self._path}: git log wrote {token[:60]!r}, which is no commit")
        sha, parents, time, authored_at, author, email, message = fields
        return GitCommit(
            sha, parents.split(), int(time or "0"), authored_at, author, email, message.strip("\n")
        )

    def _change(self, status: bytes, tokens: Iterator[bytes]) -> Change:
        letter, score = status[:1].decode("ascii", "replace"), status[1:]
        path = self._text(next(tokens, b""))
        if letter in "RC":
            similarity = int(score) if score.isdigit() else None
            return Change(letter, self._text(next(tokens, b"")), path, similarity)
        return Change(letter, path)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.not_utf8 += 1
            return data.decode("utf-8", "backslashreplace")

    def _tokens(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Yield what stands between NULs."""
        rest = b""
        while chunk := stream.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
            if len(rest) > _TOKEN_SIZE_MAX:
                raise StorageError(
                    f"{self._path}: a message or a path takes more than {_TOKEN_SIZE_MAX:,} bytes"
                )
        if rest:
            yield rest

    # The command -------------------------------------------------------------------------------

    def _run(self, *arguments: str) -> str:
        with tempfile.TemporaryFile() as complaints:
            process = self._started(list(arguments), complaints)
            said = process.communicate()[0]
            if process.returncode:
                complaints.seek(0)
                raise self._failed(complaints.read(4096))
        return said.decode("utf-8", "backslashreplace").strip()

    def _tells(self, *arguments: str) -> bool:
        try:
            self._run(*arguments)
        except StorageError:
            return False
        return True

    def _started(self, arguments: list[str], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {
            name: value
            for name, value in os.environ.items()
            # Those of a hook that this runs under are about another repository.
            if not name.startswith("GIT_")
        }
        environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            return subprocess.Popen(
                ["git", "--no-pager", "-c", "core.fsmonitor=false", "-C", self._path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment,
            )
        except FileNotFoundError as error:
            raise StorageError(
                "the command git was not found: install git, then import again"
            ) from error
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot run git for {self._path}: {error}") from error

    def _failed(self, complaint: bytes) -> StorageError:
        lines = complaint.decode("utf-8", "backslashreplace").strip().splitlines()
        reason = lines[0].removeprefix("fatal: ") if lines else "it ended without a word"
        return StorageError(f"git cannot read {self._path}: {reason}")
