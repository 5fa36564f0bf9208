"""The shape of one record of `segtool diff`."""

from __future__ import annotations

from typing import Final, Literal

import msgspec


class Difference(msgspec.Struct, forbid_unknown_fields=True):
    """One node or edge that is not the same on both sides.

    change : "added" (only on the second side), "removed" (only on the first) or "changed".
    kind : "node" or "edge".
    name : of the node, or of the edge's source.
    type, target, key : of an edge; None for nodes.
    fields : what has changed: "type", "observations", "properties", "valid_from", "valid_to",
        "created_at"; empty where it was added or removed.
    """

    change: Literal["added", "removed", "changed"]
    kind: Literal["node", "edge"]
    name: str
    type: str | None = None
    target: str | None = None
    key: str | None = None
    fields: list[str] = []


RECORD_SHAPE: Final = Difference
