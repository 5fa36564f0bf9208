"""Sources of lists that are no files: what `list_source.h` promises, tried from outside."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from lithograph import kernel
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.adjacency_list import encode_list
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.version_record import EDGE_VERSIONS

if kernel.tables is None:
    pytest.skip("the reference kernel merges no lists", allow_module_level=True)

from lithograph.kernel._tables import BlockBuilder, EdgeBuilder, ListMerge

READY, END, ASKS, NO_MEMORY = range(4)
NAME = b"lithograph.ListSource"
FIRST_SEQUENCE = 10


class Edge(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint64),
        ("neighbor", ctypes.c_uint64),
        ("key", ctypes.c_char_p),
        ("fields", ctypes.c_char_p),
        ("sequence", ctypes.c_uint64),
        ("born", ctypes.c_uint64),
        ("key_size", ctypes.c_uint32),
        ("fields_size", ctypes.c_uint32),
        ("mark", ctypes.c_uint8),
        ("head", ctypes.c_uint8),
        ("careful", ctypes.c_uint8),
    ]


class Source(ctypes.Structure):
    pass


Advance = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Source))
Source._fields_ = [
    ("advance", Advance),
    ("id", ctypes.c_uint64),
    ("edges", ctypes.POINTER(Edge)),
    ("count", ctypes.c_uint64),
    ("odd", ctypes.c_int),
]


def edge(
    code: int, neighbor: int, key: str, mark: Mark, head: int, sequence: int, fields: bytes = b""
) -> Edge:
    data = key.encode()
    born = FIRST_SEQUENCE
    return Edge(code, neighbor, data, fields, sequence, born, len(data), len(fields), mark, head)


class Told:
    """A source that gives what it was told: answers, or lists by id; None is an odd one.

    It must outlive the merge: the capsule does not keep it.
    """

    def __init__(self, *told: int | tuple[int, list[Edge] | None]) -> None:
        self._told: Iterator[int | tuple[int, list[Edge] | None]] = iter(told)
        self.source = Source(Advance(self._advance))
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self.capsule = new(ctypes.addressof(self.source), NAME, None)

    def _advance(self, _: object) -> int:
        told = next(self._told, END)
        if isinstance(told, int):
            return told
        self.source.id, edges = told
        self.source.odd = edges is None
        self._kept = (Edge * len(edges or ()))(*(edges or ()))
        self.source.edges, self.source.count = self._kept, len(self._kept)
        return READY


def test_lists_of_any_source_are_put_into_tables() -> None:
    changed = EdgePatch(valid_to=5_000_000, properties=b"\x81\xa1a\x01")
    fields = bytearray()
    EDGE_VERSIONS.append(fields, (12, 0, changed, False, 0, 0), FIRST_SEQUENCE)
    first = [
        edge(0, 5, "", Mark.MADE, 3, 11),
        edge(0, 7, "é", Mark.CHANGED, fields[0], 12, bytes(fields[2:])),
        edge(2, 5, "", Mark.DEAD, 0, 13),
        edge(2, 6, "", Mark.MADE, 7, 14),
    ]
    second = [edge(0, 6, "", Mark.MADE, 3, 15)]
    one = Told((3, first), ASKS, (4, None), (70, second))
    other = Told((3, second), (90, second))
    merge = ListMerge([one.capsule, other.capsule], 50, 128, 1024, True)
    table = BlockBuilder(64, positioned=True)
    versions = EdgeBuilder(256, FIRST_SEQUENCE, 1024, False)

    assert merge.step(table, versions, 80, 1000) == ("asked", 0)
    assert merge.step(table, versions, 80, 1000) == ("careful", 4, [0])
    merge.put_carefully()
    assert merge.step(table, versions, 80, 1) == ("paused",)
    assert merge.step(table, versions, 80, 1) == ("finished",)
    assert merge.unfinished() == 1
    assert merge.superseding_count == 2
    adjacent = [(0, 5, ""), (0, 6, ""), (0, 7, "é"), (2, 5, ""), (2, 6, "")]
    marks = [Mark.MADE, Mark.MADE, Mark.CHANGED, Mark.DEAD, Mark.MADE]
    wanted = BlockBuilder(64, positioned=True)
    wanted.add(3, *encode_list(adjacent, marks), 0)
    wanted.add(70, *encode_list([(0, 6, "")]), 5)
    wanted_versions = EdgeBuilder(256, FIRST_SEQUENCE, 1024, False)
    wanted_versions.add_plain(11)
    wanted_versions.add_plain(15)
    wanted_versions.add(bytes(fields))
    wanted_versions.add(b"\x00\x03")
    wanted_versions.add(b"\x07\x04\x00")
    wanted_versions.add_plain(15)
    for builder in (table, versions, wanted, wanted_versions):
        builder.end()
    assert table.take() == wanted.take()
    assert versions.take() == wanted_versions.take()


def test_edges_that_a_source_leaves_to_others_are_settled() -> None:
    edges = [edge(0, at, "k" if at == 5 else "", Mark.MADE, 3, 11) for at in range(4, 8)]
    edges[1].careful = edges[3].careful = True
    told = Told((3, edges))
    merge = ListMerge([told.capsule], 0, 128, 1024, True)
    table, versions = (
        BlockBuilder(64, positioned=True),
        EdgeBuilder(256, FIRST_SEQUENCE, 1024, False),
    )
    loose = [(0, 5, b"k", [(0, 1, Mark.MADE, None)]), (0, 7, b"", [(0, 3, Mark.MADE, None)])]

    assert merge.step(table, versions, 80, 1000) == ("loose", 3, [0], loose)
    with pytest.raises(ValueError, match="1 states of 2"):
        merge.settle([None], FIRST_SEQUENCE)
    merge.settle([(Mark.DEAD, b"\x00\x07"), None], FIRST_SEQUENCE)
    assert merge.step(table, versions, 80, 1000) == ("finished",)
    assert merge.superseding_count == 1
    table.end()
    wanted = BlockBuilder(64, positioned=True)
    marks = [Mark.MADE, Mark.DEAD, Mark.MADE]
    wanted.add(3, *encode_list([(0, 4, ""), (0, 5, "k"), (0, 6, "")], marks))
    wanted.end()
    assert table.take() == wanted.take()
    assert versions.position == 3


def test_a_source_whose_ids_do_not_ascend_is_noticed() -> None:
    told = Told((3, [edge(0, 5, "", Mark.MADE, 3, 11)]), (3, [edge(0, 6, "", Mark.MADE, 3, 11)]))
    merge = ListMerge([told.capsule], 0, 128, 1024, False)

    assert merge.step(BlockBuilder(64), None, 80, 1000) == ("disordered", 0)


def test_a_source_without_memory_is_an_error() -> None:
    told = Told(NO_MEMORY)
    merge = ListMerge([told.capsule], 0, 128, 1024, False)
    with pytest.raises(MemoryError):
        merge.step(BlockBuilder(64), None, 80, 1000)


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        ListMerge([object()], 0, 128, 1024, False)
    with pytest.raises(ValueError, match="end states"):
        ListMerge([], 0, 128, 1024, True).step(BlockBuilder(64), None, 80, 1000)
