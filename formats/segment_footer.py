"""Footers of segments and histories: which slice it is, and where each section stands.

SPEC.md, section 12.2. Sections follow each other in the order of the footer, each at the next
multiple of its alignment, and fill the data region.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.layout import Buffer, Field, Layout
from lithograph.ids import ID_END, SEQUENCE_END

SECTION_ALIGNMENT: Final = 32
"""Of every section, in bytes: so no block of a filter crosses a line of the processor's cache."""

SEGMENT_SECTIONS: Final = {
    "names": "names of the ids born here: dense",
    "names_directory": "",
    "dictionary": "for the frames of end states of nodes: none if empty",
    "sparse_nodes": "end states of older nodes",
    "sparse_nodes_directory": "",
    "sparse_nodes_filter": "",
    "dense_nodes": "end states of nodes born here",
    "dense_nodes_directory": "",
    "sparse_out": "lists of the edges that leave older nodes",
    "sparse_out_directory": "",
    "sparse_out_filter": "",
    "dense_out": "lists of the edges that leave nodes born here",
    "dense_out_directory": "",
    "sparse_in": "lists of the edges that enter older nodes",
    "sparse_in_directory": "",
    "sparse_in_filter": "",
    "dense_in": "lists of the edges that enter nodes born here",
    "dense_in_directory": "",
    "edges": "end states of edges, by position",
    "edges_directory": "",
    "commits": "the commit table",
    "commits_directory": "",
}
HISTORY_SECTIONS: Final = {
    "nodes": "versions of nodes",
    "nodes_directory": "",
    "nodes_filter": "",
    "out": "lists of the edges with versions here that leave a node",
    "out_directory": "",
    "out_filter": "",
    "in": "lists of the edges with versions here that enter a node",
    "in_directory": "",
    "in_filter": "",
    "edges": "versions of edges, by position",
    "edges_directory": "",
}


_MEANINGS: Final = {"directory": "rows of its directory", "filter": "its filter"}


def _fields(sections: Mapping[str, str]) -> list[Field]:
    fields = []
    for name, meaning in sections.items():
        fields.append(Field(f"{name}_offset", "Q", meaning or _MEANINGS[name.rpartition("_")[2]]))
        fields.append(Field(f"{name}_size", "Q", "bytes"))
    return fields


_SLICE: Final = (
    Field("first_sequence", "Q", "of the oldest commit of the slice"),
    Field("last_sequence", "Q", "of the newest"),
    Field("first_id", "Q", "the lowest id born in the slice"),
    Field("end_id", "Q", "one more than the highest; first_id if there is none"),
)
SEGMENT_FOOTER: Final = Layout(
    "segment footer",
    *_SLICE,
    Field("name_count", "Q", "names"),
    Field("sparse_node_count", "Q", "end states of older nodes"),
    Field("dense_node_count", "Q", "end states of nodes born here"),
    Field("sparse_edge_count", "Q", "edges that leave older nodes; they have the first positions"),
    Field("dense_edge_count", "Q", "edges that leave nodes born here"),
    Field("superseding_edge_count", "Q", "of all edges, those marked dead or changed"),
    Field("reserved", "16s", "zero"),
    *_fields(SEGMENT_SECTIONS),
)
HISTORY_FOOTER: Final = Layout(
    "history footer",
    *_SLICE,
    Field("node_count", "Q", "nodes with versions here"),
    Field("node_version_count", "Q", "their versions"),
    Field("edge_count", "Q", "edges with versions here"),
    Field("edge_version_count", "Q", "their versions"),
    Field("reserved", "16s", "zero"),
    *_fields(HISTORY_SECTIONS),
)


class Section(NamedTuple):
    """Where a section stands in its file, in bytes."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class SegmentFooter:
    """What a segment holds. Counts as in SPEC.md; sections by the names of SEGMENT_SECTIONS."""

    first_sequence: int
    last_sequence: int
    first_id: int
    end_id: int
    name_count: int
    sparse_node_count: int
    dense_node_count: int
    sparse_edge_count: int
    dense_edge_count: int
    superseding_edge_count: int
    sections: Mapping[str, Section]

    @property
    def commit_count(self) -> int:
        return self.last_sequence - self.first_sequence + 1

    @property
    def edge_count(self) -> int:
        return self.sparse_edge_count + self.dense_edge_count

    def encode(self) -> bytes:
        """Return the body of the file's footer."""
        return _encode(SEGMENT_FOOTER, self)

    @classmethod
    def decode(cls, body: Buffer, data_size: int) -> SegmentFooter:
        """Read the body of the footer of a file with `data_size` bytes of data.

        Raises
        ------
        CorruptionError, TruncatedError : offsets count from the body's start.
        """
        values, sections = _decode(SEGMENT_FOOTER, SEGMENT_SECTIONS, body, data_size)
        footer = cls(sections=sections, **values)
        born = footer.end_id - footer.first_id
        for name, count_max in (
            ("name_count", born),
            ("dense_node_count", born),
            ("sparse_node_count", footer.first_id),
            ("sparse_edge_count", data_size),
            ("dense_edge_count", data_size),
            ("superseding_edge_count", footer.edge_count),
        ):
            _check_count(SEGMENT_FOOTER, values, name, count_max)
        return footer


@dataclass(frozen=True, slots=True)
class HistoryFooter:
    """What a history holds; as `SegmentFooter`."""

    first_sequence: int
    last_sequence: int
    first_id: int
    end_id: int
    node_count: int
    node_version_count: int
    edge_count: int
    edge_version_count: int
    sections: Mapping[str, Section]

    def encode(self) -> bytes:
        """Return the body of the file's footer."""
        return _encode(HISTORY_FOOTER, self)

    @classmethod
    def decode(cls, body: Buffer, data_size: int) -> HistoryFooter:
        """Read the body of a footer; as for segments."""
        values, sections = _decode(HISTORY_FOOTER, HISTORY_SECTIONS, body, data_size)
        footer = cls(sections=sections, **values)
        for name, count_max in (
            ("node_count", min(footer.end_id, footer.node_version_count)),
            ("edge_count", min(data_size, footer.edge_version_count)),
        ):
            _check_count(HISTORY_FOOTER, values, name, count_max)
        return footer


def align_section(offset: int) -> int:
    """Return where the section behind `offset` begins."""
    return -(-offset // SECTION_ALIGNMENT) * SECTION_ALIGNMENT


def _encode(layout: Layout, footer: SegmentFooter | HistoryFooter) -> bytes:
    values: dict[str, Any] = {
        name: getattr(footer, name) for name in type(footer).__slots__ if name != "sections"
    }
    for name, section in footer.sections.items():
        values[f"{name}_offset"], values[f"{name}_size"] = section
    return layout.encode(**values)


def _decode(
    layout: Layout, names: Mapping[str, str], body: Buffer, data_size: int
) -> tuple[dict[str, int], dict[str, Section]]:
    """Return the counters of a footer, and its sections: they fill the data region."""
    values = layout.decode(body)
    sections = {}
    end = HEADER_SIZE
    for name in names:
        section = Section(values.pop(f"{name}_offset"), values.pop(f"{name}_size"))
        if section.offset != align_section(end) or section.end > data_size:
            raise CorruptionError(
                f"{layout.title}: {name} is at {section.offset} to {section.end}, behind {end}, "
                f"in {data_size} bytes",
                offset=layout.offset_of[f"{name}_offset"],
            )
        sections[name] = section
        end = section.end
    if end != data_size:
        raise CorruptionError(f"{layout.title}: the sections end at {end}, not at {data_size}")
    _check_slice(layout, values)
    return values, sections


def _check_slice(layout: Layout, values: dict[str, int]) -> None:
    first, last = values["first_sequence"], values["last_sequence"]
    if not 0 < first <= last < SEQUENCE_END:
        raise CorruptionError(f"{layout.title}: commits {first} to {last}")
    if not values["first_id"] <= values["end_id"] <= ID_END:
        raise CorruptionError(
            f"{layout.title}: ids {values['first_id']} to {values['end_id']}",
            offset=layout.offset_of["first_id"],
        )


def _check_count(layout: Layout, values: dict[str, int], name: str, count_max: int) -> None:
    if values[name] > count_max:
        raise CorruptionError(
            f"{layout.title}: {name} is {values[name]}, above {count_max}",
            offset=layout.offset_of[name],
        )
