# Blocks of records taken apart, alike with alike (SPEC.md, section 12.3, "by columns").

cdef enum:
    COLUMN_COUNT_MAX = 65536
    FIELD_COUNT = 8

    # What stands at an id.
    ABSENT = 0
    BYTES = 1
    REFERENCE = 2
    VERSION = 3

    # Bits of the head of a version (12.5).
    CHANGE = 1
    FULL = 2
    BORN_DIFFERS = 4

cdef enum Made:
    MADE
    UNCLEAR  # The careful way must look.
    TOO_LONG  # A column is too long: the block has no columns.
    NO_ROOM

cdef enum FieldKind:
    CODE
    TIME
    TEXTS
    MAP

cdef FieldKind kind_of(int field) noexcept nogil:
    """Return what a field of 7.2 holds, by its bit."""
    if field == 0:
        return CODE
    if field == 1:
        return TIME
    return MAP if field == 5 or field == 6 else TEXTS


cdef struct Record:
    const uint8_t *at
    uint64_t size, flags


cdef struct Records:
    # Of a block, in order; ids where it is sparse.
    uint64_t count
    bint sparse
    Record records[BLOCK_COUNT_MAX]
    uint64_t ids[BLOCK_COUNT_MAX]


cdef struct Field:
    # numbers : values, units or counts.   sizes : distances of times, sizes of texts.
    # The integers are u64 each, signed ones as they are.
    Growing numbers, sizes, texts


cdef struct Split:
    Growing kinds, flags, sequences, born, references, texts
    Field fields[FIELD_COUNT]
    uint64_t name_count


cdef bint note(Growing *column, uint64_t value) noexcept nogil:
    """Append an integer to a column; return False without memory."""
    if not growing_room(column, 8):
        return False
    put64(column, value)
    return True


cdef bint append(Growing *out, const uint8_t *at, uint64_t size) noexcept nogil:
    """Append bytes; return False without memory."""
    if not growing_room(out, size):
        return False
    put_bytes(out, at, size)
    return True


cdef bint append_packed(Growing *out, const Growing *column) noexcept nogil:
    """Append the integers of a column, packed; return False without memory."""
    if not growing_room(out, packed_room(column.size / 8)):
        return False
    put_packed(out, <const uint64_t *>column.data, column.size / 8)
    return True


cdef void split_clear(Split *split) noexcept nogil:
    cdef int place
    split.kinds.size = split.flags.size = split.sequences.size = split.born.size = 0
    split.references.size = split.texts.size = split.name_count = 0
    for place in range(FIELD_COUNT):
        split.fields[place].numbers.size = 0
        split.fields[place].sizes.size = split.fields[place].texts.size = 0


cdef void split_free(Split *split) noexcept nogil:
    cdef int place
    growing_free(&split.kinds)
    growing_free(&split.flags)
    growing_free(&split.sequences)
    growing_free(&split.born)
    growing_free(&split.references)
    growing_free(&split.texts)
    for place in range(FIELD_COUNT):
        growing_free(&split.fields[place].numbers)
        growing_free(&split.fields[place].sizes)
        growing_free(&split.fields[place].texts)


cdef Made split_time(Field *field, const uint8_t **at, const uint8_t *end) noexcept nogil:
    cdef uint64_t value, folded
    at[0] = read_varint(at[0], end, &value)
    if at[0] == NULL:
        return UNCLEAR
    if not value:
        return MADE if note(&field.numbers, 3) else NO_ROOM
    folded = (value - 1) >> 2
    if not note(&field.numbers, (value - 1) & 3):
        return NO_ROOM
    return MADE if note(&field.sizes, folded >> 1 ^ (0 - (folded & 1))) else NO_ROOM


cdef Made split_text(Field *field, const uint8_t **at, const uint8_t *end) noexcept nogil:
    cdef uint64_t size
    at[0] = read_varint(at[0], end, &size)
    if at[0] == NULL or size > <uint64_t>(end - at[0]):
        return UNCLEAR
    if not note(&field.sizes, size) or not append(&field.texts, at[0], size):
        return NO_ROOM
    at[0] += size
    return MADE


cdef Made split_field(
    Field *field, FieldKind kind, const uint8_t **at, const uint8_t *end
) noexcept nogil:
    """Take a value from a record, which goes on at `at`."""
    cdef uint64_t value, place
    cdef Made made
    if kind == TIME:
        return split_time(field, at, end)
    if kind == MAP:
        return split_text(field, at, end)
    at[0] = read_varint(at[0], end, &value)
    if at[0] == NULL:
        return UNCLEAR
    if not note(&field.numbers, value):
        return NO_ROOM
    if kind == TEXTS:
        if value > <uint64_t>(end - at[0]):
            return UNCLEAR
        for place in range(value):
            made = split_text(field, at, end)
            if made != MADE:
                return made
    return MADE


cdef Made split_version(Split *split, const uint8_t *at, uint64_t size) noexcept nogil:
    cdef const uint8_t *end = at + size
    cdef uint64_t head = at[0], flags = 0, value
    cdef int place
    cdef Made made
    at += 1
    if head > (CHANGE | FULL | BORN_DIFFERS) or not note(&split.kinds, VERSION + head):
        return UNCLEAR
    if head & CHANGE:
        if at == end:
            return UNCLEAR
        flags = at[0]
        at += 1
        if not note(&split.flags, flags):
            return NO_ROOM
    at = read_varint(at, end, &value)
    if at == NULL:
        return UNCLEAR
    if not note(&split.sequences, value):
        return NO_ROOM
    if head & BORN_DIFFERS:
        at = read_varint(at, end, &value)
        if at == NULL:
            return UNCLEAR
        if not note(&split.born, value):
            return NO_ROOM
    for place in range(FIELD_COUNT):
        if flags >> place & 1:
            made = split_field(&split.fields[place], kind_of(place), &at, end)
            if made != MADE:
                return made
    return MADE if at == end else UNCLEAR


cdef Made split_records(Split *split, const Records *block, bint versions) noexcept nogil:
    """Take the records apart; the texts of names are left to `put_names`."""
    cdef const Record *record
    cdef uint64_t place
    cdef Made made
    split_clear(split)
    for place in range(block.count):
        record = &block.records[place]
        made = MADE
        if not record.size:
            made = MADE if note(&split.kinds, ABSENT) else NO_ROOM
        elif record.flags == OUT_OF_LINE:
            if not note(&split.kinds, REFERENCE) or not note(&split.references, record.size):
                made = NO_ROOM
        elif record.flags:
            made = UNCLEAR
        elif versions:
            made = split_version(split, record.at, record.size)
        elif record.size > TEXT_SIZE_MAX:
            made = TOO_LONG
        else:
            made = MADE if note(&split.kinds, BYTES) else NO_ROOM
            split.name_count += 1
        if made != MADE:
            return made
    for place in range(FIELD_COUNT):
        if split.fields[place].sizes.size > 8 * COLUMN_COUNT_MAX:
            return TOO_LONG
    return MADE


cdef bint is_name(const Record *record) noexcept nogil:
    return record.size > 0 and record.flags == 0


cdef uint64_t common_prefix(const Records *block) noexcept nogil:
    """Return the bytes that all names begin with; there is a name."""
    cdef const Record *first = NULL
    cdef const Record *record
    cdef uint64_t place, size = 0, same
    for place in range(block.count):
        record = &block.records[place]
        if not is_name(record):
            continue
        if first == NULL:
            first = record
            size = first.size
            continue
        size = min(size, record.size)
        same = 0
        while same < size and record.at[same] == first.at[same]:
            same += 1
        size = same
    return size


cdef Made put_names(Split *split, const Records *block, Growing *out, Growing *texts) noexcept nogil:
    """Append what all names begin with, and the rest of each."""
    cdef const Record *record
    cdef uint64_t place, shared
    cdef bint begun = False
    if not split.name_count:
        return MADE
    shared = common_prefix(block)
    # There are no versions, so the column of born sequences is free for the sizes.
    for place in range(block.count):
        record = &block.records[place]
        if not is_name(record):
            continue
        if not begun and not append(texts, record.at, shared):
            return NO_ROOM
        begun = True
        if not note(&split.born, record.size - shared):
            return NO_ROOM
        if not append(texts, record.at + shared, record.size - shared):
            return NO_ROOM
    if not growing_room(out, VARINT_ROOM):
        return NO_ROOM
    put_varint(out, shared)
    if not append_packed(out, &split.born):
        return NO_ROOM
    split.born.size = 0
    return MADE


cdef Made put_references(
    Split *split, const Records *block, Growing *out, Growing *texts
) noexcept nogil:
    cdef const Record *record
    cdef uint64_t place
    if not append_packed(out, &split.references):
        return NO_ROOM
    for place in range(block.count):
        record = &block.records[place]
        if record.size and record.flags and not append(texts, record.at, record.size):
            return NO_ROOM
    return MADE


cdef Made put_field(Field *field, FieldKind kind, Growing *out, Growing *texts) noexcept nogil:
    cdef int64_t *distances = <int64_t *>field.sizes.data
    cdef int64_t lowest
    cdef uint64_t place, count = field.sizes.size / 8
    if kind != MAP and not append_packed(out, &field.numbers):
        return NO_ROOM
    if kind == TIME and count:
        lowest = distances[0]
        for place in range(1, count):
            lowest = min(lowest, distances[place])
        for place in range(count):
            distances[place] -= lowest
        if not growing_room(out, VARINT_ROOM):
            return NO_ROOM
        put_varint(out, <uint64_t>lowest << 1 ^ <uint64_t>(lowest >> 63))
    if kind != CODE and not append_packed(out, &field.sizes):
        return NO_ROOM
    return MADE if append(texts, field.texts.data, field.texts.size) else NO_ROOM


cdef Made put_head(const Records *block, Growing *kinds, Growing *out) noexcept nogil:
    """Append the number of ids, the ids of a sparse block, and the kinds."""
    cdef uint64_t deltas[BLOCK_COUNT_MAX]
    cdef uint64_t place
    if not growing_room(out, VARINT_ROOM + 1 + packed_room(block.count)):
        return NO_ROOM
    put_varint(out, block.count)
    put_byte(out, block.sparse)
    if block.sparse:
        for place in range(1, block.count):
            deltas[place - 1] = block.ids[place] - block.ids[place - 1] - 1
        put_packed(out, deltas, block.count - 1)
    return MADE if append_packed(out, kinds) else NO_ROOM


cdef Made columns_of(
    Split *split, const Records *block, bint versions, Growing *out, Growing *texts
) noexcept nogil:
    """Append the columns of a block to `out`, and to `texts` what they measure."""
    cdef int place
    cdef Made made = split_records(split, block, versions)
    if made == MADE:
        made = put_head(block, &split.kinds, out)
    if made == MADE:
        made = put_names(split, block, out, texts)
    if made == MADE:
        made = put_references(split, block, out, texts)
    if made != MADE:
        return made
    if (
        not append_packed(out, &split.flags)
        or not append_packed(out, &split.sequences)
        or not append_packed(out, &split.born)
    ):
        return NO_ROOM
    for place in range(FIELD_COUNT):
        made = put_field(&split.fields[place], kind_of(place), out, texts)
        if made != MADE:
            return made
    return MADE


cdef struct KeptColumns:
    # Columns of blocks, until somebody makes frames of them.
    # data : of each block its columns, then its texts.   sizes : of both, u64.
    # versions : the records are versions of nodes, or else byte strings.
    Split split
    Growing columns, texts, data, sizes
    bint versions


cdef void kept_free(KeptColumns *kept) noexcept nogil:
    split_free(&kept.split)
    growing_free(&kept.columns)
    growing_free(&kept.texts)
    growing_free(&kept.data)
    growing_free(&kept.sizes)


cdef bint keep(KeptColumns *kept, const Records *block) noexcept nogil:
    """Add the columns of a block; False where there is no memory."""
    cdef Made made
    kept.columns.size = kept.texts.size = 0
    made = columns_of(&kept.split, block, kept.versions, &kept.columns, &kept.texts)
    if made == NO_ROOM:
        return False
    if made != MADE:
        return note(&kept.sizes, U64_MAX) and note(&kept.sizes, U64_MAX)
    return (
        append(&kept.data, kept.columns.data, kept.columns.size)
        and append(&kept.data, kept.texts.data, kept.texts.size)
        and note(&kept.sizes, kept.columns.size)
        and note(&kept.sizes, kept.texts.size)
    )


cdef bint fill_block(Records *block, list records, list ids) except -1:
    """Point to records that Python has; return False where there are too many."""
    cdef uint64_t place
    if len(records) > BLOCK_COUNT_MAX or (ids is not None and len(ids) != len(records)):
        return False
    block.count = len(records)
    block.sparse = ids is not None
    for place in range(block.count):
        record, flags = records[place]
        block.records[place] = Record(<const uint8_t *><const char *>record, len(record), flags)
        if ids is not None:
            block.ids[place] = ids[place]
    return True


def encode_columns(list records not None, list ids, bint versions):
    """See `formats.block_columns.encode_columns`; or UNSURE."""
    cdef Records block
    cdef Split split
    cdef Growing out, texts
    cdef Made made
    if not records or not fill_block(&block, records, ids):
        return UNSURE
    memset(&split, 0, sizeof(split))
    memset(&out, 0, sizeof(out))
    memset(&texts, 0, sizeof(texts))
    try:
        made = columns_of(&split, &block, versions, &out, &texts)
        if made == NO_ROOM:
            raise MemoryError
        if made == TOO_LONG:
            return None
        if made == UNCLEAR:
            return UNSURE
        return (
            PyBytes_FromStringAndSize(<const char *>out.data, out.size),
            PyBytes_FromStringAndSize(<const char *>texts.data, texts.size),
        )
    finally:
        split_free(&split)
        growing_free(&out)
        growing_free(&texts)
