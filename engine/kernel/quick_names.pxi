# Which id a name has: filters and trees of runs (SPEC.md, section 13).

cdef struct Tree:
    Span file
    uint64_t root, page_count, filter_offset, filter_blocks, sequences
    int height
    uint8_t *padded  # a bit per page, set once the bytes behind its entries were seen to be zero


cdef struct NameSearch:
    const Tree *tree
    const uint8_t *name
    uint64_t size, digest
    Answer answer
    uint64_t id


cdef const uint8_t *read_versions(
    const uint8_t *at, const uint8_t *end, uint64_t sequences, uint64_t *node_id
) noexcept nogil:
    """Read several versions of a name (13.4), the newest id plus one, 0 for deleted; NULL where
    they are out of order."""
    cdef uint64_t count, place, sequence, before = 0, value, before_value = 0
    at = read_varint(at, end, &count)
    if at == NULL or not 1 <= count <= <uint64_t>(end - at) / 2:
        return NULL
    for place in range(count):
        at = read_varint(at, end, &sequence)
        if at == NULL or sequence > sequences:
            return NULL
        at = read_varint(at, end, &value)
        if at == NULL or value > ID_END:
            return NULL
        if place == 0:
            node_id[0] = value
        elif sequence > before or (sequence == before and (value or not before_value)):
            return NULL
        before = sequence
        before_value = value
    at = read_varint(at, end, &count)
    if at == NULL:
        return NULL
    if count:
        # A chain of older ones: its page and its size.
        for place in range(2):
            at = read_varint(at, end, &value)
            if at == NULL or not value:
                return NULL
    return at


cdef inline int compare(
    const uint8_t *one, uint64_t one_size, const uint8_t *other, uint64_t other_size
) noexcept nogil:
    cdef int order = memcmp(one, other, min(one_size, other_size))
    if order:
        return order
    return (one_size > other_size) - (one_size < other_size)


cdef Answer search_page(NameSearch *search, uint64_t number, int level, uint64_t *value) noexcept nogil:
    """Search one page: in a leaf for the name, in a branch for the child that it belongs to."""
    cdef const Tree *tree = search.tree
    cdef const uint8_t *page = bytes_at(&tree.file, number * PAGE_SIZE, PAGE_SIZE)
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *stop
    cdef const uint8_t *restarts
    cdef uint64_t shared, size, low, high, middle, count, used, restart_count, offset, last, place
    cdef uint64_t key_size = 0, matched = 0, sequence
    cdef uint8_t key[HEAD_SIZE_MAX]
    cdef int order
    cdef bint is_found = False, multi
    if page == NULL or page[0] != (BRANCH if level else LEAF) or page[1] != level:
        return ODD
    count = load16(page + 2)
    used = load16(page + 4)
    restart_count = load16(page + 6)
    if not count or restart_count != (count + RESTART_INTERVAL - 1) / RESTART_INTERVAL:
        return ODD
    if load64(page + 8) or PAGE_HEAD_SIZE + used + 2 * restart_count > PAGE_SIZE:
        return ODD
    end = page + PAGE_HEAD_SIZE + used
    restarts = page + PAGE_SIZE - 2 * restart_count
    # Like checksums, once per page: 3,000 bytes of a root that is not full take 1 µs.
    if not tree.padded[number >> 3] >> (number & 7) & 1:
        at = end
        while at < restarts:
            if at[0]:
                return ODD
            at += 1
        tree.padded[number >> 3] |= 1 << (number & 7)
    # Invariant: the first key of group `low` is not above the name, or low is 0; that of group
    # `high` is above it, or there is none.
    low = 0
    high = restart_count
    while high - low > 1:
        middle = (low + high) / 2
        offset = load16(restarts + 2 * middle)
        if offset < PAGE_HEAD_SIZE or page + offset >= end:
            return ODD
        at = read_sizes(page + offset, end, &shared, &size, &multi)
        if at == NULL or shared or (multi and level):
            return ODD
        if compare(at, size, search.name, search.size) <= 0:
            low = middle
        else:
            high = middle
    offset = load16(restarts + 2 * low)
    if offset < PAGE_HEAD_SIZE or page + offset >= end or (low == 0 and offset != PAGE_HEAD_SIZE):
        return ODD
    at = page + offset
    last = low + 1
    if last < restart_count:
        offset = load16(restarts + 2 * last)
        if offset < PAGE_HEAD_SIZE or page + offset >= end:
            return ODD
        end = page + offset
    count = min(<uint64_t>RESTART_INTERVAL, count - low * RESTART_INTERVAL)
    # `key` is the key before this one, which is below the name and has `matched` bytes in common
    # with it: a key that shares more with the one before is below the name too.
    for place in range(count):
        at = read_sizes(at, end, &shared, &size, &multi)
        if at == NULL or shared > key_size or (multi and level):
            return ODD
        stop = at + size
        if place and not ascends(at, size, key + shared, key_size - shared):
            return ODD
        if shared <= matched:
            matched = shared
            while matched - shared < size and matched < search.size:
                if at[matched - shared] != search.name[matched]:
                    break
                matched += 1
            if matched - shared == size:
                order = 0 if matched == search.size else -1
            elif matched == search.size or at[matched - shared] > search.name[matched]:
                order = 1
            else:
                order = -1
        else:
            order = -1
        for offset in range(size):
            key[shared + offset] = at[offset]
        key_size = shared + size
        if level:
            if order > 0:
                break
            at = read_varint(stop, end, value)
            if at == NULL:
                return ODD
            is_found = True
            if order == 0:
                break
        elif order > 0:
            return NONE
        elif multi:
            at = read_versions(stop, end, tree.sequences, value)
            if at == NULL:
                return ODD
            if order == 0:
                if not value[0]:
                    return GONE
                value[0] -= 1
                return FOUND
        elif order < 0:
            at = read_varint(stop, end, value)
            if at == NULL:
                return ODD
            at = read_varint(at, end, &sequence)
            if at == NULL:
                return ODD
        else:
            at = read_varint(stop, end, value)
            if at == NULL or value[0] >= ID_END:
                return ODD
            at = read_varint(at, end, &sequence)
            if at == NULL or sequence > tree.sequences:
                return ODD
            return FOUND
    if level:
        return FOUND if is_found and 1 <= value[0] < tree.page_count else ODD
    return NONE


cdef void search_tree(void *what) noexcept nogil:
    cdef NameSearch *search = <NameSearch *>what
    cdef const Tree *tree = search.tree
    cdef uint64_t number = tree.root
    cdef const uint8_t *bits
    cdef int level
    search.answer = NONE
    if not tree.height:
        return
    bits = bytes_at(
        &tree.file, tree.filter_offset + filter_block(search.digest, tree.filter_blocks), 32
    )
    if bits == NULL:
        search.answer = ODD
        return
    if not filter_may_hold(bits, search.digest):
        return
    for level in range(tree.height - 1, -1, -1):
        search.answer = search_page(search, number, level, &search.id)
        if search.answer != FOUND:
            return
        number = search.id


cdef class QuickRun(QuickFile):
    """One run: which id a name has in it, as of its last commit.

    Source: SPEC.md, section 13.
    """

    cdef Tree tree

    def __init__(
        self,
        map_,
        bits,
        uint64_t data_size,
        uint64_t root,
        int height,
        uint64_t page_count,
        uint64_t filter_offset,
        uint64_t filter_size,
        uint64_t sequences,
    ):
        """sequences : the last one minus the first."""
        cdef uint64_t pages = self.span.size / PAGE_SIZE
        if root >= pages or page_count > pages or self.tree.padded != NULL:
            raise ValueError("there are fewer pages")
        self.tree = Tree(
            self.span, root, page_count, filter_offset, max(filter_size / 32, 1), sequences, height,
            <uint8_t *>calloc(pages / 8 + 1, 1),
        )
        if self.tree.padded == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.tree.padded)

    def find(self, bytes name not None):
        """Return the id of a name, -1 if it was deleted here, None if it is unknown, or UNSURE."""
        cdef uint64_t node_id = 0
        cdef const uint8_t *text = name
        cdef Py_ssize_t size = len(name)
        cdef Answer answer = ODD
        if 0 < size <= HEAD_SIZE_MAX:
            answer = find_in_run(&self.tree, text, size, xxh64_of(text, size), &node_id)
        if answer == FOUND:
            return node_id
        if answer == GONE:
            return -1
        return None if answer == NONE else UNSURE


cdef Answer find_in_run(
    const Tree *tree, const uint8_t *name, Py_ssize_t size, uint64_t digest, uint64_t *node_id
) noexcept nogil:
    cdef NameSearch search
    search = NameSearch(tree, name, size, digest, ODD, 0)
    if guarded(search_tree, &search):
        return ODD
    node_id[0] = search.id
    return search.answer
