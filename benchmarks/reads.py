"""What one call costs on the kernel in use: `LITHOGRAPH_KERNEL=reference` or `compiled` before it.

A store of `--nodes` nodes of work W, compacted; every look-up is made once before it is timed.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from load_w import BATCH, put_edges, put_nodes
from workload import Workload

import lithograph
from lithograph import Graph, kernel

_ROUNDS: Final = 5
_CALLS: Final = 5000
_STARTS: Final = 100


def time_calls(what: str, call: Callable[[Any], object], arguments: Sequence[Any]) -> None:
    """Print the mean time of a call, in the best of some rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        for argument in arguments:
            call(argument)
        best = min(best, time.perf_counter() - begun)
    print(f"{what:34} {best / len(arguments) * 1e6:10.2f} us")


def load(graph: Graph, work: Workload) -> None:
    """Put W in transactions of 10,000, and print how long one put takes."""
    begun = time.perf_counter()
    for start in range(0, work.node_count, BATCH):
        put_nodes(graph, work, start)
    nodes_s = time.perf_counter() - begun
    graph.checkpoint()
    begun = time.perf_counter()
    for start in range(0, work.edge_count, BATCH):
        put_edges(graph, work, start)
    edges_s = time.perf_counter() - begun
    print(f"{'put_node, 10,000 per transaction':34} {nodes_s / work.node_count * 1e6:10.2f} us")
    print(f"{'put_edge, over flushed nodes':34} {edges_s / work.edge_count * 1e6:10.2f} us")


def touch_node(graph: Graph) -> Callable[[str], object]:
    def touch(name: str) -> object:
        node = graph.node(name)
        return node.type, node.observations, node.properties, node.created_at, node.updated_at

    return touch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20_000)
    arguments = parser.parse_args()
    work = Workload(arguments.nodes)
    print(f"kernel: {kernel.backend}; {work.node_count:,} nodes, {work.edge_count:,} edges")
    with (
        tempfile.TemporaryDirectory() as folder,
        lithograph.open(Path(folder, "w.graph"), durability="normal") as graph,
    ):
        load(graph, work)
        graph.compact()
        chosen = random.Random(1)
        names = [work.name(number) for number in range(work.node_count)]
        some = chosen.sample(names, min(_CALLS, len(names)))
        ids = [int(node_id) for node_id in graph.node_ids(some)]
        starts = sorted({work.name(source) for source in work.sources[:1000].tolist()})[:_STARTS]
        time_calls("node_id", graph.node_id, some)
        time_calls(f"node_ids of {len(names):,} names", graph.node_ids, [names])
        time_calls("node, every field touched", touch_node(graph), some)
        time_calls("neighbor_ids", graph.neighbor_ids, ids)
        time_calls("degree", graph.degree, some)
        time_calls("k_hop 3", lambda name: graph.k_hop(name, 3), starts)


if __name__ == "__main__":
    main()
