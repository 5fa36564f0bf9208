# A run's tree on its way, level by level: pages, the notes of what stands above them, and hashes
# for the filter; the twin of segments.plain_tree (SPEC.md, section 13).

cdef enum Outcome:
    DONE
    NO_ROOM
    NO_MEMORY
    REFUSED


cdef struct Tree:
    Page page  # the one that is being filled
    Growing fence  # of that page
    Growing pages  # finished ones, and those of chains
    uint64_t first_page  # the number of the first of `pages`
    Growing notes  # of the finished pages of this level: u64 number, u32 size of the fence, fence
    uint64_t note_count
    Growing rest  # of notes given: the last one, as long as it is not whole
    Growing digests
    Growing previous  # the last name
    Growing pairs  # the versions of the name that is being added
    uint64_t first_sequence, last_sequence, entry_count, version_count


cdef bint assign(Growing *out, const void *data, size_t size) noexcept nogil:
    """Make `out` hold exactly these bytes; return False without memory."""
    out.size = 0
    if not growing_room(out, size):
        return False
    put_bytes(out, data, size)
    return True


cdef inline uint64_t next_page(const Tree *tree) noexcept nogil:
    return tree.first_page + tree.pages.size / PAGE_SIZE


cdef Outcome put_entry(
    Tree *tree,
    const uint8_t *key,
    size_t key_size,
    bint multi,
    uint8_t *value,
    uint8_t *value_end,
    const uint8_t *older,
    size_t older_size,
) noexcept nogil:
    """Add an entry to the page and write what it has in overflow pages, if there is room.

    value : with room for a chain behind it.   older : versions that the value has no room for.
    """
    cdef Growing *pages = &tree.pages
    cdef size_t rest_size = key_size - HEAD_SIZE_MAX if key_size > HEAD_SIZE_MAX else 0
    cdef uint64_t rest_pages = overflow_page_count(rest_size)
    cdef uint64_t older_pages = overflow_page_count(older_size)
    cdef uint64_t number = next_page(tree)
    if older_size:
        value_end = write_chain(value_end, Chain(number + rest_pages, older_size))
    if not growing_room(pages, (rest_pages + older_pages) * PAGE_SIZE):
        return NO_MEMORY
    if not add_to_page(
        &tree.page,
        key,
        <uint32_t>(key_size - rest_size),
        Chain(number, rest_size),
        multi,
        value,
        <uint32_t>(value_end - value),
    ):
        return NO_ROOM
    write_overflow(pages.data + pages.size, key + HEAD_SIZE_MAX, rest_size)
    pages.size += rest_pages * PAGE_SIZE
    write_overflow(pages.data + pages.size, older, older_size)
    pages.size += older_pages * PAGE_SIZE
    return DONE


cdef Outcome close_page(Tree *tree) noexcept nogil:
    """Write the page, and note its number and fence for the level above."""
    if not growing_room(&tree.pages, PAGE_SIZE):
        return NO_MEMORY
    if not growing_room(&tree.notes, NOTE_SIZE + tree.fence.size):
        return NO_MEMORY
    put64(&tree.notes, next_page(tree))
    put32(&tree.notes, <uint32_t>tree.fence.size)
    put_bytes(&tree.notes, tree.fence.data, tree.fence.size)
    tree.note_count += 1
    write_page(&tree.page, tree.pages.data + tree.pages.size)
    tree.pages.size += PAGE_SIZE
    begin_page(&tree.page, tree.page.level)
    return DONE


cdef bint is_in_order(const Tree *tree, const NamedVersions *item) noexcept nogil:
    """Return whether a name stands above the last one, and its versions are newest first, within
    the sequences of the run."""
    cdef const NameVersion *versions = item.versions
    cdef size_t place
    if not 0 < item.size <= TEXT_SIZE_MAX or not item.count:
        return False
    if compare_bytes(tree.previous.data, tree.previous.size, item.name, item.size) >= 0:
        return False
    if versions[0].sequence > tree.last_sequence:
        return False
    if versions[item.count - 1].sequence < tree.first_sequence:
        return False
    for place in range(item.count):
        if not -1 <= versions[place].id < ID_END:
            return False
        if place and versions[place - 1].sequence <= versions[place].sequence:
            if versions[place - 1].sequence < versions[place].sequence:
                return False
            if versions[place - 1].id < 0 or versions[place].id >= 0:
                return False
    return True


cdef Outcome put_pairs(
    Tree *tree, const NamedVersions *item, size_t *inline_count, size_t *inline_size
) noexcept nogil:
    """Write all versions to `pairs`; return how many of them, and bytes, the leaf has room for."""
    cdef Growing *pairs = &tree.pairs
    cdef size_t place
    pairs.size = inline_count[0] = inline_size[0] = 0
    if item.count > <size_t>1 << 40 or not growing_room(pairs, item.count * 2 * VARINT_ROOM):
        return NO_MEMORY
    for place in range(item.count):
        put_varint(pairs, item.versions[place].sequence - tree.first_sequence)
        put_varint(pairs, <uint64_t>(item.versions[place].id + 1))
        if pairs.size <= INLINE_SIZE_MAX:
            inline_count[0] = place + 1
            inline_size[0] = pairs.size
    return DONE


cdef Outcome put_name(Tree *tree, const NamedVersions *item) noexcept nogil:
    """Add a name's entry, if the page has room for it (SPEC.md, 13.4)."""
    cdef uint8_t value[VALUE_SIZE_MAX]
    cdef uint8_t *end = value
    cdef size_t inline_count, inline_size
    cdef const NameVersion *newest = item.versions
    if item.count == 1 and newest.id >= 0:
        end = write_varint(end, <uint64_t>newest.id)
        end = write_varint(end, newest.sequence - tree.first_sequence)
        return put_entry(tree, item.name, item.size, False, value, end, NULL, 0)
    if put_pairs(tree, item, &inline_count, &inline_size) != DONE:
        return NO_MEMORY
    end = write_varint(end, inline_count)
    memcpy(end, tree.pairs.data, inline_size)
    end = write_varint(end + inline_size, item.count - inline_count)
    return put_entry(
        tree,
        item.name,
        item.size,
        True,
        value,
        end,
        tree.pairs.data + inline_size,
        tree.pairs.size - inline_size,
    )


cdef Outcome add_name(Tree *tree, const NamedVersions *item) noexcept nogil:
    """Add a name above all others so far, with its versions."""
    cdef size_t shared
    cdef Outcome outcome
    if not is_in_order(tree, item):
        return REFUSED
    if not growing_room(&tree.digests, 8):
        return NO_MEMORY
    outcome = put_name(tree, item)
    if outcome == NO_ROOM:
        shared = shared_size(tree.previous.data, tree.previous.size, item.name, item.size)
        if close_page(tree) != DONE or not assign(&tree.fence, item.name, shared + 1):
            return NO_MEMORY
        outcome = put_name(tree, item)
    if outcome != DONE:
        return outcome
    put64(&tree.digests, xxh64_of(item.name, item.size))
    tree.entry_count += 1
    tree.version_count += item.count
    return DONE if assign(&tree.previous, item.name, item.size) else NO_MEMORY


cdef Outcome add_child(
    Tree *tree, uint64_t child, const uint8_t *fence, size_t fence_size
) noexcept nogil:
    """Add a page of the level below to this one."""
    cdef uint8_t value[VALUE_SIZE_MAX]
    cdef uint8_t *end = write_varint(value, child)
    cdef Outcome outcome = put_entry(tree, fence, fence_size, False, value, end, NULL, 0)
    if outcome != NO_ROOM:
        return outcome
    if close_page(tree) != DONE or not assign(&tree.fence, fence, fence_size):
        return NO_MEMORY
    # The fence of a page's first child stands in the page above.
    return put_entry(tree, value, 0, False, value, end, NULL, 0)


cdef Outcome add_children(Tree *tree) noexcept nogil:
    """Add the pages that are noted in `rest`; what is left in it is a note that is not whole."""
    cdef Growing *notes = &tree.rest
    cdef size_t start = 0, size
    cdef Outcome outcome = DONE
    while notes.size - start >= NOTE_SIZE and outcome == DONE:
        size = load32(notes.data + start + 8)
        if notes.size - start - NOTE_SIZE < size:
            break
        outcome = add_child(
            tree, load64(notes.data + start), notes.data + start + NOTE_SIZE, size
        )
        start += NOTE_SIZE + size
    notes.size -= start
    if start:
        memmove(notes.data, notes.data + start, notes.size)
    return outcome
