# One adjacency list of a stored segment or history after the other, with the end states of its edges
# (SPEC.md, sections 12.3, 12.4 and 12.6).
#
# Whatever is read from the map is read inside `guarded`, one stage at a time: what says where the
# source is changes only outside. What is kept of a list is copied out of the map.

cdef enum:
    # Bits of the head of a version record (12.5), above them those of the fields.
    EDGE_CHANGE = 1
    EDGE_FULL = 2
    EDGE_BORN_DIFFERS = 4
    PLAIN_HEAD = 3  # Of a version that is full, without fields, born by its own commit.

cdef enum Stage:
    LEAVE  # Go on behind the current list.
    OPEN_BLOCK
    DECODE
    ADD_VERSIONS

cdef enum Found:
    SOUND
    LISTS_ODD  # The careful way must look.
    UNCHECKED  # The bytes that `wanted` says must be checked first.
    PACKED_AWAY  # The block of edges that `wanted` says must be unpacked first.
    TOO_SMALL  # What is kept of a list has no room: `room_wanted` says for how much.

cdef enum:
    SPARSE = 0
    DENSE = 1
    MARK_DEAD = 1
    MARK_MADE = 3
    KEY_SIZE_MAX = 65535
    EDGE_FIELDS_END = 16  # On disk; SPEC.md, section 7.3: four fields.


cdef struct StoredTable:
    uint64_t blocks_offset, blocks_size, directory_offset, row_size, row_count, column


cdef struct StoredVersions:
    # The table of edge versions, and its block `index` as far as it was opened: `sequences` of a
    # plain one, else where the records stand in `body`.
    StoredTable table
    uint64_t edge_count, block_count, first_sequence, last_sequence
    uint64_t index, count
    bint is_plain
    uint64_t sequences[BLOCK_COUNT_MAX]
    uint64_t offsets[BLOCK_COUNT_MAX + 1]
    uint64_t heads[BLOCK_COUNT_MAX]
    const uint8_t *body
    # A body that was unpacked elsewhere, of the block `given_index`.
    const uint8_t *given
    uint64_t given_size, given_index


cdef uint64_t NOWHERE = <uint64_t>-1


cdef struct StoredSource:
    # source : first, so that its address is that of the whole.
    # part, block, place : of the current list: which table, which block, which place there.
    # position : edges in the lists before it.   filled : of its edges, those with versions.
    ListSource source
    Span file
    StoredTable tables[2]
    uint64_t first_id, end_id, list_count, group_count_max
    StoredVersions versions
    bint with_versions, careful
    Stage stage
    int part
    uint64_t block, place, position, filled
    bint in_list, has_block
    Heads heads
    const uint8_t *body
    ListEdge *edges
    uint64_t room, room_wanted
    Growing keys, fields
    Found found
    uint64_t wanted_offset, wanted_size


cdef const uint8_t *checked_bytes(
    StoredSource *stored, uint64_t offset, uint64_t size
) noexcept nogil:
    """Return bytes of the file; NULL, and why in `found`, where they cannot be had."""
    cdef const uint8_t *at = bytes_at(&stored.file, offset, size)
    if at == NULL:
        stored.found = LISTS_ODD
        if offset <= stored.file.size and size <= stored.file.size - offset:
            stored.found = UNCHECKED
            stored.wanted_offset = offset
            stored.wanted_size = size
    return at


cdef bint find_block(
    StoredSource *stored, const StoredTable *table, uint64_t index, uint64_t *start,
    uint64_t *end, uint64_t *first_id
) noexcept nogil:
    """Read a block's row of the directory: where the block is in the file, and its first column."""
    cdef bint is_last = index + 1 == table.row_count
    cdef const uint8_t *row = checked_bytes(
        stored, table.directory_offset + index * table.row_size,
        table.row_size if is_last else 2 * table.row_size,
    )
    if row == NULL:
        return False
    start[0] = load64(row + table.column)
    end[0] = table.blocks_size if is_last else load64(row + table.row_size + table.column)
    first_id[0] = load64(row)
    stored.found = LISTS_ODD
    if not start[0] < end[0] <= table.blocks_size:
        return False
    start[0] += table.blocks_offset
    end[0] += table.blocks_offset
    return True


cdef void open_block(void *what) noexcept nogil:
    """Read the heads of the current block."""
    cdef StoredSource *stored = <StoredSource *>what
    cdef uint64_t start, end, first_id, count = stored.list_count
    if not find_block(
        stored, &stored.tables[stored.part], stored.block, &start, &end, &first_id
    ):
        return
    stored.body = checked_bytes(stored, start, end - start)
    if stored.body == NULL:
        return
    if stored.part == DENSE:
        first_id = stored.first_id + stored.block * stored.list_count
        count = min(count, stored.end_id - first_id)
    if read_heads(
        &stored.heads, stored.body, end - start, count, first_id, stored.part == DENSE
    ):
        stored.found = SOUND
    else:
        stored.found = LISTS_ODD


cdef struct GroupHead:
    uint64_t code, count
    bint keyed, marked


cdef const uint8_t *read_group_head(
    GroupHead *group, const uint8_t *at, const uint8_t *end, uint64_t count_max
) noexcept nogil:
    """Read what stands before the neighbors of a group; `group` has the code of the one before."""
    cdef uint64_t step, shape, flags = 0, count_min = 1
    if at >= end:
        return NULL
    step = at[0] & 31
    shape = at[0] >> 5
    at += 1
    if step == 31:
        at = read_varint(at, end, &step)
        if at == NULL or step < 31 or step >= TYPE_CODE_END:
            return NULL
    group.code += step
    if group.code >= TYPE_CODE_END:
        return NULL
    if shape == 7:
        if at >= end or not 0 < at[0] <= 3:
            return NULL
        flags = at[0]
        at += 1
    elif shape == 6:
        count_min = 7
    group.count = shape + 1
    if shape >= 6:
        at = read_varint(at, end, &group.count)
        if at == NULL:
            return NULL
    if not count_min <= group.count <= count_max:
        return NULL
    group.keyed = flags & 1
    group.marked = flags >> 1
    return at


cdef const uint8_t *read_ends(
    ListEdge *edges, const GroupHead *group, bint careful, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    cdef uint64_t place, delta, neighbor = 0
    cdef ListEdge *edge = edges
    for place in range(group.count):
        at = read_varint(at, end, &delta)
        if at == NULL or delta >= ID_END or (place and not delta and not group.keyed):
            return NULL
        neighbor += delta
        if neighbor >= ID_END:
            return NULL
        edge.code = group.code
        edge.neighbor = neighbor
        edge.key_size = 0
        edge.mark = MARK_MADE
        edge.careful = careful
        edge += 1
    return at


cdef const uint8_t *read_keys(
    ListEdge *edges, uint64_t count, Growing *keys, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    """Read and keep the keys of a group; there is room for the whole list."""
    cdef uint64_t place, size
    cdef bint any_key = False
    for place in range(count):
        at = read_varint(at, end, &size)
        if at == NULL or size > KEY_SIZE_MAX or size > <uint64_t>(end - at):
            return NULL
        if size and not is_utf8(at, size):
            return NULL
        edges[place].key = keys.data + keys.size
        edges[place].key_size = <uint32_t>size
        put_bytes(keys, at, size)
        at += size
        any_key |= size != 0
        if place and compare_edges(&edges[place - 1], &edges[place]) >= 0:
            return NULL
    return at if any_key else NULL


cdef const uint8_t *read_marks(
    ListEdge *edges, uint64_t count, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    cdef uint64_t place, size = (count + 3) / 4, made = 0
    cdef uint8_t mark
    if size > <uint64_t>(end - at):
        return NULL
    for place in range(4 * size):
        mark = at[place >> 2] >> 2 * (place & 3) & 3
        if place >= count:
            if mark:
                return NULL
        elif not mark:
            return NULL
        else:
            edges[place].mark = mark
            made += mark == MARK_MADE
    return at + size if made < count else NULL


cdef inline int compare_edges(const ListEdge *one, const ListEdge *other) noexcept nogil:
    """Return the order of two edges by (type code, neighbor, key): below 0, 0, above 0."""
    cdef int order
    if one.code != other.code:
        return -1 if one.code < other.code else 1
    if one.neighbor != other.neighbor:
        return -1 if one.neighbor < other.neighbor else 1
    if not one.key_size or not other.key_size:
        return <int>one.key_size - <int>other.key_size
    # The bytes of UTF-8 have the order of the code points.
    order = memcmp(one.key, other.key, min(one.key_size, other.key_size))
    return order if order else <int>one.key_size - <int>other.key_size


cdef void decode_current(void *what) noexcept nogil:
    """Decode the current list: what `formats.adjacency_list.decode_list` accepts, else LISTS_ODD."""
    cdef StoredSource *stored = <StoredSource *>what
    cdef uint64_t head = stored.heads.heads[stored.place]
    cdef uint64_t size = head >> 2, total = 0, groups = 0, group_count = 0, edge_count = 0
    cdef uint64_t previous_count = 0, previous_code
    cdef const uint8_t *start = stored.body + stored.heads.offsets[stored.place]
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + size
    cdef const uint8_t *group_start
    cdef const uint8_t *row
    cdef ListEdge *edges
    cdef GroupHead group
    cdef bint any_marked = False
    stored.found = LISTS_ODD
    stored.keys.size = 0
    group.code = 0
    if head & INDEXED:
        if size < 8:
            return
        edge_count = load32(at)
        group_count = load32(at + 4)
        if group_count > (size - 8) / 16 or not 0 < group_count <= edge_count:
            return
        at += 8 + 16 * group_count
    while at < end or not groups:
        group_start = at
        previous_code = group.code
        at = read_group_head(&group, at, end, stored.group_count_max)
        if at == NULL:
            return
        if stored.room - total < group.count:
            stored.found = TOO_SMALL
            stored.room_wanted = total + group.count
            return
        edges = stored.edges + total
        at = read_ends(edges, &group, stored.careful, at, end)
        if at != NULL and group.keyed:
            at = read_keys(edges, group.count, &stored.keys, at, end)
        if at != NULL and group.marked:
            at = read_marks(edges, group.count, at, end)
        if at == NULL:
            return
        if groups and (
            compare_edges(edges - 1, edges) >= 0
            or (group.code == previous_code and previous_count < stored.group_count_max)
        ):
            return
        if head & INDEXED:
            row = start + 8 + 16 * groups
            if (
                groups >= group_count
                or load64(row) != edges.neighbor
                or load32(row + 8) != group.code
                or load32(row + 12) != <uint64_t>(group_start - start)
            ):
                return
        any_marked |= group.marked
        previous_count = group.count
        total += group.count
        groups += 1
    if any_marked == (head & PURE):
        return
    if head & INDEXED and (groups != group_count or total != edge_count):
        return
    stored.source.edges = stored.edges
    stored.source.count = total
    stored.found = SOUND


cdef bint read_plain(
    StoredVersions *versions, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    """Read the sequences of a plain block, behind its mode byte."""
    cdef uint64_t place, last = versions.last_sequence - versions.first_sequence
    if read_packed(at, end, versions.count, last, versions.sequences) != end:
        return False
    for place in range(versions.count):
        versions.sequences[place] += versions.first_sequence
    return True


cdef bint read_record_heads(
    StoredVersions *versions, uint64_t size
) noexcept nogil:
    """Read the sizes of the records of a block of edges, behind its mode byte."""
    cdef const uint8_t *end = versions.body + size
    cdef const uint8_t *at = versions.body + 1
    cdef uint64_t place, offset
    for place in range(versions.count):
        at = read_varint(at, end, &versions.heads[place])
        if at == NULL or not 3 < versions.heads[place] < <uint64_t>1 << 50:
            return False
    offset = at - versions.body
    for place in range(versions.count):
        versions.offsets[place] = offset
        offset += versions.heads[place] >> 2
    versions.offsets[versions.count] = offset
    return offset == size


cdef bint open_versions(StoredSource *stored, uint64_t index) noexcept nogil:
    """Open a block of edge versions; where it cannot be, `found` says why."""
    cdef StoredVersions *versions = &stored.versions
    cdef uint64_t start, end, unused, size
    cdef const uint8_t *at
    cdef const uint8_t *stop
    versions.index = NOWHERE
    if index == versions.given_index:
        versions.body = versions.given
        size = versions.given_size
    else:
        if not find_block(stored, &versions.table, index, &start, &end, &unused):
            return False
        at = checked_bytes(stored, start, min(<uint64_t>11, end - start))
        if at == NULL:
            return False
        stored.found = LISTS_ODD
        stop = read_varint(at + 1, at + min(<uint64_t>11, end - start), &size)
        if stop == NULL or size > end - start - <uint64_t>(stop - at):
            return False
        if at[0]:
            stored.found = PACKED_AWAY
            stored.wanted_offset = index
            return False
        versions.body = checked_bytes(stored, start + (stop - at), size)
        if versions.body == NULL:
            return False
    stored.found = LISTS_ODD
    versions.count = min(
        versions.block_count, versions.edge_count - index * versions.block_count
    )
    if not size or versions.body[0] > 1:
        return False
    versions.is_plain = not versions.body[0]
    if versions.is_plain:
        if not read_plain(versions, versions.body + 1, versions.body + size):
            return False
    elif not read_record_heads(versions, size):
        return False
    versions.index = index
    return True


cdef bint are_edge_fields(uint64_t flags, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return whether the bytes can be the fields of an edge: three times, and a map (12.5).

    What a time is also depends on that of its commit: that is not looked at.
    """
    cdef uint64_t bit, value
    for bit in range(3):
        if flags >> bit & 1:
            at = read_varint(at, end, &value)
            if at == NULL or (value and (value - 1 & 3) == 3):
                return False
    if not flags & 8:
        return at == end
    at = read_varint(at, end, &value)
    return at != NULL and value == <uint64_t>(end - at) and is_property_map(at, value)


cdef bint read_version(StoredSource *stored, ListEdge *edge, uint64_t place) noexcept nogil:
    """Take a version record apart; where that cannot be, `found` says why."""
    cdef StoredVersions *versions = &stored.versions
    cdef uint64_t size = versions.heads[place] >> 2, value
    cdef uint64_t span = versions.last_sequence - versions.first_sequence + 1
    cdef const uint8_t *at = versions.body + versions.offsets[place]
    cdef const uint8_t *end = at + size
    cdef uint64_t flags = at[0] >> 3
    stored.found = LISTS_ODD
    # Records out of line are for the careful way.
    if versions.heads[place] & 3 or flags >= EDGE_FIELDS_END:
        return False
    edge.head = at[0]
    if edge.head and (not edge.head & EDGE_CHANGE or edge.head & 6 == EDGE_BORN_DIFFERS):
        return False
    at = read_varint(at + 1, end, &value)
    if at == NULL or value >= span:
        return False
    edge.sequence = edge.born = versions.first_sequence + value
    if edge.head & EDGE_BORN_DIFFERS:
        at = read_varint(at, end, &value)
        if at == NULL or value >= edge.sequence - versions.first_sequence:
            return False
        edge.born = versions.first_sequence + value
    if not are_edge_fields(flags, at, end):
        return False
    edge.fields_size = <uint32_t>(end - at)
    if size >> 30:
        return False
    if stored.fields.room - stored.fields.size < edge.fields_size:
        stored.found = TOO_SMALL
        stored.room_wanted = edge.fields_size
        return False
    edge.fields = stored.fields.data + stored.fields.size
    put_bytes(&stored.fields, at, edge.fields_size)
    return True


cdef void add_versions(void *what) noexcept nogil:
    """Give the edges of the current list their end states, from `filled` on."""
    cdef StoredSource *stored = <StoredSource *>what
    cdef StoredVersions *versions = &stored.versions
    cdef uint64_t index, place, position, end = stored.position + stored.source.count
    cdef ListEdge *edge
    stored.found = LISTS_ODD
    if end > versions.edge_count:
        return
    while stored.filled < stored.source.count:
        position = stored.position + stored.filled
        index = position / versions.block_count
        place = position % versions.block_count
        if index != versions.index and not open_versions(stored, index):
            return
        edge = stored.edges + stored.filled
        if versions.is_plain:
            edge.head = PLAIN_HEAD
            edge.fields_size = 0
            edge.sequence = edge.born = versions.sequences[place]
        elif not read_version(stored, edge, place):
            return
        # What a writer asserts of every edge.
        if (edge.mark == MARK_DEAD) != (edge.head == 0) or (
            edge.mark == MARK_MADE and not edge.head & EDGE_FULL
        ):
            stored.found = LISTS_ODD
            return
        stored.filled += 1
    stored.found = SOUND


cdef bint more_edges(StoredSource *stored) noexcept nogil:
    """Make room for the edges of a list; False where there is no memory."""
    cdef uint64_t room = max(stored.room, <uint64_t>64)
    cdef ListEdge *grown
    if stored.room_wanted >> 40:
        return False
    while room < stored.room_wanted:
        room *= 2
    grown = <ListEdge *>realloc(stored.edges, room * sizeof(ListEdge))
    if grown == NULL:
        return False
    stored.edges = grown
    stored.room = room
    return True


cdef bint more_fields(StoredSource *stored) noexcept nogil:
    """Make room for the fields of an edge; False where there is no memory."""
    cdef const uint8_t *before = stored.fields.data
    cdef uint64_t place
    if not growing_room(&stored.fields, stored.room_wanted):
        return False
    for place in range(stored.filled):
        if stored.edges[place].fields_size:
            stored.edges[place].fields = stored.fields.data + (stored.edges[place].fields - before)
    return True


cdef uint64_t block_count_of(uint64_t count, uint64_t in_block) noexcept:
    return count / in_block + (count % in_block != 0)


cdef int set_table(StoredTable *table, sections, uint64_t row_size, uint64_t column) except -1:
    blocks, directory = sections
    table.blocks_offset, table.blocks_size = blocks
    table.directory_offset = directory[0]
    table.row_size = row_size
    table.column = column
    table.row_count = directory[1] // row_size
    return 0
