# The edges of nodes over all layers of a view, with their end states.

cdef enum:
    EDGE_LAYERS_MAX = 48
    # Of the list of one node, so many parts are taken one after the other, if they are not small.
    PARTS_MAX = 16


cdef struct EdgeKey:
    uint64_t code, neighbor, key_size
    const uint8_t *key


cdef struct EdgeLayer:
    # listed : in a memtable, to be freed; else NULL, and `stored` are in a segment.
    # at : the edge at hand, whose key is `key`; from `stop` on they wait.   place : of the memtable
    # or the segment.   seen : what the view sees of it, in a memtable.
    const MemEdge **listed
    const ListEdge *stored
    uint64_t at, stop, count
    int place
    EdgeKey key
    const MemEdgeVersion *seen


cdef struct EdgesWanted:
    # passed : the last edge that was gone through.
    ListSearch types
    uint32_t codes[64]
    bint is_timed
    int64_t valid_at
    EdgeKey passed


cdef inline int compare_keys(const EdgeKey *one, const EdgeKey *other) noexcept nogil:
    if one.code != other.code:
        return -1 if one.code < other.code else 1
    if one.neighbor != other.neighbor:
        return -1 if one.neighbor < other.neighbor else 1
    if not one.key_size or not other.key_size:
        return (one.key_size > 0) - (other.key_size > 0)
    return compare_bytes(one.key, one.key_size, other.key, other.key_size)


cdef class EdgeJoin:
    """The lists of one node after the other, joined over the layers of a view.

    In plain Python: `read.neighbors.edge_states`.
    """

    cdef QuickView view
    cdef type edge_class
    cdef EdgeLayer layers[EDGE_LAYERS_MAX]
    cdef int count
    cdef list files
    # The time of a commit of a memtable that was asked for last.
    cdef int time_place
    cdef uint64_t time_sequence
    cdef int64_t time

    def __cinit__(self, QuickView view not None, type edge_class not None):
        """edge_class : one of `EdgeRecord`."""
        if not issubclass(edge_class, EdgeRecord):
            raise TypeError(edge_class)
        self.view = view
        self.edge_class = edge_class
        self.files = []
        self.time_place = -1

    def __dealloc__(self):
        self.close()

    cdef void close(self) noexcept:
        """Let go of the lists of a node."""
        cdef int place
        for place in range(self.count):
            free(self.layers[place].listed)
        self.count = 0
        if self.files:
            for file in self.files:
                (<QuickEdges>file).leave()
            self.files.clear()

    cdef Answer open(self, uint64_t node_id) except *:
        """Take the lists of a node in all layers, newest first; ODD where the careful way must."""
        cdef QuickView view = self.view
        cdef QuickStore store = view.store
        cdef const MemList *known
        cdef ListedEdges listed
        cdef EdgeLayer *layer
        cdef QuickEdges file
        cdef Answer answer
        cdef int place
        self.close()
        for place in range(view.memory_count):
            known = memory_list(view.memories[place], node_id, 0)
            if known != NULL:
                listed = list_edges(known, 0)
                if listed.edges == NULL:
                    raise MemoryError
                layer = &self.layers[self.count]
                self.count += 1
                layer.listed = listed.edges
                layer.count = listed.count
                layer.place = place
            if view.memories[place].first_id <= node_id:
                return FOUND
        for place in range(store.segment_count):
            if node_id >= store.slots[place].end_id:
                continue
            file = store.edges_of[place]
            if file is None or self.count == EDGE_LAYERS_MAX or not file.take():
                return ODD
            self.files.append(file)
            answer = file.find(node_id)
            if answer == FOUND:
                answer = file.decode()
            if answer == ODD:
                return ODD
            if answer == FOUND:
                layer = &self.layers[self.count]
                self.count += 1
                layer.listed = NULL
                layer.stored = file.file.stored.edges
                layer.count = file.file.stored.source.count
                layer.place = place
            if store.slots[place].first_id <= node_id:
                break
        return FOUND

    cdef Answer move_behind(self, const EdgeKey *after, uint64_t part) except *:
        """Go to the first edges, or to those behind one of them, and bring the end states of so many
        in each layer."""
        cdef EdgeLayer *layer
        cdef QuickEdges file
        cdef EdgeKey key
        cdef uint64_t low, high, middle, start
        cdef int place
        for place in range(self.count):
            layer = &self.layers[place]
            low = 0
            high = layer.count if after != NULL else 0
            # Invariant: edges below `low` are not behind `after`, edges from `high` on are.
            while low < high:
                middle = (low + high) / 2
                read_key(layer, middle, &key)
                if compare_keys(&key, after) <= 0:
                    low = middle + 1
                else:
                    high = middle
            layer.at = start = low
            layer.stop = layer.count
            if layer.listed == NULL and layer.stop > start:
                layer.stop = start + min(layer.count - start, part)
                file = self.view.store.edges_of[layer.place]
                if file.bring_versions(start, layer.stop) == ODD:
                    return ODD
            self.look(layer)
        return FOUND

    cdef void look(self, EdgeLayer *layer) noexcept:
        """Read the key of the edge at hand; what the view does not see is passed."""
        if layer.listed != NULL:
            while layer.at < layer.stop:
                layer.seen = edge_seen(layer.listed[layer.at], self.view.sequence)
                if layer.seen != NULL:
                    break
                layer.at += 1
        if layer.at < layer.stop:
            read_key(layer, layer.at, &layer.key)

    cdef int lowest(self) noexcept:
        """Return the layer whose edge comes next, the newest of several; -1 at the end of one that
        was not brought to its end, and at the end of all."""
        cdef EdgeLayer *layer
        cdef int place, found = -1
        for place in range(self.count):
            layer = &self.layers[place]
            if layer.at == layer.stop:
                if layer.stop < layer.count:
                    return -1
            elif found < 0 or compare_keys(&layer.key, &self.layers[found].key) < 0:
                found = place
        return found

    cdef bint is_over(self) noexcept:
        cdef int place
        for place in range(self.count):
            if self.layers[place].at < self.layers[place].count:
                return False
        return True

    cdef Answer fold_next(self, int first, EdgeFold *fold) except *:
        """Fold the versions of the edge that comes next, and pass it; `first` is the newest layer
        that has it."""
        cdef EdgeKey key = self.layers[first].key
        cdef EdgeLayer *layer
        cdef int place
        begin_fold(fold)
        for place in range(first, self.count):
            layer = &self.layers[place]
            if layer.at == layer.stop or (
                place != first and compare_keys(&layer.key, &key) != 0
            ):
                continue
            if not fold.is_whole and not fold.is_dead:
                if layer.listed != NULL:
                    if not self.fold_memory(fold, layer.seen, layer.place, place == first):
                        return ODD
                elif not self.fold_stored(fold, &layer.stored[layer.at], layer.place, place == first):
                    return ODD
            layer.at += 1
            self.look(layer)
        return FOUND if fold.is_whole or fold.is_dead else ODD

    cdef bint fold_memory(
        self, EdgeFold *fold, const MemEdgeVersion *version, int place, bint is_newest
    ) except -1:
        """Fold the versions of a memtable; False where the careful way must look."""
        while version != NULL:
            if not version.alive:
                fold.is_dead = is_newest
                return is_newest
            if version.fields != NULL:
                fold_fields(fold, version.fields)
            if version.full:
                fold.born_us = self.time_in(place, version.born_sequence)
                fold.is_whole = True
                return True
            is_newest = False
            version = version.older
        return True

    cdef bint fold_stored(
        self, EdgeFold *fold, const ListEdge *edge, int place, bint is_newest
    ) except -1:
        """Fold the end state of a segment; False where the careful way must look."""
        cdef QuickEdges file
        cdef int64_t time = 0
        if not edge.head & EDGE_CHANGE:
            fold.is_dead = is_newest
            return is_newest
        file = self.view.store.edges_of[place]
        if file.commit_time(edge.sequence, &time) != FOUND or not fold_record(fold, edge, time):
            return False
        if edge.head & EDGE_FULL:
            fold.born_us = time
            if edge.born != edge.sequence and file.commit_time(edge.born, &fold.born_us) != FOUND:
                return False
            fold.is_whole = True
        return True

    cdef int64_t time_in(self, int place, uint64_t sequence) except? -1:
        """Return the time of a commit of a memtable."""
        if place != self.time_place or sequence != self.time_sequence:
            self.time = self.view.cores[place].commits.time(sequence)
            self.time_place, self.time_sequence = place, sequence
        return self.time

    cdef uint64_t part_of(self, uint64_t room) noexcept:
        """Return how many edges of the node are gone through at a time: a hub is decoded
        `PARTS_MAX` times at most."""
        cdef uint64_t longest = 0
        cdef int place
        for place in range(self.count):
            longest = max(longest, self.layers[place].count)
        return max(room, longest / PARTS_MAX, <uint64_t>1)

    cdef Answer take(
        self, EdgesWanted *wanted, uint64_t source, list found, const EdgeKey *after, uint64_t room,
    ) except *:
        """Append edges of a node behind one of them, until about so many were gone through or none
        is left: then NONE, else FOUND, and `passed` is the last one."""
        cdef EdgeFold fold
        cdef EdgeKey key
        cdef uint64_t left
        cdef int place
        if self.open(source) == ODD:
            return ODD
        left = self.part_of(room)
        if self.move_behind(after, left) == ODD:
            return ODD
        while left:
            place = self.lowest()
            if place < 0:
                break
            left -= 1
            key = self.layers[place].key
            if self.fold_next(place, &fold) == ODD:
                return ODD
            if (
                not fold.is_dead and is_wanted(&wanted.types, key.code)
                and (not wanted.is_timed or holds_at(&fold, wanted.valid_at))
            ):
                edge = self.make(source, &key, &fold)
                if edge is None:
                    return ODD
                found.append(edge)
            wanted.passed = key
        return NONE if self.is_over() else FOUND

    cdef EdgeRecord make(self, uint64_t source, const EdgeKey *key, const EdgeFold *fold):
        """Return an edge without the names of its ends; None where its type has no name."""
        cdef EdgeRecord edge
        if key.code >= <uint64_t>len(self.view.type_names):
            return None
        edge = new_edge(self.edge_class, fold)
        edge.source_number = source
        edge.target_number = key.neighbor
        edge.type = self.view.type_names[key.code]
        edge.key = ""
        if key.key_size:
            edge.key = PyUnicode_DecodeUTF8(<const char *>key.key, key.key_size, NULL)
        return edge

    cdef object name(self, uint64_t node_id, careful):
        """Return the name of the end of an edge."""
        found = self.view.name_of(node_id)
        return careful(node_id) if found is UNSURE else found

    cdef Answer find(self, uint64_t source, const EdgeKey *key, EdgeFold *fold) except *:
        """Fold one edge that leaves a node: NONE where it is not, or not any more.

        In plain Python: `read.fold.find_edge`.
        """
        cdef QuickView view = self.view
        cdef QuickStore store = view.store
        cdef uint64_t youngest = max(source, key.neighbor), at = 0
        cdef const MemEdge *known
        cdef const MemEdgeVersion *version
        cdef QuickEdges file
        cdef Answer answer
        cdef bint is_newest = True, is_last = False
        cdef int place
        self.close()
        begin_fold(fold)
        for place in range(view.memory_count):
            known = memory_edge(
                view.memories[place], source, key.neighbor, <uint32_t>key.code, key.key,
                <uint32_t>key.key_size,
            )
            version = NULL if known == NULL else edge_seen(known, view.sequence)
            if version != NULL:
                if not self.fold_memory(fold, version, place, is_newest):
                    return ODD
                is_newest = False
            is_last = view.memories[place].first_id <= youngest
            if is_last or fold.is_dead or fold.is_whole:
                break
        for place in range(store.segment_count):
            if is_last or fold.is_dead or fold.is_whole:
                break
            if youngest >= store.slots[place].end_id:
                continue
            file = store.edges_of[place]
            if file is None or not file.take():
                return ODD
            self.files.append(file)
            answer = file.find(source)
            if answer == FOUND:
                answer = file.seek(key.code, key.neighbor, key.key, key.key_size, &at)
            if answer == ODD:
                return ODD
            if answer == FOUND:
                if not self.fold_stored(fold, &file.file.stored.edges[at], place, is_newest):
                    return ODD
                is_newest = False
            is_last = store.slots[place].first_id <= youngest
        if fold.is_whole:
            return FOUND
        # Changed, and never made: the careful way says so.
        return NONE if fold.is_dead or is_newest else ODD


cdef inline void read_key(const EdgeLayer *layer, uint64_t place, EdgeKey *key) noexcept nogil:
    cdef const MemEdge *edge
    if layer.listed != NULL:
        edge = layer.listed[place]
        key[0] = EdgeKey(edge.code, edge.ends[1], edge.key_size, edge.key)
    else:
        key[0] = EdgeKey(
            layer.stored[place].code, layer.stored[place].neighbor, layer.stored[place].key_size,
            layer.stored[place].key,
        )
