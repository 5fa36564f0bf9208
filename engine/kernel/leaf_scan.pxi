# The entries of a leaf in order, as long as they are usual: names of at most 1,024 bytes, whose
# versions all stand in the leaf (SPEC.md, sections 13.2 to 13.4).

cdef struct LeafScan:
    const uint8_t *page
    uint64_t sequences  # of the run: the last one minus the first
    uint32_t entry_count, restart_count, end
    uint32_t done  # entries read
    uint32_t offset, group_end
    # The entry that was read last. Its versions are pairs that stand at `pairs`, or there is one
    # of `sequence` and `id`, and `pairs` is NULL.
    uint32_t key_size
    uint8_t key[HEAD_SIZE_MAX]
    const uint8_t *pairs
    uint64_t version_count, sequence, id


cdef enum Scanned:
    READ
    AT_END
    UNUSUAL


cdef bint begin_leaf(LeafScan *leaf, const uint8_t *page) noexcept nogil:
    """Begin with the page's first entry; return False where its head is unusual."""
    cdef uint32_t used = load16(page + 4)
    leaf.page = page
    leaf.entry_count = load16(page + 2)
    leaf.restart_count = load16(page + 6)
    leaf.end = PAGE_HEAD_SIZE + used
    leaf.done = leaf.key_size = 0
    leaf.offset = PAGE_HEAD_SIZE
    if page[0] != LEAF or page[1] or not leaf.entry_count:
        return False
    if leaf.restart_count != (leaf.entry_count + RESTART_INTERVAL - 1) / RESTART_INTERVAL:
        return False
    return leaf.end + 2 * leaf.restart_count <= PAGE_SIZE


cdef bint begin_group(LeafScan *leaf, uint32_t group) noexcept nogil:
    """Go on with a group of entries; return False where it does not begin behind the one before."""
    cdef const uint8_t *restarts = leaf.page + PAGE_SIZE - 2 * leaf.restart_count
    if leaf.offset != load16(restarts + 2 * group):
        return False
    if group + 1 < leaf.restart_count:
        leaf.group_end = load16(restarts + 2 * (group + 1))
    else:
        leaf.group_end = leaf.end
    return leaf.offset < leaf.group_end <= leaf.end


cdef const uint8_t *read_pairs(
    LeafScan *leaf, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    """Read several versions (13.4); NULL where they are out of order, or not all of them here."""
    cdef uint64_t place, sequence, value, older_count, before = 0, before_value = 0
    at = read_varint(at, end, &leaf.version_count)
    if at == NULL or not 1 <= leaf.version_count <= <uint64_t>(end - at) / 2:
        return NULL
    leaf.pairs = at
    for place in range(leaf.version_count):
        at = read_varint(at, end, &sequence)
        if at == NULL or sequence > leaf.sequences:
            return NULL
        at = read_varint(at, end, &value)
        if at == NULL or value > <uint64_t>ID_END:
            return NULL
        if place and (sequence > before or (sequence == before and (value or not before_value))):
            return NULL
        before = sequence
        before_value = value
    at = read_varint(at, end, &older_count)
    if at == NULL or older_count:
        return NULL
    return at


cdef const uint8_t *read_version(
    LeafScan *leaf, const uint8_t *at, const uint8_t *end
) noexcept nogil:
    """Read the only version of a name (13.4)."""
    leaf.pairs = NULL
    leaf.version_count = 1
    at = read_varint(at, end, &leaf.id)
    if at == NULL or leaf.id >= <uint64_t>ID_END:
        return NULL
    at = read_varint(at, end, &leaf.sequence)
    if at == NULL or leaf.sequence > leaf.sequences:
        return NULL
    return at


cdef Scanned next_entry(LeafScan *leaf) noexcept nogil:
    """Read the next entry; keys ascend through the whole leaf."""
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef uint64_t shared, size
    cdef bint multi, is_restart = leaf.done % RESTART_INTERVAL == 0
    if leaf.done == leaf.entry_count:
        return AT_END if leaf.offset == leaf.end else UNUSUAL
    if is_restart and not begin_group(leaf, leaf.done / RESTART_INTERVAL):
        return UNUSUAL
    end = leaf.page + leaf.group_end
    at = read_sizes(leaf.page + leaf.offset, end, &shared, &size, &multi)
    if at == NULL or shared > (0 if is_restart else leaf.key_size) or not shared + size:
        return UNUSUAL
    if not ascends(at, size, leaf.key + shared, leaf.key_size - shared):
        return UNUSUAL
    memcpy(leaf.key + shared, at, size)
    leaf.key_size = <uint32_t>(shared + size)
    at = read_pairs(leaf, at + size, end) if multi else read_version(leaf, at + size, end)
    if at == NULL:
        return UNUSUAL
    leaf.offset = <uint32_t>(at - leaf.page)
    leaf.done += 1
    return READ


def leaf_names(bytes page not None, uint64_t sequences, bytes previous not None):
    """Return the names of a leaf in order; None where it is unusual, or one is not above `previous`.

    sequences : of the run: the last one minus the first.
    """
    cdef LeafScan leaf
    cdef Scanned found = UNUSUAL
    cdef const uint8_t *last = previous
    leaf.sequences = sequences
    if len(page) == PAGE_SIZE and begin_leaf(&leaf, page):
        found = next_entry(&leaf)
    if found != READ or compare_bytes(last, len(previous), leaf.key, leaf.key_size) >= 0:
        return None
    names = []
    while found == READ:
        names.append(PyBytes_FromStringAndSize(<const char *>leaf.key, leaf.key_size))
        found = next_entry(&leaf)
    return names if found == AT_END else None
