"""What records of segments and histories hold, as JSON can hold it (SPEC.md, 12.4 and 12.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from lithograph.formats.adjacency_group import Mark
from lithograph.formats.adjacency_list import decode_edge_count, decode_list
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.properties import decode_properties
from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_block import INDEXED, PURE
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.tools.annotation import shown_time

_LIST_SIZE_MAX: Final = 64 * 1024
_EDGES_SHOWN_MAX: Final = 64
_BYTES_SHOWN_MAX: Final = 64
_TIMES: Final = ("created_at", "valid_from", "valid_to")

Value = tuple[Any, str]
"""What a record holds, as JSON can hold it, and what is to be said of it."""

ShowRecord = Callable[[bytes], Value]
ShowList = Callable[[bytes, int], Value]
Version = NodeVersion | EdgeVersion


def show_version(decode: Callable[[bytes], NodeVersion]) -> ShowRecord:
    """Return what shows a record of one version."""
    return lambda data: version_value(decode(data))


def show_versions(decode: Callable[[bytes], list[NodeVersion]]) -> ShowRecord:
    """Return what shows a record of several, oldest first."""
    return lambda data: versions_value(decode(data))


def show_bytes(data: bytes) -> Value:
    """Show a record that cannot be read for want of something else."""
    return data[:_BYTES_SHOWN_MAX].hex(), f"{len(data):,} bytes"


def show_list(data: bytes, flags: int) -> Value:
    """Show an adjacency list: [type code, neighbor, key, mark], without what is the usual."""
    words = [word for flag, word in ((PURE, "pure"), (INDEXED, "indexed")) if flags & flag]
    if len(data) > _LIST_SIZE_MAX and flags & INDEXED:
        count = decode_edge_count(data[:8], len(data))
        return f"{count:,} edges", ", ".join(words)
    edges, marks = decode_list(data, flags, ON_DISK.group_edges)
    shown = [
        [code, neighbor, *([key] if key or mark != Mark.MADE else []), *_mark(mark)]
        for (code, neighbor, key), mark in zip(edges, marks, strict=True)
    ][:_EDGES_SHOWN_MAX]
    more = f"the first {len(shown)} of " if len(shown) < len(edges) else ""
    plural = "s" if len(edges) != 1 else ""
    return shown, ", ".join([f"{more}{len(edges):,} edge{plural}", *words])


def _mark(mark: Mark) -> list[str]:
    return [] if mark == Mark.MADE else [Mark(mark).name.lower()]


def versions_value(versions: Sequence[Version]) -> Value:
    """Return versions of a history, oldest first."""
    plural = "s" if len(versions) != 1 else ""
    return [_fields(version) for version in versions], f"{len(versions)} version{plural}"


def version_value(version: Version) -> Value:
    """Return an end state."""
    if version.change is None:
        return _fields(version), "ended"
    return _fields(version), "a full version" if version.full else "a change of an older one"


def _fields(version: Version) -> dict[str, Any]:
    shown: dict[str, Any] = {"sequence": version.sequence, "time": shown_time(version.time)}
    if version.full and version.born_sequence != version.sequence:
        shown["born_sequence"] = version.born_sequence
    return shown | (_patch(version.change) if version.change is not None else {"ended": True})


def _patch(patch: NodePatch | EdgePatch) -> dict[str, Any]:
    return {
        name: _field(name, value) for name, value in patch._asdict().items() if value is not None
    }


def _field(name: str, value: Any) -> Any:
    if name in _TIMES:
        return shown_time(value)
    return decode_properties(value) if isinstance(value, bytes) else value
