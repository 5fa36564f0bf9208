"""Folding the versions of a node that many commits changed one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lithograph.segments.version import NodeVersion

FOLD_FROM: Final = 8
"""Relative versions on top of each other before a reader folds them into a full one."""


def folded_node(found: Sequence[NodeVersion]) -> NodeVersion:
    """Return the full version that these amount to: newest first, the last one full."""
    newest, base = found[0], found[-1]
    patch = base.change
    assert patch is not None
    patch = patch.with_defaults()
    for version in reversed(found[:-1]):
        assert version.change is not None
        patch = patch.then(version.change)
    return NodeVersion(newest.sequence, newest.time, patch, True, base.born, base.born_sequence)
