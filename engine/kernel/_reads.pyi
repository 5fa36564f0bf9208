from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from lithograph.formats.layout import Buffer

UNSURE: Final[object]

class Watch:
    def __init__(self, map_: Buffer, offset: int) -> None: ...
    def load(self) -> bytes | None: ...

class QuickFile: ...

class QuickRun(QuickFile):
    def __init__(
        self,
        map_: Buffer,
        bits: bytearray,
        data_size: int,
        root: int,
        height: int,
        page_count: int,
        filter_offset: int,
        filter_size: int,
        sequences: int,
    ) -> None: ...
    def find(self, name: bytes) -> Any: ...

class QuickLists(QuickFile):
    def __init__(
        self,
        map_: Buffer,
        bits: bytearray,
        data_size: int,
        sparse: tuple[tuple[int, int], tuple[int, int]],
        filter_: tuple[int, int],
        dense: tuple[tuple[int, int], tuple[int, int]],
        ids: range,
        row_size: int,
    ) -> None: ...
    def has(self, node_id: int, code: int, neighbor: int) -> Any: ...

class QuickHotNames:
    def __init__(self, size_max_bytes: int) -> None: ...
    @property
    def size_bytes(self) -> int: ...
    def clear(self) -> None: ...

class QuickStore:
    def __init__(
        self,
        runs: Sequence[int],
        ranges: Sequence[tuple[int, int]],
        hot: QuickHotNames | None = None,
    ) -> None: ...
    def put_run(self, place: int, run: QuickRun) -> None: ...
    def put_segment(
        self,
        place: int,
        out: QuickLists,
        in_: QuickLists,
        nodes: QuickNodes | None = None,
        names: QuickNames | None = None,
        edges: QuickEdges | None = None,
    ) -> None: ...

class QuickView:
    def __init__(
        self,
        store: QuickStore,
        cores: tuple[Any, ...],
        sequence: int,
        type_names: list[str] | None = None,
    ) -> None: ...
    def move_to(self, sequence: int) -> QuickView: ...
    def make_nodes_of(self, class_: type) -> QuickView: ...
    def known_edges(self, edges: bytes) -> tuple[list[int], list[int]]: ...
    def find(self, name: str) -> Any: ...
    def node(self, name: str) -> Any: ...
    def node_by_id(self, node_id: int, name: str) -> Any: ...
    def names_of(self, ids: list[Any], alive: bool, careful: Callable[[Any], str]) -> list[str]: ...
    def find_many(
        self, names: list[Any], ids: Any, careful: Callable[[Any], int | None]
    ) -> None: ...
    def neighbors(self, node_id: int, direction: int, codes: Iterable[int] | None) -> Any: ...
    def neighbor_names(self, name: str, direction: int) -> Any: ...
    def degree(self, node_id: int, direction: int, codes: Iterable[int] | None) -> Any: ...
    def count_edges(self, first_id: int, direction: int, degrees: Any, by_type: Any) -> int: ...
    def k_hop(
        self,
        start: int,
        hops: int,
        directions: Iterable[int],
        codes: Iterable[int] | None,
        careful: Callable[[int, int], Iterable[int]],
    ) -> Any: ...

class QuickReader:
    def renew(self, watch: Watch, seen: bytes, view: QuickView | None) -> None: ...
    def clear(self) -> None: ...
    def find(self, name: object) -> Any: ...
    def degree(self, name: object, direction: object) -> Any: ...
    def node(self, name: object) -> Any: ...
    def neighbors(self, node_id: object, direction: object) -> Any: ...
    def neighbor_names(self, name: object, direction: object) -> Any: ...

def block_heads(body: Buffer, count: int, first_id: int, dense: bool) -> Any: ...
def edges_before(body: Buffer, offsets: list[int], heads: list[int], place: int) -> Any: ...
def is_plain_map(data: bytes) -> bool: ...
def node_record(data: Buffer) -> Any: ...

class QuickRecords(QuickFile):
    def __init__(
        self,
        map_: Buffer,
        bits: bytearray,
        data_size: int,
        blocks: tuple[int, int],
        directory: tuple[int, int],
        ids: range,
        per_block: int,
        identity: tuple[object, object],
        cache: Any,
        at_hand: NodeBlocks,
        is_sparse: bool = False,
    ) -> None: ...
    def bring(self, node_id: int) -> None: ...

class QuickNames(QuickRecords): ...

class QuickChanges(QuickRecords):
    def __init__(self, *table: Any, filter_: tuple[int, int]) -> None: ...

class QuickNodes(QuickRecords):
    def __init__(
        self,
        *table: Any,
        changes: QuickChanges,
        commits: range,
        time_of: Callable[[int], int],
    ) -> None: ...
    def find(self, node_id: int) -> Any: ...

class NodeBlocks:
    size_bytes: int
    hit_count: int
    def __init__(self, size_max_bytes: int) -> None: ...

class NodeRecord:
    id: int
    name: str
    type: str
    observations: tuple[str, ...]
    properties: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    def __init__(
        self,
        node_id: int,
        name: str,
        type_name: str,
        observations: tuple[str, ...],
        properties: bytes,
        created_at: int,
        updated_at: int,
        born: int,
    ) -> None: ...

class QuickEdges(QuickFile):
    def __init__(
        self,
        map_: Buffer,
        bits: bytearray,
        data_size: int,
        sparse: tuple[tuple[int, int], tuple[int, int]],
        dense: tuple[tuple[int, int], tuple[int, int]],
        ids: range,
        shape: tuple[int, int, int],
        versions: tuple[tuple[int, int], tuple[int, int], int, int, int],
        out: QuickLists,
        nodes: QuickNodes,
        check: Callable[[int, int], None],
        unpack: Callable[[int], bytes],
    ) -> None: ...

class EdgeRecord:
    source: str
    target: str
    type: str
    key: str
    source_id: int
    target_id: int
    properties: dict[str, Any]
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    def __init__(
        self,
        source: str,
        type_name: str,
        target: str,
        key: str,
        *,
        source_id: int,
        target_id: int,
        created_at: int,
        valid_from: int,
        valid_to: int,
        properties: bytes,
        born: int,
    ) -> None: ...

def take_edges(
    view: QuickView,
    edge_class: type,
    sources: list[int],
    first: int,
    after: tuple[int, int, str] | None,
    room: int,
    codes: Iterable[int] | None,
    valid_at: int | None,
    names: list[str] | None,
    careful_name: Callable[[int], str],
) -> Any: ...
def take_incoming(
    view: QuickView,
    edge_class: type,
    node_id: int,
    name: str,
    first: int,
    room: int,
    with_loops: bool,
    codes: Iterable[int] | None,
    valid_at: int | None,
    careful_name: Callable[[int], str],
) -> Any: ...
def find_edge(
    view: QuickView,
    edge_class: type,
    source: int,
    source_name: str,
    code: int,
    target: int,
    target_name: str,
    key: str,
) -> Any: ...
def keep_block(records: QuickRecords, index: int, body: bytes) -> bool: ...
def take_records(
    view: QuickView,
    ids: Any,
    order: Any,
    first: int,
    records: list[bytes | None],
    size_max: int,
    must_pass: bool,
) -> tuple[int, int]: ...
def make_node(view: QuickView, node_id: int, name: str, record: bytes) -> Any: ...
