# Nodes as memtables have them: what the commits since the last flush made of them. The fields stand
# as in the log (SPEC.md, section 7.2).

cdef enum:
    # Of one node, each put on top of the other; the careful way keeps what it folded of more.
    VERSIONS_MAX = 8


cdef struct SeenVersion:
    const MemNodeVersion *version
    int place  # of its memtable among those of the view


cdef int versions_seen(
    const Memory **memories, int count, uint64_t node_id, uint64_t sequence, SeenVersion *seen
) noexcept nogil:
    """Collect what memtables say of a node, newest first, down to a whole version or an end; return
    how many versions there are, -1 for too many."""
    cdef const MemNode *node
    cdef const MemNodeVersion *version
    cdef int place, found = 0
    for place in range(count):
        node = memory_node(memories[place], node_id)
        version = NULL if node == NULL else node_newest(node)
        while version != NULL:
            if version.sequence <= sequence:
                if found == VERSIONS_MAX:
                    return -1
                seen[found] = SeenVersion(version, place)
                found += 1
                if version.kind != MEM_RELATIVE:
                    return found
            version = version.older
    return found


cdef object born_node(uint64_t node_id, str name, int64_t born, type node_class):
    """Return a node as an insert begins it, whose fields are still to come."""
    cdef NodeRecord node = <NodeRecord>new_of(node_class, NO_ARGUMENTS)
    node.node_id = node_id
    node.name = name
    node.type = ""
    node.texts = ()
    node.map_ = EMPTY_MAP
    node.born_us = node.created_us = node.updated_us = born
    return node


cdef bint change_node(NodeRecord node, const MemNodeVersion *version, list type_names) except *:
    """Let a node that nobody else has be as a version leaves it; False where that is odd."""
    cdef Bytes rest
    cdef uint32_t code, size
    cdef int64_t moment
    cdef const uint8_t *map_
    cdef tuple texts, gone
    cdef uint16_t flags = version.flags
    rest.at = version.fields
    rest.end = rest.at + version.size
    if flags > 255 or (version.kind == MEM_FULL and flags & (HAS_REMOVED | HAS_APPENDED | HAS_SET | HAS_UNSET)):
        return False
    if flags & HAS_CODE:
        if not take32(&rest, &code) or code >= <uint64_t>len(type_names):
            return False
        node.type = type_names[code]
    if flags & HAS_CREATED:
        if not take64(&rest, &moment):
            return False
        node.created_us = node.born_us if moment == NO_MOMENT else moment
    if flags & (HAS_TEXTS | HAS_REMOVED | HAS_APPENDED):
        texts = node.observations
        if flags & HAS_TEXTS:
            texts = take_texts(&rest)
        if flags & HAS_REMOVED and texts is not None:
            gone = take_texts(&rest)
            texts = None if gone is None else without(texts, gone)
        if flags & HAS_APPENDED and texts is not None:
            gone = take_texts(&rest)
            texts = None if gone is None else texts + gone
        if texts is None:
            return False
        node.texts = texts
    if flags & HAS_MAP:
        if not take_text(&rest, &map_, &size):
            return False
        node.map_ = map_of(map_, size)
    return change_map(node, &rest, flags) and rest.at == rest.end


cdef bint change_map(NodeRecord node, Bytes *rest, uint16_t flags) except *:
    """Set and remove single properties; False where that is odd."""
    cdef const uint8_t *map_ = NULL
    cdef uint32_t size = 0
    cdef tuple keys = ()
    cdef dict values
    if not flags & (HAS_SET | HAS_UNSET):
        return True
    if flags & HAS_SET and not take_text(rest, &map_, &size):
        return False
    if flags & HAS_UNSET:
        keys = take_texts(rest)
        if keys is None:
            return False
    values = node.properties
    for key in keys:
        values.pop(key, None)
    if flags & HAS_SET:
        values.update(decode_properties(PyBytes_FromStringAndSize(<const char *>map_, size)))
    node.map_ = encode_properties(values) if values else EMPTY_MAP
    return True


cdef bytes map_of(const uint8_t *map_, uint32_t size):
    return EMPTY_MAP if size == 1 else PyBytes_FromStringAndSize(<const char *>map_, size)


cdef tuple take_texts(Bytes *rest):
    """Return a list of texts; None where it is odd."""
    cdef uint32_t count, size, place
    cdef const uint8_t *text
    cdef list found = []
    if not take32(rest, &count):
        return None
    for place in range(count):
        if not take_text(rest, &text, &size):
            return None
        found.append(PyUnicode_DecodeUTF8(<const char *>text, size, NULL))
    return tuple(found)


cdef tuple without(tuple texts, tuple gone):
    cdef set removed = set(gone)
    return tuple([text for text in texts if text not in removed])
