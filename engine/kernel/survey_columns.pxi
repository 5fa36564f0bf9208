# What any segment or history holds, as columns (SPEC.md, sections 12.3 to 12.6 and 12.9).

cdef struct Columns:
    # Integers of eight bytes each, row by row.
    Growing ids, sequences, born, heads


cdef void columns_free(Columns *columns) noexcept nogil:
    growing_free(&columns.ids)
    growing_free(&columns.sequences)
    growing_free(&columns.born)
    growing_free(&columns.heads)


cdef tuple columns_taken(Columns *columns):
    return (
        PyBytes_FromStringAndSize(<const char *>columns.ids.data, columns.ids.size),
        PyBytes_FromStringAndSize(<const char *>columns.sequences.data, columns.sequences.size),
        PyBytes_FromStringAndSize(<const char *>columns.born.data, columns.born.size),
        PyBytes_FromStringAndSize(<const char *>columns.heads.data, columns.heads.size),
    )


cdef bint note_version(Columns *columns, const Version *version) noexcept nogil:
    return (
        note(&columns.sequences, version.sequence)
        and note(&columns.born, version.born)
        and note(&columns.heads, version.head & 7)
    )


cdef const uint8_t *read_version_count(
    const uint8_t *at, const uint8_t *end, bint listed, uint64_t *count
) noexcept nogil:
    """Read how many versions a record has."""
    count[0] = 1
    if not listed:
        return at
    at = read_varint(at, end, count)
    if at == NULL or not 1 <= count[0] <= <uint64_t>(end - at) / 2:
        return NULL
    return at


cdef Made note_node(
    Columns *columns, uint64_t id, const uint8_t *at, const uint8_t *end, const Commits *commits,
    uint64_t code_end, bint listed
) noexcept nogil:
    """Append the versions of a record of a node."""
    cdef Version version
    cdef uint64_t count, last = 0
    at = read_version_count(at, end, listed, &count)
    if at == NULL:
        return UNCLEAR
    while count:
        at = check_node(at, end, commits, code_end, &version)
        if at == NULL or version.sequence <= last:
            return UNCLEAR
        last = version.sequence
        if not note(&columns.ids, id) or not note_version(columns, &version):
            return NO_ROOM
        count -= 1
    return MADE if at == end else UNCLEAR


def node_columns(
    const uint8_t[::1] data not None, const uint8_t[::1] unpacked not None,
    const uint64_t[:, ::1] places not None, const int64_t[::1] firsts not None,
    const int64_t[::1] counts not None, bint dense, bint listed, uint64_t first_sequence,
    const int64_t[::1] times not None, uint64_t code_end,
):
    """Return the versions of nodes in blocks: ids, commits, commits that made the node, 0 where the
    version does not say, and heads; int64 each. UNSURE where the careful way must look.

    data, unpacked, places : as `place_blocks` has them.
    firsts, counts : of each block, its lowest id, and how many ids it has or, not dense, may have.
    listed : records are lists of versions, as in a history.
    """
    cdef Opener opener
    cdef Commits commits
    cdef Columns columns
    cdef uint64_t number, head, id
    cdef int64_t last_id = -1
    cdef Py_ssize_t index
    cdef const uint8_t *at
    cdef Made made = MADE
    if firsts.shape[0] != places.shape[0] or counts.shape[0] != places.shape[0]:
        raise ValueError("columns of different lengths")
    begin_opener(&opener, data, unpacked)
    begin_commits(&commits, first_sequence, times)
    memset(&columns, 0, sizeof(Columns))
    try:
        with nogil:
            for index in range(places.shape[0]):
                made = UNCLEAR
                if counts[index] < 0 or firsts[index] <= last_id:
                    break
                made = open_block(&opener, &places[index, 0], counts[index], firsts[index], dense)
                if made != MADE:
                    break
                if not dense:
                    last_id = opener.heads.ids[opener.heads.count - 1]
                for number in range(opener.heads.count):
                    head = opener.heads.heads[number]
                    if not head:
                        continue
                    if head & 3:
                        made = UNCLEAR
                        break
                    id = firsts[index] + number if dense else opener.heads.ids[number]
                    at = opener.records + opener.heads.offsets[number]
                    made = note_node(
                        &columns, id, at, at + (head >> 2), &commits, code_end, listed
                    )
                    if made != MADE:
                        break
                if made != MADE:
                    break
            end_opener(&opener)
        if made == NO_ROOM:
            raise MemoryError
        return columns_taken(&columns) if made == MADE else UNSURE
    finally:
        columns_free(&columns)


def edge_columns(
    const uint8_t[::1] data not None, const uint8_t[::1] unpacked not None,
    const uint64_t[:, ::1] places not None, const int64_t[::1] counts not None, bint listed,
    uint64_t first_sequence, const int64_t[::1] times not None,
):
    """Return the versions of edges in blocks: how many each position has, commits, commits that made
    the edge or 0, and heads; int64 each. UNSURE where the careful way must look.

    counts : positions in each block.   The rest as in `node_columns`.
    """
    cdef Opener opener
    cdef Commits commits
    cdef Columns columns
    cdef Version version
    cdef uint64_t heads[POSITIONS]
    cdef uint64_t number, count, size, left, last
    cdef Py_ssize_t index
    cdef const uint8_t *body
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef Made made = MADE
    if counts.shape[0] != places.shape[0]:
        raise ValueError("columns of different lengths")
    begin_opener(&opener, data, unpacked)
    begin_commits(&commits, first_sequence, times)
    memset(&columns, 0, sizeof(Columns))
    try:
        with nogil:
            for index in range(places.shape[0]):
                made = UNCLEAR
                if not 1 <= counts[index] <= POSITIONS:
                    break
                if not find_body(&opener, &places[index, 0], &body, &size) or not size:
                    break
                end = body + size
                at = body + 1
                if body[0] == 0:
                    if listed:
                        break
                    at = read_packed(at, end, counts[index], commits.count - 1, heads)
                    if at != end:
                        break
                    made = MADE
                    for number in range(counts[index]):
                        version.sequence = version.born = commits.first + heads[number]
                        version.head = CHANGE | FULL
                        if not note(&columns.ids, 1) or not note_version(&columns, &version):
                            made = NO_ROOM
                            break
                    if made != MADE:
                        break
                    continue
                if body[0] != 1:
                    break
                for number in range(counts[index]):
                    at = read_varint(at, end, &heads[number])
                    if at == NULL or heads[number] <= 3 or heads[number] & 3:
                        at = NULL
                        break
                if at == NULL:
                    break
                made = MADE
                for number in range(counts[index]):
                    left = end - at
                    if heads[number] >> 2 > left:
                        made = UNCLEAR
                        break
                    stop = at + (heads[number] >> 2)
                    at = read_version_count(at, stop, listed, &count)
                    if at != NULL and not note(&columns.ids, count):
                        made = NO_ROOM
                        break
                    last = 0
                    while at != NULL and count:
                        at = check_edge(at, stop, &commits, &version)
                        if at == NULL or version.sequence <= last:
                            at = NULL
                            break
                        last = version.sequence
                        if not note_version(&columns, &version):
                            made = NO_ROOM
                            break
                        count -= 1
                    if made == MADE and at != stop:
                        made = UNCLEAR
                    if made != MADE:
                        break
                if made == MADE and at != end:
                    made = UNCLEAR
                if made != MADE:
                    break
            end_opener(&opener)
        if made == NO_ROOM:
            raise MemoryError
        return columns_taken(&columns) if made == MADE else UNSURE
    finally:
        columns_free(&columns)


cdef struct ListEnd:
    # The last edge of the group before, and how many that had.
    uint64_t code, neighbor, count, key_size
    const uint8_t *key


cdef const uint8_t *note_group(
    Columns *columns, const Secret *secret, uint64_t id, bint is_out, const uint8_t *at,
    const uint8_t *end, uint64_t id_end, uint64_t code_end, bint is_first, ListEnd *last,
    uint64_t *first_neighbor, bint *is_marked
) noexcept nogil:
    """Append the edges of a group: the node, the neighbor, the edge's hash, the mark; return where it
    ends, NULL where the careful way must look."""
    cdef uint64_t neighbors[GROUP_COUNT_MAX]
    cdef const uint8_t *keys[GROUP_COUNT_MAX]
    cdef uint64_t key_sizes[GROUP_COUNT_MAX]
    cdef uint64_t step, shape, count, flags = 0, delta, place, neighbor = 0, all_sizes = 0, mark
    cdef uint64_t code, made = 0, named
    cdef const uint8_t *marks = NULL
    cdef int order
    if at >= end:
        return NULL
    step = at[0] & 31
    shape = at[0] >> 5
    at += 1
    if step == 31:
        at = read_varint(at, end, &step)
        if at == NULL or step < 31 or step >= TYPE_CODE_END:
            return NULL
    code = last.code + step
    if code >= code_end:
        return NULL
    count = shape + 1
    if shape == 7:
        if at >= end or not 0 < at[0] <= 3:
            return NULL
        flags = at[0]
        at += 1
    if shape >= 6:
        at = read_varint(at, end, &count)
        if at == NULL or not (1 if shape == 7 else 7) <= count <= GROUP_COUNT_MAX:
            return NULL
    for place in range(count):
        at = read_varint(at, end, &delta)
        if at == NULL or delta >= ID_END or (place and not delta and not flags & 1):
            return NULL
        neighbor += delta
        neighbors[place] = neighbor
        keys[place] = at
        key_sizes[place] = 0
    if neighbor >= id_end:
        return NULL
    if flags & 1:
        for place in range(count):
            at = read_varint(at, end, &key_sizes[place])
            if at == NULL or key_sizes[place] > TEXT_SIZE_MAX:
                return NULL
            if key_sizes[place] > <uint64_t>(end - at) or not is_utf8(at, key_sizes[place]):
                return NULL
            keys[place] = at
            at += key_sizes[place]
            all_sizes += key_sizes[place]
            if place and neighbors[place] == neighbors[place - 1] and compare_bytes(
                keys[place], key_sizes[place], keys[place - 1], key_sizes[place - 1]
            ) <= 0:
                return NULL
        if not all_sizes:
            return NULL
    if flags & 2:
        marks = at
        if (count + 3) / 4 > <uint64_t>(end - at):
            return NULL
        at += (count + 3) / 4
        if count & 3 and at[-1] >> (2 * (count & 3)):
            return NULL
        is_marked[0] = True
    if not is_first and not step:
        if last.count < GROUP_COUNT_MAX or neighbors[0] < last.neighbor:
            return NULL
        if neighbors[0] == last.neighbor and compare_bytes(
            keys[0], key_sizes[0], last.key, last.key_size
        ) <= 0:
            return NULL
    for place in range(count):
        mark = 3
        if marks != NULL:
            mark = marks[place >> 2] >> (2 * (place & 3)) & 3
            if not mark:
                return NULL
        made += mark == 3
        named = code
        if key_sizes[place]:
            named += xxh64_seeded(keys[place], key_sizes[place], secret.seed)
        if is_out:
            delta = hash_three(secret.three, id, named, neighbors[place])
        else:
            delta = hash_three(secret.three, neighbors[place], named, id)
        if (
            not note(&columns.ids, id) or not note(&columns.sequences, neighbors[place])
            or not note(&columns.born, delta) or not note(&columns.heads, mark)
        ):
            return NULL
    if marks != NULL and made == count:
        return NULL
    first_neighbor[0] = neighbors[0]
    last.code, last.neighbor, last.count = code, neighbors[count - 1], count
    last.key, last.key_size = keys[count - 1], key_sizes[count - 1]
    return at


cdef bint note_list(
    Columns *columns, const Secret *secret, uint64_t id, bint is_out, const uint8_t *start,
    uint64_t size, uint64_t flags, uint64_t id_end, uint64_t code_end
) noexcept nogil:
    """Append the edges of a list; return False where the careful way must look."""
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + size
    cdef const uint8_t *group
    cdef const uint8_t *row
    cdef ListEnd last
    cdef uint64_t groups = 0, group_count = 0, edge_count = 0, total = 0, first = 0
    cdef bint is_marked = False
    memset(&last, 0, sizeof(ListEnd))
    if flags & INDEXED:
        if size < 8:
            return False
        edge_count = load32(at)
        group_count = load32(at + 4)
        if not group_count or group_count > (size - 8) / 16:
            return False
        at += 8 + 16 * group_count
    while at < end or not groups:
        group = at
        at = note_group(
            columns, secret, id, is_out, at, end, id_end, code_end, not groups, &last, &first,
            &is_marked,
        )
        if at == NULL:
            return False
        if flags & INDEXED:
            row = start + 8 + 16 * groups
            if (
                groups >= group_count
                or load64(row) != first
                or load32(row + 8) != last.code
                or load32(row + 12) != <uint64_t>(group - start)
            ):
                return False
        total += last.count
        groups += 1
    if flags & INDEXED and (groups != group_count or total != edge_count):
        return False
    # A list is pure, or has marks.
    return is_marked != (flags & PURE)


def list_columns(
    const uint8_t[::1] key not None, const uint8_t[::1] data not None,
    const int64_t[::1] starts not None, const int64_t[::1] firsts not None,
    const int64_t[::1] counts not None, bint dense, bint is_out, uint64_t id_end,
    uint64_t code_end,
):
    """Return the edges in blocks of lists: nodes, neighbors, hashes of the edges, which are the same
    in both directions, and marks; int64 each. UNSURE where the careful way must look.

    starts : where each block begins, and where the last ends, counted as the first, where `data`
        begins.
    id_end, code_end : neighbors and type codes are below.   The rest as in `node_columns`.
    """
    cdef Secret secret
    cdef Heads heads
    cdef Columns columns
    cdef uint64_t number, head, begin, end, id
    cdef int64_t last_id = -1
    cdef Py_ssize_t index
    cdef const uint8_t *body
    cdef bint is_fine = True
    read_secret(&secret, key)
    if starts.shape[0] != firsts.shape[0] + 1 or counts.shape[0] != firsts.shape[0]:
        raise ValueError("columns of different lengths")
    memset(&columns, 0, sizeof(Columns))
    try:
        with nogil:
            for index in range(firsts.shape[0]):
                is_fine = False
                if starts[index] < starts[0] or starts[index + 1] <= starts[index]:
                    break
                begin = starts[index] - starts[0]
                end = starts[index + 1] - starts[0]
                if end > <uint64_t>data.shape[0] or counts[index] < 0 or firsts[index] <= last_id:
                    break
                body = &data[begin]
                if not read_heads(&heads, body, end - begin, counts[index], firsts[index], dense):
                    break
                is_fine = True
                if not dense:
                    last_id = heads.ids[heads.count - 1]
                for number in range(heads.count):
                    head = heads.heads[number]
                    if not head:
                        continue
                    id = firsts[index] + number if dense else heads.ids[number]
                    if not note_list(
                        &columns, &secret, id, is_out, body + heads.offsets[number], head >> 2,
                        head & 3, id_end, code_end,
                    ):
                        is_fine = False
                        break
                if not is_fine:
                    break
        return columns_taken(&columns) if is_fine else UNSURE
    finally:
        columns_free(&columns)


def hash_edge(
    const uint8_t[::1] key not None, uint64_t source, uint64_t code, uint64_t target,
    const uint8_t[::1] name not None,
):
    """Return the hash of an edge, as `list_columns` has it; `name` is its key."""
    cdef Secret secret
    read_secret(&secret, key)
    if name.shape[0]:
        code += xxh64_seeded(&name[0], name.shape[0], secret.seed)
    return hash_three(secret.three, source, code, target)


def may_hold_all(const uint8_t[::1] filter not None, const int64_t[::1] ids not None):
    """Return whether a filter of ids (12.3) knows all of these."""
    cdef uint64_t digest, blocks = filter.shape[0] / 32
    cdef Py_ssize_t place
    if not blocks:
        return not ids.shape[0]
    for place in range(ids.shape[0]):
        digest = xxh64_of(<const uint8_t *>&ids[place], 8)
        if not filter_may_hold(&filter[0] + filter_block(digest, blocks), digest):
            return False
    return True
