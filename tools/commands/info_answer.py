"""The shape of the answer of `segtool info`: the figures of `Graph.stats()`, and the path."""

from __future__ import annotations

from typing import Final, get_type_hints

import msgspec

from lithograph.graph.stats import Stats

assert Stats.__doc__ is not None
_DOCSTRING: Final = Stats.__doc__.replace(
    "    sequence,", "    path : of the store.\n    sequence,", 1
)

SHAPE: Final = msgspec.defstruct(
    "InfoAnswer",
    [("path", str), *get_type_hints(Stats).items()],
    forbid_unknown_fields=True,
    namespace={"__doc__": _DOCSTRING},
)
