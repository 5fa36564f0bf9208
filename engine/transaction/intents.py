"""What a transaction wants: one intent per node and per edge, in the words of the caller.

Intents are folded as they come, so that a commit holds one operation per node and edge. Deleting a
node takes the transaction's earlier intents for its edges with it, so what remains does not depend
on the order it was said in: first the deletions, then what is put.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lithograph.formats.edge_patch import UNCHANGED_EDGE, EdgePatch
from lithograph.formats.node_patch import UNCHANGED, NodePatch

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft

EdgeName = tuple[str, str, str, str]
"""(source, type, target, key)"""


class NodeIntent:
    """What shall become of one name.

    delete : the node that has the name now ends.
    put : a node of this name exists afterwards; without it the patch is for the one that is there.
    type_name : the new type, or None to leave it; codes are known only at the commit.
    """

    __slots__ = ("delete", "patch", "put", "type_name")

    def __init__(self) -> None:
        self.delete = False
        self.put = False
        self.type_name: str | None = None
        self.patch: NodePatch = UNCHANGED


class EdgeIntent:
    """What shall become of one edge; fields as in `NodeIntent`."""

    __slots__ = ("delete", "patch", "put")

    def __init__(self) -> None:
        self.delete = False
        self.put = False
        self.patch: EdgePatch = UNCHANGED_EDGE


class Intents:
    """Everything one transaction wants.

    Attributes
    ----------
    nodes, edges : by name, in the order of their first mention.
    size_min : bytes the commit will take at least.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeIntent] = {}
        self.edges: dict[EdgeName, EdgeIntent] = {}
        self.size_min = 0
        self._edges_of: dict[str, list[EdgeName]] = {}

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges)

    def node(self, name: str) -> NodeIntent:
        """Return the intent for a node, made if it is the first."""
        intent = self.nodes.get(name)
        if intent is None:
            intent = self.nodes[name] = NodeIntent()
        return intent

    def edge(self, name: EdgeName) -> EdgeIntent:
        """Return the intent for an edge, made if it is the first."""
        intent = self.edges.get(name)
        if intent is None:
            intent = self.edges[name] = EdgeIntent()
            self._edges_of.setdefault(name[0], []).append(name)
            self._edges_of.setdefault(name[2], []).append(name)
        return intent

    def take(self, draft: Draft) -> None:
        """Want what a draft puts; nothing else is wanted yet."""
        assert not self
        for name, type_name, patch in draft.nodes():
            node = self.node(name)
            node.put, node.type_name, node.patch = True, type_name, patch
        for edge_name, edge_patch in draft.edges():
            edge = self.edge(edge_name)
            edge.put, edge.patch = True, edge_patch
        self.size_min = draft.size_min

    def delete_node(self, name: str) -> None:
        """Want the node gone, and every edge at it."""
        for edge in self._edges_of.pop(name, ()):
            self.edges.pop(edge, None)
        intent = self.node(name)
        intent.delete = True
        intent.put = False
        intent.type_name = None
        intent.patch = UNCHANGED

    def replaced_nodes(self) -> Iterator[str]:
        """Yield the names whose present nodes shall end."""
        return (name for name, intent in self.nodes.items() if intent.delete)
