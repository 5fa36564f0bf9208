"""segtool import git: the history of a repository, with its times."""

from __future__ import annotations

import argparse
from pathlib import Path

from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import Kinds, add_kind, add_reject_options
from lithograph.tools.output import Output

SHAPE = ImportAnswer

_DETAILS = """\
Commits, authors and files become nodes, and each commit one commit of the store
at the committer's time, so that --as-of and history show the past:

  commit:SHA    type Commit; the message is an observation, authored_at and sha
                are properties
  author:EMAIL  type Author; properties name and email, as they were last
  file:PATH     type File; property path
  author -authored-> commit -parent-> commit; properties place: 0, 1, …
  commit -touched-> file; properties change (A M D T R C), similarity, from
  file -renamed_from-> file, -copied_from-> file; their key is the SHA

What a merge touched is what the commits that it brings in touched. Parents come
before children. Commit times of a store never run back and are not in the
future: a commit that is older than the one before is written at the time of
that one, and counted; created_at always has its own. History from before the
newest commit of the store is squeezed into that moment: begin with a new store.

Importing again writes what is new. Without commits nothing is read. A path that
cannot be a name is set aside in REPO.rejects; bytes of names that are not UTF-8
stand as \\xNN.

figures of this kind:
  commits_read   commits of the repository
  commits_known  of them, those that the store has already
  commits_moved  commits of the store that could not have their own time
  not_utf8       names and messages with bytes that are not UTF-8

Rows in a pipe: figure, value.

examples:
  segtool import git . --store history.graph
  segtool import git ~/linux --all --store linux.graph
  segtool get file:README.md --store history.graph --as-of 2024-01-01"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "git", run, _DETAILS)
    parser.add_argument("repository", metavar="REPO", help="a directory in a git repository")
    parser.add_argument(
        "--all", action="store_true", help="every branch and tag; default: what HEAD has"
    )
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.importers.git_history import GitHistory
    from lithograph.tools.importers.git_log import GitLog
    from lithograph.tools.importers.import_run import run_import

    repository = str(Path(arguments.repository).absolute())
    history = GitHistory(GitLog(repository, every_branch=arguments.all))
    return run_import(arguments, output, [repository], history.check, history.load, "commits")
