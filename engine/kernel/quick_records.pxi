# Blocks of records, and the records of nodes in them (SPEC.md, sections 12.3 and 12.5).

def block_heads(const uint8_t[::1] body not None, uint64_t count, uint64_t first_id, bint dense):
    """Return (ids, offsets, sizes and flags) of a block (12.3), ids None in a dense one; or UNSURE.

    count : of ids in a dense block; the most that a sparse one may have.
    """
    cdef Heads heads
    cdef uint64_t place
    cdef list ids = None
    if not body.shape[0] or not read_heads(
        &heads, &body[0], body.shape[0], count, first_id, dense
    ):
        return UNSURE
    if not dense:
        ids = [heads.ids[place] for place in range(heads.count)]
    return (
        ids,
        [heads.offsets[place] for place in range(heads.count + 1)],
        [heads.heads[place] for place in range(heads.count)],
    )


cdef struct NodeShape:
    # What stands where in a full version of a node (12.5); values as they stand there.
    uint64_t sequence, born, code, time
    uint64_t texts, text_count, map, map_size
    bint is_older, has_code, has_time, has_texts, has_map
    bint is_ascii  # all texts are


cdef bint read_shape(const uint8_t *data, uint64_t size, NodeShape *shape) noexcept nogil:
    """Read where the fields of a full version stand; return False also for other versions."""
    cdef const uint8_t *at = data
    cdef const uint8_t *end = data + size
    cdef uint64_t head, flags, value, place
    if size < 3:
        return False
    head = at[0]
    flags = at[1]
    # A change, full; type, time, observations, properties.
    if head & ~<uint64_t>4 != 3 or flags & ~<uint64_t>0x27:
        return False
    memset(shape, 0, sizeof(NodeShape))
    shape.is_older = head & 4
    shape.has_code = flags & 1
    shape.has_time = flags & 2
    shape.has_texts = flags & 4
    shape.has_map = flags & 32
    at = read_varint(at + 2, end, &shape.sequence)
    if at == NULL or shape.sequence > <uint64_t>1 << 62:
        return False
    if shape.is_older:
        at = read_varint(at, end, &shape.born)
        if at == NULL or shape.born >= shape.sequence:
            return False
    if shape.has_code:
        at = read_varint(at, end, &shape.code)
        if at == NULL or shape.code >= TYPE_CODE_END:
            return False
    if shape.has_time:
        at = read_varint(at, end, &shape.time)
        if at == NULL:
            return False
    if shape.has_texts:
        at = read_varint(at, end, &shape.text_count)
        if at == NULL or shape.text_count > <uint64_t>(end - at):
            return False
        shape.texts = at - data
        shape.is_ascii = True
        for place in range(shape.text_count):
            at = read_varint(at, end, &value)
            if at == NULL or value > <uint64_t>(end - at):
                return False
            shape.is_ascii = shape.is_ascii and is_ascii(at, value)
            at += value
    if shape.has_map:
        at = read_varint(at, end, &shape.map_size)
        if at == NULL or shape.map_size > <uint64_t>(end - at):
            return False
        shape.map = at - data
        at += shape.map_size
    return at == end


cdef object decode_texts(const uint8_t *data, const NodeShape *shape):
    """Return the observations of a record whose shape was read; None where they are not UTF-8."""
    cdef const uint8_t *at = data + shape.texts
    cdef uint64_t size, place
    cdef tuple texts = PyTuple_New(shape.text_count)
    for place in range(shape.text_count):
        # What was read once is not read over its end: the bytes are ours.
        at = read_varint(at, at + 10, &size)
        if shape.is_ascii:
            text = ascii_text(<const char *>at, size)
        else:
            try:
                text = PyUnicode_DecodeUTF8(<const char *>at, size, NULL)
            except UnicodeDecodeError:
                return None
        Py_INCREF(text)
        PyTuple_SET_ITEM(texts, place, text)
        at += size
    return texts


cdef extern from *:
    """
    /* Return a text of bytes that are known to be ASCII: decoding them again takes twice as long. */
    static inline PyObject *ascii_text(const char *at, Py_ssize_t size)
    {
        PyObject *text = PyUnicode_New(size, 127);
        if (text != NULL && size) {
            memcpy(PyUnicode_1BYTE_DATA(text), at, size);
        }
        return text;
    }
    """
    object ascii_text(const char *at, Py_ssize_t size)


def node_record(const uint8_t[::1] data not None):
    """Return (sequence, born sequence or -1, type code, time, observations, properties) of a full
    version of a node (12.5), each as it stands there or None; or UNSURE, also of other versions."""
    return record_at(&data[0], data.shape[0]) if data.shape[0] else UNSURE


cdef object record_at(const uint8_t *data, uint64_t size):
    cdef NodeShape shape
    cdef object observations = None, properties = None
    if not read_shape(data, size, &shape):
        return UNSURE
    if shape.has_texts:
        observations = decode_texts(data, &shape)
        if observations is None:
            return UNSURE
    if shape.has_map:
        properties = PyBytes_FromStringAndSize(<const char *>data + shape.map, shape.map_size)
    return (
        shape.sequence,
        shape.born if shape.is_older else -1,
        shape.code if shape.has_code else None,
        shape.time if shape.has_time else None,
        observations,
        properties,
    )
