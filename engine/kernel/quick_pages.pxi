# Pages of a run (SPEC.md, sections 13.2 and 13.3): checked whole when they are first read, and the
# branches kept as arrays.

cdef struct Page:
    const uint8_t *data
    const uint8_t *end  # of the entries
    const uint8_t *restarts
    uint64_t count, restart_count


cdef struct Fences:
    # A branch: the keys from which on its children hold names, but for the first, without what all
    # of them begin with; of each the first eight bytes (`first_eight`), ascending.
    uint64_t number
    int level
    uint32_t child_count, prefix_size
    uint64_t *keys
    uint32_t *children
    uint8_t *prefix


cdef enum:
    # An entry has two bytes at least.
    CHILDREN_MAX = PAGE_SIZE / 2
    # Of them, that many branches are kept per run: those of a run of 100 million names, 6 MiB.
    # Further ones are searched in their pages.
    FENCES_BITS = 11


cdef uint64_t FENCES_FACTOR = 0x9E3779B97F4A7C15


cdef inline bint open_page(const uint8_t *data, int level, Page *page) noexcept nogil:
    """Read the head of a page; return False where it cannot be one."""
    cdef uint64_t used
    if data[0] != (BRANCH if level else LEAF) or data[1] != level or load64(data + 8):
        return False
    page.data = data
    page.count = load16(data + 2)
    used = load16(data + 4)
    page.restart_count = load16(data + 6)
    if not page.count or page.restart_count != (page.count + RESTART_INTERVAL - 1) / RESTART_INTERVAL:
        return False
    if PAGE_HEAD_SIZE + used + 2 * page.restart_count > PAGE_SIZE:
        return False
    page.end = data + PAGE_HEAD_SIZE + used
    page.restarts = data + PAGE_SIZE - 2 * page.restart_count
    return True


cdef inline const uint8_t *restart(const Page *page, uint64_t group) noexcept nogil:
    """Return where a group of entries begins, NULL where that is no place for one."""
    cdef uint64_t offset = load16(page.restarts + 2 * group)
    if offset < PAGE_HEAD_SIZE or page.data + offset >= page.end:
        return NULL
    return page.data + offset


cdef inline const uint8_t *read_key_sizes(
    const uint8_t *at, const uint8_t *end, uint64_t *shared, uint64_t *size, bint *multi
) noexcept nogil:
    """Read what `read_sizes` reads."""
    # Most sizes stand in one byte: a scan of 16 entries takes half the time with that in line.
    if at < end and at[0] & 15 < 15 and at[0] >> 4 < 14:
        shared[0] = at[0] & 15
        size[0] = at[0] >> 4
        multi[0] = False
        return at + 1 if size[0] < <uint64_t>(end - at) else NULL
    return read_sizes(at, end, shared, size, multi)


cdef const uint8_t *read_value(
    const Tree *tree, const uint8_t *at, const uint8_t *end, int level, bint multi, uint64_t *value
) noexcept nogil:
    """Read what stands behind a key: the child of a branch; of a leaf the id plus one, 0 where the
    name was deleted. NULL where it cannot be."""
    cdef uint64_t sequence
    if multi and level:
        return NULL
    if multi:
        return read_versions(at, end, tree.sequences, value)
    at = read_varint(at, end, value)
    if at == NULL:
        return NULL
    if level:
        return at if 1 <= value[0] < tree.page_count else NULL
    at = read_varint(at, end, &sequence)
    if at == NULL or value[0] >= ID_END or sequence > tree.sequences:
        return NULL
    value[0] += 1
    return at


cdef bint check_page(const Tree *tree, const Page *page, int level) noexcept nogil:
    """Return whether everything in a page is as it should be, and no key goes on elsewhere."""
    cdef const uint8_t *at = page.data + PAGE_HEAD_SIZE
    cdef const uint8_t *stop
    cdef uint64_t shared, size, place, offset, value, key_size = 0
    cdef uint8_t key[HEAD_SIZE_MAX]
    cdef bint multi
    for place in range(page.count):
        if place % RESTART_INTERVAL == 0 and restart(page, place / RESTART_INTERVAL) != at:
            return False
        at = read_key_sizes(at, page.end, &shared, &size, &multi)
        if at == NULL or shared > (key_size if place % RESTART_INTERVAL else 0):
            return False
        stop = at + size
        if place and not ascends(at, size, key + shared, key_size - shared):
            return False
        # The first child of a branch holds whatever is below the second.
        if not place and (size == 0) != (level > 0):
            return False
        memcpy(key + shared, at, size)
        key_size = shared + size
        at = read_value(tree, stop, page.end, level, multi, &value)
        if at == NULL:
            return False
    if at != page.end:
        return False
    while at < page.restarts:
        if at[0]:
            return False
        at += 1
    return True


cdef inline bint is_sound(const Tree *tree, uint64_t number, const Page *page, int level) noexcept nogil:
    """Return whether a page was seen to be as `check_page` wants it."""
    cdef uint8_t bit = 1 << (number & 7)
    # Like checksums, once per page. Two threads may both get here; losing the other's bit only
    # makes somebody check again.
    if tree.sound[number >> 3] & bit:
        return True
    if tree.odd[number >> 3] & bit:
        return False
    if check_page(tree, page, level):
        tree.sound[number >> 3] |= bit
        return True
    tree.odd[number >> 3] |= bit
    return False


cdef inline uint64_t guess_group(const NameSearch *search, const Page *page) noexcept nogil:
    """Return the group that a name is likely to be in: names are spread evenly, as far as we know."""
    if search.share < 0:
        return page.restart_count / 2
    return min(<uint64_t>(search.share * <double>page.restart_count), page.restart_count - 1)


cdef const uint8_t *find_group(
    const NameSearch *search, const Page *page, int level, uint64_t *group
) noexcept nogil:
    """Return the last group whose first key is not above the name, or the first one; or NULL."""
    cdef const uint8_t *at
    cdef uint64_t low = 0, high = page.restart_count, middle, shared, size, tries = 0
    cdef bint multi
    # Invariant: the first key of group `low` is not above the name, or low is 0; that of group
    # `high` is above it, or there is none.
    middle = guess_group(search, page)
    while high - low > 1:
        # Beside a good guess stands what proves it: two or three cache lines instead of five.
        middle = max(low + 1, min(middle, high - 1))
        at = restart(page, middle)
        if at == NULL:
            return NULL
        at = read_key_sizes(at, page.end, &shared, &size, &multi)
        if at == NULL or shared or (multi and level):
            return NULL
        tries += 1
        if compare_bytes(at, size, search.name, search.size) <= 0:
            low = middle
            middle = low + 1 if tries < 3 and search.share >= 0 else (low + high) / 2
        else:
            high = middle
            middle = high - 1 if tries < 3 and search.share >= 0 else (low + high) / 2
    group[0] = low
    return restart(page, low)


cdef Answer search_sound_page(NameSearch *search, const Page *page, int level, uint64_t *value) noexcept nogil:
    """Search a page that was checked whole; every offset is looked at again all the same, as the
    file may have been written to since."""
    cdef const uint8_t *at
    cdef const uint8_t *stop
    cdef uint64_t shared, size, group, count, place, matched = 0, child = 0, found
    cdef int order
    cdef bint multi
    at = find_group(search, page, level, &group)
    if at == NULL:
        return ODD
    count = min(<uint64_t>RESTART_INTERVAL, page.count - group * RESTART_INTERVAL)
    # Invariant: the key before this one is below the name and has `matched` bytes in common with
    # it. So a key that shares more with the one before is below the name too, and one that shares
    # less is above it.
    for place in range(count):
        at = read_key_sizes(at, page.end, &shared, &size, &multi)
        if at == NULL:
            return ODD
        stop = at + size
        order = -1
        if shared < matched:
            order = 1
        elif shared == matched:
            while matched - shared < size and matched < search.size:
                if at[matched - shared] != search.name[matched]:
                    break
                matched += 1
            if matched - shared == size:
                order = 0 if matched == search.size else -1
            elif matched == search.size or at[matched - shared] > search.name[matched]:
                order = 1
        if order > 0:
            break
        if order < 0 and not level and not multi and page.end - stop >= 8:
            # Two varints are skipped as a word: half of a scan was reading them.
            at = stop + two_varints_size(load64(stop))
            if at > stop:
                continue
        at = read_value(search.tree, stop, page.end, level, multi, &found)
        if at == NULL:
            return ODD
        if level:
            child = found
        elif order == 0:
            value[0] = found - 1
            return FOUND if found else GONE
    value[0] = child
    return (FOUND if child else ODD) if level else NONE


# Branches as arrays ------------------------------------------------------------------------------

cdef inline uint64_t fences_place(const Tree *tree, uint64_t number) noexcept nogil:
    return number * FENCES_FACTOR >> tree.fences_shift


cdef inline const Fences *fences_of(const Tree *tree, uint64_t number, int level) noexcept nogil:
    """Return what is kept of a branch, or NULL."""
    cdef const Fences *found = <const Fences *>handed_over(
        <const void **>&tree.fences[fences_place(tree, number)]
    )
    if found == NULL or found.number != number or found.level != level:
        return NULL
    return found


cdef bint descend(NameSearch *search, const Fences *fences) noexcept nogil:
    """Go to the child that the name belongs to; return False where the page itself must say."""
    cdef uint64_t tail = 0, base = 0, count = fences.child_count - 1, half
    cdef int order = compare_bytes(
        search.name, min(search.size, <uint64_t>fences.prefix_size),
        fences.prefix, fences.prefix_size,
    )
    search.share = -1
    if order > 0:
        base = count
    elif order == 0:
        tail = first_eight(search.name + fences.prefix_size, search.size - fences.prefix_size)
        # Without branches that nobody could foretell: which half is a matter of arithmetic.
        # Invariant: keys below `base` are not above the tail, those from base + count on are.
        while count > 0:
            half = (count + 1) / 2
            base += half if fences.keys[base + half - 1] <= tail else 0
            count -= half
        if base and fences.keys[base - 1] == tail:
            return False
        if base and base < fences.child_count - 1:
            search.share = <double>(tail - fences.keys[base - 1]) / <double>(
                fences.keys[base] - fences.keys[base - 1]
            )
    search.number = fences.children[base]
    search.level -= 1
    return True


cdef struct Learning:
    # The fences of a branch on their way out of its page.
    const Tree *tree
    uint64_t number
    int level
    uint64_t keys[CHILDREN_MAX]
    uint32_t children[CHILDREN_MAX]
    uint8_t prefix[HEAD_SIZE_MAX]
    uint64_t child_count, prefix_size


cdef void read_fences(void *what) noexcept nogil:
    """Read all keys of a branch twice: what they have in common, and what comes behind it."""
    cdef Learning *learning = <Learning *>what
    cdef const Tree *tree = learning.tree
    cdef const uint8_t *data = bytes_at(&tree.file, learning.number * PAGE_SIZE, PAGE_SIZE)
    cdef const uint8_t *at
    cdef const uint8_t *stop
    cdef uint8_t key[HEAD_SIZE_MAX]
    cdef uint64_t shared, size, value, place, key_size, common = 0
    cdef bint multi, is_second
    cdef Page page
    learning.child_count = 0
    if data == NULL or not open_page(data, learning.level, &page) or page.count > CHILDREN_MAX:
        return
    for is_second in range(2):
        at = page.data + PAGE_HEAD_SIZE
        key_size = 0
        for place in range(page.count):
            at = read_key_sizes(at, page.end, &shared, &size, &multi)
            if at == NULL or multi or shared > key_size:
                return
            memcpy(key + shared, at, size)
            key_size = shared + size
            stop = at + size
            at = read_value(tree, stop, page.end, learning.level, False, &value)
            if at == NULL or value > <uint64_t>0xFFFFFFFF:
                return
            if is_second:
                learning.children[place] = value
                if place:
                    if key_size < common:
                        return
                    learning.keys[place - 1] = first_eight(key + common, key_size - common)
            elif place == 1:
                memcpy(learning.prefix, key, key_size)
                common = key_size
            elif place:
                common = min(common, key_size)
                size = 0
                while size < common and key[size] == learning.prefix[size]:
                    size += 1
                common = size
    learning.prefix_size = common
    learning.child_count = page.count


cdef void learn_branch(const Tree *tree, uint64_t number, int level) noexcept nogil:
    """Keep a branch as an array, if there is room."""
    cdef const void **place = <const void **>&tree.fences[fences_place(tree, number)]
    cdef Learning *learning
    if handed_over(place) != NULL:
        return
    learning = <Learning *>malloc(sizeof(Learning))
    if learning == NULL:
        return
    learning.tree = tree
    learning.number = number
    learning.level = level
    if not guarded(read_fences, learning) and learning.child_count:
        hand_over(place, kept_fences(learning))
    free(learning)


cdef Fences *kept_fences(const Learning *learning) noexcept nogil:
    """Return a copy that takes no more memory than it needs, NULL where there is none."""
    cdef uint64_t count = learning.child_count
    cdef Fences *kept = <Fences *>malloc(
        sizeof(Fences) + count * (sizeof(uint64_t) + sizeof(uint32_t)) + learning.prefix_size
    )
    if kept == NULL:
        return NULL
    kept.number = learning.number
    kept.level = learning.level
    kept.child_count = count
    kept.prefix_size = learning.prefix_size
    kept.keys = <uint64_t *>(kept + 1)
    kept.children = <uint32_t *>(kept.keys + count)
    kept.prefix = <uint8_t *>(kept.children + count)
    memcpy(kept.keys, learning.keys, (count - 1) * sizeof(uint64_t))
    memcpy(kept.children, learning.children, count * sizeof(uint32_t))
    memcpy(kept.prefix, learning.prefix, learning.prefix_size)
    return kept
