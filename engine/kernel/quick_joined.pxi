# Lists of one node in several segments as one (SPEC.md, sections 12.4 and 12.8).

cdef struct Runs:
    # Edges of a buffer that ascend from each start to the next, or to the end: of one segment each,
    # the newest first. In one run no edge stands twice.
    uint64_t starts[LAYERS_MAX + 1]
    int count


cdef struct Edges:
    uint64_t *neighbors
    uint32_t *codes


cdef uint64_t merge_two(
    Edges newer, uint64_t at, uint64_t end, Edges older, uint64_t older_at, uint64_t older_end,
    Edges out, uint64_t place, bint only_alive
) noexcept nogil:
    """Merge two runs behind each other to `place` on, and return where they end; of equal edges the
    newer one stays. only_alive : leave out what is `DEAD`.

    `out` may be `older` if nothing is written behind what was read: where older_at - place is not
    less than what is left of the newer run.
    """
    cdef uint64_t neighbor = 0, other
    cdef uint32_t code = 0
    while at < end or older_at < older_end:
        if at < end:
            neighbor, code = newer.neighbors[at], newer.codes[at]
        if older_at < older_end:
            other = older.neighbors[older_at]
            if at == end or older.codes[older_at] < code or (
                older.codes[older_at] == code and other & ~DEAD < neighbor & ~DEAD
            ):
                if not (only_alive and other & DEAD):
                    out.codes[place] = older.codes[older_at]
                    out.neighbors[place] = other
                    place += 1
                older_at += 1
                continue
            if older.codes[older_at] == code and other & ~DEAD == neighbor & ~DEAD:
                older_at += 1
        if not (only_alive and neighbor & DEAD):
            out.codes[place] = code
            out.neighbors[place] = neighbor
            place += 1
        at += 1
    return place


cdef bint join_runs(Buffer *out, Runs *runs) noexcept nogil:
    """Make one run of all, of what is alive; False without memory.

    Cost: O(edges of the oldest run + edges of the others × log2(runs)), as the oldest, in which the
    node was made, is mostly by far the longest.
    """
    cdef uint64_t first = runs.starts[0], last = runs.starts[runs.count - 1]
    cdef uint64_t size = last - first, place, start, end
    cdef Edges whole = Edges(out.neighbors, out.codes), from_, to
    cdef uint64_t *room
    cdef int number, left
    room = <uint64_t *>malloc(max(2 * size, <uint64_t>1) * (sizeof(uint64_t) + sizeof(uint32_t)))
    if room == NULL:
        return False
    from_ = Edges(room, <uint32_t *>(room + 2 * size))
    to = Edges(room + size, from_.codes + size)
    memcpy(from_.neighbors, whole.neighbors + first, size * sizeof(uint64_t))
    memcpy(from_.codes, whole.codes + first, size * sizeof(uint32_t))
    for number in range(runs.count):
        runs.starts[number] -= first
    # Invariant: all runs but the oldest stand in `from_`, which ends where another one would begin.
    runs.count -= 1
    while runs.count > 1:
        place = left = 0
        for number in range(0, runs.count, 2):
            start, end = runs.starts[number], runs.starts[number + 1]
            runs.starts[left] = place
            left += 1
            place = merge_two(
                from_, start, end, from_, end,
                end if number + 1 == runs.count else runs.starts[number + 2], to, place, False,
            )
        runs.starts[left] = place
        runs.count = left
        from_, to = to, from_
    out.count = merge_two(
        from_, 0, runs.starts[runs.count], whole, last, out.count, whole, first, True
    )
    free(room)
    return True
