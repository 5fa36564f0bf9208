# Ids whose records and lists a merge hands back, whatever stands there (SPEC.md, section 12.10).

cdef struct CarefulIds:
    # ids : ascending.   place : of the first that is not below any id asked for so far.
    uint64_t *ids
    uint64_t count, place


cdef inline uint64_t next_careful(CarefulIds *careful, uint64_t node_id) noexcept nogil:
    """Return the first of them from an id on, U64_MAX if there is none; what is asked for ascends."""
    while careful.place < careful.count and careful.ids[careful.place] < node_id:
        careful.place += 1
    return careful.ids[careful.place] if careful.place < careful.count else U64_MAX


cdef inline bint is_careful(const CarefulIds *careful, uint64_t node_id) noexcept nogil:
    """Return whether an id is one of them, whatever was asked for before."""
    cdef uint64_t low = 0, middle, high = careful.count
    # Invariant: ids before `low` are below, ids from `high` on above it.
    while low < high:
        middle = (low + high) // 2
        if careful.ids[middle] == node_id:
            return True
        if careful.ids[middle] < node_id:
            low = middle + 1
        else:
            high = middle
    return False


cdef bint take_careful(CarefulIds *careful, ids) except -1:
    """Copy the ids: ascending, each once."""
    cdef uint64_t node_id
    careful.ids = <uint64_t *>calloc(max(1, len(ids)), sizeof(uint64_t))
    if careful.ids == NULL:
        raise MemoryError
    for node_id in ids:
        if careful.count == <uint64_t>len(ids) or (
            careful.count and careful.ids[careful.count - 1] >= node_id
        ):
            raise ValueError("ids that do not ascend")
        careful.ids[careful.count] = node_id
        careful.count += 1
    return True
