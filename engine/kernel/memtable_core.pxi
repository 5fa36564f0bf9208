# One memtable: commits are applied to it from the bytes that the log has of them.

cdef object first_of = itemgetter(0)
cdef uint64_t EVERYTHING = ~<uint64_t>0


cdef object text_of(const uint8_t *text, uint32_t size):
    return PyUnicode_DecodeUTF8(<const char *>text, size, NULL)


cdef int order_ids(const void *one, const void *other) noexcept nogil:
    cdef uint64_t a = (<const uint64_t *>one)[0], b = (<const uint64_t *>other)[0]
    return (a > b) - (a < b)


cdef int order_names(const void *one, const void *other) noexcept nogil:
    cdef const MemName *a = (<const MemName **>one)[0]
    cdef const MemName *b = (<const MemName **>other)[0]
    return compare_bytes(a.text, a.size, b.text, b.size)


cdef class MemtableCore:
    """Every version of the newest commits.

    Attributes
    ----------
    commits : times and counts, by sequence.
    """

    cdef Memory memory
    cdef readonly Commits commits
    cdef object node_version, edge_version
    cdef const MemName **ordered_names
    cdef uint64_t ordered_name_count
    cdef uint64_t *ordered_sources
    cdef uint64_t ordered_source_count

    def __cinit__(self, Commits commits not None, node_version, edge_version):
        """node_version, edge_version : make versions of (sequence, time, change, full, born,
        born_sequence)."""
        memset(&self.memory, 0, sizeof(Memory))
        self.memory.first_id = commits.next_id
        self.commits = commits
        self.node_version = node_version
        self.edge_version = edge_version
        self.ordered_names = NULL
        self.ordered_sources = NULL

    def __dealloc__(self):
        memory_free(&self.memory)
        free(self.ordered_names)
        free(self.ordered_sources)

    def handle(self):
        """Return what other modules of the kernel read the memtable by, while they hold this."""
        return PyCapsule_New(&self.memory, "lithograph.memtable", NULL)

    @property
    def version_count(self):
        return self.memory.version_count

    @property
    def size_bytes(self):
        """Memory taken by entries, texts and tables."""
        return self.memory.arena.taken + self.memory.table_bytes

    # Names -------------------------------------------------------------------------------------

    cdef const MemName *name(self, str name) except? NULL:
        cdef Py_ssize_t size
        cdef const char *text
        try:
            text = PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return NULL  # No node has such a name.
        return memory_name(
            &self.memory, <const uint8_t *>text, size, xxh64_of(<const uint8_t *>text, size)
        )

    def find_name(self, str name not None, uint64_t sequence):
        """Return the id, ABSENT (-1) if the name was deleted here, None if it is unknown here."""
        cdef const MemName *found = self.name(name)
        cdef const MemNameVersion *version
        if found == NULL:
            return None
        version = name_seen(found, sequence)
        return None if version == NULL else version.node_id

    def versions_of_name(self, str name not None):
        """Return every (sequence, id or ABSENT), newest first."""
        cdef const MemName *found = self.name(name)
        return [] if found == NULL else self.name_versions(found)

    cdef list name_versions(self, const MemName *name):
        cdef const MemNameVersion *version = name_seen(name, EVERYTHING)
        cdef list found = []
        while version != NULL:
            if self.commits.has(version.sequence):
                found.append((version.sequence, version.node_id))
            version = version.older
        return found

    cdef int order_all_names(self) except -1:
        """Sort the names that came since the last time, and merge them with the others."""
        cdef uint64_t count = self.memory.names.count, place, left = 0, right
        cdef uint64_t fresh = count - self.ordered_name_count
        cdef const MemName **merged
        cdef const MemName *name = self.memory.last_name
        if not fresh:
            return 0
        merged = <const MemName **>malloc((count + fresh) * sizeof(MemName *))
        if merged == NULL:
            raise MemoryError
        for place in range(fresh):
            merged[count + place] = name
            name = name.before
        qsort(merged + count, fresh, sizeof(MemName *), order_names)
        right = count
        for place in range(count):
            if left == self.ordered_name_count or (
                right < count + fresh and order_names(
                    &merged[right], &self.ordered_names[left]
                ) < 0
            ):
                merged[place] = merged[right]
                right += 1
            else:
                merged[place] = self.ordered_names[left]
                left += 1
        free(self.ordered_names)
        self.ordered_names = merged
        self.ordered_name_count = count
        return 0

    def names_after(self, str start not None, bint after, uint64_t count):
        """Return up to `count` names from `start` on (behind it, with `after`), ascending."""
        cdef bytes wanted = start.encode("utf-8", "surrogatepass")
        cdef const uint8_t *text = wanted
        cdef uint64_t low = 0, high, middle, size = len(wanted)
        cdef int order
        cdef const MemName *name
        self.order_all_names()
        high = self.ordered_name_count
        while low < high:
            middle = (low + high) // 2
            name = self.ordered_names[middle]
            order = compare_bytes(name.text, name.size, text, size)
            if order < 0 or (after and not order):
                low = middle + 1
            else:
                high = middle
        high = min(low + count, self.ordered_name_count)
        return [
            text_of(self.ordered_names[middle].text, self.ordered_names[middle].size)
            for middle in range(low, high)
        ]

    # Nodes -------------------------------------------------------------------------------------

    def name_of(self, int64_t node_id):
        """Return the name of a node that this memtable knows by name, or None."""
        cdef const MemNode *node = memory_node(&self.memory, node_id)
        return None if node == NULL or node.name == NULL else text_of(node.name.text, node.name.size)

    def node_versions(self, int64_t node_id, uint64_t sequence):
        """Return the versions that a view at `sequence` folds: newest first, down to a whole one."""
        return self.versions_after(node_id, 0, sequence)

    def versions_after(self, int64_t node_id, uint64_t after, uint64_t sequence):
        """Return the same, of those above the commit `after`."""
        cdef const MemNode *node = memory_node(&self.memory, node_id)
        cdef const MemNodeVersion *version
        cdef list found = []
        if node == NULL:
            return found
        version = node_newest(node)
        while version != NULL and version.sequence > after:
            if version.sequence <= sequence:
                found.append(self.made_node(version))
                if version.kind != MEM_RELATIVE:
                    break
            version = version.older
        return found

    cdef made_node(self, const MemNodeVersion *version):
        cdef int64_t time = self.commits.row(version.sequence).time
        if version.kind == MEM_TOMBSTONE:
            return self.node_version(version.sequence, time, None, False)
        patch = NodePatch(
            *NODE_FIELDS.decode(
                Cursor(PyBytes_FromStringAndSize(<const char *>version.fields, version.size)),
                version.flags,
            )
        )
        if version.kind == MEM_RELATIVE:
            return self.node_version(version.sequence, time, patch, False)
        return self.node_version(version.sequence, time, patch, True, time, version.sequence)

    cdef list every_node_version(self, const MemNode *node):
        """Return what each commit made of the node, oldest first."""
        cdef const MemNodeVersion *version = node_newest(node)
        cdef list found = []
        while version != NULL:
            if self.commits.has(version.sequence):
                found.append(self.made_node(version))
            version = version.older
        found.reverse()
        return found

    def all_node_versions(self, int64_t node_id):
        """Return what each commit made of a node, oldest first."""
        cdef const MemNode *node = memory_node(&self.memory, node_id)
        return [] if node == NULL else self.every_node_version(node)

    def node_records(self, uint64_t first_sequence, uint64_t last_sequence):
        """Return (id, record) of every node that commits of a range say something of, ascending.

        record : of its one version, as a segment that begins with the range has it; None where
            there are several, to be folded.
        """
        cdef const MemNode *node = self.memory.last_node
        cdef const MemNodeVersion *version
        cdef Growing out
        cdef list found = []
        memset(&out, 0, sizeof(Growing))
        try:
            while node != NULL:
                version = node_newest(node)
                while version != NULL and version.sequence > last_sequence:
                    version = version.older
                if version != NULL and version.sequence >= first_sequence:
                    out.size = 0
                    record = None
                    if (
                        version.older == NULL or version.older.sequence < first_sequence
                    ) and put_node_version(
                        &out, version, self.commits.row(version.sequence).time, first_sequence
                    ):
                        record = PyBytes_FromStringAndSize(<const char *>out.data, out.size)
                    found.append((node.id, record))
                node = node.before
        finally:
            growing_free(&out)
        # Nodes were added nearly in the order of their ids.
        found.reverse()
        found.sort(key=first_of)
        return found

    def names_born(self, uint64_t first_id, uint64_t end_id):
        """Return (id, name in UTF-8) of every node born in a range of ids, ascending."""
        cdef const MemNode *node = self.memory.last_node
        cdef list found = []
        while node != NULL:
            if node.name != NULL and first_id <= node.id < end_id:
                found.append(
                    (
                        node.id,
                        PyBytes_FromStringAndSize(<const char *>node.name.text, node.name.size),
                    )
                )
            node = node.before
        found.reverse()
        found.sort(key=first_of)
        return found

    def node_ids(self):
        """Return the ids of all nodes that the memtable says something of, ascending."""
        cdef const MemNode *node = self.memory.last_node
        cdef list found = []
        while node != NULL:
            found.append(node.id)
            node = node.before
        found.sort()
        return found

    # Edges -------------------------------------------------------------------------------------

    cdef made_edge(self, const MemEdgeVersion *version):
        cdef const MemEdgeFields *fields = version.fields
        cdef int64_t time = self.commits.row(version.sequence).time
        cdef int64_t born = time
        if version.born_sequence != version.sequence:
            born = self.commits.row(version.born_sequence).time
        if not version.alive:
            patch = None
        elif fields == NULL:
            patch = UNCHANGED_EDGE
        else:
            patch = EdgePatch(
                fields.created_at if fields.flags & MEM_CREATED else None,
                fields.valid_from if fields.flags & MEM_FROM else None,
                fields.valid_to if fields.flags & MEM_TO else None,
                PyBytes_FromStringAndSize(<const char *>fields.properties, fields.properties_size)
                if fields.flags & MEM_PROPERTIES
                else None,
            )
        return self.edge_version(
            version.sequence, time, patch, bool(version.full), born, version.born_sequence
        )

    cdef list edge_versions_seen(self, const MemEdge *edge, uint64_t sequence):
        """Return the versions to fold, newest first."""
        cdef const MemEdgeVersion *version = edge_seen(edge, sequence)
        cdef list found = []
        while version != NULL:
            found.append(self.made_edge(version))
            if version.full or not version.alive:
                break
            version = version.older
        return found

    cdef list every_edge_version(self, const MemEdge *edge):
        """Return what each commit made of the edge, oldest first."""
        cdef const MemEdgeVersion *version = edge_seen(edge, EVERYTHING)
        cdef list found = []
        while version != NULL:
            if self.commits.has(version.sequence):
                found.append(self.made_edge(version))
            version = version.older
        found.reverse()
        return found

    cdef tuple adjacent(self, const MemEdge *edge, int direction):
        return edge.code, edge.ends[1 - direction], text_of(edge.key, edge.key_size)

    def adjacency(self, int64_t node_id, int direction, uint64_t sequence):
        """Return every edge known at the node, ascending, and whether it is alive."""
        cdef const MemList *known = memory_list(&self.memory, node_id, direction)
        cdef const MemEdgeVersion *version
        cdef ListedEdges listed
        cdef uint64_t place
        cdef list found = []
        if known == NULL:
            return found
        listed = self.listed(known, direction)
        try:
            for place in range(listed.count):
                version = edge_seen(listed.edges[place], sequence)
                if version != NULL:
                    edge = self.adjacent(listed.edges[place], direction)
                    found.append((edge, bool(version.alive)))
        finally:
            free(listed.edges)
        return found

    cdef ListedEdges listed(self, const MemList *known, int direction) except *:
        cdef ListedEdges listed = list_edges(known, direction)
        if listed.edges == NULL:
            raise MemoryError
        return listed

    def out_edges(self, int64_t node_id, uint64_t sequence):
        """Return the same edges, going out, with their versions to fold, newest first."""
        return self.with_versions(node_id, 0, sequence, False)

    def all_edges(self, int64_t node_id, int direction):
        """Return every edge at the node, ascending, with all its versions, oldest first."""
        return self.with_versions(node_id, direction, EVERYTHING, True)

    cdef list with_versions(self, uint64_t node_id, int direction, uint64_t sequence, bint every):
        cdef const MemList *known = memory_list(&self.memory, node_id, direction)
        cdef ListedEdges listed
        cdef uint64_t place
        cdef list found = [], versions
        if known == NULL:
            return found
        listed = self.listed(known, direction)
        try:
            for place in range(listed.count):
                if every:
                    versions = self.every_edge_version(listed.edges[place])
                else:
                    versions = self.edge_versions_seen(listed.edges[place], sequence)
                if versions:
                    found.append((self.adjacent(listed.edges[place], direction), versions))
        finally:
            free(listed.edges)
        return found

    def edge_versions(
        self, int64_t source, uint32_t code, int64_t target, str key not None, uint64_t sequence
    ):
        """Return one edge's versions to fold, newest first; [] if there are none."""
        cdef Py_ssize_t size
        cdef const char *text = PyUnicode_AsUTF8AndSize(key, &size)
        cdef const MemEdge *edge = memory_edge(
            &self.memory, source, target, code, <const uint8_t *>text, size
        )
        return [] if edge == NULL else self.edge_versions_seen(edge, sequence)

    def degree(self, int64_t node_id, int direction, uint64_t sequence):
        """Return how many edges the memtable adds to the node, or None if it also changes or ends
        edges of older layers."""
        cdef const MemList *known = memory_list(&self.memory, node_id, direction)
        cdef const MemEdgeVersion *version
        cdef ListedEdges listed
        cdef uint64_t place, count = 0
        if known == NULL:
            return 0
        listed = self.listed(known, direction)
        try:
            for place in range(listed.count):
                version = edge_seen(listed.edges[place], sequence)
                if version == NULL:
                    continue
                if not is_made_here(version):
                    return None
                count += version.alive
        finally:
            free(listed.edges)
        return count

    def ids_with_edges(self, int direction):
        """Return the ids of all nodes with edges in one direction, ascending."""
        cdef const MemList *known = self.memory.last_lists[direction]
        cdef list found = []
        while known != NULL:
            found.append(known.id)
            known = known.before
        found.sort()
        return found

    def sources(self, int64_t start, uint64_t count):
        """Return up to `count` ids from `start` on that may have out-edges here, ascending."""
        cdef uint64_t low = 0, high, middle
        self.order_all_sources()
        high = self.ordered_source_count
        while low < high:
            middle = (low + high) // 2
            if self.ordered_sources[middle] < <uint64_t>start:
                low = middle + 1
            else:
                high = middle
        high = min(low + count, self.ordered_source_count)
        return [self.ordered_sources[middle] for middle in range(low, high)]

    cdef int order_all_sources(self) except -1:
        cdef uint64_t count = self.memory.lists[0].count, place
        cdef const MemList *known = self.memory.last_lists[0]
        cdef uint64_t *ids
        if count == self.ordered_source_count:
            return 0
        ids = <uint64_t *>malloc(count * sizeof(uint64_t))
        if ids == NULL:
            raise MemoryError
        for place in range(count):
            ids[place] = known.id
            known = known.before
        qsort(ids, count, sizeof(uint64_t), order_ids)
        free(self.ordered_sources)
        self.ordered_sources = ids
        self.ordered_source_count = count
        return 0

    # Writing -----------------------------------------------------------------------------------

    def is_sound(
        self, const uint8_t[::1] payload not None, uint64_t count, uint64_t next_id,
        uint64_t type_count,
    ):
        """Return whether the plain way would take these operations; where this cannot tell, False.

        It cannot tell of new types, of nodes that end, and of property maps that are not empty.
        """
        cdef Bytes rest
        cdef Operation found
        cdef uint64_t done
        cdef bint sound = True
        if not payload.shape[0]:
            return count == 0
        rest.at = &payload[0]
        rest.end = rest.at + payload.shape[0]
        with nogil:
            for done in range(count):
                sound = next_operation(&rest, &found) and is_sound(&found, next_id, type_count)
                if not sound:
                    break
                next_id += found.kind == INSERT_NODE
        return sound and rest.at == rest.end

    def apply(
        self, uint64_t sequence, int64_t time, const uint8_t[::1] payload not None, uint64_t count,
        types,
    ):
        """Add the versions of one commit; readers see them once `sequence` is published.

        payload : `count` operations that were resolved here, or that were found to be sound.
        types : the type table; new types are defined in it.
        """
        cdef Bytes rest = Bytes(NULL, NULL)
        if payload.shape[0]:
            rest.at = &payload[0]
            rest.end = rest.at + payload.shape[0]
        self.apply_all(sequence, time, rest, count, types)

    def apply_record(self, bytes record not None, types):
        """Add the versions of the commit in a record that was made here; as `apply`."""
        cdef const RecordHead *head = <const RecordHead *><const char *>record
        cdef Bytes rest
        if (
            <size_t>len(record) < RECORD_SIZE_MIN
            or <size_t>len(record) != record_size(head.payload_size)
        ):
            raise ValueError("a whole record is wanted")
        rest.at = <const uint8_t *>head + RECORD_SIZE_MIN
        rest.end = rest.at + head.payload_size
        self.apply_all(head.sequence, head.commit_time, rest, head.operation_count, types)

    cdef int apply_all(
        self, uint64_t sequence, int64_t time, Bytes rest, uint64_t count, types
    ) except -1:
        cdef CommitRow row = self.commits.rows[self.commits.count - 1]
        cdef Operation found
        cdef uint64_t done
        if rest.at != rest.end:
            for done in range(count):
                if not next_operation(&rest, &found):
                    raise contradiction()
                if found.kind == DEFINE_TYPE:
                    types.define(found.subject, text_of(found.text, found.text_size))
                else:
                    self.apply_one(&found, sequence, &row)
        row.time = time
        row.type_count = len(types)
        self.commits.append(sequence, row)
        return 0

    cdef int apply_one(self, const Operation *found, uint64_t sequence, CommitRow *row) except -1:
        cdef MemName *name
        cdef MemNode *node
        cdef const MemEdgeFields *fields = NULL
        cdef Memory *memory = &self.memory
        cdef bint is_done
        if found.kind == INSERT_EDGE or found.kind == UPDATE_EDGE:
            row.edge_count += found.kind == INSERT_EDGE
            if found.flags:
                fields = self.edge_fields(found)
            is_done = change_edge(
                memory, found.subject, found.target, found.code, found.text, found.text_size,
                sequence, fields, True, found.kind == INSERT_EDGE,
            )
        elif found.kind == INSERT_NODE:
            row.node_count += 1
            row.next_id = max(row.next_id, <int64_t>found.subject + 1)
            name = name_entry(memory, found.text, found.text_size)
            node = NULL if name == NULL else node_entry(memory, found.subject, name)
            is_done = (
                node != NULL
                and push_node(
                    memory, node, sequence, MEM_FULL, found.flags, found.rest.at,
                    found.rest.end - found.rest.at,
                )
                and push_name(memory, name, sequence, found.subject)
            )
        elif found.kind == UPDATE_NODE:
            node = node_entry(memory, found.subject, NULL)
            is_done = node != NULL and push_node(
                memory, node, sequence, MEM_RELATIVE, found.flags, found.rest.at,
                found.rest.end - found.rest.at,
            )
        elif found.kind == DELETE_EDGE:
            row.edge_count -= 1
            is_done = change_edge(
                memory, found.subject, found.target, found.code, found.text, found.text_size,
                sequence, NULL, False, False,
            )
        else:
            row.node_count -= 1
            row.edge_count -= self.end_edges(found, sequence)
            name = name_entry(memory, found.text, found.text_size)
            node = NULL if name == NULL else node_entry(memory, found.subject, name)
            is_done = (
                node != NULL
                and push_node(memory, node, sequence, MEM_TOMBSTONE, 0, NULL, 0)
                and push_name(memory, name, sequence, -1)
            )
        if not is_done:
            raise MemoryError
        return 0

    cdef const MemEdgeFields *edge_fields(self, const Operation *found) except NULL:
        """Return a copy of the fields of an edge."""
        cdef MemEdgeFields *fields = <MemEdgeFields *>arena_take(
            &self.memory.arena, sizeof(MemEdgeFields)
        )
        cdef Bytes rest = found.rest
        cdef const uint8_t *map_ = NULL
        cdef uint8_t *copied
        cdef uint32_t size
        if fields == NULL:
            raise MemoryError
        fields.flags = found.flags
        if (
            found.flags > 15
            or (found.flags & MEM_CREATED and not take64(&rest, &fields.created_at))
            or (found.flags & MEM_FROM and not take64(&rest, &fields.valid_from))
            or (found.flags & MEM_TO and not take64(&rest, &fields.valid_to))
            or (found.flags & MEM_PROPERTIES and not take_text(&rest, &map_, &size))
        ):
            raise contradiction()
        if map_ != NULL:
            copied = <uint8_t *>arena_take(&self.memory.arena, size)
            if copied == NULL:
                raise MemoryError
            memcpy(copied, map_, size)
            fields.properties = copied
            fields.properties_size = size
        return fields

    cdef int64_t end_edges(self, const Operation *found, uint64_t sequence) except -1:
        """Bury the edges of a node that ends; return how many there were."""
        cdef EndedEdges edges
        cdef Bytes rest = found.rest
        cdef uint64_t neighbor = 0, source, target
        cdef uint32_t code = 0, key_size = 0
        cdef const uint8_t *key = NULL
        cdef int64_t count = 0
        cdef int direction, step
        for direction in range(2):
            if not begin_ended(&edges, rest):
                raise contradiction()
            while True:
                step = next_ended(&edges, &code, &neighbor, &key, &key_size)
                if step < 0:
                    raise contradiction()
                if not step:
                    break
                source = neighbor if direction else found.subject
                target = found.subject if direction else neighbor
                # A loop is in both lists, and one edge.
                count += not (direction and neighbor == found.subject)
                if not change_edge(
                    &self.memory, source, target, code, key, key_size, sequence, NULL, False, False
                ):
                    raise MemoryError
            rest = edges.rest
        return count


cdef object contradiction():
    return CorruptionError("the operations of a commit contradict SPEC.md, section 7")
