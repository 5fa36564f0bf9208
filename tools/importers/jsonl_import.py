"""segtool import jsonl: the memory of agents, and event logs."""

from __future__ import annotations

import argparse

from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import (
    REJECTS_DETAILS,
    Kinds,
    add_kind,
    add_reject_options,
)
from lithograph.tools.output import Output

SHAPE = ImportAnswer

_DETAILS = f"""\
Each line is an object of one of these, recognised by itself:

  {{"type": "entity", "name": …, "entityType": …, "observations": […]}}
  {{"type": "relation", "from": …, "to": …, "relationType": …}}
      the memory.jsonl of the reference MCP memory server
  {{"name": …, "entityType": …, "observations": […], "createdAt": …}}
  {{"from": …, "to": …, "relationType": …, "validFrom": …, "validTo": …}}
      the same without "type"
  {{"eventType": …, "eventId": …, "ts": …, "user": …, "data": {{…}}}}
      an event; data is an entity or a relation as above, and eventType one of
      entity_created entity_updated entity_deleted relation_created
      relation_updated relation_deleted observation_added observation_removed

Times are unix seconds, or ISO 8601 with a zone. createdAt, validFrom and
validTo become times of the store; validTo is the last second that is valid, and
in the store the first that is not. Every other key becomes a property. "export
jsonl" writes the same lines again.

Entities come first, then relations, then events, in the order of the file.
An entity that is there is merged: its type is replaced, observations that it
does not have yet are appended, properties set one by one. A relation that is
there gets the fields of the line. Relations of one type between the same two
that begin at different times are different edges: their key is the validFrom.
An end that is missing is made, and counted as missing_ends.

An event is a commit at its time, so that --as-of and history show the past. One
that is older than the newest commit of the store is written at the time of that
commit, one from the future at the present time; both are counted as
events_moved. Its own time stays: as time of creation, or as property updatedAt.
eventId and user become the properties eventId and createdBy or updatedBy, which
a deletion writes in a commit before its own. An event whose eventId the store
has seen is not replayed: events_known.

{REJECTS_DETAILS}

Importing again writes only what is new. Standard input is copied to a temporary
file first. Rows in a pipe: figure, value.

examples:
  segtool import jsonl memory.jsonl --store my.graph
  zcat events.jsonl.gz | segtool import jsonl - --store my.graph --strict"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "jsonl", run, _DETAILS)
    parser.add_argument("file", metavar="FILE", help='a file of JSON lines; "-": standard input')
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.importers.import_run import import_rows
    from lithograph.tools.importers.input_file import InputFile
    from lithograph.tools.importers.jsonl_reader import JsonLines

    with InputFile(arguments.file) as file:
        lines = JsonLines(file)
        return import_rows(arguments, output, [arguments.file], lines.rows, lines.replay)
