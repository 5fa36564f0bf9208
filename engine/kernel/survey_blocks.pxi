# Where blocks stand in their section, and what their envelopes hold (SPEC.md, section 12.3).

cdef enum:
    # Of a block in the columns that `place_blocks` fills in.
    CODEC
    AT  # Of columns, or of a whole block that is stored as it is.
    SIZE
    FRAME_AT
    FRAME_SIZE
    CONTENT_SIZE
    PLACE_COUNT

    # Codecs.
    RAW = 0
    COLUMNS = 3
    LAST_CODEC = 4


cdef bint place_block(
    uint64_t *found, const uint8_t *data, uint64_t start, uint64_t limit, uint64_t *end
) noexcept nogil:
    """Take one envelope apart, that begins at `start` of `data` and has at most `limit` to end."""
    cdef const uint8_t *at = data + start
    cdef const uint8_t *stop = data + limit
    cdef uint64_t size
    if at >= stop or at[0] > LAST_CODEC:
        return False
    found[CODEC] = at[0]
    at = read_varint(at + 1, stop, &size)
    if at == NULL or not size or size > <uint64_t>(stop - at):
        return False
    stop = at + size
    end[0] = stop - data
    found[AT] = at - data
    found[SIZE] = size
    found[FRAME_AT] = found[FRAME_SIZE] = found[CONTENT_SIZE] = 0
    if found[CODEC] == RAW:
        return True
    if found[CODEC] >= COLUMNS:
        at = read_varint(at, stop, &size)
        if at == NULL or not size or size > <uint64_t>(stop - at):
            return False
        found[AT] = at - data
        found[SIZE] = size
        at += size
        if at == stop:
            return True
    found[FRAME_AT] = at - data
    found[FRAME_SIZE] = stop - at
    found[CONTENT_SIZE] = frame_content(at, stop - at)
    return found[CONTENT_SIZE] != 0


def place_blocks(
    const uint8_t[::1] data not None, const int64_t[::1] starts not None, int64_t begin,
    uint64_t content_max, uint64_t[:, ::1] places not None,
):
    """Return (blocks, end): how many blocks stand right behind each other, and where the last ends.

    starts : where each block begins, and where the one behind the last does; counted as `begin`,
        which is where `data` begins, and the first block if it has no records out of line.
    content_max : their frames unpack to so many bytes at most, if there are two.
    places : filled in, a row per block: codec; where columns or a block stand in `data`, and their
        size; the same of its frame; what the frame unpacks to, or 0.

    It ends before a block that has records out of line, or about which it is unsure.
    """
    cdef Py_ssize_t index = 0, count = starts.shape[0] - 1
    cdef uint64_t size = data.shape[0], place = 0, content = 0, limit
    if count < 0 or places.shape[0] < count or places.shape[1] != PLACE_COUNT:
        raise ValueError("no room for the places of blocks")
    with nogil:
        while index < count:
            if starts[index] < begin or starts[index + 1] < starts[index]:
                break
            limit = min(<uint64_t>(starts[index + 1] - begin), size)
            if <uint64_t>(starts[index] - begin) != place or limit <= place:
                break
            if not place_block(&places[index, 0], &data[0], place, limit, &limit):
                break
            content += places[index, CONTENT_SIZE]
            if index and content > content_max:
                break
            place = limit
            index += 1
    return index, begin + <int64_t>place


cdef struct Opener:
    # What blocks are opened with, one after the other; `heads` and `records` are of the last.
    const uint8_t *data
    uint64_t data_size
    const uint8_t *unpacked
    uint64_t unpacked_size
    uint64_t taken  # of `unpacked`
    Join join
    Heads heads
    const uint8_t *records


cdef int begin_opener(
    Opener *opener, const uint8_t[::1] data, const uint8_t[::1] unpacked
) except -1:
    memset(&opener.join, 0, sizeof(Join))
    opener.data = &data[0] if data.shape[0] else NULL
    opener.data_size = data.shape[0]
    opener.unpacked = &unpacked[0] if unpacked.shape[0] else opener.data
    opener.unpacked_size = unpacked.shape[0]
    opener.taken = 0
    return 0


cdef void end_opener(Opener *opener) noexcept nogil:
    growing_free(&opener.join.numbers)
    growing_free(&opener.join.records)
    growing_free(&opener.join.body)


cdef bint find_body(
    Opener *opener, const uint64_t *place, const uint8_t **body, uint64_t *size
) noexcept nogil:
    """Find the whole block of an envelope without columns."""
    cdef uint64_t content = place[CONTENT_SIZE]
    if place[CODEC] >= COLUMNS:
        return False
    if place[CODEC] == RAW:
        if place[AT] > opener.data_size or place[SIZE] > opener.data_size - place[AT]:
            return False
        body[0] = opener.data + place[AT]
        size[0] = place[SIZE]
        return True
    if content > opener.unpacked_size - opener.taken:
        return False
    body[0] = opener.unpacked + opener.taken
    size[0] = content
    opener.taken += content
    return True


cdef Made open_block(
    Opener *opener, const uint64_t *place, uint64_t count, uint64_t first_id, bint dense
) noexcept nogil:
    """Find the records of a block of ids; count and first id as `read_heads` has them."""
    cdef Join *join = &opener.join
    cdef Heads *heads = &opener.heads
    cdef const uint8_t *body
    cdef uint64_t size, number, offset = 0, content = place[CONTENT_SIZE]
    cdef Made made
    if place[CODEC] < COLUMNS:
        if not find_body(opener, place, &body, &size):
            return UNCLEAR
        opener.records = body
        return MADE if read_heads(heads, body, size, count, first_id, dense) else UNCLEAR
    if place[AT] > opener.data_size or place[SIZE] > opener.data_size - place[AT]:
        return UNCLEAR
    if content > opener.unpacked_size - opener.taken:
        return UNCLEAR
    join.at = opener.data + place[AT]
    join.end = join.at + place[SIZE]
    join.texts = opener.unpacked + opener.taken
    join.texts_end = join.texts + content
    opener.taken += content
    join.numbers.size = join.records.size = join.prefix_size = 0
    join.prefix = join.names = join.references = NULL
    made = join_columns(join, count)
    if made == MADE:
        made = put_records(join)
    if made != MADE:
        return made
    if join.sparse == dense or (dense and join.count != count):
        return UNCLEAR
    heads.count = join.count
    for number in range(join.count):
        heads.heads[number] = join.heads[number]
        heads.offsets[number] = offset
        offset += join.heads[number] >> 2
    heads.offsets[join.count] = offset
    if not dense:
        heads.ids[0] = first_id
        for number in range(1, join.count):
            heads.ids[number] = heads.ids[number - 1] + join.deltas[number - 1] + 1
            if heads.ids[number] >= ID_END:
                return UNCLEAR
    opener.records = join.records.data
    return MADE
