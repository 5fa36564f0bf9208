# Adjacency lists of nodes that were born in their file, read whole (SPEC.md, section 12.4).

cdef struct ListSum:
    # Of the lists of one direction: the key of the hashes, and what all edges come to.
    Secret secret
    bint is_out
    uint64_t id_end, code_end, sum


cdef const uint8_t *read_group(
    const uint8_t *at, const uint8_t *end, const uint8_t *limit, bint is_first, uint64_t *code,
    uint64_t *count, uint64_t *step, uint64_t *neighbors
) noexcept nogil:
    """Read a group without keys and marks; NULL where the careful way must look."""
    cdef uint64_t shape
    if at >= end:
        return NULL
    step[0] = at[0] & 31
    shape = at[0] >> 5
    at += 1
    if step[0] == 31:
        at = read_varint(at, end, step)
        if at == NULL or step[0] < 31 or step[0] >= TYPE_CODE_END:
            return NULL
    code[0] += step[0]
    if shape == 7 or code[0] >= TYPE_CODE_END:
        return NULL
    count[0] = shape + 1
    if shape == 6:
        at = read_varint(at, end, count)
        if at == NULL or not 7 <= count[0] <= GROUP_COUNT_MAX:
            return NULL
    return read_neighbors(at, end, limit, count[0], neighbors)


cdef int64_t take_list(
    ListSum *sum, uint64_t id, const uint8_t *start, uint64_t size, uint64_t flags,
    const uint8_t *limit
) noexcept nogil:
    """Add up the edges of a list; return how many there are, -1 where the careful way must look."""
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + size
    cdef const uint8_t *group
    cdef const uint8_t *row
    cdef uint64_t neighbors[GROUP_COUNT_MAX]
    cdef uint64_t code = 0, count = 0, step = 0, total = 0, groups = 0, place, last = 0, own = 0
    cdef uint64_t previous_count = 0, group_count = 0, edge_count = 0
    if not flags & PURE:
        return -1
    if flags & INDEXED:
        if size < 8:
            return -1
        edge_count = load32(at)
        group_count = load32(at + 4)
        if not group_count or group_count > (size - 8) / 16:
            return -1
        at += 8 + 16 * group_count
    while at < end or not groups:
        group = at
        at = read_group(at, end, limit, not groups, &code, &count, &step, neighbors)
        if at == NULL or code >= sum.code_end or neighbors[count - 1] >= sum.id_end:
            return -1
        if groups and not step and (neighbors[0] <= last or previous_count < GROUP_COUNT_MAX):
            return -1
        if flags & INDEXED:
            row = start + 8 + 16 * groups
            if (
                groups >= group_count
                or load64(row) != neighbors[0]
                or load32(row + 8) != code
                or load32(row + 12) != <uint64_t>(group - start)
            ):
                return -1
        if sum.is_out:
            for place in range(count):
                own += hash_three(sum.secret.three, id, code, neighbors[place])
        else:
            for place in range(count):
                own += hash_three(sum.secret.three, neighbors[place], code, id)
        last = neighbors[count - 1]
        previous_count = count
        total += count
        groups += 1
    if flags & INDEXED and (groups != group_count or total != edge_count):
        return -1
    sum.sum += own
    return total


def take_lists(
    const uint8_t[::1] key not None, const uint8_t[::1] data not None,
    const int64_t[::1] starts not None, int64_t first_id, bint is_out, uint64_t id_end,
    uint64_t code_end, int64_t[::1] degrees not None,
):
    """Fill in the degrees of nodes with consecutive ids; return (blocks, sum): for how many whole
    blocks, and the sum of the hashes of their edges, modulo 2**64, the same in both directions.

    data : blocks of a dense table, back to back.
    starts : where each begins, and where the last ends, counted as the first, where `data` begins.
    id_end, code_end : neighbors and type codes are below.
    """
    cdef ListSum sum
    cdef Heads heads
    cdef uint64_t done = 0, total = degrees.shape[0], count, number, size = data.shape[0]
    cdef uint64_t begin, end, sound = 0
    cdef int64_t degree
    cdef Py_ssize_t index = 0
    cdef const uint8_t *body
    cdef bint is_fine = True
    read_secret(&sum.secret, key)
    sum.is_out, sum.id_end, sum.code_end, sum.sum = is_out, id_end, code_end, 0
    with nogil:
        while index < starts.shape[0] - 1 and done < total:
            if starts[index] < starts[0] or starts[index + 1] <= starts[index]:
                break
            begin = starts[index] - starts[0]
            end = starts[index + 1] - starts[0]
            if end > size:
                break
            body = &data[begin]
            count = min(<uint64_t>LISTS, total - done)
            if not read_heads(&heads, body, end - begin, count, 0, True):
                break
            for number in range(count):
                degrees[done + number] = 0
                if not heads.heads[number]:
                    continue
                degree = take_list(
                    &sum, first_id + done + number, body + heads.offsets[number],
                    heads.heads[number] >> 2, heads.heads[number] & 3, body + (end - begin),
                )
                if degree < 0:
                    is_fine = False
                    break
                degrees[done + number] = degree
            if not is_fine:
                break
            sound = sum.sum
            done += count
            index += 1
    return index, sound
