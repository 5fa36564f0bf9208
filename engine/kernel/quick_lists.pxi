# Adjacency lists of one segment (SPEC.md, sections 12.3 and 12.4).

cdef struct Table:
    # One table of lists: dense where first_id <= end_id, else sparse, with a filter.
    uint64_t blocks_offset, blocks_size, directory_offset, row_size, row_count
    uint64_t first_id, end_id, filter_offset, filter_blocks


cdef struct Lists:
    # filter : of the sparse table.
    Span file
    Table sparse, dense
    Filter filter


cdef enum:
    # Flags of a group, and marks.
    KEYED = 1
    MARKED = 2
    DEAD_MARK = 1
    MADE_MARK = 3

# In a neighbor's id: the edge to it has ended.
cdef uint64_t DEAD = <uint64_t>1 << 63


cdef struct Edge:
    uint64_t code, neighbor


cdef struct Key:
    # Of an edge, where it stands in the file.
    const uint8_t *at
    uint64_t size


cdef struct Buffer:
    # Edges: their neighbors, and behind these in the same memory their type codes; with `with_keys`
    # between both their keys.
    # Grows between two tries, never inside one.
    uint64_t *neighbors
    uint32_t *codes
    uint64_t count, room
    bint only_neighbors  # Nobody looks at the codes or at the order.
    # Whether edges of older segments may stand among them that a list ends, or has again: `DEAD` is
    # set in those that it ends. Lists of which this is so are odd where nobody takes that.
    bint takes_marks, has_marks
    # The same of edges with keys.
    bint takes_keys, has_keys, with_keys
    Key *keys


cdef struct ListSearch:
    const Lists *lists
    uint64_t id
    const uint32_t *types
    int type_count  # -1: all
    bint counting
    Buffer *out
    uint64_t found
    const Edge *probe  # NULL, or the one edge that is looked for; `found` says whether it is there
    Answer answer
    # Of a search with a probe: whether it went well, and where the list is, NULL where there is none.
    # `heads` : of the block at `heads_of`, for those that come next; may be NULL.
    bint is_placed
    Heads *heads
    const uint8_t *heads_of
    const uint8_t *start
    uint64_t size
    int flags


cdef inline bint is_wanted(const ListSearch *search, uint64_t code) noexcept nogil:
    cdef int place
    if search.type_count < 0:
        return True
    for place in range(search.type_count):
        if search.types[place] == code:
            return True
    return False


cdef Answer decode_list(
    ListSearch *search, const uint8_t *start, uint64_t list_size, int flags, const uint8_t *limit
) noexcept nogil:
    """Append the edges of a list, or count them (12.4); FULL where there is no room.

    limit : how far bytes may be looked at.
    """
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + list_size
    cdef const uint8_t *group
    cdef const uint8_t *row
    cdef uint64_t scratch[GROUP_COUNT_MAX]
    cdef uint64_t *neighbors
    cdef uint64_t code = 0, step, shape, count, place, previous_count = 0
    cdef uint64_t last_neighbor = 0, total = 0, groups = 0, group_count = 0, edge_count = 0
    cdef bint is_first = True, wanted, same, is_repeated, has_marks = False
    cdef int extended
    cdef Key last_key = Key(NULL, 0)
    cdef Key *keys
    cdef Buffer *out = search.out
    if not flags & PURE:
        if search.probe != NULL or search.counting or not out.takes_marks:
            return ODD
        out.has_marks = True
        if out.only_neighbors:
            return ODD
    if search.probe != NULL:
        search.start, search.size, search.flags = start, list_size, flags
        return probe_list(search, start, list_size, flags)
    if flags & INDEXED:
        if list_size < 8:
            return ODD
        edge_count = load32(at)
        group_count = load32(at + 4)
        if not group_count or group_count > (list_size - 8) / 16:
            return ODD
        if search.counting and search.type_count < 0 and edge_count >= group_count:
            # The index says it (1.7 us for twenty hubs of 827 edges on average, 2.6 through lists).
            search.found += edge_count
            return FOUND
        at += 8 + 16 * group_count
    while at < end or is_first:
        group = at
        if at >= end:
            return ODD
        step = at[0] & 31
        shape = at[0] >> 5
        at += 1
        if step == 31:
            at = read_varint(at, end, &step)
            if at == NULL or step < 31 or step >= TYPE_CODE_END:
                return ODD
        same = not is_first and step == 0
        code += step
        if code >= TYPE_CODE_END:
            return ODD
        count = shape + 1
        extended = 0
        if shape == 7:
            if at >= end or not 1 <= at[0] <= KEYED | MARKED:
                return ODD
            extended = at[0]
            if (extended & MARKED and flags & PURE) or (extended & KEYED and not out.takes_keys):
                return ODD
            at += 1
        if shape >= 6:
            at = read_varint(at, end, &count)
            if at == NULL or not (1 if extended else 7) <= count <= GROUP_COUNT_MAX:
                return ODD
        wanted = is_wanted(search, code)
        neighbors = scratch
        if wanted and not search.counting:
            if out.room - out.count < count:
                return FULL
            neighbors = out.neighbors + out.count
        if extended & KEYED:
            at = read_parallel(at, end, count, neighbors)
        else:
            at = read_neighbors(at, end, limit, count, neighbors)
        if at == NULL:
            return ODD
        if same and (neighbors[0] < last_neighbor or previous_count < GROUP_COUNT_MAX):
            return ODD
        is_repeated = same and neighbors[0] == last_neighbor
        if flags & INDEXED:
            row = start + 8 + 16 * groups
            if (
                groups >= group_count
                or load64(row) != neighbors[0]
                or load32(row + 8) != code
                or load32(row + 12) != <uint64_t>(group - start)
            ):
                return ODD
        last_neighbor = neighbors[count - 1]
        keys = NULL
        if out.keys != NULL and wanted and not search.counting:
            keys = out.keys + out.count
        if extended & KEYED:
            out.has_keys = True
            at = pass_keys(at, end, count, neighbors, is_repeated, &last_key, keys)
            if at == NULL:
                return ODD
        elif is_repeated:
            return ODD
        else:
            last_key.size = 0
            if keys != NULL:
                memset(keys, 0, count * sizeof(Key))
        if extended & MARKED:
            at = mark_dead(at, end, count, neighbors)
            if at == NULL:
                return ODD
            has_marks = True
        if wanted and search.counting:
            search.found += count
        elif wanted:
            if not out.only_neighbors:
                for place in range(out.count, out.count + count):
                    out.codes[place] = code
            out.count += count
        previous_count = count
        total += count
        groups += 1
        is_first = False
    if flags & INDEXED and (groups != group_count or total != edge_count):
        return ODD
    if not flags & PURE and not has_marks:
        return ODD
    return FOUND


cdef const uint8_t *read_parallel(
    const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *neighbors
) noexcept nogil:
    """Read the neighbors of a group with keys, which may follow themselves; NULL as
    `read_neighbors`."""
    cdef uint64_t place, delta, neighbor = 0
    for place in range(count):
        at = read_varint(at, end, &delta)
        if at == NULL or delta >= ID_END:
            return NULL
        neighbor += delta
        if neighbor >= ID_END:
            return NULL
        neighbors[place] = neighbor
    return at


cdef const uint8_t *pass_keys(
    const uint8_t *at, const uint8_t *end, uint64_t count, const uint64_t *neighbors,
    bint is_repeated, Key *last, Key *keys
) noexcept nogil:
    """Read the keys of a group into `keys`, if it is not NULL, and return where they end; NULL where
    they are not sound, or edges do not ascend.

    is_repeated : the first edge has the neighbor of the one before it, whose key is `last`.
    """
    cdef uint64_t place, size
    cdef bint any_key = False
    for place in range(count):
        at = read_varint(at, end, &size)
        if at == NULL or size > <uint64_t>(end - at) or size > TEXT_SIZE_MAX_:
            return NULL
        if size and not is_utf8(at, size):
            return NULL
        if place:
            is_repeated = neighbors[place] == neighbors[place - 1]
        if is_repeated and compare_bytes(last.at, last.size, at, size) >= 0:
            return NULL
        last[0] = Key(at, size)
        if keys != NULL:
            keys[place] = last[0]
        any_key = any_key or size
        at += size
    return at if any_key else NULL


cdef const uint8_t *mark_dead(
    const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *neighbors
) noexcept nogil:
    """Read the marks of a group, and set `DEAD` where an edge has ended; NULL where they are not
    sound."""
    cdef uint64_t size = (count + 3) / 4, place, mark, made = 0
    if size > <uint64_t>(end - at) or (count & 3 and at[size - 1] >> 2 * (count & 3)):
        return NULL
    for place in range(count):
        mark = at[place >> 2] >> 2 * (place & 3) & 3
        if not mark:
            return NULL
        made += mark == MADE_MARK
        if mark == DEAD_MARK:
            neighbors[place] |= DEAD
    return at + size if made < count else NULL


cdef Answer probe_list(
    ListSearch *search, const uint8_t *start, uint64_t list_size, int flags
) noexcept nogil:
    """Look for one edge, in one group where the list has an index (12.4)."""
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + list_size
    cdef const uint8_t *row
    cdef const Edge *probe = search.probe
    cdef uint64_t code = 0, step, count, delta, neighbor, place, low, high, middle, groups
    cdef bint is_indexed = flags & INDEXED
    if is_indexed:
        groups = load32(start + 4) if list_size >= 8 else 0
        if not groups or groups > (list_size - 8) / 16:
            return ODD
        low = 0
        high = groups
        # Invariant: groups below `low` begin at or before the edge, groups from `high` on behind it.
        while low < high:
            middle = (low + high) / 2
            row = start + 8 + 16 * middle
            if load32(row + 8) < probe.code or (
                load32(row + 8) == probe.code and load64(row) <= probe.neighbor
            ):
                low = middle + 1
            else:
                high = middle
        if not low:
            return FOUND
        row = start + 8 + 16 * (low - 1)
        if load32(row + 8) != probe.code:
            return FOUND
        if not 8 + 16 * groups <= load32(row + 12) < list_size:
            return ODD
        at = start + load32(row + 12)
        if low < groups:
            if not load32(row + 12) < load32(row + 28) <= list_size:
                return ODD
            end = start + load32(row + 28)
    while at < end:
        step = at[0] & 31
        count = (at[0] >> 5) + 1
        at += 1
        if step == 31:
            at = read_varint(at, end, &step)
            if at == NULL:
                return ODD
        code = probe.code if is_indexed else code + step
        if count == 8 or step >= TYPE_CODE_END or code >= TYPE_CODE_END:
            return ODD
        if count == 7:
            at = read_varint(at, end, &count)
            if at == NULL or not 7 <= count <= GROUP_COUNT_MAX:
                return ODD
        if code > probe.code:
            return FOUND
        neighbor = 0
        for place in range(count):
            at = read_varint(at, end, &delta)
            if at == NULL or delta >= ID_END:
                return ODD
            neighbor += delta
            if code == probe.code and neighbor >= probe.neighbor:
                search.found = neighbor == probe.neighbor
                return FOUND
    return FOUND


cdef Answer in_block(
    ListSearch *search, const uint8_t *body, uint64_t body_size, uint64_t count, uint64_t wanted,
    uint64_t first_id, bint dense
) noexcept nogil:
    """Find a list in its block (12.3): `wanted` is its place in a dense one, its id in a sparse."""
    cdef Heads own
    cdef Heads *heads = &own
    cdef uint64_t place = 0, offset = 0, head
    if dense:
        if not read_dense_head(body, body_size, count, wanted, &offset, &head):
            return ODD
        if not head:
            return NONE
        return decode_list(search, body + offset, head >> 2, head & 3, body + body_size)
    if search.probe != NULL and search.heads != NULL:
        heads = search.heads
    if heads == &own:
        if not read_heads(heads, body, body_size, LISTS, first_id, False):
            return ODD
    elif search.heads_of != body:
        search.heads_of = NULL
        if not read_heads(heads, body, body_size, LISTS, first_id, False):
            return ODD
        search.heads_of = body
    while place < heads.count and heads.ids[place] != wanted:
        place += 1
    if place == heads.count:
        return NONE
    if not heads.heads[place]:
        return NONE
    return decode_list(
        search, body + heads.offsets[place], heads.heads[place] >> 2, heads.heads[place] & 3,
        body + body_size,
    )


cdef Answer in_row(
    ListSearch *search, const Table *table, uint64_t index, uint64_t wanted, bint dense
) noexcept nogil:
    """Find a list through a row of the directory."""
    cdef const Span *file = &search.lists.file
    cdef bint is_last = index + 1 == table.row_count
    cdef const uint8_t *row = bytes_at(
        file, table.directory_offset + index * table.row_size,
        table.row_size if is_last else 2 * table.row_size,
    )
    cdef const uint8_t *body
    cdef uint64_t start, end, column = 0 if dense else 8, count
    if row == NULL:
        return ODD
    start = load64(row + column)
    end = table.blocks_size if is_last else load64(row + table.row_size + column)
    if not start < end <= table.blocks_size:
        return ODD
    body = bytes_at(file, table.blocks_offset + start, end - start)
    if body == NULL:
        return ODD
    count = 0
    if dense:
        count = min(<uint64_t>LISTS, table.end_id - table.first_id - index * LISTS)
    return in_block(search, body, end - start, count, wanted, load64(row), dense)


cdef void search_lists(void *what) noexcept nogil:
    cdef ListSearch *search = <ListSearch *>what
    cdef const Table *table = &search.lists.dense
    cdef const Span *file = &search.lists.file
    cdef const uint8_t *bits
    cdef const uint8_t *row
    cdef uint64_t low, high, middle, digest
    if table.first_id <= search.id < table.end_id:
        middle = search.id - table.first_id
        search.answer = in_row(search, table, middle / LISTS, middle % LISTS, True)
        return
    table = &search.lists.sparse
    search.answer = NONE
    if not table.row_count:
        return
    digest = xxh64_of(<const uint8_t *>&search.id, 8)
    bits = bytes_at(file, table.filter_offset + filter_block(digest, table.filter_blocks), 32)
    if bits == NULL:
        search.answer = ODD
        return
    if not filter_may_hold(bits, digest):
        return
    low = 0
    high = table.row_count
    # Invariant: blocks below `low` begin at or below the id, blocks from `high` on above it.
    while low < high:
        middle = (low + high) / 2
        row = bytes_at(file, table.directory_offset + middle * table.row_size, 8)
        if row == NULL:
            search.answer = ODD
            return
        if load64(row) <= search.id:
            low = middle + 1
        else:
            high = middle
    if low:
        search.answer = in_row(search, table, low - 1, search.id, False)


cdef bint begin_buffer(Buffer *out, uint64_t room) noexcept nogil:
    """Make room for the first edges; False without memory."""
    memset(out, 0, sizeof(Buffer))
    return make_room(out, room)


cdef bint make_room(Buffer *out, uint64_t more) noexcept nogil:
    """Make room for more edges; False without memory."""
    cdef uint64_t room = max(out.room, <uint64_t>32)
    cdef uint64_t edge_size = sizeof(uint64_t) + sizeof(uint32_t)
    cdef uint64_t *grown
    cdef uint32_t *codes
    if out.room - out.count >= more:
        return True
    while room - out.count < more:
        if room >= <uint64_t>1 << 40:
            return False
        room *= 2
    if out.with_keys:
        edge_size += sizeof(Key)
    grown = <uint64_t *>malloc(room * edge_size)
    if grown == NULL:
        return False
    codes = <uint32_t *>(<uint8_t *>grown + room * (edge_size - sizeof(uint32_t)))
    if out.count:
        memcpy(grown, out.neighbors, out.count * sizeof(uint64_t))
        memcpy(codes, out.codes, out.count * sizeof(uint32_t))
        if out.keys != NULL:
            memcpy(grown + room, out.keys, out.count * sizeof(Key))
    free(out.neighbors)
    out.neighbors = grown
    out.keys = <Key *>(grown + room) if out.with_keys else NULL
    out.codes = codes
    out.room = room
    return True


cdef bint keep_keys(Buffer *out) noexcept nogil:
    """Keep the keys of edges from now on; False without memory."""
    out.with_keys = True
    return make_room(out, out.room - out.count + 1)


cdef bint sort_edges(Buffer *out) noexcept nogil:
    """Order edges by type code and neighbor; False without memory."""
    return sort_first_edges(out, out.count)


cdef bint sort_first_edges(Buffer *out, uint64_t count) noexcept nogil:
    """Order so many of the edges; False without memory."""
    cdef Edge *edges = <Edge *>malloc(max(count, <uint64_t>1) * sizeof(Edge))
    cdef uint64_t place
    if edges == NULL:
        return False
    for place in range(count):
        edges[place] = Edge(out.codes[place], out.neighbors[place])
    qsort(edges, count, sizeof(Edge), order_edges)
    for place in range(count):
        out.codes[place] = edges[place].code
        out.neighbors[place] = edges[place].neighbor
    free(edges)
    return True


cdef int order_edges(const void *one, const void *other) noexcept nogil:
    cdef const Edge *a = <const Edge *>one
    cdef const Edge *b = <const Edge *>other
    if a.code != b.code:
        return -1 if a.code < b.code else 1
    if a.neighbor != b.neighbor:
        return -1 if a.neighbor < b.neighbor else 1
    return 0


cdef Answer search_growing(ListSearch *search) noexcept nogil:
    """Append the edges of a list, or count them; the buffer grows as it must."""
    cdef uint64_t before = search.out.count
    while True:
        if guarded(search_lists, search):
            return ODD
        if search.answer != FULL:
            return search.answer
        search.out.count = before
        if not make_room(search.out, search.out.room - before + 1):
            return ODD


cdef class QuickLists(QuickFile):
    """The adjacency lists of one segment in one direction.

    Source: SPEC.md, sections 12.3 and 12.4.
    """

    cdef Lists lists

    def __init__(
        self, map_, bits, uint64_t data_size, sparse, filter_, dense, ids, uint64_t row_size
    ):
        """sparse, dense : (blocks, directory), each (offset, size); filter_ : (offset, size).

        row_size : of a row of the dense directory; those of the sparse one have eight bytes more.
        """
        cdef Table table
        self.lists.file = self.span
        for is_dense, (blocks, directory) in enumerate((sparse, dense)):
            memset(&table, 0, sizeof(Table))
            table.blocks_offset, table.blocks_size = blocks
            table.directory_offset = directory[0]
            table.row_size = row_size if is_dense else row_size + 8
            table.row_count = directory[1] // table.row_size
            if is_dense:
                table.first_id, table.end_id = ids.start, ids.stop
                self.lists.dense = table
            else:
                table.filter_offset = filter_[0]
                table.filter_blocks = max(filter_[1] // 32, 1)
                self.lists.sparse = table
                self.lists.filter = Filter(
                    &self.lists.file, filter_[0], filter_[1] // 32 if table.row_count else 0
                )
        if self.lists.dense.row_count != (len(ids) + LISTS - 1) // LISTS:
            raise ValueError("the directory has another number of blocks")

    def has(self, uint64_t node_id, uint32_t code, uint64_t neighbor):
        """Return whether a node has an edge without a key, or UNSURE."""
        cdef Answer answer = seek(&self.lists, node_id, code, neighbor)
        return UNSURE if answer == ODD else answer == FOUND


cdef void probe_again(void *what) noexcept nogil:
    cdef ListSearch *search = <ListSearch *>what
    search.answer = probe_list(search, search.start, search.size, search.flags)


cdef Answer seek(const Lists *lists, uint64_t node_id, uint64_t code, uint64_t neighbor) noexcept nogil:
    """Return whether a list has an edge without a key: FOUND, NONE, or ODD."""
    cdef ListSearch search
    search.is_placed = False
    search.heads = NULL
    return seek_next(&search, lists, node_id, code, neighbor)


cdef Answer seek_next(
    ListSearch *search, const Lists *lists, uint64_t node_id, uint64_t code, uint64_t neighbor
) noexcept nogil:
    """The same, behind another seek with this `search`: the list of one node is found once, and,
    with `heads`, a block is read once."""
    cdef Edge probe = Edge(code, neighbor)
    cdef bint failed = False
    search.probe = &probe
    search.found = 0
    if search.is_placed and search.lists == lists and search.id == node_id:
        if search.start == NULL:
            return NONE
        failed = guarded(probe_again, search)
    else:
        search.lists = lists
        search.id = node_id
        search.start = NULL
        failed = guarded(search_lists, search)
    search.is_placed = not failed and search.answer != ODD
    if not search.is_placed:
        return ODD
    return FOUND if search.found else NONE


def edges_before(const uint8_t[::1] body not None, list offsets not None, list heads not None, Py_ssize_t place):
    """Return how many edges stand in the lists of a block before one of them, or UNSURE.

    offsets, heads : of its records, as `block_heads` returns them.
    """
    cdef ListSearch search
    cdef Buffer out = Buffer(NULL, NULL, 0, 0, False, False, False, False, False, False, NULL)
    cdef uint64_t start, head, size, group_count, edge_count, sum = 0
    cdef Py_ssize_t number
    if not 0 <= place <= len(heads) or len(offsets) <= len(heads):
        raise ValueError("there are fewer lists")
    search.type_count = -1
    search.types = NULL
    search.probe = NULL
    search.counting = True
    search.out = &out
    search.found = 0
    for number in range(place):
        start, head = offsets[number], heads[number]
        size = head >> 2
        if not size:
            continue
        if start > <uint64_t>body.shape[0] or size > <uint64_t>body.shape[0] - start:
            return UNSURE
        if not head & INDEXED:
            if decode_list(&search, &body[0] + start, size, head & 3, &body[0] + body.shape[0]) != FOUND:
                return UNSURE
            continue
        # The index says it; the list need not be read.
        if size < 8:
            return UNSURE
        edge_count = load32(&body[0] + start)
        group_count = load32(&body[0] + start + 4)
        if not 0 < group_count <= edge_count or group_count > (size - 8) / 16:
            return UNSURE
        sum += edge_count
    return sum + search.found
