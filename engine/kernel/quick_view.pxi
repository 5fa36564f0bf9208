# A view: the files of a generation with the memtables above them, and the newest view.

cdef enum:
    MEMTABLES_MAX = 8
    EDGES_IN_STEP = 64

cdef class QuickView:
    """A store with the memtables above it, as of a commit that no file is newer than.

    cores : of the memtables, newest first.   type_names : by code; the list grows.
    """

    cdef QuickStore store
    cdef tuple cores
    cdef const Memory *memories[MEMTABLES_MAX]
    cdef int memory_count
    cdef uint64_t sequence
    cdef list type_names
    cdef type node_class

    def __init__(
        self, QuickStore store not None, tuple cores not None, uint64_t sequence,
        list type_names=None,
    ):
        if len(cores) > MEMTABLES_MAX:
            raise ValueError(f"{len(cores)} memtables, at most {MEMTABLES_MAX} are taken")
        self.store = store
        self.cores = cores
        self.sequence = sequence
        self.node_class = NodeRecord
        self.type_names = [] if type_names is None else type_names
        for core in cores:
            self.memories[self.memory_count] = <const Memory *>PyCapsule_GetPointer(
                core.handle(), "lithograph.memtable"
            )
            self.memory_count += 1

    def move_to(self, uint64_t sequence):
        """See a later commit from now on; for a view that nobody else has. Return the view."""
        self.sequence = sequence
        return self

    def make_nodes_of(self, type class_ not None):
        """Return nodes of a class from now on, which is one of `NodeRecord`; return the view."""
        if not issubclass(class_, NodeRecord):
            raise TypeError(class_)
        self.node_class = class_
        return self

    def node(self, str name not None):
        """Return the node of that name, None if there is none, or UNSURE."""
        return self.node_named(name)

    cdef object node_named(self, str name):
        cdef uint64_t node_id = 0
        cdef Answer answer = self.find_one(name, &node_id)
        if answer != FOUND:
            return None if answer == NONE else UNSURE
        return self.node_at(node_id, name)

    def node_by_id(self, uint64_t node_id, str name not None):
        """Return a node that is there, or UNSURE."""
        return self.node_at(node_id, name)

    cdef object node_at(self, uint64_t node_id, str name):
        cdef SeenVersion seen[VERSIONS_MAX]
        cdef NodeRecord node
        cdef int place = versions_seen(
            self.memories, self.memory_count, node_id, self.sequence, seen
        ) - 1
        if place == -1:
            return self.store.node(node_id, name, self.type_names, self.node_class)
        if place < 0 or seen[place].version.kind == MEM_TOMBSTONE:
            return UNSURE
        if seen[place].version.kind == MEM_FULL:
            found = born_node(node_id, name, self.time_of(&seen[place]), self.node_class)
        else:
            found = self.store.node(node_id, name, self.type_names, self.node_class)
        if found is UNSURE:
            return UNSURE
        node = found
        while place >= 0:
            if not change_node(node, seen[place].version, self.type_names):
                return UNSURE
            place -= 1
        node.updated_us = self.time_of(&seen[0])
        return node

    cdef int64_t time_of(self, const SeenVersion *seen) except? -1:
        """Return the commit time of a version."""
        return self.cores[seen.place].commits.time(seen.version.sequence)

    cdef bint is_live(self, uint64_t node_id) except -1:
        """Return whether a node is alive; False also where the careful way must say."""
        cdef const MemNode *node
        cdef const MemNodeVersion *version
        cdef int place
        for place in range(self.memory_count):
            node = memory_node(self.memories[place], node_id)
            version = NULL if node == NULL else node_newest(node)
            while version != NULL:
                if version.sequence <= self.sequence:
                    return version.kind != MEM_TOMBSTONE
                version = version.older
            if self.memories[place].first_id <= node_id:
                return False
        return self.store.is_live(node_id)

    cdef object name_of(self, uint64_t node_id):
        """Return the name of a node that was made, dead or alive, or UNSURE."""
        cdef const MemNode *node
        cdef int place
        for place in range(self.memory_count):
            if self.memories[place].first_id <= node_id:
                node = memory_node(self.memories[place], node_id)
                if node == NULL or node.name == NULL:
                    return UNSURE
                return PyUnicode_DecodeUTF8(
                    <const char *>node.name.text, node.name.size, NULL
                )
        return self.store.name(node_id)

    def names_of(self, list ids not None, bint alive, careful):
        """Return the names of nodes.

        alive : only of live ones; without it, the caller knows that they were made.
        careful : says the name of what this is unsure of, or raises.
        """
        cdef list found = []
        cdef uint64_t node_id
        for item in ids:
            name = UNSURE
            if type(item) is int and 0 <= item < ID_END:
                node_id = item
                if not alive or self.is_live(node_id):
                    name = self.name_of(node_id)
            found.append(careful(item) if name is UNSURE else name)
        return found

    def find(self, str name not None):
        """Return the id of a node, None if there is none, or UNSURE."""
        return self.id_of(name)

    cdef object id_of(self, str name):
        cdef uint64_t node_id = 0
        cdef Answer answer = self.find_one(name, &node_id)
        if answer == FOUND:
            return node_id
        return None if answer == NONE else UNSURE

    cdef Answer find_one(self, str name, uint64_t *node_id) except *:
        cdef Py_ssize_t size
        cdef const char *text
        try:
            text = PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return ODD
        return self.find_text(<const uint8_t *>text, size, node_id)

    cdef Answer find_text(
        self, const uint8_t *text, Py_ssize_t size, uint64_t *node_id
    ) noexcept nogil:
        cdef uint64_t digest = xxh64_of(text, size)
        cdef Answer answer = self.find_above(text, size, digest, node_id)
        if answer == NONE:
            return self.store.find(text, size, digest, node_id)
        return NONE if answer == GONE else answer

    cdef Answer find_above(
        self, const uint8_t *text, Py_ssize_t size, uint64_t digest, uint64_t *node_id
    ) noexcept nogil:
        """Look a name up in the memtables: NONE where none of them knows it."""
        cdef const MemName *name
        cdef const MemNameVersion *version
        cdef int place
        for place in range(self.memory_count):
            name = memory_name(self.memories[place], text, size, digest)
            if name != NULL:
                version = name_seen(name, self.sequence)
                if version != NULL:
                    node_id[0] = version.node_id
                    return GONE if version.node_id < 0 else FOUND
        return NONE

    def find_many(self, list names not None, int64_t[::1] ids not None, careful):
        """Fill in the id of each name, -1 where there is none; `careful(name)` says what is unsure.

        names : a list that nobody else has.
        """
        cdef NameSearch searches[NAMES_IN_STEP]
        cdef Py_ssize_t start, place, count, total = len(names)
        if ids.shape[0] != total:
            raise ValueError("as many ids as names are wanted")
        for start in range(0, total, NAMES_IN_STEP):
            count = min(<Py_ssize_t>NAMES_IN_STEP, total - start)
            for place in range(count):
                self.begin_search(&searches[place], names[start + place])
            self.store.find_all(searches, count)
            for place in range(count):
                if searches[place].answer == FOUND:
                    ids[start + place] = searches[place].id
                elif searches[place].answer == ODD:
                    found = careful(names[start + place])
                    ids[start + place] = -1 if found is None else found
                else:
                    ids[start + place] = -1
            if not start & 0x3FFF:
                # So that Ctrl-C and other threads get their turn, every few milliseconds.
                PyErr_CheckSignals()
                with nogil:
                    pass

    cdef int begin_search(self, NameSearch *search, name) except -1:
        """Set out for a name: its answer is NONE so far, or it has one already."""
        cdef Py_ssize_t size
        search.answer = ODD
        if type(name) is not str:
            return 0
        try:
            search.name = <const uint8_t *>PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return 0
        if 0 < size <= HEAD_SIZE_MAX:
            search.size = size
            search.digest = xxh64_of(search.name, size)
            self.store.hot.ask_for(search.digest)
            search.answer = self.find_above(search.name, size, search.digest, &search.id)
        return 0

    def neighbors(self, uint64_t node_id, int direction, codes):
        """Return the neighbors of a node as an int64 array, or UNSURE.

        codes : type codes, or None for all.
        """
        return self.neighbor_array(node_id, direction, codes)

    cdef object neighbor_array(self, uint64_t node_id, int direction, codes):
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef Answer answer
        if not fill_types(&search, types, codes):
            return UNSURE
        if not begin_buffer(&out, 64):
            raise MemoryError
        try:
            search.id = node_id
            search.probe = NULL
            search.counting = False
            search.out = &out
            out.takes_keys = True
            answer = self.edges(&search, direction)
            return filled(&out) if answer == FOUND else UNSURE
        finally:
            free(out.neighbors)

    def neighbor_names(self, str name not None, int direction):
        """Return the names of the neighbors of the node of that name, or UNSURE."""
        cdef ListSearch search
        cdef Buffer out
        cdef uint32_t types[64]
        cdef uint64_t place
        cdef list found = []
        fill_types(&search, types, None)
        if self.find_one(name, &search.id) != FOUND:
            return UNSURE
        if not begin_buffer(&out, 64):
            raise MemoryError
        try:
            search.probe = NULL
            search.counting = False
            search.out = &out
            out.takes_keys = True
            if self.edges(&search, direction) != FOUND:
                return UNSURE
            for place in range(out.count):
                neighbor = self.name_of(out.neighbors[place])
                if neighbor is UNSURE:
                    return UNSURE
                found.append(neighbor)
            return found
        finally:
            free(out.neighbors)

    def degree(self, uint64_t node_id, int direction, codes):
        """Return how many edges a node has in one direction, or UNSURE."""
        return self.degree_of(node_id, direction, codes)

    cdef object degree_of(self, uint64_t node_id, int direction, codes):
        cdef ListSearch search
        cdef Buffer out = Buffer(NULL, NULL, 0, 0, False, False, False, False, False, False, NULL)
        cdef uint32_t types[64]
        if not fill_types(&search, types, codes):
            return UNSURE
        search.id = node_id
        search.probe = NULL
        search.counting = True
        search.found = 0
        search.out = &out
        out.takes_keys = True
        if self.edges(&search, direction) == FOUND:
            return search.found
        # Where a memtable ends edges of older layers, only the list says how many are left.
        if not begin_buffer(&out, 64):
            raise MemoryError
        out.takes_keys = True
        search.counting = False
        try:
            return out.count if self.edges(&search, direction) == FOUND else UNSURE
        finally:
            free(out.neighbors)

    def count_edges(
        self, uint64_t first_id, int direction, int64_t[::1] degrees not None,
        int64_t[::1] by_type not None,
    ):
        """Fill in the degrees of the ids from `first_id` on, and add their edges to `by_type`; return
        how many ids were done: all of them, or those before one of which this is unsure.

        by_type : of each type code, how many edges; one of a code behind its end is unsure.
        """
        cdef ListSearch search
        cdef Buffer out
        cdef uint64_t place = 0, count = degrees.shape[0]
        if not begin_buffer(&out, 1024):
            raise MemoryError
        search.types = NULL
        search.type_count = -1
        search.probe = NULL
        search.counting = False
        search.out = &out
        out.takes_keys = True
        try:
            with nogil:
                while place < count:
                    search.id = first_id + place
                    out.count = 0
                    if self.edges(&search, direction) != FOUND or not add_types(&out, by_type):
                        break
                    degrees[place] = out.count
                    place += 1
            return place
        finally:
            free(out.neighbors)

    cdef Answer edges(self, ListSearch *search, int direction) noexcept nogil:
        """Append the edges of a node in all layers, in order, or count them; the buffer is empty."""
        cdef Buffer gone = Buffer(NULL, NULL, 0, 0, False, False, False, False, False, False, NULL)
        cdef Answer answer
        search.out.has_marks = False
        answer = self.edges_but(search, direction, &gone)
        if search.out.only_neighbors and (search.out.has_marks or (gone.count and answer == FOUND)):
            # Which of them are gone is told by their types too.
            search.out.only_neighbors = False
            search.out.count = gone.count = 0
            answer = self.edges_but(search, direction, &gone)
            search.out.only_neighbors = True
        if gone.count and answer == FOUND and not take_out(search.out, &gone):
            answer = ODD
        free(gone.neighbors)
        return answer

    cdef Answer edges_but(self, ListSearch *search, int direction, Buffer *gone) noexcept nogil:
        """Append all edges that any layer lists; those that are none any more are in `gone` too."""
        cdef const MemList *known
        cdef uint64_t before
        cdef int place, layers = 0
        for place in range(self.memory_count):
            known = memory_list(self.memories[place], search.id, direction)
            if known != NULL:
                before = search.out.count
                if not self.add_listed(search, known, direction, gone):
                    return ODD
                layers += search.out.count > before
            if self.memories[place].first_id <= search.id:
                if layers > 1 and not search.out.only_neighbors and not sort_edges(search.out):
                    return ODD
                return FOUND
        return self.store.edges(search, direction, layers)

    cdef bint add_listed(
        self, ListSearch *search, const MemList *known, int direction, Buffer *gone
    ) noexcept nogil:
        """Append what a memtable adds to a node, and to `gone` what it ends of older layers; False
        without memory, and where edges that end are only to be counted."""
        cdef ListedEdges listed = list_edges(known, direction)
        cdef const MemEdgeVersion *version
        cdef const MemEdge *edge
        cdef Buffer *out
        cdef uint64_t place
        cdef bint is_fine = listed.edges != NULL and (
            search.counting or make_room(search.out, listed.count)
        )
        for place in range(listed.count):
            if not is_fine:
                break
            edge = listed.edges[place]
            version = edge_seen(edge, self.sequence)
            if version == NULL or not is_wanted(search, edge.code):
                continue
            out = search.out
            if not is_made_here(version):
                # An older layer lists it: as it is, or once too often.
                if version.alive:
                    continue
                out = gone
                is_fine = not search.counting and make_room(gone, 1)
            elif not version.alive:
                continue
            if search.counting:
                search.found += 1
            elif is_fine:
                out.codes[out.count] = edge.code
                out.neighbors[out.count] = edge.ends[1 - direction]
                out.count += 1
        free(listed.edges)
        return is_fine

    def known_edges(self, edges):
        """Return the places of those edges that are there, and of those that may be.

        edges : bytes, of each edge without a key source, target, type code and anything (u64).
        """
        cdef const uint8_t[::1] data = edges
        cdef uint64_t count = data.shape[0] // 32, start, place
        cdef EdgeLook looks[EDGES_IN_STEP]
        cdef int in_step
        cdef list there = [], doubtful = []
        for start in range(0, count, EDGES_IN_STEP):
            in_step = min(<uint64_t>EDGES_IN_STEP, count - start)
            with nogil:
                self.look_for(looks, <const uint64_t *>&data[32 * start], in_step)
            for place in range(in_step):
                if looks[place].is_known:
                    (there if looks[place].is_sure else doubtful).append(start + place)
        return there, doubtful

    cdef void look_for(self, EdgeLook *looks, const uint64_t *edges, int count) noexcept nogil:
        """Find out which edges any layer knows, or may know."""
        cdef EdgeLook *edge
        cdef const MemEdge *known
        cdef const MemEdgeVersion *version
        cdef int index, place, stage
        # What they wait for memory overlaps.
        for place in range(self.memory_count):
            for stage in range(2):
                for index in range(count):
                    fetch_edge(
                        self.memories[place], edges[4 * index], edges[4 * index + 1],
                        <uint32_t>edges[4 * index + 2], stage,
                    )
        for index in range(count):
            edge = &looks[index]
            memset(edge, 0, sizeof(EdgeLook))
            edge.source = edges[4 * index]
            edge.target = edges[4 * index + 1]
            edge.code = edges[4 * index + 2]
            edge.youngest = max(edge.source, edge.target)
            edge.source_digest = xxh64_of(<const uint8_t *>&edge.source, 8)
            edge.target_digest = xxh64_of(<const uint8_t *>&edge.target, 8)
            edge.is_open = True
            for place in range(self.memory_count):
                known = memory_edge(
                    self.memories[place], edge.source, edge.target, <uint32_t>edge.code, NULL, 0
                )
                if known != NULL:
                    version = edge_seen(known, self.sequence)
                    edge.is_known = True
                    edge.is_sure = version != NULL and version.alive
                edge.is_open = (
                    not edge.is_known and self.memories[place].first_id > edge.youngest
                )
                if not edge.is_open:
                    break
        self.store.look_for(looks, count)

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
        cdef bint has_room
        if not fill_types(&search, types, codes):
            return UNSURE
        memset(&seen, 0, sizeof(Seen))
        has_room = begin_buffer(&out, 1024)
        out.only_neighbors = True
        frontier = <uint64_t *>malloc(sizeof(uint64_t))
        found = []
        try:
            if not has_room or frontier == NULL or not seen_add(&seen, start):
                raise MemoryError
            frontier[0] = start
            search.probe = NULL
            search.counting = False
            search.out = &out
            out.takes_keys = True
            for hop in range(hops):
                fresh = Fresh()
                for direction in directions:
                    self.spread(&search, frontier, count, direction, &seen, fresh, careful)
                fresh.sort()
                found.append(fresh.array())
                free(frontier)
                frontier = fresh.ids
                count = fresh.count
                fresh.ids = NULL
            return found
        finally:
            free(out.neighbors)
            free(frontier)
            seen_free(&seen)

    cdef int spread(
        self, ListSearch *search, const uint64_t *frontier, uint64_t count, int direction,
        Seen *seen, Fresh fresh, careful,
    ) except -1:
        """Add to `fresh` what the frontier leads to and was not seen; the lock is held by nobody."""
        cdef uint64_t place = 0, reached
        cdef Answer answer
        cdef bint room = True
        while place < count:
            with nogil:
                answer = FOUND
                while place < count:
                    search.id = frontier[place]
                    search.out.count = 0
                    answer = self.edges(search, direction)
                    if answer != FOUND:
                        break
                    place += 1
                    room = reach_all(seen, fresh, search.out.neighbors, search.out.count)
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
                    reached = neighbor
                    if not reach_all(seen, fresh, &reached, 1):
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
        return view.id_of(<str>name)

    def degree(self, name, direction):
        """Return how many edges a node has, or UNSURE; `direction` is a word."""
        cdef QuickView view = self.newest()
        cdef uint64_t node_id = 0
        cdef int towards = direction_of(direction)
        if view is None or towards < 0 or type(name) is not str:
            return UNSURE
        if view.find_one(<str>name, &node_id) != FOUND:
            return UNSURE
        return view.degree_of(node_id, towards, None)

    def node(self, name):
        """Return the node of that name, None if there is none, or UNSURE."""
        cdef QuickView view = self.newest()
        if view is None or type(name) is not str:
            return UNSURE
        return view.node_named(<str>name)

    def neighbor_names(self, name, direction):
        """Return the names of the neighbors of a node, or UNSURE; `direction` is a word."""
        cdef QuickView view = self.newest()
        cdef int towards = direction_of(direction)
        if view is None or towards < 0 or type(name) is not str:
            return UNSURE
        return view.neighbor_names(<str>name, towards)

    def neighbors(self, node_id, direction):
        """Return the neighbors of a node as an int64 array, or UNSURE; `direction` is a word."""
        cdef QuickView view
        cdef int towards = direction_of(direction)
        if towards < 0 or type(node_id) is not int or node_id < 0 or node_id >= ID_END:
            return UNSURE
        view = self.newest()
        return UNSURE if view is None else view.neighbor_array(node_id, towards, None)


cdef int direction_of(direction) except -2:
    """Return the direction that a word stands for, -1 for others."""
    if type(direction) is not str:
        return -1
    if <str>direction == "out":
        return 0
    return 1 if <str>direction == "in" else -1


cdef bint take_out(Buffer *out, Buffer *gone) noexcept nogil:
    """Take edges out of others, both in order after this; False where one is not there, or without
    memory."""
    cdef uint64_t place, kept = 0, next_ = 0
    if not sort_edges(gone):
        return False
    for place in range(out.count):
        if (
            next_ < gone.count and out.codes[place] == gone.codes[next_]
            and out.neighbors[place] == gone.neighbors[next_]
        ):
            next_ += 1
            continue
        out.codes[kept] = out.codes[place]
        out.neighbors[kept] = out.neighbors[place]
        kept += 1
    out.count = kept
    return next_ == gone.count


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


cdef bint add_types(const Buffer *out, int64_t[::1] by_type) noexcept nogil:
    """Count edges by type code; False, and nothing is counted, where a code is behind the end."""
    cdef uint64_t place, code_end = by_type.shape[0]
    for place in range(out.count):
        if out.codes[place] >= code_end:
            return False
    for place in range(out.count):
        by_type[out.codes[place]] += 1
    return True


cdef filled(const Buffer *out):
    """Return the neighbors as an array of their own."""
    cdef Py_buffer view
    array = new_array(out.count, INT64)
    if DATA_COMES_FIRST:
        memcpy(data_of(array), out.neighbors, out.count * sizeof(uint64_t))
        return array
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    memcpy(view.buf, out.neighbors, out.count * sizeof(uint64_t))
    PyBuffer_Release(&view)
    return array


cdef extern from *:
    """
    /* Where the numbers of an array stand: the first field of numpy's PyArrayObject, in all versions. */
    static inline int64_t *data_of(PyObject *array) { return *(int64_t **)((char *)array + sizeof(PyObject)); }
    """
    int64_t *data_of(object array)


cdef bint data_comes_first():
    cdef Py_buffer view
    cdef bint found
    for count in range(1, 4):
        array = new_array(count, INT64)
        PyObject_GetBuffer(array, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        found = <int64_t *>view.buf == data_of(array)
        PyBuffer_Release(&view)
        if not found:
            return False
    return True


# Seen, not believed. numpy takes 0.9 us to export an array's buffer, and 0.1 to make the array.
cdef bint DATA_COMES_FIRST = data_comes_first()
