# Where the list of a node stands in a segment, and an edge in it (SPEC.md, sections 12.3 and 12.4).

cdef struct EdgeFile:
    # stored : first, so that its address is that of the whole; its `in_list` is not used.
    # node_id : whose list is wanted.   first_position : of the first edge of the block at hand.
    # position : of the first edge of its list number `counted`.
    StoredSource stored
    const Lists *lists
    uint64_t node_id, first_position, position, counted
    Answer answer


cdef Answer find_sparse_block(EdgeFile *file, uint64_t *block) noexcept nogil:
    """Find the block in which the list of an older node would stand."""
    cdef StoredSource *stored = &file.stored
    cdef const Table *table = &file.lists.sparse
    cdef uint64_t digest, low = 0, high = table.row_count, middle
    cdef const uint8_t *at
    if not high:
        return NONE
    digest = xxh64_of(<const uint8_t *>&file.node_id, 8)
    at = checked_bytes(stored, table.filter_offset + filter_block(digest, table.filter_blocks), 32)
    if at == NULL:
        return ODD
    if not filter_may_hold(at, digest):
        return NONE
    # Invariant: blocks below `low` begin at or below the id, blocks from `high` on above it.
    while low < high:
        middle = (low + high) / 2
        at = checked_bytes(stored, table.directory_offset + middle * table.row_size, 8)
        if at == NULL:
            return ODD
        if load64(at) <= file.node_id:
            low = middle + 1
        else:
            high = middle
    block[0] = low - 1
    return FOUND if low else NONE


cdef bint open_list_block(EdgeFile *file, int part, uint64_t block) noexcept nogil:
    """Open a block of lists, and read how many edges are before it."""
    cdef StoredSource *stored = &file.stored
    cdef const StoredTable *table = &stored.tables[part]
    cdef const uint8_t *at
    stored.has_block = False
    stored.found = LISTS_ODD
    if block >= table.row_count:
        return False
    stored.part = part
    stored.block = block
    open_block(stored)
    if stored.found != SOUND:
        return False
    at = checked_bytes(
        stored, table.directory_offset + block * table.row_size + table.column + 8, 8
    )
    if at == NULL:
        return False
    file.first_position = file.position = load64(at)
    file.counted = 0
    stored.has_block = True
    return True


cdef const uint8_t *skip_varints(const uint8_t *at, const uint8_t *end, uint64_t count) noexcept nogil:
    cdef uint64_t place, value
    for place in range(count):
        at = read_varint(at, end, &value)
        if at == NULL:
            return NULL
    return at


cdef const uint8_t *skip_group(
    GroupHead *group, const uint8_t *at, const uint8_t *end, uint64_t count_max
) noexcept nogil:
    """Read the head of a group, and return where it ends; NULL where that cannot be told."""
    cdef uint64_t place, size
    at = read_group_head(group, at, end, count_max)
    if at != NULL:
        at = skip_varints(at, end, group.count)
    if at == NULL:
        return NULL
    if group.keyed:
        for place in range(group.count):
            at = read_varint(at, end, &size)
            if at == NULL or size > <uint64_t>(end - at):
                return NULL
            at += size
    if group.marked:
        size = (group.count + 3) / 4
        if size > <uint64_t>(end - at):
            return NULL
        at += size
    return at


cdef bint count_list(const StoredSource *stored, uint64_t place, uint64_t *count) noexcept nogil:
    """Add the number of edges in a list of the block."""
    cdef uint64_t head = stored.heads.heads[place], size = head >> 2, groups
    cdef const uint8_t *at = stored.body + stored.heads.offsets[place]
    cdef const uint8_t *end = at + size
    cdef GroupHead group
    if head & INDEXED:
        # The index says it; the list need not be read.
        if size < 8:
            return False
        groups = load32(at + 4)
        if not 0 < groups <= load32(at) or groups > (size - 8) / 16:
            return False
        count[0] += load32(at)
        return True
    group.code = 0
    while at < end:
        at = skip_group(&group, at, end, stored.group_count_max)
        if at == NULL:
            return False
        count[0] += group.count
    return True


cdef void find_list(void *what) noexcept nogil:
    """Go to the list of a node; NONE where it has none, ODD where `stored.found` says why."""
    cdef EdgeFile *file = <EdgeFile *>what
    cdef StoredSource *stored = &file.stored
    cdef uint64_t block = 0, place = 0
    cdef int part = DENSE
    file.answer = ODD
    if stored.first_id <= file.node_id < stored.end_id:
        block = (file.node_id - stored.first_id) / stored.list_count
        place = (file.node_id - stored.first_id) % stored.list_count
    else:
        part = SPARSE
        file.answer = find_sparse_block(file, &block)
        if file.answer != FOUND:
            return
        file.answer = ODD
    if not stored.has_block or stored.part != part or stored.block != block:
        if not open_list_block(file, part, block):
            return
    if part == SPARSE:
        while place < stored.heads.count and stored.heads.ids[place] < file.node_id:
            place += 1
        if place == stored.heads.count or stored.heads.ids[place] != file.node_id:
            file.answer = NONE
            return
    if not stored.heads.heads[place]:
        file.answer = NONE
        return
    if place < file.counted:
        file.counted = 0
        file.position = file.first_position
    stored.found = LISTS_ODD
    while file.counted < place:
        if stored.heads.heads[file.counted] and not count_list(
            stored, file.counted, &file.position
        ):
            return
        file.counted += 1
    stored.place = place
    stored.position = file.position
    file.answer = FOUND


cdef void find_group_of_edge(void *what) noexcept nogil:
    """Decode, of the list found, the group in which an edge without a key would stand, and move
    `stored.position` to it: a hub's list is not decoded for one edge (12.4).

    The edge is the first of `stored.edges`. All of a list without an index is decoded.
    """
    cdef EdgeFile *file = <EdgeFile *>what
    cdef StoredSource *stored = &file.stored
    cdef uint64_t head = stored.heads.heads[stored.place], size = head >> 2
    cdef uint64_t code = stored.edges.code, neighbor = stored.edges.neighbor
    cdef const uint8_t *start = stored.body + stored.heads.offsets[stored.place]
    cdef const uint8_t *end = start + size
    cdef const uint8_t *row
    cdef const uint8_t *at
    cdef uint64_t low = 0, high, middle, groups, number, offset
    cdef GroupHead group
    stored.found = LISTS_ODD
    stored.keys.size = 0
    stored.source.count = 0
    if not head & INDEXED or size < 8:
        return
    groups = high = load32(start + 4)
    if not 0 < groups <= load32(start) or groups > (size - 8) / 16:
        return
    # Invariant: groups below `low` begin before the edge, groups from `high` on at it or behind.
    while low < high:
        middle = (low + high) / 2
        row = start + 8 + 16 * middle
        if load32(row + 8) < code or (load32(row + 8) == code and load64(row) <= neighbor):
            low = middle + 1
        else:
            high = middle
    if not low:
        stored.found = SOUND
        return
    for number in range(low):
        row = start + 8 + 16 * number
        offset = load32(row + 12)
        if not 8 + 16 * groups <= offset < size:
            return
        group.code = 0
        at = read_group_head(&group, start + offset, end, stored.group_count_max)
        if at == NULL:
            return
        if number + 1 < low:
            stored.position += group.count
    # Parallel edges with keys may go on from one group to the next.
    if group.keyed or group.count > stored.room:
        return
    group.code = load32(row + 8)
    at = read_ends(stored.edges, &group, False, at, end)
    if at == NULL or stored.edges.neighbor != load64(row):
        return
    if group.marked and read_marks(stored.edges, group.count, at, end) == NULL:
        return
    stored.source.count = group.count
    stored.found = SOUND
