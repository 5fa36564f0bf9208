"""The shape of the answer of `segtool stats`."""

from __future__ import annotations

import msgspec


class TypeCount(msgspec.Struct, forbid_unknown_fields=True):
    """How many nodes or edges have a type.

    type : "" where a node has none.
    count : of the nodes, or of the edges.
    """

    type: str
    count: int


class DegreeCount(msgspec.Struct, forbid_unknown_fields=True):
    """How many nodes have so many edges.

    degree : edges of a node.
    nodes : how many nodes have so many.
    """

    degree: int
    nodes: int


class Degrees(msgspec.Struct, forbid_unknown_fields=True):
    """How many edges the nodes have in one direction.

    mean : edges for each node, to four places.
    p50, p90, p99 : so many of a hundred nodes have at most this many edges.
    max : the most that a node has.
    distribution : every degree that occurs, ascending; 0 among them.
    """

    mean: float
    p50: int
    p90: int
    p99: int
    max: int
    distribution: list[DegreeCount]


class HubCount(msgspec.Struct, forbid_unknown_fields=True):
    """A node of many edges.

    name : of the node.
    type : "" where it has none.
    out_degree, in_degree : its edges; a self loop counts in both.
    """

    name: str
    type: str
    out_degree: int
    in_degree: int


class PartSize(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the files.

    part : what stands there, in words.
    size_bytes : in all files together.
    """

    part: str
    size_bytes: int


class StatsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What a store holds, counted.

    path : of the store.
    sequence : of the commit that was counted.
    node_count, edge_count : as of that commit.
    nodes_by_type, edges_by_type : most first; null without --by-type.
    out_degrees, in_degrees : of all nodes.
    degrees : of both directions together; a self loop counts twice.
    hubs : the nodes of most edges, most first.
    size_bytes : of segments, histories, name index and log.
    parts : what it is made of, largest first.
    superseded_size_bytes : of the histories: versions that are no longer the newest.
    superseded_share : of segments and histories, 0 to 1.
    superseding_entry_count : entries of segments that change or hide what older ones say: a merge
        makes one of each two.
    """

    path: str
    sequence: int
    node_count: int
    edge_count: int
    nodes_by_type: list[TypeCount] | None
    edges_by_type: list[TypeCount] | None
    out_degrees: Degrees
    in_degrees: Degrees
    degrees: Degrees
    hubs: list[HubCount]
    size_bytes: int
    parts: list[PartSize]
    superseded_size_bytes: int
    superseded_share: float
    superseding_entry_count: int


SHAPE = StatsAnswer
