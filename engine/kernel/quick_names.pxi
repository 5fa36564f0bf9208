# Which id a name has: filters and trees of runs (SPEC.md, section 13).

cdef struct Tree:
    Span file
    uint64_t root, page_count, filter_offset, filter_blocks, sequences
    int height
    # A bit per page that was checked whole: it is as it should be, or the careful way must say.
    uint8_t *sound
    uint8_t *odd
    # Branches that are kept as arrays, by a hash of their page's number.
    const Fences **fences
    int fences_shift


cdef struct NameSearch:
    # number, level : of the page that the search has come to.
    # share : how much of what is in that page is likely to be below the name; negative: unknown.
    # branch : a page that is worth keeping as an array, of level `branch_level`, or 0.
    const Tree *tree
    const uint8_t *name
    uint64_t size, digest
    Answer answer
    uint64_t id, number, branch
    int level, branch_level
    double share
    const uint8_t *bits  # of the filter
    # What is kept of the name, if anything is; and whether a run must say more.
    HotName hot
    bint is_hot, is_asked


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


cdef Answer search_page(NameSearch *search, uint64_t *value) noexcept nogil:
    """Search one page: in a leaf for the name, in a branch for the child that it belongs to."""
    cdef const Tree *tree = search.tree
    cdef const uint8_t *data = bytes_at(&tree.file, search.number * PAGE_SIZE, PAGE_SIZE)
    cdef Page page
    if data == NULL or not open_page(data, search.level, &page):
        return ODD
    if not is_sound(tree, search.number, &page, search.level):
        return search_odd_page(search, &page, search.level, value)
    if search.level and not search.branch:
        search.branch = search.number
        search.branch_level = search.level
    return search_sound_page(search, &page, search.level, value)


cdef Answer search_odd_page(
    NameSearch *search, const Page *page, int level, uint64_t *value
) noexcept nogil:
    """Search a page in which there is something that the careful way must look at, perhaps not on
    the way to this name."""
    cdef const Tree *tree = search.tree
    cdef const uint8_t *at = page.end
    cdef const uint8_t *end = page.end
    cdef const uint8_t *stop
    cdef uint64_t shared, size, low, high, middle, count, place
    cdef uint64_t key_size = 0, matched = 0
    cdef uint8_t key[HEAD_SIZE_MAX]
    cdef int order
    cdef bint is_found = False, multi
    while at < page.restarts:
        if at[0]:
            return ODD
        at += 1
    # Invariant: the first key of group `low` is not above the name, or low is 0; that of group
    # `high` is above it, or there is none.
    low = 0
    high = page.restart_count
    while high - low > 1:
        middle = (low + high) / 2
        at = restart(page, middle)
        if at == NULL:
            return ODD
        at = read_key_sizes(at, end, &shared, &size, &multi)
        if at == NULL or shared or (multi and level):
            return ODD
        if compare_bytes(at, size, search.name, search.size) <= 0:
            low = middle
        else:
            high = middle
    at = restart(page, low)
    if at == NULL or (low == 0 and at != page.data + PAGE_HEAD_SIZE):
        return ODD
    if low + 1 < page.restart_count:
        end = restart(page, low + 1)
        if end == NULL:
            return ODD
    count = min(<uint64_t>RESTART_INTERVAL, page.count - low * RESTART_INTERVAL)
    # `key` is the key before this one, which is below the name and has `matched` bytes in common
    # with it: a key that shares more with the one before is below the name too.
    for place in range(count):
        at = read_key_sizes(at, end, &shared, &size, &multi)
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
        memcpy(key + shared, at, size)
        key_size = shared + size
        if order > 0:
            break
        at = read_value(tree, stop, end, level, multi, value)
        if at == NULL:
            return ODD
        is_found = True
        if order == 0:
            break
    if level:
        return FOUND if is_found else ODD
    if not is_found or order:
        return NONE
    if not value[0]:
        return GONE
    value[0] -= 1
    return FOUND


cdef enum:
    LINE_SIZE = 64
    # Of a leaf: 16 entries of W take three, and where they stand is a guess.
    LINES_TOUCHED = 6


cdef inline Answer begin_at_root(NameSearch *search, const Tree *tree) noexcept nogil:
    """Set out in a tree that has pages, with a first look at what its filter says."""
    search.tree = tree
    search.branch = 0
    search.number = tree.root
    search.level = tree.height - 1
    search.share = -1
    search.bits = bytes_at(
        &tree.file, tree.filter_offset + filter_block(search.digest, tree.filter_blocks), 32
    )
    if search.bits == NULL:
        return ODD
    touch(search.bits)
    return FOUND


cdef inline Answer ask_filter(const NameSearch *search) noexcept nogil:
    """Return NONE where the run certainly has no such name, FOUND where it may have."""
    return FOUND if filter_may_hold(search.bits, search.digest) else NONE


cdef void walk_fences(NameSearch *search) noexcept nogil:
    """Go down as far as branches are kept as arrays."""
    cdef const Fences *fences
    while search.level > 0:
        fences = fences_of(search.tree, search.number, search.level)
        if fences == NULL or not descend(search, fences):
            return


cdef Answer search_pages(NameSearch *search) noexcept nogil:
    """Go down to a leaf, and search it."""
    cdef Answer answer
    while True:
        answer = search_page(search, &search.id)
        if answer != FOUND or search.level == 0:
            return answer
        search.number = search.id
        search.level -= 1
        search.share = -1
        walk_fences(search)


cdef void search_tree(void *what) noexcept nogil:
    cdef NameSearch *search = <NameSearch *>what
    # While the filter's line is on the way the name's leaf is found; it is not read before the
    # filter says so.
    search.answer = begin_at_root(search, search.tree)
    if search.answer != FOUND:
        return
    walk_fences(search)
    search.answer = ask_filter(search)
    if search.answer == FOUND:
        touch_leaf(search)
        search.answer = search_pages(search)


cdef inline void touch_leaf(const NameSearch *search) noexcept nogil:
    """Read the head of a leaf, its restarts, and a byte of each line where the name is likely to
    stand: one wait instead of four."""
    # Reads, as a processor drops what it is only asked for where the address of the page is not at
    # hand: p50 of 2,000 names, caches cold, 0.74 µs with reads, 1.05 with prefetches or nothing.
    cdef const uint8_t *page = bytes_at(&search.tree.file, search.number * PAGE_SIZE, PAGE_SIZE)
    cdef const uint8_t *at
    cdef int line
    if page == NULL or search.level or search.share < 0:
        return
    touch(page)
    touch(page + PAGE_SIZE - LINE_SIZE)
    at = page + <uint64_t>(search.share * (PAGE_SIZE - LINES_TOUCHED * LINE_SIZE))
    for line in range(LINES_TOUCHED):
        touch(at + line * LINE_SIZE)


cdef struct NameBatch:
    # Searches whose answer is NONE go on in the tree.
    const Tree *tree
    NameSearch *searches
    int count


cdef void search_tree_for_all(void *what) noexcept nogil:
    """Search for several names in step: while memory brings a line of one, others are looked at."""
    cdef NameBatch *batch = <NameBatch *>what
    cdef NameSearch *search = batch.searches
    cdef NameSearch *end = batch.searches + batch.count
    # Invariant: what is not done has the answer FOUND, and the level of the page it has come to;
    # level -1: nothing is to be done here.
    while search < end:
        search.level = -1
        if search.answer == NONE:
            search.answer = begin_at_root(search, batch.tree)
            if search.answer != FOUND:
                search.level = -1
        search += 1
    search = batch.searches
    while search < end:
        if search.level >= 0:
            walk_fences(search)
            search.answer = ask_filter(search)
            if search.answer != FOUND:
                search.level = -1
            elif search.level == 0:
                touch_page(search)
        search += 1
    search = batch.searches
    while search < end:
        if search.level == 0:
            prefetch_keys(search)
        search += 1
    search = batch.searches
    while search < end:
        if search.level == 0:
            prefetch_group(search)
        search += 1
    search = batch.searches
    while search < end:
        if search.level >= 0:
            search.answer = search_pages(search)
        search += 1


cdef inline void touch_page(const NameSearch *search) noexcept nogil:
    """Read a byte of a leaf's head, and ask for its restarts."""
    cdef const uint8_t *page = bytes_at(&search.tree.file, search.number * PAGE_SIZE, PAGE_SIZE)
    if page != NULL:
        touch(page)
        prefetch(page + PAGE_SIZE - LINE_SIZE)


cdef inline bint open_leaf(const NameSearch *search, Page *page) noexcept nogil:
    cdef const uint8_t *data = bytes_at(
        &search.tree.file, search.number * PAGE_SIZE, PAGE_SIZE
    )
    return data != NULL and open_page(data, 0, page)


cdef inline void prefetch_keys(const NameSearch *search) noexcept nogil:
    """Ask for the first key of the group that the name is likely to be in, and its neighbors'."""
    cdef uint64_t group, place
    cdef Page page
    if open_leaf(search, &page):
        group = guess_group(search, &page)
        for place in range(max(group, 1) - 1, min(group + 2, page.restart_count)):
            prefetch(page.data + load16(page.restarts + 2 * place))


cdef inline void prefetch_group(NameSearch *search) noexcept nogil:
    """Find the group of entries that the name belongs to, and ask for it."""
    cdef uint64_t group
    cdef const uint8_t *at
    cdef Page page
    if not open_leaf(search, &page):
        return
    at = find_group(search, &page, 0, &group)
    if at == NULL:
        return
    search.share = (<double>group + 0.5) / <double>page.restart_count
    # 16 entries of W take 190 bytes.
    prefetch(at + 64)
    prefetch(at + 128)
    prefetch(at + 192)


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
        if root >= pages or page_count > pages or self.tree.sound != NULL:
            raise ValueError("there are fewer pages")
        self.tree.file = self.span
        self.tree.root = root
        self.tree.height = height
        self.tree.page_count = page_count
        self.tree.filter_offset = filter_offset
        self.tree.filter_blocks = max(filter_size / 32, 1)
        self.tree.sequences = sequences
        self.tree.sound = <uint8_t *>calloc(pages / 8 + 1, 1)
        self.tree.odd = <uint8_t *>calloc(pages / 8 + 1, 1)
        self.tree.fences_shift = 64 - FENCES_BITS
        self.tree.fences = <const Fences **>calloc(1 << FENCES_BITS, sizeof(Fences *))
        if self.tree.sound == NULL or self.tree.odd == NULL or self.tree.fences == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef uint64_t place
        if self.tree.fences != NULL:
            for place in range(1 << FENCES_BITS):
                free(<void *>self.tree.fences[place])
        free(self.tree.fences)
        free(self.tree.sound)
        free(self.tree.odd)

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
    if not tree.height:
        return NONE
    search.tree = tree
    search.name = name
    search.size = size
    search.digest = digest
    search.branch = 0
    if guarded(search_tree, &search):
        return ODD
    if search.branch:
        learn_branch(tree, search.branch, search.branch_level)
    node_id[0] = search.id
    return search.answer


cdef void find_all_in_run(const Tree *tree, NameSearch *searches, int count) noexcept nogil:
    """Search for the names whose answer is NONE so far, and answer anew."""
    cdef NameBatch batch
    cdef int place
    if not tree.height:
        return
    batch.tree = tree
    batch.searches = searches
    batch.count = count
    for place in range(count):
        searches[place].branch = 0
    if guarded(search_tree_for_all, &batch):
        for place in range(count):
            searches[place].answer = ODD
        return
    for place in range(count):
        if searches[place].branch:
            learn_branch(tree, searches[place].branch, searches[place].branch_level)
