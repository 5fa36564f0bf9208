"""Hypothesis strategies for the values that formats and the API take."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    Operation,
    UpdateEdge,
    UpdateNode,
)
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import encode_properties
from lithograph.ids import ID_END

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = texts.filter(bool)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
property_maps = st.dictionaries(texts, values, max_size=4)
encoded_maps = property_maps.map(encode_properties)
moments = st.integers(MOMENT_MIN, MOMENT_MAX)
node_ids = st.integers(0, ID_END - 1)
type_codes = st.integers(0, 2**32 - 1)
text_lists = st.lists(texts, max_size=4).map(tuple)
some_texts = text_lists.filter(bool)


@st.composite
def node_patches(draw: st.DrawFn) -> NodePatch:
    """Any relative patch; observations and properties are replaced or changed, never both."""
    optional = st.none()
    replace_observations, replace_properties = draw(st.booleans()), draw(st.booleans())
    return NodePatch(
        type_code=draw(optional | type_codes),
        created_at=draw(optional | moments | st.just(NO_MOMENT)),
        observations=draw(optional | text_lists) if replace_observations else None,
        removed=None if replace_observations else draw(optional | some_texts),
        appended=None if replace_observations else draw(optional | some_texts),
        properties=draw(optional | encoded_maps) if replace_properties else None,
        properties_set=None if replace_properties else draw(optional | encoded_maps),
        properties_unset=None if replace_properties else draw(optional | some_texts),
    )


bounds = st.none() | moments | st.just(NO_MOMENT)
edge_patches = st.builds(EdgePatch, bounds, bounds, bounds, st.none() | encoded_maps)
adjacent_edges = st.lists(
    st.tuples(st.integers(0, 3), node_ids, texts), max_size=5, unique=True
).map(lambda edges: tuple(sorted(edges)))

operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(DefineType, type_codes, texts),
    st.builds(InsertNode, node_ids, names, node_patches()),
    st.builds(UpdateNode, node_ids, node_patches()),
    st.builds(DeleteNode, node_ids, names, adjacent_edges, adjacent_edges),
    st.builds(InsertEdge, node_ids, node_ids, type_codes, texts, edge_patches),
    st.builds(UpdateEdge, node_ids, node_ids, type_codes, texts, edge_patches),
    st.builds(DeleteEdge, node_ids, node_ids, type_codes, texts),
)
