"""What a commit says about a node's fields (SPEC.md, section 7.2).

A patch is full (it makes the node: absent fields have their defaults) or relative (absent fields
keep what they were). Relative patches compose: `a.then(b)` does in one step what `a`, then `b` do.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lithograph.formats.optional_fields import OptionalField, OptionalFields
from lithograph.formats.properties import EMPTY, decode_properties, encode_properties

NODE_FIELDS: Final = OptionalFields(
    "node fields",
    OptionalField("type_code", "u32", "the type; absent in a new node: the empty type"),
    OptionalField("created_at", "time", "replaces the default, the commit time of the insert"),
    OptionalField("observations", "texts", "replaces all observations"),
    OptionalField("removed", "texts", "removes every observation equal to one of these"),
    OptionalField("appended", "texts", "appends these, after the removal"),
    OptionalField("properties", "map", "replaces all properties"),
    OptionalField("properties_set", "map", "sets these keys"),
    OptionalField("properties_unset", "texts", "removes these keys, before any is set"),
)


class NodePatch(NamedTuple):
    """Changes of a node's fields; None leaves a field alone.

    `properties` and `properties_set` are MessagePack maps. Never both `observations` and
    `removed`/`appended`, nor both `properties` and `properties_set`/`properties_unset`.
    """

    type_code: int | None = None
    created_at: int | None = None
    observations: tuple[str, ...] | None = None
    removed: tuple[str, ...] | None = None
    appended: tuple[str, ...] | None = None
    properties: bytes | None = None
    properties_set: bytes | None = None
    properties_unset: tuple[str, ...] | None = None

    def then(self, later: NodePatch) -> NodePatch:
        """Return the patch that does what this one and then `later` do.

        Cost: O(1) for fields that `later` leaves alone; else the size of both sides of that field.
        """
        observations, removed, appended = self.observations, self.removed, self.appended
        if later.observations is not None:
            observations, removed, appended = later.observations, None, None
        elif later.removed is not None or later.appended is not None:
            gone = frozenset(later.removed or ())
            added = later.appended or ()
            if observations is not None:
                observations = (*_without(observations, gone), *added)
            else:
                removed = _joined(removed, later.removed)
                appended = (*_without(appended or (), gone), *added) or None

        properties, set_, unset = (
            self.properties,
            self.properties_set,
            self.properties_unset,
        )
        if later.properties is not None:
            properties, set_, unset = later.properties, None, None
        elif later.properties_set is not None or later.properties_unset is not None:
            if properties is not None:
                properties = _changed(properties, later)
            else:
                unset = _joined(unset, later.properties_unset)
                set_ = _changed(set_ or EMPTY, later)
                set_ = None if set_ == EMPTY else set_

        return NodePatch(
            self.type_code if later.type_code is None else later.type_code,
            self.created_at if later.created_at is None else later.created_at,
            observations,
            removed,
            appended,
            properties,
            set_,
            unset,
        )

    def as_full(self) -> NodePatch:
        """Return the full patch that makes a new node to which this relative one was applied.

        Fields that come out as their defaults are absent.
        """
        relative = self.removed or self.appended or self.properties_set or self.properties_unset
        full = _BLANK.then(self) if relative else self
        if full.observations != () and full.properties != EMPTY:
            return full
        return full._replace(
            observations=full.observations or None,
            properties=None if full.properties == EMPTY else full.properties,
        )

    def with_defaults(self) -> NodePatch:
        """Return this full patch with absent lists and maps written out: relative ones go on
        top."""
        if self.observations is not None and self.properties is not None:
            return self
        return _BLANK.then(self)


UNCHANGED: Final = NodePatch()
_BLANK: Final = NodePatch(observations=(), properties=EMPTY)


def _without(texts: tuple[str, ...], gone: frozenset[str]) -> tuple[str, ...]:
    return tuple([text for text in texts if text not in gone]) if gone else texts


def _joined(
    first: tuple[str, ...] | None, second: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return both without repetitions, in order of first appearance."""
    return tuple(dict.fromkeys((*(first or ()), *(second or ())))) or None


def _changed(properties: bytes, later: NodePatch) -> bytes:
    """Return the map after `later` removed and set its keys."""
    values = decode_properties(properties)
    for key in later.properties_unset or ():
        values.pop(key, None)
    if later.properties_set is not None:
        values |= decode_properties(later.properties_set)
    return encode_properties(values)
