"""What a commit says about an edge's fields (SPEC.md, section 7.3)."""

from __future__ import annotations

from typing import Final, NamedTuple

from lithograph.formats.optional_fields import NO_MOMENT, OptionalField, OptionalFields

EDGE_FIELDS: Final = OptionalFields(
    "edge fields",
    OptionalField("created_at", "time", "replaces the default, the commit time of the insert"),
    OptionalField("valid_from", "time", "the edge holds from here on; INT64_MIN: always did"),
    OptionalField("valid_to", "time", "the edge holds until just before; INT64_MIN: for ever"),
    OptionalField("properties", "map", "replaces all properties"),
)


class EdgePatch(NamedTuple):
    """Changes of an edge's fields; None leaves a field alone, NO_MOMENT clears a time."""

    created_at: int | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    properties: bytes | None = None

    def then(self, later: EdgePatch) -> EdgePatch:
        """Return the patch that does what this one and then `later` do."""
        return EdgePatch(
            self.created_at if later.created_at is None else later.created_at,
            self.valid_from if later.valid_from is None else later.valid_from,
            self.valid_to if later.valid_to is None else later.valid_to,
            self.properties if later.properties is None else later.properties,
        )

    def ends_before_it_starts(self) -> bool:
        """Return whether the interval of this full patch is impossible."""
        start, end = self.valid_from, self.valid_to
        return start is not None and end is not None and NO_MOMENT < end < start


UNCHANGED_EDGE: Final = EdgePatch()
