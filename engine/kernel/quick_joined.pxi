# Lists of one node in several segments as one (SPEC.md, sections 12.4 and 12.8).

cdef struct Runs:
    # Edges of a buffer that ascend from each start to the next, or to the end: of one segment each,
    # the newest first. In one run no edge stands twice.
    uint64_t starts[LAYERS_MAX + 1]
    int count


cdef struct Edges:
    uint64_t *neighbors
    uint32_t *codes
    Key *keys  # NULL if none has one


cdef inline int compare_at(
    const Edges *newer, uint64_t at, const Edges *older, uint64_t older_at
) noexcept nogil:
    """Return how two edges follow each other, by type code, neighbor and key."""
    cdef uint64_t neighbor = newer.neighbors[at] & ~DEAD, other = older.neighbors[older_at] & ~DEAD
    if newer.codes[at] != older.codes[older_at]:
        return -1 if newer.codes[at] < older.codes[older_at] else 1
    if neighbor != other:
        return -1 if neighbor < other else 1
    if newer.keys == NULL:
        return 0
    return compare_bytes(
        newer.keys[at].at, newer.keys[at].size, older.keys[older_at].at, older.keys[older_at].size
    )


cdef inline uint64_t put_edge(
    const Edges *from_, uint64_t at, Edges *out, uint64_t place, bint only_alive
) noexcept nogil:
    """Copy an edge, and return where the next one goes."""
    if only_alive and from_.neighbors[at] & DEAD:
        return place
    out.codes[place] = from_.codes[at]
    out.neighbors[place] = from_.neighbors[at]
    if out.keys != NULL:
        out.keys[place] = from_.keys[at]
    return place + 1


cdef uint64_t merge_two(
    const Edges *newer, uint64_t at, uint64_t end, const Edges *older, uint64_t older_at,
    uint64_t older_end, Edges *out, uint64_t place, bint is_last, bint newest_wins
) noexcept nogil:
    """Merge two runs behind each other to `place` on, and return where they end.

    newest_wins : of equal edges only the newer one stays.   is_last : and what is `DEAD` goes.
    `out` may be `older` if nothing is written over what was not read: if there is as much room
    between `place` and `older_at` as the newer run takes.
    """
    cdef int order
    while at < end and older_at < older_end:
        order = compare_at(newer, at, older, older_at)
        if order > 0:
            place = put_edge(older, older_at, out, place, is_last)
            older_at += 1
            continue
        if order == 0 and newest_wins:
            older_at += 1
        place = put_edge(newer, at, out, place, is_last)
        at += 1
    while at < end:
        place = put_edge(newer, at, out, place, is_last)
        at += 1
    while older_at < older_end:
        place = put_edge(older, older_at, out, place, is_last)
        older_at += 1
    return place


cdef struct Joining:
    Buffer *out
    Runs *runs
    Edges from_, to


cdef bint join_runs(Buffer *out, Runs *runs) noexcept nogil:
    """Make one run of all, of what is alive; False without memory, or where a key cannot be had.

    Cost: O(edges of the oldest run + edges of the others × log2(runs)), as the oldest, in which the
    node was made, is mostly by far the longest.
    """
    cdef uint64_t size = runs.starts[runs.count - 1] - runs.starts[0]
    cdef uint64_t edge_size = sizeof(uint64_t) + sizeof(uint32_t) + sizeof(Key) * out.with_keys
    cdef uint8_t *room = <uint8_t *>malloc(max(2 * size * edge_size, <uint64_t>1))
    cdef Joining joining
    cdef bint failed
    if room == NULL:
        return False
    joining.out, joining.runs = out, runs
    joining.from_.neighbors = <uint64_t *>room
    joining.to.neighbors = joining.from_.neighbors + size
    joining.from_.keys = joining.to.keys = NULL
    if out.with_keys:
        joining.from_.keys = <Key *>(joining.to.neighbors + size)
        joining.to.keys = joining.from_.keys + size
    joining.from_.codes = <uint32_t *>(room + 2 * size * (edge_size - sizeof(uint32_t)))
    joining.to.codes = joining.from_.codes + size
    failed = guarded(join_guarded, &joining)
    free(room)
    return not failed


cdef void join_guarded(void *what) noexcept nogil:
    cdef Joining *joining = <Joining *>what
    cdef Runs *runs = joining.runs
    cdef Buffer *out = joining.out
    cdef uint64_t first = runs.starts[0], last = runs.starts[runs.count - 1]
    cdef uint64_t size = last - first, place, start, end
    cdef Edges whole = Edges(out.neighbors, out.codes, out.keys)
    cdef int number, left
    # Where no list has marks no edge is in two of them, though two may differ by nothing but keys,
    # which are not known then.
    cdef bint newest_wins = out.has_marks
    memcpy(joining.from_.neighbors, whole.neighbors + first, size * sizeof(uint64_t))
    memcpy(joining.from_.codes, whole.codes + first, size * sizeof(uint32_t))
    if whole.keys != NULL:
        memcpy(joining.from_.keys, whole.keys + first, size * sizeof(Key))
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
                &joining.from_, start, end, &joining.from_, end,
                end if number + 1 == runs.count else runs.starts[number + 2],
                &joining.to, place, False, newest_wins,
            )
        runs.starts[left] = place
        runs.count = left
        joining.from_, joining.to = joining.to, joining.from_
    out.count = merge_two(
        &joining.from_, 0, runs.starts[runs.count], &whole, last, out.count, &whole, first, True,
        newest_wins,
    )
