# Blocks put together again from their columns (SPEC.md, section 12.3, "by columns").

cdef struct Taken:
    # A column on its way back: the next of `numbers`, and of the bytes that they measure.
    uint64_t *numbers
    uint64_t *sizes
    const uint8_t *texts
    int64_t lowest


cdef struct Join:
    # columns, texts : what is left of them.   numbers : all integers; pointers only once it is full.
    const uint8_t *at
    const uint8_t *end
    const uint8_t *texts
    const uint8_t *texts_end
    Growing numbers, records, body
    uint64_t count
    bint sparse
    uint64_t deltas[BLOCK_COUNT_MAX]
    uint64_t kinds[BLOCK_COUNT_MAX]
    uint64_t heads[BLOCK_COUNT_MAX]
    uint64_t flags[BLOCK_COUNT_MAX]
    uint64_t sequences[BLOCK_COUNT_MAX]
    uint64_t born[BLOCK_COUNT_MAX]
    uint64_t name_sizes[BLOCK_COUNT_MAX]
    uint64_t reference_sizes[BLOCK_COUNT_MAX]
    const uint8_t *prefix
    const uint8_t *names
    const uint8_t *references
    uint64_t prefix_size
    Taken fields[FIELD_COUNT]
    # Where the integers of each field begin in `numbers`.
    size_t number_places[FIELD_COUNT]
    size_t size_places[FIELD_COUNT]


cdef bint join_packed(Join *join, uint64_t count, uint64_t value_max, uint64_t *values) noexcept nogil:
    join.at = read_packed(join.at, join.end, count, value_max, values)
    return join.at != NULL


cdef const uint8_t *take_texts(Join *join, const uint64_t *sizes, uint64_t count) noexcept nogil:
    """Return where texts of these sizes begin, and go behind them; NULL where they do not fit."""
    cdef const uint8_t *start = join.texts
    cdef uint64_t place
    for place in range(count):
        if sizes[place] > <uint64_t>(join.texts_end - join.texts):
            return NULL
        join.texts += sizes[place]
    return start


cdef Made join_head(Join *join, uint64_t count_max) noexcept nogil:
    """Read the number of ids, the ids, and the kinds."""
    join.at = read_varint(join.at, join.end, &join.count)
    if join.at == NULL or not 1 <= join.count <= min(count_max, <uint64_t>BLOCK_COUNT_MAX):
        return UNCLEAR
    if join.at == join.end or join.at[0] > 1:
        return UNCLEAR
    join.sparse = join.at[0]
    join.at += 1
    if join.sparse and not join_packed(join, join.count - 1, ID_END - 1, join.deltas):
        return UNCLEAR
    return MADE if join_packed(join, join.count, VERSION + 7, join.kinds) else UNCLEAR


cdef Made join_names(Join *join, uint64_t count) noexcept nogil:
    cdef uint64_t place
    if not count:
        return MADE
    join.at = read_varint(join.at, join.end, &join.prefix_size)
    if join.at == NULL or join.prefix_size > TEXT_SIZE_MAX:
        return UNCLEAR
    join.prefix = take_texts(join, &join.prefix_size, 1)
    if join.prefix == NULL or not join_packed(join, count, U64_MAX, join.name_sizes):
        return UNCLEAR
    for place in range(count):
        if not join.prefix_size and not join.name_sizes[place]:
            return UNCLEAR
    join.names = take_texts(join, join.name_sizes, count)
    return MADE if join.names != NULL else UNCLEAR


cdef Made join_references(Join *join, uint64_t count) noexcept nogil:
    cdef uint64_t place
    if not join_packed(join, count, U64_MAX, join.reference_sizes):
        return UNCLEAR
    for place in range(count):
        if not join.reference_sizes[place]:
            return UNCLEAR
    join.references = take_texts(join, join.reference_sizes, count)
    return MADE if join.references != NULL or not count else UNCLEAR


cdef Made join_numbers(
    Join *join, uint64_t count, uint64_t value_max, size_t *place
) noexcept nogil:
    """Read a column of a field; `place` is where its integers begin."""
    place[0] = join.numbers.size
    if count > COLUMN_COUNT_MAX:
        return UNCLEAR
    if not growing_room(&join.numbers, 8 * count):
        return NO_ROOM
    if not join_packed(join, count, value_max, <uint64_t *>(join.numbers.data + place[0])):
        return UNCLEAR
    join.numbers.size += 8 * count
    return MADE


cdef Made join_times(Join *join, int field, uint64_t count) noexcept nogil:
    cdef uint64_t place, folded, distances = 0
    cdef uint64_t *units
    cdef Made made = join_numbers(join, count, 3, &join.number_places[field])
    if made != MADE:
        return made
    units = <uint64_t *>(join.numbers.data + join.number_places[field])
    for place in range(count):
        distances += units[place] != 3
    join.fields[field].lowest = 0
    if distances:
        join.at = read_varint(join.at, join.end, &folded)
        # Sums of what is read stay far from the end of the integers.
        if join.at == NULL or folded >= <uint64_t>1 << 62:
            return UNCLEAR
        join.fields[field].lowest = folded >> 1 ^ (0 - (folded & 1))
    return join_numbers(
        join, distances, (<uint64_t>1 << 62) - 1, &join.size_places[field]
    )


cdef Made join_field(Join *join, int field, uint64_t count) noexcept nogil:
    """Read the columns of a field that `count` versions have."""
    cdef FieldKind kind = kind_of(field)
    cdef uint64_t place, text_count = count
    cdef uint64_t *counts
    cdef Made made = MADE
    if kind == TIME:
        return join_times(join, field, count)
    if kind == CODE or kind == TEXTS:
        made = join_numbers(join, count, U64_MAX, &join.number_places[field])
    if kind == CODE or made != MADE:
        return made
    if kind == TEXTS:
        text_count = 0
        counts = <uint64_t *>(join.numbers.data + join.number_places[field])
        for place in range(count):
            if counts[place] > COLUMN_COUNT_MAX:
                return UNCLEAR
            text_count += counts[place]
    made = join_numbers(join, text_count, U64_MAX, &join.size_places[field])
    if made != MADE:
        return made
    join.fields[field].texts = take_texts(
        join, <uint64_t *>(join.numbers.data + join.size_places[field]), text_count
    )
    return MADE if join.fields[field].texts != NULL or not text_count else UNCLEAR


cdef Made join_columns(Join *join, uint64_t count_max) noexcept nogil:
    """Read all columns, and find the texts of each."""
    cdef uint64_t place, kind, names = 0, references = 0, versions = 0, changes = 0, born = 0
    cdef uint64_t present[FIELD_COUNT]
    cdef int field
    cdef Made made = join_head(join, count_max)
    if made != MADE:
        return made
    for place in range(join.count):
        kind = join.kinds[place]
        names += kind == BYTES
        references += kind == REFERENCE
        if kind >= VERSION:
            versions += 1
            changes += (kind - VERSION) & CHANGE
            born += ((kind - VERSION) & BORN_DIFFERS) != 0
    made = join_names(join, names)
    if made == MADE:
        made = join_references(join, references)
    if made != MADE:
        return made
    if (
        not join_packed(join, changes, 255, join.flags)
        or not join_packed(join, versions, U64_MAX, join.sequences)
        or not join_packed(join, born, U64_MAX, join.born)
    ):
        return UNCLEAR
    memset(present, 0, sizeof(present))
    for place in range(changes):
        for field in range(FIELD_COUNT):
            present[field] += join.flags[place] >> field & 1
    for field in range(FIELD_COUNT):
        made = join_field(join, field, present[field])
        if made != MADE:
            return made
    for field in range(FIELD_COUNT):
        join.fields[field].numbers = <uint64_t *>(join.numbers.data + join.number_places[field])
        join.fields[field].sizes = <uint64_t *>(join.numbers.data + join.size_places[field])
    return MADE if join.at == join.end and join.texts == join.texts_end else UNCLEAR


cdef bint put_number(Growing *out, uint64_t value) noexcept nogil:
    if not growing_room(out, VARINT_ROOM):
        return False
    put_varint(out, value)
    return True


cdef bint put_sized(Growing *out, Taken *column) noexcept nogil:
    """Append the next text of a column behind its size; return False without memory."""
    cdef uint64_t size = column.sizes[0]
    if not growing_room(out, VARINT_ROOM + size):
        return False
    put_varint(out, size)
    put_bytes(out, column.texts, size)
    column.sizes += 1
    column.texts += size
    return True


cdef Made put_time(Growing *out, Taken *column) noexcept nogil:
    cdef uint64_t unit = column.numbers[0], folded
    cdef int64_t distance
    column.numbers += 1
    if unit == 3:
        return MADE if put_number(out, 0) else NO_ROOM
    distance = column.lowest + <int64_t>column.sizes[0]
    column.sizes += 1
    folded = <uint64_t>distance << 1 ^ <uint64_t>(distance >> 63)
    if folded >= (<uint64_t>1 << 62) - 1:
        return UNCLEAR
    return MADE if put_number(out, 1 + (folded << 2) + unit) else NO_ROOM


cdef Made put_value(Growing *out, Taken *column, FieldKind kind) noexcept nogil:
    """Append the next value of a field, as it stands in a record."""
    cdef uint64_t place, value
    if kind == TIME:
        return put_time(out, column)
    if kind == MAP:
        return MADE if put_sized(out, column) else NO_ROOM
    value = column.numbers[0]
    column.numbers += 1
    if not put_number(out, value):
        return NO_ROOM
    if kind == TEXTS:
        for place in range(value):
            if not put_sized(out, column):
                return NO_ROOM
    return MADE


cdef Made put_version(
    Join *join, uint64_t head, const uint64_t **flags, const uint64_t **sequences,
    const uint64_t **born,
) noexcept nogil:
    cdef Growing *out = &join.records
    cdef uint64_t present = 0
    cdef int field
    cdef Made made
    if not growing_room(out, 2 + 2 * VARINT_ROOM):
        return NO_ROOM
    put_byte(out, <uint8_t>head)
    if head & CHANGE:
        present = flags[0][0]
        flags[0] += 1
        put_byte(out, <uint8_t>present)
    put_varint(out, sequences[0][0])
    sequences[0] += 1
    if head & BORN_DIFFERS:
        put_varint(out, born[0][0])
        born[0] += 1
    for field in range(FIELD_COUNT):
        if present >> field & 1:
            made = put_value(out, &join.fields[field], kind_of(field))
            if made != MADE:
                return made
    return MADE


cdef Made put_records(Join *join) noexcept nogil:
    """Append every record, and note its size and flags."""
    cdef Growing *out = &join.records
    cdef const uint64_t *flags = join.flags
    cdef const uint64_t *sequences = join.sequences
    cdef const uint64_t *born = join.born
    cdef const uint64_t *name_sizes = join.name_sizes
    cdef const uint64_t *reference_sizes = join.reference_sizes
    cdef uint64_t place, kind
    cdef size_t start
    cdef Made made = MADE
    for place in range(join.count):
        kind = join.kinds[place]
        start = out.size
        if kind == BYTES:
            if not append(out, join.prefix, join.prefix_size):
                return NO_ROOM
            if not append(out, join.names, name_sizes[0]):
                return NO_ROOM
            join.names += name_sizes[0]
            name_sizes += 1
        elif kind == REFERENCE:
            if not append(out, join.references, reference_sizes[0]):
                return NO_ROOM
            join.references += reference_sizes[0]
            reference_sizes += 1
        elif kind != ABSENT:
            made = put_version(join, kind - VERSION, &flags, &sequences, &born)
            if made != MADE:
                return made
        elif join.sparse:
            return UNCLEAR
        join.heads[place] = (out.size - start) << 2 | (kind == REFERENCE)
    return MADE


cdef Made put_body(Join *join) noexcept nogil:
    """Append the block (12.3) to `body`."""
    cdef Growing *out = &join.body
    cdef uint64_t place, bitmap_size = (join.count + 7) / 8
    if not growing_room(out, bitmap_size + (2 * join.count + 1) * VARINT_ROOM + join.records.size):
        return NO_ROOM
    if join.sparse:
        put_varint(out, join.count)
        for place in range(join.count - 1):
            put_varint(out, join.deltas[place])
    else:
        memset(out.data, 0, bitmap_size)
        out.size = bitmap_size
        for place in range(join.count):
            out.data[place >> 3] |= (join.heads[place] != 0) << (place & 7)
    for place in range(join.count):
        if join.heads[place]:
            put_varint(out, join.heads[place])
    put_bytes(out, join.records.data, join.records.size)
    return MADE


def decode_columns(
    const uint8_t[::1] columns not None, const uint8_t[::1] texts not None, uint64_t count_max
):
    """See `formats.block_columns.decode_columns`; or UNSURE."""
    cdef Join join
    cdef Made made
    if not columns.shape[0]:
        return UNSURE
    memset(&join, 0, sizeof(join))
    join.at = &columns[0]
    join.end = join.at + columns.shape[0]
    join.texts = &texts[0] if texts.shape[0] else join.end
    join.texts_end = join.texts + texts.shape[0]
    try:
        made = join_columns(&join, count_max)
        if made == MADE:
            made = put_records(&join)
        if made == MADE:
            made = put_body(&join)
        if made == NO_ROOM:
            raise MemoryError
        if made != MADE:
            return UNSURE
        return PyBytes_FromStringAndSize(<const char *>join.body.data, join.body.size)
    finally:
        growing_free(&join.numbers)
        growing_free(&join.records)
        growing_free(&join.body)
