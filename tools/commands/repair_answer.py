"""What `segtool repair` answers."""

from __future__ import annotations

import msgspec


class DamageAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes that could not be used.

    path : of the file.   offset : in it, bytes.
    part : what stood there, such as "nodes", "edge lists" or "log".
    message : what is wrong there.
    count_max : so many records stood there at most; None where nobody knows.
    """

    path: str
    offset: int
    part: str
    message: str
    count_max: int | None


class NodeAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A node.

    id : in the damaged store.   name : None where it is lost.
    """

    id: int
    name: str | None


class EdgeAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """An edge, by the names of its ends; None where a name is lost."""

    source: str | None
    type: str
    target: str | None
    key: str


class RepairAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was brought back, and what was not. Lists hold the first --limit items.

    path : of the damaged store.
    to : of the new one; None in a dry run.
    node_count, edge_count : of the new store; edge_count is None in a dry run.
    commit_count : commits made again, at their times; 0 in a dry run.
    past_lost : some versions that were superseded are lost; as_of and history lack them.
    damage_count, damage : places in files that could not be used. Not all of them cost anything:
        much is said in two places.
    lost_node_count, lost_nodes : nodes that are not in the new store.
    lost_edge_count, lost_edges : edges that are not in it, as far as is known which they were.
    older_node_count, older_nodes : nodes that are there, of which a later change may be lost.
    older_edge_count, older_edges : the same of edges.
    timeless_node_count : nodes whose time of creation is lost.
    timeless_edge_count : edges of which it is.
    lost_log_bytes : bytes of the log that cannot be read; commits that stood at its end are lost,
        and nobody knows how many.
    lost_commits : commits of which nothing is left: first and last of each range.
    lost_types : codes of types whose names are lost; they are called "lost type CODE".
    """

    path: str
    to: str | None
    node_count: int
    edge_count: int | None
    commit_count: int
    past_lost: bool
    damage_count: int
    damage: list[DamageAnswer]
    lost_node_count: int
    lost_nodes: list[NodeAnswer]
    lost_edge_count: int
    lost_edges: list[EdgeAnswer]
    older_node_count: int
    older_nodes: list[NodeAnswer]
    older_edge_count: int
    older_edges: list[EdgeAnswer]
    timeless_node_count: int
    timeless_edge_count: int
    lost_log_bytes: int
    lost_commits: list[tuple[int, int]]
    lost_types: list[int]

    def is_complete(self) -> bool:
        """Return whether nothing is lost."""
        return not (
            self.past_lost
            or self.lost_node_count
            or self.lost_edge_count
            or self.older_node_count
            or self.older_edge_count
            or self.timeless_node_count
            or self.timeless_edge_count
            or self.lost_log_bytes
            or self.lost_commits
            or self.lost_types
        )


SHAPE = RepairAnswer
