"""Writes that are a commit of their own and come while nobody else commits.

They need no view, no transaction and no group: under the commit lock the newest commit is at hand,
and what they say becomes a record of the log at once. Where the kernel is unsure nothing is done,
and the plain way does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from lithograph.errors import NodeNotFoundError
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import UpdateNode, encode_operation
from lithograph.kernel import UNSURE, encode_record, memory
from lithograph.segments.layer import Layers
from lithograph.transaction.draft_resolve import resolve_draft
from lithograph.transaction.sizes import too_large
from lithograph.write.journal import Journal
from lithograph.write.layer_stack import LayerStack

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft
    from lithograph.kernel._reads import QuickView

_NOTHING: Final[tuple[LayerStack | None, QuickView | None]] = (None, None)


class Newest:
    """The newest commit and what is to be known of it; used under the commit lock, caught up.

    Implements `draft_resolve.Newest`.

    Attributes
    ----------
    time : of the commit to come, µs since 1970 UTC.   size_max : bytes its payload may take.
    """

    def __init__(self, journal: Journal, size_max: int) -> None:
        self.journal = journal
        self.size_max = size_max
        self.time = 0
        # Layers, and the view that looks at them, kept from commit to commit.
        self._looking = _NOTHING

    @property
    def quick(self) -> QuickView | None:
        """The layers as the kernel reads them, as of the newest commit."""
        journal = self.journal
        stack = journal.stack
        sequence = journal.position.sequence
        looked_at, view = self._looking
        if looked_at is not stack:
            view = stack.quick(sequence)
            self._looking = (stack, view)
        return view if view is None else view.move_to(sequence)

    @property
    def sequence(self) -> int:
        return self.journal.position.sequence

    @property
    def next_id(self) -> int:
        return self.journal.memtable.next_id

    @property
    def type_count(self) -> int:
        return self.journal.memtable.type_count

    @property
    def layers(self) -> Layers:
        return self.journal.stack.layers

    @property
    def type_code(self) -> Callable[[str], int | None]:
        return self.journal.memtable.types.code

    def record(self, payload: bytes, count: int) -> bytes:
        """Return the record of the next commit; `payload` holds `count` operations."""
        if len(payload) > self.size_max:
            raise too_large(len(payload), self.size_max)
        journal = self.journal
        before = journal.position
        return encode_record(
            before.chain,
            journal.log.header.epoch,
            before.sequence + 1,
            journal.state.wal_synced,
            self.time,
            count,
            payload,
        )

    def forget_layers(self) -> None:
        """Keep no layers that the journal does not have any more; may be called by any thread."""
        self._looking = _NOTHING


class LoneWrite(Protocol):
    """One write."""

    def record(self, newest: Newest) -> object:
        """Return the record of its commit, None where there is nothing to change, or UNSURE.

        Raises
        ------
        InvalidArgumentError, NodeNotFoundError
        """


class LonePut:
    """A draft that puts one node, in one call of the kernel."""

    __slots__ = ("_draft", "_name")

    def __init__(self, draft: Draft) -> None:
        assert memory is not None
        self._draft = draft
        self._name: str = memory.lone_name(draft)

    def record(self, newest: Newest) -> object:
        assert memory is not None
        view = newest.quick
        found = UNSURE if view is None else view.find(self._name)
        if found is UNSURE:
            return UNSURE
        journal = newest.journal
        memtable = journal.stack.memtable
        before = journal.position
        return memory.encode_lone(
            self._draft,
            found,
            memtable.commits,
            memtable.types.code,
            before.chain,
            journal.log.header.epoch,
            before.sequence + 1,
            journal.state.wal_synced,
            newest.time,
        )


class LoneDraft:
    """Any other draft, for whose puts no view was asked."""

    __slots__ = ("_draft",)

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def record(self, newest: Newest) -> object:
        resolved = resolve_draft(self._draft, newest, is_newest=False)
        if resolved is None:
            return UNSURE
        payload, count = resolved
        return newest.record(payload, count) if count else None


class LoneChange:
    """A change of a node that must be there."""

    __slots__ = ("_name", "_patch")

    def __init__(self, name: str, patch: NodePatch) -> None:
        self._name = name
        self._patch = patch

    def record(self, newest: Newest) -> object:
        view = newest.quick
        found = UNSURE if view is None else view.find(self._name)
        if found is UNSURE:
            return UNSURE
        if found is None:
            raise NodeNotFoundError(self._name)
        assert isinstance(found, int)
        return newest.record(encode_operation(UpdateNode(found, self._patch)), 1)
