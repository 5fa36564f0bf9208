# Nodes over the segments that changed them: which ones may have, and their changes, one put on top of
# the other (SPEC.md, sections 12.5 and 12.8).

cdef enum:
    # Segments that are newer than a node; of more the careful way tells.
    LAYERS_MAX = 64


cdef struct LayersLook:
    # Which of several segments may know an older id: their filters, the newest segment first.
    # places : of the segments.   Afterwards only of those that may, and room for that which made it.
    const Filter *filters[LAYERS_MAX]
    const uint8_t *bits[LAYERS_MAX]
    int places[LAYERS_MAX + 1]
    uint64_t digest
    int count


cdef void ask_filters(void *what) noexcept nogil:
    """Ask all filters: what they wait for memory overlaps."""
    cdef LayersLook *look = <LayersLook *>what
    cdef const Filter *filter_
    cdef int number, left = 0
    for number in range(look.count):
        filter_ = look.filters[number]
        look.bits[number] = bytes_at(
            filter_.file, filter_.offset + filter_block(look.digest, filter_.block_count), 32
        )
        prefetch(look.bits[number])
    for number in range(look.count):
        # One that was not checked yet: whoever looks for the record sees that.
        if look.bits[number] == NULL or filter_may_hold(look.bits[number], look.digest):
            look.places[left] = look.places[number]
            left += 1
    look.count = left


cdef struct Texts:
    # A list of texts in a record: where the first one stands, and how many there are.
    uint64_t at, count


cdef struct ChangeShape:
    # What stands where in a relative version of a node (12.5); values as they stand there.
    uint64_t sequence, code, time, map, map_size, set, set_size
    Texts texts, removed, appended, unset
    int flags


cdef const uint8_t *skip_texts(
    const uint8_t *data, const uint8_t *at, const uint8_t *end, Texts *found
) noexcept nogil:
    """Return where a list of texts ends, NULL where it does not stand there whole."""
    cdef uint64_t size, place
    at = read_varint(at, end, &found.count)
    if at == NULL or found.count > <uint64_t>(end - at):
        return NULL
    found.at = at - data
    for place in range(found.count):
        at = read_varint(at, end, &size)
        if at == NULL or size > <uint64_t>(end - at):
            return NULL
        at += size
    return at


cdef const uint8_t *skip_map(
    const uint8_t *data, const uint8_t *at, const uint8_t *end, uint64_t *start, uint64_t *size
) noexcept nogil:
    at = read_varint(at, end, size)
    if at == NULL or size[0] > <uint64_t>(end - at):
        return NULL
    start[0] = at - data
    return at + size[0]


cdef bint read_change(const uint8_t *data, uint64_t size, ChangeShape *shape) noexcept nogil:
    """Read where the fields of a relative version stand; return False also for other versions."""
    cdef const uint8_t *at = data
    cdef const uint8_t *end = data + size
    cdef Texts *lists[3]
    cdef int place
    if size < 3 or at[0] != 1:
        return False
    memset(shape, 0, sizeof(ChangeShape))
    shape.flags = at[1]
    # Replaced and changed: the careful way says what is wrong with that.
    if shape.flags & HAS_TEXTS and shape.flags & (HAS_REMOVED | HAS_APPENDED):
        return False
    if shape.flags & HAS_MAP and shape.flags & (HAS_SET | HAS_UNSET):
        return False
    at = read_varint(at + 2, end, &shape.sequence)
    if at != NULL and shape.flags & HAS_CODE:
        at = read_varint(at, end, &shape.code)
    if at != NULL and shape.flags & HAS_CREATED:
        at = read_varint(at, end, &shape.time)
    lists[0], lists[1], lists[2] = &shape.texts, &shape.removed, &shape.appended
    for place in range(3):
        if at != NULL and shape.flags & HAS_TEXTS << place:
            at = skip_texts(data, at, end, lists[place])
    if at != NULL and shape.flags & HAS_MAP:
        at = skip_map(data, at, end, &shape.map, &shape.map_size)
    if at != NULL and shape.flags & HAS_SET:
        at = skip_map(data, at, end, &shape.set, &shape.set_size)
    if at != NULL and shape.flags & HAS_UNSET:
        at = skip_texts(data, at, end, &shape.unset)
    return at == end


cdef tuple texts_of(const uint8_t *data, const Texts *texts):
    """Return texts whose places were read; None where they are not UTF-8."""
    cdef const uint8_t *at = data + texts.at
    cdef uint64_t size, place
    cdef list found = []
    for place in range(texts.count):
        # What was read once is not read over its end: the bytes are ours.
        at = read_varint(at, at + 10, &size)
        try:
            found.append(PyUnicode_DecodeUTF8(<const char *>at, size, NULL))
        except UnicodeDecodeError:
            return None
        at += size
    return tuple(found)


cdef bytes sound_map(const uint8_t *data, uint64_t size):
    """Return a property map; None where it is none."""
    cdef bytes found = data[:size]
    if not is_plain(data, size):
        try:
            return check_encoded(found, 0)
        except CorruptionError:
            return None
    return found


cdef bint put_change(NodeRecord node, QuickNodes nodes, bytes record, list type_names) except *:
    """Let a node that nobody else has be as a change leaves it, which stands in a segment; False
    where that is odd."""
    cdef ChangeShape shape
    cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(record)
    cdef tuple texts = None, gone
    cdef bytes map_
    cdef dict values
    if not read_change(data, len(record), &shape):
        return False
    if nodes.commit_time(shape.sequence, &node.updated_us) != FOUND:
        return False
    if shape.flags & HAS_CODE:
        if shape.code >= <uint64_t>len(type_names):
            return False
        node.type = type_names[shape.code]
    if shape.flags & HAS_CREATED:
        node.created_us = node.born_us
        if shape.time and not read_moment(shape.time, node.updated_us, &node.created_us):
            return False
    if shape.flags & HAS_TEXTS:
        texts = texts_of(data, &shape.texts)
        if texts is None:
            return False
        node.texts = texts
    elif shape.flags & (HAS_REMOVED | HAS_APPENDED):
        # Both are read, also where nothing is left of them.
        gone = texts_of(data, &shape.removed)
        texts = texts_of(data, &shape.appended)
        if gone is None or texts is None:
            return False
        node.texts = (without(node.observations, gone) if gone else node.observations) + texts
    if shape.flags & HAS_MAP:
        map_ = sound_map(data + shape.map, shape.map_size)
        if map_ is None:
            return False
        node.map_ = EMPTY_MAP if shape.map_size == 1 else map_
    elif shape.flags & (HAS_SET | HAS_UNSET):
        values = node.properties
        texts = texts_of(data, &shape.unset)
        if texts is None:
            return False
        for key in texts:
            values.pop(key, None)
        if shape.flags & HAS_SET:
            map_ = sound_map(data + shape.set, shape.set_size)
            if map_ is None:
                return False
            values.update(decode_properties(map_))
        node.map_ = encode_properties(values) if values else EMPTY_MAP
    return True
