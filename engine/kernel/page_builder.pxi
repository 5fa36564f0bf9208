# A leaf or a branch on its way: the twin of formats.name_page.PageBuilder (SPEC.md, 13.2 and 13.3).

cdef struct Page:
    int level
    uint32_t entry_count, used, restart_count, previous_size
    uint8_t previous[HEAD_SIZE_MAX]  # what stands in the page of the last key
    uint16_t restarts[RESTARTS_MAX]
    uint8_t entries[PAGE_SIZE]


cdef struct Chain:
    uint64_t page, size  # no chain: size 0


cdef void begin_page(Page *page, int level) noexcept nogil:
    page.level = level
    page.entry_count = page.used = page.restart_count = page.previous_size = 0


cdef uint8_t *write_chain(uint8_t *at, Chain chain) noexcept nogil:
    return write_varint(write_varint(at, chain.page), chain.size)


cdef uint8_t *write_sizes(uint8_t *at, uint32_t shared, uint32_t size, int flags) noexcept nogil:
    """Write how many bytes a key shares, how many are its own, and flags if there are any."""
    cdef uint32_t low = min(shared, <uint32_t>SHARED_INLINE_END)
    cdef uint32_t high = WITH_FLAGS if flags else min(size, <uint32_t>SUFFIX_INLINE_END)
    at[0] = <uint8_t>(low | high << 4)
    at += 1
    if flags:
        at[0] = <uint8_t>flags
        at += 1
    if low == SHARED_INLINE_END:
        at = write_varint(at, shared - SHARED_INLINE_END)
    if flags:
        at = write_varint(at, size)
    elif high == SUFFIX_INLINE_END:
        at = write_varint(at, size - SUFFIX_INLINE_END)
    return at


cdef bint add_to_page(
    Page *page,
    const uint8_t *head,
    uint32_t head_size,
    Chain rest,
    bint multi,
    const uint8_t *value,
    uint32_t value_size,
) noexcept nogil:
    """Add an entry behind the others; return False if there is no room for it.

    head_size : at most 1,024.   value_size : at most VALUE_SIZE_MAX.
    """
    cdef uint8_t entry[HEAD_SIZE_MAX + VALUE_SIZE_MAX + 64]
    cdef uint8_t *at = entry
    cdef bint is_restart = page.entry_count % RESTART_INTERVAL == 0
    cdef uint32_t restarts = page.restart_count + is_restart, shared = 0, size
    if not is_restart:
        shared = <uint32_t>shared_size(page.previous, page.previous_size, head, head_size)
    at = write_sizes(at, shared, head_size - shared, (KEY_OVERFLOW if rest.size else 0) | multi)
    memcpy(at, head + shared, head_size - shared)
    at += head_size - shared
    if rest.size:
        at = write_chain(at, rest)
    memcpy(at, value, value_size)
    size = <uint32_t>(at - entry) + value_size
    if PAGE_HEAD_SIZE + page.used + size + 2 * restarts > PAGE_SIZE:
        return False
    if is_restart:
        # An entry takes two bytes at least, so a page is full before there are so many.
        page.restarts[page.restart_count] = <uint16_t>(PAGE_HEAD_SIZE + page.used)
        page.restart_count = restarts
    memcpy(page.entries + page.used, entry, size)
    page.used += size
    page.entry_count += 1
    memcpy(page.previous + shared, head + shared, head_size - shared)
    page.previous_size = head_size
    return True


cdef void write_head(
    uint8_t *at, int kind, int level, uint32_t entry_count, uint32_t used, uint32_t restart_count
) noexcept nogil:
    memset(at, 0, PAGE_HEAD_SIZE)
    at[0] = <uint8_t>kind
    at[1] = <uint8_t>level
    store16(at + 2, <uint16_t>entry_count)
    store16(at + 4, <uint16_t>used)
    store16(at + 6, <uint16_t>restart_count)


cdef void write_page(const Page *page, uint8_t *at) noexcept nogil:
    """Write the page's 4,096 bytes."""
    cdef uint32_t end = PAGE_HEAD_SIZE + page.used, restarts = 2 * page.restart_count
    write_head(
        at,
        BRANCH if page.level else LEAF,
        page.level,
        page.entry_count,
        page.used,
        page.restart_count,
    )
    memcpy(at + PAGE_HEAD_SIZE, page.entries, page.used)
    memset(at + end, 0, PAGE_SIZE - restarts - end)
    memcpy(at + PAGE_SIZE - restarts, page.restarts, restarts)


cdef void write_overflow(uint8_t *at, const uint8_t *data, uint64_t size) noexcept nogil:
    """Write the overflow pages that carry `size` bytes."""
    cdef uint64_t piece
    while size:
        piece = min(size, <uint64_t>OVERFLOW_CAPACITY)
        write_head(at, OVERFLOW, 0, 0, <uint32_t>piece, 0)
        memcpy(at + PAGE_HEAD_SIZE, data, piece)
        memset(at + PAGE_HEAD_SIZE + piece, 0, OVERFLOW_CAPACITY - piece)
        at += PAGE_SIZE
        data += piece
        size -= piece


cdef inline uint64_t overflow_page_count(uint64_t size) noexcept nogil:
    return (size + OVERFLOW_CAPACITY - 1) / OVERFLOW_CAPACITY
