"""segtool purge: a node erased with all its past."""

from __future__ import annotations

import argparse

import msgspec

import lithograph
from lithograph.errors import NodeNotFoundError
from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.output import Output, complain

_DETAILS = """\
Erases every node that has or ever had this name, with its edges and all
versions of them: from segments, histories, the name index and the log. It
cannot be undone. The graph of any moment is then one in which it never was:
--as-of, history and counts do not know it. What other nodes say of it in their
texts stays, and so do names of types.

Every file that holds something of it is written anew, so this takes as long,
and as much room, as a compaction may. A crash leaves all as it was, or done, or
the node deleted and not yet erased: purge it again then. Where another process
still reads the old files they stay until it closes the store: which these are
is said, and the exit code is 1; "segtool checkpoint" removes them then.
Exits 1 too if no node ever had the name.
Rows in a pipe: figure, value; then waiting, file, and reader, process, if any.

examples:
  segtool purge "Ada Lovelace" --store my.graph"""


class PurgeAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was erased.

    path : of the store.   name : as it was given.
    node_count : nodes of that name; each time it was made anew is one.
    file_count : segments, histories and runs that were written anew.
    waiting : old files that a reader still holds, by their names in the store.
    readers : numbers of the processes that may be these.
    """

    path: str
    name: str
    node_count: int
    file_count: int
    waiting: list[str]
    readers: list[int]


SHAPE = PurgeAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "purge", run, "erase a node and all its past for good", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="of the node")


def run(arguments: argparse.Namespace, output: Output) -> int:
    path, name = store_path(arguments), arguments.name
    with lithograph.open(path, mode="w") as graph:
        found = graph.purge(name)
    if not found.node_count:
        raise NodeNotFoundError(name)
    answer = PurgeAnswer(
        path, name, found.node_count, found.file_count, [*found.waiting], [*found.readers]
    )
    if output.as_json:
        output.answer(answer)
    else:
        figures = msgspec.structs.asdict(answer)
        waiting, readers = figures.pop("waiting"), figures.pop("readers")
        rows = [*figures.items(), *(("waiting", name) for name in waiting)]
        output.table(("figure", "value"), [*rows, *(("reader", process) for process in readers)])
    if not found.waiting:
        return OK
    complain(
        f"{len(found.waiting)} files with what was erased are still held by processes "
        f"{', '.join(map(str, found.readers)) or 'unknown'}: close the store there, and run "
        "segtool checkpoint then"
    )
    return FINDINGS
