# The files of a generation, a view over them and the memtables above, and the newest view.

cdef int order_edges(const void *one, const void *other) noexcept nogil:
    cdef const Edge *a = <const Edge *>one
    cdef const Edge *b = <const Edge *>other
    if a.code != b.code:
        return -1 if a.code < b.code else 1
    if a.neighbor != b.neighbor:
        return -1 if a.neighbor < b.neighbor else 1
    return 0


cdef struct Slot:
    uint64_t first_id, end_id
    const Lists *lists[2]  # NULL until the segment is opened


cdef class QuickStore:
    """The sealed files of one generation, newest first, as far as they are open.

    Whoever opens a file puts it here; it stays open as long as the generation is held, so only
    generations of few files have one of these.
    """

    cdef Slot *slots
    cdef const Tree **trees
    cdef int segment_count, run_count
    cdef list kept

    def __cinit__(self, int run_count, ranges):
        """ranges : of the ids of each segment: (first_id, end_id)."""
        cdef int place
        self.kept = []
        self.segment_count = len(ranges)
        self.run_count = run_count
        self.slots = <Slot *>malloc(max(self.segment_count, 1) * sizeof(Slot))
        self.trees = <const Tree **>malloc(max(run_count, 1) * sizeof(Tree *))
        if self.slots == NULL or self.trees == NULL:
            raise MemoryError
        for place in range(self.segment_count):
            self.slots[place].first_id, self.slots[place].end_id = ranges[place]
            self.slots[place].lists[0] = self.slots[place].lists[1] = NULL
        for place in range(run_count):
            self.trees[place] = NULL

    def __dealloc__(self):
        free(self.slots)
        free(self.trees)

    def put_run(self, int place, QuickRun run not None):
        """Use a run from now on."""
        if not 0 <= place < self.run_count:
            raise IndexError(place)
        if self.trees[place] == NULL:
            self.kept.append(run)
            self.trees[place] = &run.tree

    def put_segment(self, int place, QuickLists out not None, QuickLists in_ not None):
        """Use the lists of a segment from now on."""
        if not 0 <= place < self.segment_count:
            raise IndexError(place)
        if self.slots[place].lists[0] == NULL:
            self.kept.append((out, in_))
            hand_over(<const void **>&self.slots[place].lists[1], &in_.lists)
            hand_over(<const void **>&self.slots[place].lists[0], &out.lists)

    cdef Answer find(self, const uint8_t *name, Py_ssize_t size, uint64_t *node_id) noexcept nogil:
        cdef uint64_t digest = xxh64_of(name, size)
        cdef Answer answer
        cdef int place
        if not 0 < size <= HEAD_SIZE_MAX:
            return ODD
        for place in range(self.run_count):
            if self.trees[place] == NULL:
                return ODD
            answer = find_in_run(self.trees[place], name, size, digest, node_id)
            if answer == GONE:
                return NONE
            if answer != NONE:
                return answer
        return NONE

    cdef Answer edges(self, ListSearch *search, int direction) noexcept nogil:
        """Append the edges of a node in all segments, or count them."""
        cdef uint64_t begun = search.out.count, before
        cdef int place, layers = 0
        cdef Slot *slot
        for place in range(self.segment_count):
            slot = &self.slots[place]
            if search.id < slot.end_id:
                search.lists = <const Lists *>handed_over(<const void **>&slot.lists[direction])
                if search.lists == NULL:
                    return ODD
                before = search.out.count
                if search_growing(search) == ODD:
                    return ODD
                layers += search.out.count > before
            if slot.first_id <= search.id:
                break
        if layers > 1:
            qsort(search.out.edges + begun, search.out.count - begun, sizeof(Edge), order_edges)
        return FOUND


cdef class QuickView:
    """A store with the memtables above it; what these know of is left to the careful way.

    names, lists : dictionaries of memtables, by name, and by id for each direction (out, in).
    """

    cdef QuickStore store
    cdef tuple names, lists

    def __init__(self, QuickStore store not None, tuple names not None, tuple lists not None):
        self.store = store
        self.names = names
        self.lists = lists

    def find(self, str name not None):
        """Return the id of a node, None if there is none, or UNSURE."""
        cdef uint64_t node_id = 0
        cdef Answer answer = self.find_one(name, &node_id)
        if answer == FOUND:
            return node_id
        return None if answer == NONE else UNSURE

    cdef Answer find_one(self, str name, uint64_t *node_id) except *:
        cdef Py_ssize_t size
        cdef const char *text
        cdef dict known
        for known in self.names:
            if PyDict_Size(known) and PyDict_Contains(known, name):
                return ODD
        try:
            text = PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return ODD
        return self.store.find(<const uint8_t *>text, size, node_id)

    def find_many(self, list names not None, int64_t[::1] ids not None, careful):
        """Fill in the id of each name, -1 where there is none; `careful(name)` says what is unsure."""
        cdef uint64_t node_id = 0
        cdef Py_ssize_t place
        cdef Answer answer
        if ids.shape[0] != len(names):
            raise ValueError("as many ids as names are wanted")
        for place in range(len(names)):
            name = names[place]
            answer = self.find_one(name, &node_id) if type(name) is str else ODD
            if answer == FOUND:
                ids[place] = node_id
            elif answer == NONE:
                ids[place] = -1
            else:
                found = careful(name)
                ids[place] = -1 if found is None else found

    def neighbors(self, uint64_t node_id, int direction, codes):
        """Return the neighbors of a node as an int64 array, or UNSURE.

        codes : type codes, or None for all.
        """
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef Answer answer
        if self.is_above(node_id, direction):
            return UNSURE
        if not fill_types(&search, types, codes):
            return UNSURE
        out = Buffer(<Edge *>malloc(64 * sizeof(Edge)), 0, 64)
        if out.edges == NULL:
            raise MemoryError
        try:
            search.id = node_id
            search.counting = False
            search.out = &out
            answer = self.store.edges(&search, direction)
            return filled(&out) if answer == FOUND else UNSURE
        finally:
            free(out.edges)

    def degree(self, uint64_t node_id, int direction, codes):
        """Return how many edges a node has in one direction, or UNSURE."""
        cdef ListSearch search
        cdef Buffer out = Buffer(NULL, 0, 0)
        cdef uint32_t types[64]
        if self.is_above(node_id, direction) or not fill_types(&search, types, codes):
            return UNSURE
        search.id = node_id
        search.counting = True
        search.found = 0
        search.out = &out
        return search.found if self.store.edges(&search, direction) == FOUND else UNSURE

    cdef bint is_above(self, uint64_t node_id, int direction) except *:
        """Return whether a memtable knows edges of the node."""
        cdef dict known
        for both in self.lists:
            known = both[direction]
            if PyDict_Size(known) and PyDict_Contains(known, node_id):
                return True
        return False

    def k_hop(self, uint64_t start, uint64_t hops, directions, codes, careful):
        """Return per hop an int64 array of the ids first reached by it, ascending.

        careful : (id, direction) -> neighbors of an id of which this is unsure.
        """
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef Seen seen
        cdef uint64_t *frontier = NULL
        cdef uint64_t count = 1, place, hop
        cdef int direction
        cdef bint watch = False
        if not fill_types(&search, types, codes):
            return UNSURE
        for both in self.lists:
            watch = watch or bool(both[0]) or bool(both[1])
        memset(&seen, 0, sizeof(Seen))
        out = Buffer(<Edge *>malloc(1024 * sizeof(Edge)), 0, 1024)
        frontier = <uint64_t *>malloc(sizeof(uint64_t))
        found = []
        try:
            if out.edges == NULL or frontier == NULL or not seen_add(&seen, start):
                raise MemoryError
            frontier[0] = start
            search.counting = False
            search.out = &out
            for hop in range(hops):
                fresh = Fresh()
                for direction in directions:
                    self.spread(&search, frontier, count, direction, &seen, fresh, watch, careful)
                fresh.sort()
                found.append(fresh.array())
                free(frontier)
                frontier = fresh.ids
                count = fresh.count
                fresh.ids = NULL
            return found
        finally:
            free(out.edges)
            free(frontier)
            seen_free(&seen)

    cdef int spread(
        self, ListSearch *search, const uint64_t *frontier, uint64_t count, int direction,
        Seen *seen, Fresh fresh, bint watch, careful,
    ) except -1:
        """Add to `fresh` what the frontier leads to and was not seen; the lock is held by nobody."""
        cdef uint64_t place = 0, edge
        cdef Answer answer
        cdef bint room = True
        cdef QuickStore store = self.store
        while place < count:
            with nogil:
                answer = FOUND
                while place < count:
                    search.id = frontier[place]
                    search.out.count = 0
                    if watch:
                        with gil:
                            answer = ODD if self.is_above(search.id, direction) else FOUND
                    if answer == FOUND:
                        answer = store.edges(search, direction)
                    if answer != FOUND:
                        break
                    place += 1
                    for edge in range(search.out.count):
                        room = reach(seen, fresh, search.out.edges[edge].neighbor)
                        if not room:
                            break
                    if not room:
                        break
                    # So that Ctrl-C and other threads get their turn.
                    if not place & 0xFFFF:
                        break
            if not room:
                raise MemoryError
            PyErr_CheckSignals()
            if answer != FOUND:
                for neighbor in careful(frontier[place], direction):
                    if not reach(seen, fresh, neighbor):
                        raise MemoryError
                place += 1
        return 0


cdef class QuickReader:
    """The newest view of one process, as long as nobody has published anything since.

    Invariant: `view` was made after the counter of shared.map was `seen`; so while it still is,
    nothing is newer than the view.
    """

    cdef Watch watch
    cdef uint64_t seen
    cdef QuickView view

    def renew(self, Watch watch not None, bytes seen not None, QuickView view):
        """Answer from `view` as long as the counter is `seen`; never again, if that is None."""
        # Kept until all three are set: whatever goes with them may let another thread in here.
        cdef object old = (self.watch, self.view)
        if len(seen) != 8:
            raise ValueError("a counter has eight bytes")
        self.watch = watch
        memcpy(&self.seen, <const char *>seen, 8)
        self.view = view

    def clear(self):
        """Be unsure of everything."""
        cdef object old = self.view
        self.view = None

    cdef QuickView newest(self):
        cdef Look found
        if self.view is None:
            return None
        found = Look(self.watch.at, 0)
        if guarded(look, &found) or found.value != self.seen:
            return None
        return self.view

    def find(self, name):
        """Return the id of a node, None if there is none, or UNSURE."""
        cdef QuickView view = self.newest()
        if view is None or type(name) is not str:
            return UNSURE
        return view.find(<str>name)

    def neighbors(self, node_id, direction):
        """Return the neighbors of a node as an int64 array, or UNSURE; `direction` is a word."""
        cdef QuickView view
        cdef int towards
        if type(node_id) is not int or node_id < 0 or node_id >= ID_END:
            return UNSURE
        if direction == "out":
            towards = 0
        elif direction == "in":
            towards = 1
        else:
            return UNSURE
        view = self.newest()
        return UNSURE if view is None else view.neighbors(node_id, towards, None)


cdef bint fill_types(ListSearch *search, uint32_t *types, codes) except *:
    """Return whether the kernel takes so many types."""
    cdef int count = 0
    search.types = types
    search.type_count = -1
    if codes is None:
        return True
    if len(codes) > TYPES_MAX:
        return False
    for code in codes:
        types[count] = code
        count += 1
    search.type_count = count
    return True


cdef filled(const Buffer *out):
    """Return the neighbors as an array of their own."""
    cdef Py_buffer view
    cdef uint64_t place
    array = new_array(out.count, INT64)
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    for place in range(out.count):
        (<int64_t *>view.buf)[place] = out.edges[place].neighbor
    PyBuffer_Release(&view)
    return array
