# The files of a generation.

cdef enum:
    # Names looked up in step: enough to wait for all of their memory at once.
    NAMES_IN_STEP = 32
    # What a filter is of, besides lists in direction 0 or 1.
    CHANGED_NODES = 2


cdef struct Slot:
    uint64_t first_id, end_id
    const Lists *lists[2]  # NULL until the segment is opened
    const Filter *changed  # Of the nodes; it goes with them, and is read under the lock alone.


cdef struct EdgeLook:
    # An edge without a key that is looked for in one segment after the other.
    # youngest : of its ends.   is_open : older segments may know it.   is_sure : it is there.
    uint64_t source, target, code, youngest, source_digest, target_digest
    bint is_open, is_known, is_sure, may_be


cdef struct EdgesLook:
    const Lists *outgoing
    const Lists *incoming
    uint64_t end_id
    EdgeLook *edges
    int count


cdef inline const uint8_t *filter_bits_of(const Lists *lists, uint64_t digest) noexcept nogil:
    """Return the block of a filter that says something of an id; NULL where it cannot be read."""
    cdef const Table *sparse = &lists.sparse
    return bytes_at(
        &lists.file, sparse.filter_offset + filter_block(digest, sparse.filter_blocks), 32
    )


cdef inline bint may_be_listed(
    const Lists *lists, uint64_t node_id, uint64_t digest
) noexcept nogil:
    """Return whether a node may have a list here: a filter is quicker than a block."""
    cdef const Table *sparse = &lists.sparse
    cdef const uint8_t *bits
    if lists.dense.first_id <= node_id < lists.dense.end_id:
        return True
    if not sparse.row_count:
        return False
    bits = filter_bits_of(lists, digest)
    return bits == NULL or filter_may_hold(bits, digest)


cdef void look_into_filters(void *what) noexcept nogil:
    """Ask the filters of a segment, of all edges one after the other: what they wait for memory
    overlaps (3.6 µs per edge over a dozen segments when each edge went through all of them)."""
    cdef EdgesLook *look = <EdgesLook *>what
    cdef EdgeLook *edge
    cdef const EdgeLook *before = NULL
    cdef bint source_may_be = False
    cdef int index
    # Of edges in the order of their sources the first question is asked once for each of these.
    for index in range(look.count):
        edge = &look.edges[index]
        edge.may_be = edge.is_open and edge.youngest < look.end_id
        if edge.may_be:
            if before == NULL or before.source != edge.source:
                source_may_be = may_be_listed(look.outgoing, edge.source, edge.source_digest)
            before = edge
            edge.may_be = source_may_be
            if source_may_be and look.incoming.sparse.row_count:
                prefetch(filter_bits_of(look.incoming, edge.target_digest))
    for index in range(look.count):
        edge = &look.edges[index]
        edge.may_be = edge.may_be and may_be_listed(
            look.incoming, edge.target, edge.target_digest
        )


cdef class QuickStore:
    """The sealed files of one generation, newest first, as far as they are open.

    Whoever opens a file puts it here; it stays open as long as the generation is held, so only
    generations of few files have one of these.
    """

    cdef Slot *slots
    cdef const Tree **trees
    cdef uint64_t *runs
    cdef int segment_count, run_count
    cdef list kept, nodes, names, edges_of
    cdef QuickHotNames hot

    def __cinit__(self, runs, ranges, QuickHotNames hot=None):
        """runs : their file numbers.   ranges : of the ids of each segment: (first_id, end_id).

        hot : the names that were looked up last, of this generation and those before it.
        """
        cdef int place
        self.kept = []
        self.segment_count = len(ranges)
        self.nodes = [None] * self.segment_count
        self.names = [None] * self.segment_count
        self.edges_of = [None] * self.segment_count
        self.hot = QuickHotNames(0) if hot is None else hot
        self.run_count = len(runs)
        self.slots = <Slot *>malloc(max(self.segment_count, 1) * sizeof(Slot))
        self.trees = <const Tree **>calloc(max(self.run_count, 1), sizeof(Tree *))
        self.runs = <uint64_t *>malloc(max(self.run_count, 1) * sizeof(uint64_t))
        if self.slots == NULL or self.trees == NULL or self.runs == NULL:
            raise MemoryError
        for place in range(self.segment_count):
            self.slots[place].first_id, self.slots[place].end_id = ranges[place]
            self.slots[place].lists[0] = self.slots[place].lists[1] = NULL
            self.slots[place].changed = NULL
        for place in range(self.run_count):
            self.runs[place] = runs[place]

    def __dealloc__(self):
        free(self.slots)
        free(self.trees)
        free(self.runs)

    def put_run(self, int place, QuickRun run not None):
        """Use a run from now on."""
        if not 0 <= place < self.run_count:
            raise IndexError(place)
        if self.trees[place] == NULL:
            self.kept.append(run)
            self.trees[place] = &run.tree

    def put_segment(
        self, int place, QuickLists out not None, QuickLists in_ not None, QuickNodes nodes=None,
        QuickNames names=None, QuickEdges edges=None,
    ):
        """Use the lists, nodes, names and edges of a segment from now on."""
        if not 0 <= place < self.segment_count:
            raise IndexError(place)
        self.slots[place].changed = NULL if nodes is None else &nodes.changes.filter
        self.nodes[place] = nodes
        self.names[place] = names
        self.edges_of[place] = edges
        if self.slots[place].lists[0] == NULL:
            self.kept.append((out, in_))
            hand_over(<const void **>&self.slots[place].lists[1], &in_.lists)
            hand_over(<const void **>&self.slots[place].lists[0], &out.lists)

    cdef Answer find(
        self, const uint8_t *name, Py_ssize_t size, uint64_t digest, uint64_t *node_id
    ) noexcept nogil:
        cdef const HotName *hot
        cdef Answer answer
        cdef int place
        if not 0 < size <= HEAD_SIZE_MAX:
            return ODD
        hot = self.hot.get(name, size, digest)
        # What one run says counts where no newer one knows the name.
        for place in range(self.run_count):
            if hot != NULL and hot.run == self.runs[place]:
                node_id[0] = hot.id_and_size & (ID_END - 1)
                return FOUND
            if self.trees[place] == NULL:
                return ODD
            answer = find_in_run(self.trees[place], name, size, digest, node_id)
            if answer == FOUND:
                self.hot.put(name, size, digest, self.runs[place], node_id[0])
            if answer == GONE:
                return NONE
            if answer != NONE:
                return answer
        return NONE

    cdef void find_all(self, NameSearch *searches, int count) noexcept nogil:
        """Answer the searches whose answer is NONE so far."""
        cdef NameSearch *search
        cdef NameSearch *end = searches + count
        cdef const HotName *hot
        cdef int place
        search = searches
        while search < end:
            search.is_hot = False
            search.is_asked = search.answer == NONE
            if search.is_asked:
                hot = self.hot.get(search.name, search.size, search.digest)
                if hot != NULL:
                    # Copied: what is put meanwhile may move what is kept.
                    search.is_hot = True
                    search.hot = hot[0]
            search += 1
        for place in range(self.run_count):
            search = searches
            while search < end:
                if search.answer == NONE:
                    if search.is_hot and search.hot.run == self.runs[place]:
                        search.id = search.hot.id_and_size & (ID_END - 1)
                        search.answer = FOUND
                        search.is_asked = False
                    elif self.trees[place] == NULL:
                        search.answer = ODD
                search += 1
            if self.trees[place] == NULL:
                return
            find_all_in_run(self.trees[place], searches, count)
            search = searches
            while search < end:
                if search.is_asked and search.answer == FOUND:
                    self.hot.put(
                        search.name, search.size, search.digest, self.runs[place], search.id
                    )
                    search.is_asked = False
                search += 1

    cdef object name(self, uint64_t node_id):
        """Return the name of a node, dead or alive, or UNSURE."""
        cdef QuickNames names
        cdef int place
        for place in range(self.segment_count):
            if self.slots[place].first_id <= node_id < self.slots[place].end_id:
                names = self.names[place]
                return UNSURE if names is None else names.name(node_id)
        return UNSURE

    cdef object node(self, uint64_t node_id, str name, list type_names, type node_class):
        """Return a node that the name index knows, or UNSURE."""
        cdef int place = self.newest_place(node_id)
        cdef LayersLook look
        cdef QuickNodes nodes
        cdef object record
        look.count = 0
        if place < self.segment_count and self.slots[place].first_id > node_id:
            place = self.ask_newer(node_id, CHANGED_NODES, place, &look)
        if not 0 <= place < self.segment_count:
            return UNSURE
        if look.count:
            return self.changed_node(node_id, name, type_names, node_class, &look, place)
        nodes = self.nodes[place]
        record = UNSURE if nodes is None else nodes.record(node_id)
        # Also where there is none, as the name says that there is.
        if type(record) is not bytes:
            return UNSURE
        return new_node(nodes, node_id, name, record, type_names, node_class)

    cdef object changed_node(
        self, uint64_t node_id, str name, list type_names, type node_class,
        const LayersLook *look, int place
    ):
        """Return a node that newer segments may have changed, or UNSURE.

        place : of the segment that made it.   Cost: a record and what it changes, for each.
        """
        cdef list changes = []
        cdef QuickNodes nodes
        cdef object record
        cdef const uint8_t *data
        cdef int number
        record = None
        for number in range(look.count):
            nodes = self.nodes[look.places[number]]
            record = UNSURE if nodes is None else nodes.changes.change(node_id)
            if record is UNSURE:
                return UNSURE
            if record is not None:
                data = <const uint8_t *>PyBytes_AS_STRING(record)
                # Neither whole nor an end, which the name contradicts.
                if data[0] != 1:
                    break
                changes.append((nodes, record))
                record = None
        if record is None:
            nodes = self.nodes[place]
            record = UNSURE if nodes is None else nodes.record(node_id)
        if type(record) is not bytes:
            return UNSURE
        node = new_node(nodes, node_id, name, record, type_names, node_class)
        if node is UNSURE:
            return UNSURE
        while changes:
            nodes, record = changes.pop()
            if not put_change(node, nodes, record, type_names):
                return UNSURE
        return node

    cdef bint is_live(self, uint64_t node_id):
        """Return whether a node is alive; False also where the careful way must say."""
        cdef int place = self.newest_place(node_id), number
        cdef LayersLook look
        cdef QuickNodes nodes
        cdef object record
        cdef NodeShape shape
        cdef ChangeShape change
        look.count = 0
        if place < self.segment_count and self.slots[place].first_id > node_id:
            place = self.ask_newer(node_id, CHANGED_NODES, place, &look)
        if not 0 <= place < self.segment_count:
            return False
        for number in range(look.count + 1):
            nodes = self.nodes[look.places[number] if number < look.count else place]
            if nodes is None:
                return False
            record = (
                nodes.changes.change(node_id) if number < look.count else nodes.record(node_id)
            )
            # The newest that says anything of it.
            if type(record) is bytes:
                data = <const uint8_t *>PyBytes_AS_STRING(record)
                return read_shape(data, len(record), &shape) or (
                    number < look.count and read_change(data, len(record), &change)
                )
            if record is UNSURE:
                return False
        return False

    cdef QuickNodes nodes_with(self, uint64_t node_id):
        """Return the nodes of the segment that made a node, if no newer one may have changed it; else
        None."""
        cdef int place = self.newest_place(node_id)
        cdef LayersLook look
        look.count = 0
        if place < self.segment_count and self.slots[place].first_id > node_id:
            place = self.ask_newer(node_id, CHANGED_NODES, place, &look)
        if look.count or not 0 <= place < self.segment_count:
            return None
        return self.nodes[place]

    cdef inline int newest_place(self, uint64_t node_id) noexcept nogil:
        """Return the place of the newest segment that may know a node; behind all if there is none."""
        cdef int place = 0
        while place < self.segment_count and node_id >= self.slots[place].end_id:
            place += 1
        return place

    cdef int ask_newer(
        self, uint64_t node_id, int kind, int place, LayersLook *look
    ) noexcept nogil:
        """Find the segments from a place on that may know a node and are newer than it; return the
        place of that which made it, behind all if there is none, and -1 where the careful way must
        say which they are.

        kind : CHANGED_NODES, or the direction of lists.
        Cost: 10 ns for each, as their filters are asked in one go.
        """
        cdef const Filter *filter_
        cdef const Lists *lists
        look.count = 0
        look.digest = xxh64_of(<const uint8_t *>&node_id, 8)
        while place < self.segment_count and self.slots[place].first_id > node_id:
            if kind == CHANGED_NODES:
                filter_ = self.slots[place].changed
            else:
                lists = <const Lists *>handed_over(<const void **>&self.slots[place].lists[kind])
                filter_ = NULL if lists == NULL else &lists.filter
            if filter_ == NULL or look.count == LAYERS_MAX:
                return -1
            if filter_.block_count:
                look.filters[look.count] = filter_
                look.places[look.count] = place
                look.count += 1
            place += 1
        if look.count and guarded(ask_filters, look):
            return -1
        return place

    cdef Answer edges(self, ListSearch *search, int direction, int layers) noexcept nogil:
        """Append the edges of a node in all segments, or count them.

        layers : that have given edges already; these must be all that there are in the buffer.
        """
        cdef int place = self.newest_place(search.id)
        cdef uint64_t first = search.out.count, found
        cdef LayersLook look
        cdef Runs runs
        cdef Answer answer
        if place < self.segment_count and self.slots[place].first_id <= search.id:
            # Made by the newest that may know it, as all are in a merged store: nothing to join.
            search.lists = <const Lists *>handed_over(
                <const void **>&self.slots[place].lists[direction]
            )
            if search.lists == NULL:
                return ODD
            search.out.has_keys = False
            found = search.found
            if not layers and search_growing(search) != ODD:
                return FOUND
            search.out.count = first
            search.found = found
        look.count = 0
        if place < self.segment_count and self.slots[place].first_id > search.id:
            place = self.ask_newer(search.id, direction, place, &look)
            if place < 0:
                return ODD
        if place < self.segment_count:
            look.places[look.count] = place
            look.count += 1
        answer = self.add_runs(search, direction, &look, &runs)
        if answer == ODD:
            return ODD
        if search.out.has_keys and search.out.has_marks and not search.counting:
            # Which edges are the same is told by their keys too.
            search.out.count = first
            if not keep_keys(search.out):
                return ODD
            answer = self.add_runs(search, direction, &look, &runs)
            if answer == ODD:
                return ODD
        if search.counting or not runs.count:
            return FOUND
        if search.out.only_neighbors and not search.out.has_marks:
            return FOUND
        if (runs.count > 1 or search.out.has_marks) and not join_runs(search.out, &runs):
            return ODD
        if layers and not sort_edges(search.out):
            return ODD
        return FOUND

    cdef Answer add_runs(
        self, ListSearch *search, int direction, const LayersLook *look, Runs *runs
    ) noexcept nogil:
        """Append the edges that segments know at a node, one after the other."""
        cdef Answer answer = FOUND
        cdef int number
        runs.count = 0
        search.out.takes_marks = True
        search.out.has_marks = search.out.has_keys = False
        for number in range(look.count):
            answer = self.add_run(search, direction, look.places[number], runs)
            if answer == ODD:
                break
        search.out.takes_marks = False
        return answer

    cdef Answer add_run(
        self, ListSearch *search, int direction, int place, Runs *runs
    ) noexcept nogil:
        """Append the edges that a segment knows at a node."""
        cdef uint64_t before = search.out.count
        cdef Answer answer
        search.lists = <const Lists *>handed_over(
            <const void **>&self.slots[place].lists[direction]
        )
        if search.lists == NULL:
            return ODD
        answer = search_growing(search)
        if search.out.count > before:
            runs.starts[runs.count] = before
            runs.count += 1
        return answer

    cdef void look_for(self, EdgeLook *edges, int count) noexcept nogil:
        """Find out which of the edges that are open a segment knows, or may know."""
        cdef EdgesLook look
        cdef EdgeLook *edge
        cdef ListSearch search
        cdef Heads heads
        cdef Answer answer
        cdef int place, index
        cdef Slot *slot
        search.is_placed = False
        search.heads = &heads
        search.heads_of = NULL
        for place in range(self.segment_count):
            slot = &self.slots[place]
            look = EdgesLook(
                <const Lists *>handed_over(<const void **>&slot.lists[0]), slot.lists[1],
                slot.end_id, edges, count,
            )
            if look.outgoing == NULL or guarded(look_into_filters, &look):
                for index in range(count):
                    edges[index].may_be = edges[index].is_open
            for index in range(count):
                edge = &edges[index]
                answer = NONE
                if edge.may_be and edge.youngest < slot.end_id:
                    answer = ODD
                    if look.outgoing != NULL:
                        answer = seek_next(
                            &search, look.outgoing, edge.source, edge.code, edge.target
                        )
                if answer != NONE:
                    # A list in which `seek` finds something has only edges that the segment made.
                    edge.is_known = True
                    edge.is_sure = answer == FOUND
                    edge.is_open = False
                elif slot.first_id <= edge.youngest:
                    edge.is_open = False
