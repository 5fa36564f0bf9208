"""A node and what is around it: small enough to be drawn."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lithograph.tools.commands.common import add_direction, count
from lithograph.tools.output import escape_controls

if TYPE_CHECKING:
    from lithograph import Edge, Node, Snapshot

LIMIT: Final = 200
_EDGES_EACH: Final = 20
_LABEL_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Neighborhood:
    """Nodes by distance, the edges between two of them, and whether there would be more.

    more_nodes : nodes within the hops that are left out.   more_edges : whether edges are.
    """

    nodes: list[Node]
    edges: list[Edge]
    more_nodes: int
    more_edges: bool

    @property
    def note(self) -> str | None:
        """Return what is left out, in words, or None."""
        left = [f"{self.more_nodes:,} nodes"] if self.more_nodes else []
        left += ["edges"] if self.more_edges else []
        return f"left out: {' and '.join(left)}; --limit N draws more" if left else None


def add_neighborhood(parser: argparse.ArgumentParser) -> None:
    """Declare --around, --hops, --direction and --limit, for `neighborhood`."""
    parser.add_argument("--around", metavar="NAME", required=True, help="the node in the middle")
    parser.add_argument(
        "--hops", metavar="N", type=count, default=1, help="how far from it; default: 1"
    )
    add_direction(parser)
    parser.set_defaults(direction="both")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=count,
        default=LIMIT,
        help=f"nodes at most, the nearest first; default: {LIMIT}",
    )


def neighborhood(view: Snapshot, arguments: argparse.Namespace) -> Neighborhood:
    """Return what the command line asks for; the node in the middle is always part of it.

    At most `--limit` nodes and twenty times as many edges.

    Raises
    ------
    NodeNotFoundError : there is no node of that name.

    Cost: O(the edges of what is reached).
    """
    import numpy as np

    middle = view.node(arguments.around)
    nodes = [middle]
    more = 0
    for ids in view.k_hop(middle.name, arguments.hops, arguments.direction):
        # Types and prefixes are only looked at until there are enough.
        for place, node_id in enumerate(ids.tolist()):
            if len(nodes) >= max(arguments.limit, 1):
                more += len(ids) - place
                break
            node = view.node(view.names([node_id])[0])
            if _is_wanted(node, arguments):
                nodes.append(node)
    names = {node.name for node in nodes}
    known = np.array([node.id for node in nodes])
    edges: list[Edge] = []
    for node in nodes:
        # Numbers are quick to look at; of a hub few edges may be wanted, or none.
        if not np.isin(view.neighbor_ids(node.id), known).any():
            continue
        for edge in view.edges(node.name):
            if edge.target in names:
                if len(edges) >= _EDGES_EACH * max(arguments.limit, 1):
                    return Neighborhood(nodes, edges, more, True)
                edges.append(edge)
    return Neighborhood(nodes, edges, more, False)


def _is_wanted(node: Node, arguments: argparse.Namespace) -> bool:
    return node.name.startswith(arguments.prefix or "") and arguments.type in (None, node.type)


def label(text: str) -> str:
    """Return a text as it is shown in a drawing: on one line, not too long, without controls."""
    text = escape_controls(text)
    return text if len(text) <= _LABEL_MAX else text[: _LABEL_MAX - 1] + "…"
