# Edges of a view, many at a time: those that leave nodes, those that enter one, and single ones.

cdef bint set_wanted(EdgesWanted *wanted, codes, valid_at) except *:
    """Return whether the kernel takes so many types."""
    memset(wanted, 0, sizeof(EdgesWanted))
    wanted.is_timed = valid_at is not None
    if valid_at is not None:
        wanted.valid_at = valid_at
    return fill_types(&wanted.types, wanted.codes, codes)


cdef tuple key_tuple(const EdgeKey *key):
    return (
        key.code, key.neighbor,
        PyUnicode_DecodeUTF8(<const char *>key.key, key.key_size, NULL) if key.key_size else "",
    )


cdef int fill_key(EdgeKey *key, code, neighbor, str text) except -1:
    """Fill in a key, which points into `text`."""
    cdef Py_ssize_t size
    key.code = code
    key.neighbor = neighbor
    key.key = <const uint8_t *>PyUnicode_AsUTF8AndSize(text, &size)
    key.key_size = size
    return 0


def take_edges(
    QuickView view not None, type edge_class not None, list sources not None, Py_ssize_t first,
    tuple after, Py_ssize_t room, codes, valid_at, list names, careful_name not None,
):
    """Return edges that leave nodes, in order, about `room` of them.

    sources : ids, those from place `first` on.   after : (type code, target id, key), of the first
        one only edges behind this one; or None.   codes, valid_at : as of `View.edges_at`.
    names : of the sources; None if they must be looked up.   careful_name : id -> name of an end.

    Returns
    -------
    (edges, first, after, is_sure) : what comes next, as above; and whether more can be had here: if
    not, the careful way must go on with the source that comes next.
    """
    cdef EdgesWanted wanted
    cdef EdgeJoin join = EdgeJoin(view, edge_class)
    cdef EdgeKey behind
    cdef EdgeRecord edge
    cdef Answer answer = FOUND
    cdef list found = []
    cdef Py_ssize_t count, place = first, index
    cdef uint64_t source
    if names is not None and len(names) != len(sources):
        raise ValueError("as many names as sources are wanted")
    if not set_wanted(&wanted, codes, valid_at):
        return found, first, after, False
    try:
        while place < len(sources) and len(found) < room:
            count = len(found)
            source = sources[place]
            if after is not None:
                fill_key(&behind, after[0], after[1], after[2])
            answer = join.take(
                &wanted, source, found, &behind if after is not None else NULL, room - count
            )
            if answer == ODD:
                del found[count:]
                break
            after = None if answer == NONE else key_tuple(&wanted.passed)
            if len(found) > count:
                if names is None:
                    source_name = join.name(source, careful_name)
                else:
                    source_name = names[place]
                for index in range(count, len(found)):
                    edge = found[index]
                    edge.source = source_name
                    edge.target = join.name(edge.target_number, careful_name)
            if answer == NONE:
                place += 1
            elif len(found) == count:
                # So that Ctrl-C gets its turn where nothing of a hub is wanted.
                PyErr_CheckSignals()
    finally:
        join.close()
    return found, place, after, answer != ODD


def find_edge(
    QuickView view not None, type edge_class not None, uint64_t source, str source_name,
    uint64_t code, uint64_t target, str target_name, str key not None,
):
    """Return one edge, None if there is none, or UNSURE."""
    cdef EdgeJoin join = EdgeJoin(view, edge_class)
    cdef EdgeFold fold
    cdef EdgeKey wanted
    cdef EdgeRecord edge
    cdef Answer answer
    fill_key(&wanted, code, target, key)
    try:
        answer = join.find(source, &wanted, &fold)
        if answer != FOUND:
            return None if answer == NONE else UNSURE
        edge = join.make(source, &wanted, &fold)
        if edge is None:
            return UNSURE
        edge.source, edge.target = source_name, target_name
        return edge
    finally:
        join.close()


cdef bint are_all_plain(QuickView view, uint64_t node_id) except *:
    """Return whether no edge that enters a node from a memtable has a key."""
    cdef const MemList *known
    cdef ListedEdges listed
    cdef uint64_t at
    cdef int place
    cdef bint found = True
    for place in range(view.memory_count):
        known = memory_list(view.memories[place], node_id, 1)
        if known == NULL:
            continue
        listed = list_edges(known, 1)
        if listed.edges == NULL:
            raise MemoryError
        for at in range(listed.count):
            found = found and not listed.edges[at].key_size
        free(listed.edges)
    return found


def take_incoming(
    QuickView view not None, type edge_class not None, uint64_t node_id, str name not None,
    uint64_t first, uint64_t room, bint with_loops, codes, valid_at, careful_name not None,
):
    """Return edges that enter a node, in order, about `room` of them.

    first : of the edges of these types that enter it, so many are passed.   The rest is as of
    `take_edges`.

    Returns
    -------
    (edges, first), first None at the end; or UNSURE.
    """
    cdef EdgesWanted wanted
    cdef EdgeJoin join = EdgeJoin(view, edge_class)
    cdef EdgeFold fold
    cdef EdgeKey key
    cdef EdgeRecord edge
    cdef Buffer out
    cdef uint64_t at, stop
    cdef list found = []
    cdef Answer answer
    if not set_wanted(&wanted, codes, valid_at) or not are_all_plain(view, node_id):
        return UNSURE
    if not begin_buffer(&out, 64):
        raise MemoryError
    try:
        wanted.types.id = node_id
        wanted.types.out = &out
        if view.edges(&wanted.types, 1) != FOUND:
            return UNSURE
        stop = min(out.count, first + max(room, out.count / PARTS_MAX))
        for at in range(first, stop):
            key = EdgeKey(out.codes[at], node_id, 0, NULL)
            if out.neighbors[at] == node_id and not with_loops:
                continue
            answer = join.find(out.neighbors[at], &key, &fold)
            if answer != FOUND:
                return UNSURE
            if wanted.is_timed and not holds_at(&fold, wanted.valid_at):
                continue
            edge = join.make(out.neighbors[at], &key, &fold)
            if edge is None:
                return UNSURE
            edge.source = join.name(edge.source_number, careful_name)
            edge.target = name
            found.append(edge)
        return found, None if stop == out.count else stop
    finally:
        join.close()
        free(out.neighbors)
