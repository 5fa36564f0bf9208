# What a transaction puts, nearly as the log will have it, until it is known what is there already.

cdef enum:
    SIMPLE_SIZE_MAX = TEXT_SIZE_MAX / 4  # characters: never more than 65,535 bytes
    DRAFT_ROOM = 8

cdef int64_t UNKNOWN = -2
cdef int64_t ABSENT = -1
cdef int64_t BORN = -3

cdef struct DraftName:
    uint64_t digest
    size_t text  # offset in the bytes of the names
    uint32_t size
    int32_t node  # its place among the nodes that are put, or -1
    int64_t seen  # what the view says: an id, ABSENT or UNKNOWN
    int64_t found  # what the newest state says; BORN + an id yet to come

cdef struct DraftNode:
    uint32_t name
    int32_t type  # place among the types, or -1: unchanged
    uint16_t flags
    uint32_t text_count
    int64_t created_at
    size_t texts, texts_size, properties, properties_size

cdef struct DraftEdge:
    uint32_t source, target
    int32_t type
    uint16_t flags
    bint is_there  # as it shall be: nothing is to be done
    uint32_t key_size, fields_size
    size_t key, fields


cdef class Draft:
    """The puts of one transaction, folded: one of each node and edge.

    What is declined is for the plain way, `transaction.intents`, to which `nodes` and `edges` hand
    back what was taken until then.

    Attributes
    ----------
    size_min : bytes the commit will take at least.   edge_count : edges that are put.
    """

    cdef DraftName *names
    cdef DraftNode *nodes_
    cdef DraftEdge *edges_
    cdef uint32_t name_count, name_room, node_count, node_room, edge_room
    cdef readonly uint32_t edge_count
    cdef uint32_t *name_places  # plus one, by digest
    cdef uint32_t *edge_places
    cdef uint64_t name_mask, edge_mask
    cdef Growing name_bytes, fields  # behind a put that failed or was declined fields are cut
    cdef list texts, types
    cdef dict type_places
    cdef object unset, find, too_large
    cdef readonly uint64_t size_min
    cdef uint64_t size_max

    def __cinit__(self, unset, find, uint64_t size_max, too_large):
        """unset : stands for arguments that were not passed.   find : name -> id in the view, or
        None.   too_large : (size, size_max) -> what is raised above `size_max`."""
        self.unset = unset
        self.find = find
        self.too_large = too_large
        self.size_max = size_max
        self.texts = []
        self.types = []
        self.type_places = {}

    def __dealloc__(self):
        free(self.names)
        free(self.nodes_)
        free(self.edges_)
        free(self.name_places)
        free(self.edge_places)
        growing_free(&self.name_bytes)
        growing_free(&self.fields)

    def __bool__(self):
        return self.node_count + self.edge_count > 0

    # Taking ------------------------------------------------------------------------------------

    def put_node(self, name, type, observations, properties, created_at):
        """Take a put. Raises as the plain way does."""
        cdef DraftNode node
        cdef int64_t place
        cdef uint64_t size
        cdef size_t before = self.fields.size
        check_simple(name, "a node name", True)
        memset(&node, 0, sizeof(DraftNode))
        node.type = -1
        try:
            if created_at is not self.unset:
                node.created_at = moment_of(created_at, "created_at")
                node.flags |= HAS_CREATED
            size = 16 + len(<str>name)
            if observations is not self.unset:
                size += self.add_texts(&node, observations)
            if properties is not self.unset:
                node.properties = self.fields.size
                node.properties_size = self.add_properties(properties)
                node.flags |= HAS_MAP
                size += node.properties_size
            if type is not self.unset:
                node.type = self.type_place(type)
            self.check_size(size)
            place = self.name_place(<str>name)
            node.name = place
            if self.names[place].node >= 0:
                change_node(&self.nodes_[self.names[place].node], &node)
            else:
                self.add_node(&node)
        except BaseException:
            self.fields.size = before
            raise
        self.size_min += size

    def put_edge(
        self, source, type, target, key, properties, valid_from, valid_to, created_at,
        bint create_missing,
    ):
        """Take a put; return False for one that changes what was put before. Raises as the plain way
        does."""
        cdef DraftEdge edge
        cdef int64_t from_place, to_place
        cdef uint64_t size, properties_size = 0
        cdef bint is_known
        cdef int64_t created = NO_MOMENT, since = NO_MOMENT, until = NO_MOMENT
        cdef size_t before = self.fields.size
        check_simple(source, "source", True)
        check_simple(type, "type", False)
        check_simple(target, "target", True)
        check_simple(key, "key", False)
        memset(&edge, 0, sizeof(DraftEdge))
        try:
            if (
                properties is not self.unset or valid_from is not self.unset
                or valid_to is not self.unset or created_at is not self.unset
            ):
                edge.fields = before
                self.add_moment(&edge, MEM_CREATED, created_at, "created_at", &created)
                self.add_moment(&edge, MEM_FROM, valid_from, "valid_from", &since)
                self.add_moment(&edge, MEM_TO, valid_to, "valid_to", &until)
                if properties is not self.unset:
                    self.make_room(4)
                    edge.flags |= MEM_PROPERTIES
                    self.fields.size += 4
                    properties_size = self.add_properties(properties)
                    memcpy(
                        self.fields.data + self.fields.size - properties_size - 4,
                        &properties_size, 4,
                    )
                edge.fields_size = self.fields.size - before
                if NO_MOMENT < until < since:
                    raise InvalidArgumentError("valid_to must not be earlier than valid_from")
            from_place = self.name_place(<str>source)
            to_place = self.name_place(<str>target)
            if not create_missing:
                self.require(from_place, source)
                self.require(to_place, target)
            size = 16 + len(<str>source) + len(<str>target) + properties_size
            self.check_size(size)
            edge.source = from_place
            edge.target = to_place
            edge.type = self.type_place(type)
            if len(<str>key):
                self.add_key(&edge, <str>key)
            is_known = self.find_edge(&edge) >= 0
            if is_known and edge.flags:
                self.fields.size = before
                return False
            if create_missing:
                self.put_missing(from_place)
                self.put_missing(to_place)
            if not is_known:
                self.add_edge(&edge)
        except BaseException:
            self.fields.size = before
            raise
        self.size_min += size
        return True

    cdef int check_size(self, uint64_t size) except -1:
        if self.size_min + size > self.size_max:
            raise self.too_large(self.size_min + size, self.size_max)
        return 0

    cdef int make_room(self, size_t more) except -1:
        if not growing_room(&self.fields, more):
            raise MemoryError
        return 0

    cdef uint64_t add_texts(self, DraftNode *node, observations) except? 0:
        """Append texts as the log has them; return their characters."""
        cdef Py_ssize_t size
        cdef const char *text
        cdef uint64_t characters = 0
        cdef tuple checked
        node.flags |= HAS_TEXTS
        node.texts = self.fields.size
        if observations is None:
            return 0
        checked = plain_texts(observations)
        if checked is None:
            checked = check_texts(observations, "observations")
        for item in checked:
            characters += len(<str>item)
        if self.size_min + characters > self.size_max:
            return characters  # It will be refused; copying it could take all memory there is.
        for item in checked:
            text = PyUnicode_AsUTF8AndSize(item, &size)
            self.make_room(size + 4)
            put32(&self.fields, size)
            put_bytes(&self.fields, text, size)
        node.text_count = len(checked)
        node.texts_size = self.fields.size - node.texts
        return characters

    cdef uint64_t add_properties(self, properties) except? 0:
        cdef bytes encoded = b"\x80" if properties is None else encode_properties(properties)
        self.make_room(len(encoded))
        put_bytes(&self.fields, <const char *>encoded, len(encoded))
        return len(encoded)

    cdef int add_moment(
        self, DraftEdge *edge, uint16_t flag, time, str what, int64_t *moment
    ) except -1:
        if time is self.unset:
            return 0
        moment[0] = moment_of(time, what)
        self.make_room(8)
        put64(&self.fields, moment[0])
        edge.flags |= flag
        return 0

    cdef int add_key(self, DraftEdge *edge, str key) except -1:
        cdef Py_ssize_t size
        cdef const char *text = PyUnicode_AsUTF8AndSize(key, &size)
        self.make_room(size)
        edge.key = self.fields.size
        edge.key_size = size
        put_bytes(&self.fields, text, size)
        return 0

    cdef int32_t type_place(self, type) except -1:
        """Return the place of a type among those of the draft."""
        name = "" if type is None else type
        if not is_simple(name):
            check_short_text(name, "type")
        found = self.type_places.get(name)
        if found is None:
            found = len(self.types)
            self.types.append(name)
            self.type_places[name] = found
        return found

    cdef int64_t known_place(self, const char *text, size_t size, uint64_t digest) noexcept:
        """Return the place of a name among those of the draft, or -1."""
        cdef uint64_t place = digest & self.name_mask
        cdef DraftName *known
        while self.name_count and self.name_places[place]:
            known = &self.names[self.name_places[place] - 1]
            if known.digest == digest and known.size == size and not memcmp(
                self.name_bytes.data + known.text, text, size
            ):
                return self.name_places[place] - 1
            place = (place + 1) & self.name_mask
        return -1

    cdef int64_t name_place(self, str name) except -1:
        """Return the place of a name, which was checked; it is added if it is new."""
        cdef Py_ssize_t size
        cdef const char *text = PyUnicode_AsUTF8AndSize(name, &size)
        return self.place_of(text, size, name)

    cdef int64_t place_of(self, const char *text, size_t size, str name) except -1:
        """Return the place of a name; `name` is None where nobody has made a str of it yet."""
        cdef uint64_t digest = xxh64_of(<const uint8_t *>text, size), place
        cdef int64_t known = self.known_place(text, size, digest)
        cdef uint32_t room = max(DRAFT_ROOM, 2 * self.name_room)
        cdef void *grown
        if known >= 0:
            return known
        if 3 * (self.name_count + 1) > 2 * self.name_mask:
            self.grow_name_places()
        if self.name_count == self.name_room:
            grown = realloc(self.names, room * sizeof(DraftName))
            if grown == NULL:
                raise MemoryError
            self.names = <DraftName *>grown
            self.name_room = room
        if not growing_room(&self.name_bytes, size):
            raise MemoryError
        self.texts.append(PyUnicode_DecodeUTF8(text, size, NULL) if name is None else name)
        self.names[self.name_count] = DraftName(
            digest, self.name_bytes.size, size, -1, UNKNOWN, UNKNOWN
        )
        put_bytes(&self.name_bytes, text, size)
        place = digest & self.name_mask
        while self.name_places[place]:
            place = (place + 1) & self.name_mask
        self.name_count += 1
        self.name_places[place] = self.name_count
        return self.name_count - 1

    cdef int grow_name_places(self) except -1:
        cdef uint64_t mask = 2 * self.name_mask + 1 if self.name_mask else 2 * DRAFT_ROOM - 1
        cdef uint64_t place
        cdef uint32_t index
        cdef uint32_t *places = <uint32_t *>calloc(mask + 1, sizeof(uint32_t))
        if places == NULL:
            raise MemoryError
        for index in range(self.name_count):
            place = self.names[index].digest & mask
            while places[place]:
                place = (place + 1) & mask
            places[place] = index + 1
        free(self.name_places)
        self.name_places = places
        self.name_mask = mask
        return 0

    cdef int require(self, uint32_t place, str name) except -1:
        """Raise NodeNotFoundError unless the node exists."""
        cdef DraftName *known = &self.names[place]
        cdef int64_t seen
        if known.node >= 0:
            return 0
        if known.seen == UNKNOWN:
            found = self.find(name)
            seen = ABSENT if found is None else found
            # The names may have moved: whoever was asked may have put something.
            self.names[place].seen = seen
            known = &self.names[place]
        if known.seen == ABSENT:
            raise NodeNotFoundError(name)
        return 0

    cdef int add_node(self, DraftNode *node) except -1:
        cdef void *grown
        if self.node_count == self.node_room:
            grown = realloc(
                self.nodes_, max(DRAFT_ROOM, 2 * self.node_room) * sizeof(DraftNode)
            )
            if grown == NULL:
                raise MemoryError
            self.nodes_ = <DraftNode *>grown
            self.node_room = max(DRAFT_ROOM, 2 * self.node_room)
        self.nodes_[self.node_count] = node[0]
        self.names[node.name].node = self.node_count
        self.node_count += 1
        return 0

    cdef int put_missing(self, uint32_t place) except -1:
        """Let a node exist afterwards, as it is or new."""
        cdef DraftNode node
        if self.names[place].node < 0:
            memset(&node, 0, sizeof(DraftNode))
            node.type = -1
            node.name = place
            self.add_node(&node)
        return 0

    cdef uint64_t digest_of(self, const DraftEdge *edge) noexcept:
        cdef uint64_t digest = (
            (<uint64_t>edge.source << 32 | edge.target) * <uint64_t>0x9E3779B185EBCA87
            + <uint64_t>edge.type * <uint64_t>0xC2B2AE3D27D4EB4F
        )
        digest ^= digest >> 29
        if edge.key_size:
            digest ^= xxh64_of(self.fields.data + edge.key, edge.key_size)
        return digest

    cdef int64_t find_edge(self, const DraftEdge *edge) except -2:
        """Return the place of an edge that was put before, or -1."""
        cdef uint64_t place
        cdef DraftEdge *known
        if 3 * (self.edge_count + 1) > 2 * self.edge_mask:
            self.grow_edge_places()
        place = self.digest_of(edge) & self.edge_mask
        while self.edge_places[place]:
            known = &self.edges_[self.edge_places[place] - 1]
            if (
                known.source == edge.source and known.target == edge.target
                and known.type == edge.type and known.key_size == edge.key_size
                and not (edge.key_size and memcmp(
                    self.fields.data + known.key, self.fields.data + edge.key, edge.key_size
                ))
            ):
                return self.edge_places[place] - 1
            place = (place + 1) & self.edge_mask
        return -1

    cdef int grow_edge_places(self) except -1:
        cdef uint64_t mask = 2 * self.edge_mask + 1 if self.edge_mask else 2 * DRAFT_ROOM - 1
        cdef uint64_t place
        cdef uint32_t index
        cdef uint32_t *places = <uint32_t *>calloc(mask + 1, sizeof(uint32_t))
        if places == NULL:
            raise MemoryError
        for index in range(self.edge_count):
            place = self.digest_of(&self.edges_[index]) & mask
            while places[place]:
                place = (place + 1) & mask
            places[place] = index + 1
        free(self.edge_places)
        self.edge_places = places
        self.edge_mask = mask
        return 0

    cdef int add_edge(self, DraftEdge *edge) except -1:
        """Add an edge that `find_edge` did not find."""
        cdef uint64_t place = self.digest_of(edge) & self.edge_mask
        cdef void *grown
        if self.edge_count == self.edge_room:
            grown = realloc(
                self.edges_, max(DRAFT_ROOM, 2 * self.edge_room) * sizeof(DraftEdge)
            )
            if grown == NULL:
                raise MemoryError
            self.edges_ = <DraftEdge *>grown
            self.edge_room = max(DRAFT_ROOM, 2 * self.edge_room)
        while self.edge_places[place]:
            place = (place + 1) & self.edge_mask
        self.edges_[self.edge_count] = edge[0]
        self.edge_count += 1
        self.edge_places[place] = self.edge_count
        return 0

    def forget_view(self):
        """Look nothing up any more: the transaction has ended, and its view may go."""
        self.find = None

    # Handing back ------------------------------------------------------------------------------

    def knows(self, str name not None):
        """Return whether anything was put or looked up under the name."""
        cdef Py_ssize_t size
        cdef const char *text
        try:
            text = PyUnicode_AsUTF8AndSize(name, &size)
        except UnicodeEncodeError:
            return False
        return self.known_place(text, size, xxh64_of(<const uint8_t *>text, size)) >= 0

    def nodes(self):
        """Return (name, type or None, patch) of every node that is put, in order."""
        cdef uint32_t index
        cdef DraftNode *node
        cdef list found = []
        for index in range(self.node_count):
            node = &self.nodes_[index]
            patch = NodePatch(
                created_at=node.created_at if node.flags & HAS_CREATED else None,
                observations=self.texts_of(node) if node.flags & HAS_TEXTS else None,
                properties=PyBytes_FromStringAndSize(
                    <const char *>self.fields.data + node.properties, node.properties_size
                )
                if node.flags & HAS_MAP
                else None,
            )
            type_name = self.types[node.type] if node.type >= 0 else None
            found.append((self.texts[node.name], type_name, patch))
        return found

    cdef tuple texts_of(self, const DraftNode *node):
        cdef const uint8_t *at = self.fields.data + node.texts
        cdef uint32_t place, size
        cdef list found = []
        for place in range(node.text_count):
            size = load32(at)
            found.append(text_of(at + 4, size))
            at += 4 + size
        return tuple(found)

    def edges(self):
        """Return ((source, type, target, key), patch) of every edge that is put, in order."""
        cdef uint32_t index
        cdef DraftEdge *edge
        cdef list found = []
        for index in range(self.edge_count):
            edge = &self.edges_[index]
            fields = PyBytes_FromStringAndSize(
                <const char *>self.fields.data + edge.fields, edge.fields_size
            )
            name = (
                self.texts[edge.source],
                self.types[edge.type],
                self.texts[edge.target],
                text_of(self.fields.data + edge.key, edge.key_size),
            )
            found.append((name, EdgePatch(*EDGE_FIELDS.decode(Cursor(fields), edge.flags))))
        return found

    def found(self):
        """Return what the view said of names: their ids, or None."""
        cdef uint32_t index
        return {
            self.texts[index]: None if self.names[index].seen == ABSENT else self.names[index].seen
            for index in range(self.name_count)
            if self.names[index].seen != UNKNOWN
        }

    # Resolving ---------------------------------------------------------------------------------

    def unresolved(self, bint is_newest):
        """Return the names of which it must be known what the newest state says.

        is_newest : the view is the newest state: what it said stands.
        """
        cdef uint32_t index
        for index in range(self.name_count):
            self.names[index].found = self.names[index].seen if is_newest else UNKNOWN
        return [
            self.texts[index]
            for index in range(self.name_count)
            if self.names[index].found == UNKNOWN
        ]

    def resolve(self, const int64_t[::1] ids not None):
        """Take in what the newest state says; return whether every end of an edge exists.

        ids : of what `unresolved` returned, ABSENT (-1) for no node.
        """
        cdef uint32_t index
        cdef Py_ssize_t next_ = 0
        cdef DraftEdge *edge
        for index in range(self.name_count):
            if self.names[index].found == UNKNOWN:
                if next_ == ids.shape[0] or ids[next_] < ABSENT:
                    raise ValueError("an id for each unresolved name is wanted")
                self.names[index].found = ids[next_]
                next_ += 1
        for index in range(self.edge_count):
            edge = &self.edges_[index]
            if not self.will_exist(edge.source) or not self.will_exist(edge.target):
                return False
        return True

    cdef bint will_exist(self, uint32_t place) noexcept:
        return self.names[place].found >= 0 or self.names[place].node >= 0

    def type_names(self):
        """Return the types of the draft."""
        return list(self.types)

    def between_old(self, list codes not None):
        """Return the edges of which it must be known whether they exist: between nodes that do.

        codes : of the draft's types, None for new ones.

        As bytes, those without keys: source, target, type code and place in the draft (u64); and a
        list of the others: (source, type code, target, key, place).
        """
        cdef Growing plain
        cdef list keyed = []
        cdef uint32_t index
        cdef DraftEdge *edge
        self.check_codes(codes)
        memset(&plain, 0, sizeof(Growing))
        try:
            for index in range(self.edge_count):
                edge = &self.edges_[index]
                code = codes[edge.type]
                if (
                    code is None or self.names[edge.source].found < 0
                    or self.names[edge.target].found < 0
                ):
                    continue
                if edge.key_size:
                    keyed.append(
                        (
                            self.names[edge.source].found,
                            code,
                            self.names[edge.target].found,
                            text_of(self.fields.data + edge.key, edge.key_size),
                            index,
                        )
                    )
                    continue
                if not growing_room(&plain, 32):
                    raise MemoryError
                put64(&plain, self.names[edge.source].found)
                put64(&plain, self.names[edge.target].found)
                put64(&plain, code)
                put64(&plain, index)
            return PyBytes_FromStringAndSize(<const char *>plain.data, plain.size), keyed
        finally:
            growing_free(&plain)

    cdef int check_codes(self, list codes) except -1:
        if len(codes) != len(self.types):
            raise ValueError("a code or None for each type is wanted")
        return 0

    def leave(self, uint32_t place):
        """Leave an edge as it is, for it is there; return False where fields of it are to change."""
        if place >= self.edge_count:
            raise IndexError(place)
        self.edges_[place].is_there = True
        return not self.edges_[place].flags

    def encode(self, int64_t next_id, list codes not None, uint32_t type_count):
        """Return the operations as the log has them, and how many there are.

        next_id, type_count : the id of the next new node, and the code of the next new type.
        Edges between old nodes are new unless they are to be left.
        """
        cdef Growing out, body
        cdef uint32_t index, count = 0
        cdef uint32_t new_types = 0
        cdef int64_t *known = <int64_t *>malloc((len(codes) + 1) * sizeof(int64_t))
        cdef list fresh = []
        memset(&out, 0, sizeof(Growing))
        memset(&body, 0, sizeof(Growing))
        try:
            if known == NULL:
                raise MemoryError
            self.check_codes(codes)
            for index in range(len(codes)):
                known[index] = -1 if codes[index] is None else codes[index]
            for index in range(self.node_count):
                next_id += self.encode_node(
                    &body, &self.nodes_[index], next_id, known, type_count, fresh, &count
                )
            for index in range(self.edge_count):
                if not self.edges_[index].is_there:
                    self.encode_edge(&body, &self.edges_[index], known, type_count, fresh)
                    count += 1
            for code, name in fresh:
                put_operation(&out, DEFINE_TYPE, 0, code, name.encode())
            count += len(fresh)
            if not growing_room(&out, body.size):
                raise MemoryError
            put_bytes(&out, body.data, body.size)
            return PyBytes_FromStringAndSize(<const char *>out.data, out.size), count
        finally:
            free(known)
            growing_free(&out)
            growing_free(&body)

    cdef int64_t code_of(
        self, int32_t type, int64_t *known, uint32_t type_count, list fresh
    ) except -1:
        """Return the code of a type; a new one gets the next."""
        if known[type] < 0:
            known[type] = type_count + len(fresh)
            if known[type] >= <int64_t>1 << 32:
                raise MemoryError
            fresh.append((known[type], self.types[type]))
        return known[type]

    cdef int encode_node(
        self, Growing *out, const DraftNode *node, int64_t new_id, int64_t *known,
        uint32_t type_count, list fresh, uint32_t *count,
    ) except -1:
        """Append what becomes of a node; return 1 if it is new."""
        cdef DraftName *name = &self.names[node.name]
        cdef bint is_new = name.found < 0
        cdef uint16_t flags = node.flags
        cdef int64_t code = -1
        cdef size_t start = out.size
        if node.type >= 0 and (not is_new or len(<str>self.types[node.type])):
            code = self.code_of(node.type, known, type_count, fresh)
            flags |= HAS_CODE
        if is_new:
            # Of a new node empty lists and maps are left out.
            if not node.text_count:
                flags &= ~HAS_TEXTS
            if node.properties_size == 1:
                flags &= ~HAS_MAP
            name.found = BORN - new_id
        elif not flags:
            return 0
        if not growing_room(
            out, 64 + name.size + node.texts_size + node.properties_size
        ):
            raise MemoryError
        put_head(out, INSERT_NODE if is_new else UPDATE_NODE, flags, new_id if is_new else name.found)
        if is_new:
            put32(out, name.size)
            put_bytes(out, self.name_bytes.data + name.text, name.size)
        if flags & HAS_CODE:
            put32(out, code)
        if flags & HAS_CREATED:
            put64(out, node.created_at)
        if flags & HAS_TEXTS:
            put32(out, node.text_count)
            put_bytes(out, self.fields.data + node.texts, node.texts_size)
        if flags & HAS_MAP:
            put32(out, node.properties_size)
            put_bytes(out, self.fields.data + node.properties, node.properties_size)
        end_operation(out, start)
        count[0] += 1
        return is_new

    cdef int encode_edge(
        self, Growing *out, const DraftEdge *edge, int64_t *known, uint32_t type_count, list fresh
    ) except -1:
        """Append an edge, which is new."""
        cdef size_t start = out.size
        cdef int64_t code = self.code_of(edge.type, known, type_count, fresh)
        if not growing_room(out, 64 + edge.key_size + edge.fields_size):
            raise MemoryError
        put_head(out, INSERT_EDGE, edge.flags, self.id_of(edge.source))
        put64(out, self.id_of(edge.target))
        put32(out, code)
        put32(out, edge.key_size)
        put_bytes(out, self.fields.data + edge.key, edge.key_size)
        put_bytes(out, self.fields.data + edge.fields, edge.fields_size)
        end_operation(out, start)
        return 0

    cdef int64_t id_of(self, uint32_t place) noexcept:
        cdef int64_t found = self.names[place].found
        return BORN - found if found <= BORN else found


cdef void change_node(DraftNode *node, const DraftNode *later) noexcept:
    """Let a put of a node do what it and then a later one do."""
    node.flags |= later.flags
    if later.type >= 0:
        node.type = later.type
    if later.flags & HAS_CREATED:
        node.created_at = later.created_at
    if later.flags & HAS_TEXTS:
        node.text_count = later.text_count
        node.texts = later.texts
        node.texts_size = later.texts_size
    if later.flags & HAS_MAP:
        node.properties = later.properties
        node.properties_size = later.properties_size
