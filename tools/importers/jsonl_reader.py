"""A file of JSON lines, read in up to three passes: entities, relations, events.

So that an end is called missing only where no line of the file describes it, whatever the order of
the lines, and in memory that does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.import_run import Import
from lithograph.tools.importers.input_file import InputFile
from lithograph.tools.importers.jsonl_event import Event, read_event
from lithograph.tools.importers.jsonl_lines import read_object
from lithograph.tools.importers.jsonl_record import line_kind, read_entity, read_relation
from lithograph.tools.importers.jsonl_replay import EventReplay
from lithograph.tools.importers.rejects import shown
from lithograph.tools.importers.rows import Reject, Row
from lithograph.tools.progress import Passes, Report


class JsonLines:
    """The lines of one file.

    Attributes
    ----------
    event_count : sound events, once `rows` was read.
    """

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._passes = Passes(lambda done, total: None, file.size)
        self.event_count = 0

    def rows(self, report: Report) -> Iterator[Row]:
        """Yield entities, then relations, and every line to be set aside."""
        self.event_count = 0
        has_relations = False
        self._passes = passes = Passes(report, self._file.size)
        for number, line in self._file.lines(passes.report):
            try:
                value = read_object(line, number)
                if value is None:
                    continue
                kind = _kind(value)
                if kind == "entity":
                    yield read_entity(value, number, len(line))
                elif kind == "relation":
                    if not has_relations:
                        passes.expect()
                    has_relations = True
                else:
                    read_event(value, number)
                    if not self.event_count:
                        passes.expect()
                        passes.expect()
                    self.event_count += 1
            except InvalidArgumentError as error:
                yield Reject(number, str(error), line)
        if has_relations:
            passes.next()
            yield from self._relations()

    def replay(self, work: Import, report: Report) -> None:
        """Replay the events that `rows` found; how far that is goes to the report of `rows`."""
        if self.event_count:
            self._passes.next()
            replay = EventReplay(work.graph, self._events())
            self._passes.next()
            replay.run(self._events())
            work.more["events"] = self.event_count
            work.more["events_known"] = replay.known
            work.more["events_moved"] = replay.moved
            work.loader.commits += replay.commits
            work.loader.missing_ends += replay.missing_ends

    def _relations(self) -> Iterator[Row]:
        for number, line, value in self._of_kind("relation"):
            try:
                yield read_relation(value, number, len(line))
            except InvalidArgumentError as error:
                yield Reject(number, str(error), line)

    def _events(self) -> Iterator[Event]:
        for number, _, value in self._of_kind("event"):
            try:
                event = read_event(value, number)
            except InvalidArgumentError:
                continue  # Set aside by `rows`.
            yield event

    def _of_kind(self, kind: str) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
        """Yield the sound objects of one kind; the others were set aside before."""
        for number, line in self._file.lines(self._passes.report):
            try:
                value = read_object(line, number)
            except InvalidArgumentError:
                continue
            if value is not None and line_kind(value) == kind:
                yield number, line, value


def _kind(value: dict[str, Any]) -> str:
    kind = line_kind(value)
    if kind is None:
        keys = ", ".join(shown(key) for key in list(value)[:8]) or "none"
        raise InvalidArgumentError(
            "neither an entity (name, entityType, observations), nor a relation (from, to, "
            f"relationType), nor an event (eventType, eventId, ts, data); its keys: {keys}"
        )
    return kind
