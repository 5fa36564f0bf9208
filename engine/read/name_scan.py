"""Names in order over all layers."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from lithograph.segments.layer import Layers, NameLayer

_PAGE: Final = 256
"""Names taken at a time: enough that the look-up of a page's start costs nothing per name."""


def scan_names(layers: Layers, start: str, *, after: bool) -> Iterator[str]:
    """Yield every name any layer knows, dead ones too, from `start` on, ascending, each once."""
    previous: str | None = None
    for name in heapq.merge(*(_scan(layer, start, after) for layer in layers.names)):
        if name != previous:
            yield name
            previous = name


def _scan(layer: NameLayer, start: str, after: bool) -> Iterator[str]:
    while page := layer.names_after(start, after, _PAGE):
        yield from page
        start, after = page[-1], True
