# End states of edges, by their positions (SPEC.md, sections 12.5 and 12.6).

cdef const uint8_t *check_edge(
    const uint8_t *at, const uint8_t *end, const Commits *commits, Version *version
) noexcept nogil:
    """Read a version of an edge; return where it ends, NULL where the careful way must look."""
    cdef uint64_t flags, value
    cdef int64_t time
    cdef int field
    if at >= end:
        return NULL
    version.head = at[0] & 7
    flags = at[0] >> 3
    if version.head & CHANGE:
        if flags > 15 or (version.head & BORN_DIFFERS and not version.head & FULL):
            return NULL
    elif at[0]:
        return NULL
    at = read_commits(at + 1, end, commits, version)
    if at == NULL:
        return NULL
    time = commits.times[version.sequence - commits.first]
    for field in range(3):
        if flags >> field & 1:
            at = read_varint(at, end, &value)
            if at == NULL or not is_moment(value, time):
                return NULL
    return check_map(at, end) if flags & 8 else at


cdef bint read_plain_edges(
    const uint8_t *body, uint64_t size, uint64_t count, const Commits *commits, int64_t *born,
    int64_t *changed
) noexcept nogil:
    """Read a block of plain inserts."""
    cdef uint64_t numbers[POSITIONS]
    cdef uint64_t number
    if read_packed(body + 1, body + size, count, commits.count - 1, numbers) != body + size:
        return False
    for number in range(count):
        born[number] = changed[number] = commits.first + numbers[number]
    return True


cdef bint read_edge_records(
    const uint8_t *body, uint64_t size, uint64_t count, const Commits *commits, int64_t *born,
    int64_t *changed
) noexcept nogil:
    """Read a block of full versions that stand in it."""
    cdef const uint8_t *at = body + 1
    cdef const uint8_t *end = body + size
    cdef const uint8_t *record
    cdef uint64_t heads[POSITIONS]
    cdef uint64_t number, left
    cdef Version version
    for number in range(count):
        at = read_varint(at, end, &heads[number])
        if at == NULL or heads[number] <= 3 or heads[number] & 3:
            return False
    for number in range(count):
        left = end - at
        if heads[number] >> 2 > left:
            return False
        record = at
        at += heads[number] >> 2
        if check_edge(record, at, commits, &version) != at or not version.head & FULL:
            return False
        born[number] = version.born
        changed[number] = version.sequence
    return at == end


def take_edges(
    const uint8_t[::1] data not None, const uint8_t[::1] unpacked not None,
    const uint64_t[:, ::1] places not None, uint64_t first_sequence,
    const int64_t[::1] times not None, int64_t[::1] born not None, int64_t[::1] changed not None,
):
    """Fill in which commits made edges, and which made their end states, for blocks of full
    versions; return for how many of the blocks.

    As `take_nodes`; born, changed : one for each edge; only the last block has fewer than 256.
    """
    cdef Opener opener
    cdef Commits commits
    cdef uint64_t index = 0, done = 0, count, size, total = born.shape[0]
    cdef const uint8_t *body
    cdef bint is_fine
    if changed.shape[0] != born.shape[0]:
        raise ValueError("columns of different lengths")
    begin_opener(&opener, data, unpacked)
    begin_commits(&commits, first_sequence, times)
    with nogil:
        while index < <uint64_t>places.shape[0] and done < total:
            count = min(<uint64_t>POSITIONS, total - done)
            if not find_body(&opener, &places[index, 0], &body, &size) or not size:
                break
            if body[0] == 0:
                is_fine = read_plain_edges(
                    body, size, count, &commits, &born[done], &changed[done]
                )
            else:
                is_fine = body[0] == 1 and read_edge_records(
                    body, size, count, &commits, &born[done], &changed[done]
                )
            if not is_fine:
                break
            done += count
            index += 1
        end_opener(&opener)
    return index
