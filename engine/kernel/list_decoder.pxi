# One whole adjacency list as values: the twin of formats.adjacency_list.decode_list (SPEC.md, 12.4).

# Where lists are decoded. Whoever uses it takes its memory out, for what makes values may run
# anything.
cdef StoredSource scratch


def decode_list(const uint8_t[::1] data not None, uint64_t flags, uint64_t count_max, tuple marks):
    """Return the edges (type code, neighbor, key) of a list and the mark of each; None where the
    careful way must look.

    flags : PURE and INDEXED.   count_max : edges in a group.   marks : what stands for 0 to 3.
    """
    cdef uint64_t size = data.shape[0], place
    cdef StoredSource *stored = &scratch
    cdef ListEdge *edges
    cdef ListEdge *edge
    cdef uint64_t room, count
    cdef Growing keys
    if not size or size >> 60 or flags > 3 or len(marks) != 4:
        return None
    stored.group_count_max = count_max
    stored.body = &data[0]
    stored.place = 0
    stored.heads.offsets[0] = 0
    stored.heads.heads[0] = size << 2 | flags
    stored.keys.size = 0
    if not growing_room(&stored.keys, size):
        raise MemoryError
    decode_current(stored)
    while stored.found == TOO_SMALL:
        if not more_edges(stored):
            raise MemoryError
        decode_current(stored)
    if stored.found != SOUND:
        return None
    edges, room, keys, count = stored.edges, stored.room, stored.keys, stored.source.count
    stored.edges = NULL
    stored.room = 0
    memset(&stored.keys, 0, sizeof(Growing))
    try:
        found = []
        found_marks = []
        for place in range(count):
            edge = edges + place
            key = ""
            if edge.key_size:
                key = PyUnicode_DecodeUTF8(<const char *>edge.key, edge.key_size, NULL)
            found.append((edge.code, edge.neighbor, key))
            found_marks.append(marks[edge.mark])
    finally:
        if stored.edges == NULL and stored.keys.data == NULL:
            stored.edges, stored.room, stored.keys = edges, room, keys
        else:
            free(edges)
            growing_free(&keys)
    return found, found_marks
