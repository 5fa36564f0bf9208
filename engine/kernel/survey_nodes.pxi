# Names and versions of nodes, read to the last byte (SPEC.md, sections 12.3 and 12.5).

cdef struct Commits:
    # Of one file: the first, how many there are, when each was.
    uint64_t first, count
    const int64_t *times


cdef struct Version:
    # sequence : of the commit.   born : that made it; 0 where the version does not say.
    uint64_t sequence, born, head


cdef const uint8_t *check_texts(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef uint64_t count, size
    at = read_varint(at, end, &count)
    if at == NULL or count > <uint64_t>(end - at):
        return NULL
    while count:
        at = read_varint(at, end, &size)
        if at == NULL or size > <uint64_t>(end - at) or not is_utf8(at, size):
            return NULL
        at += size
        count -= 1
    return at


cdef const uint8_t *check_map(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef uint64_t size
    at = read_varint(at, end, &size)
    if at == NULL or size > <uint64_t>(end - at) or not is_property_map(at, size):
        return NULL
    return at + size


cdef const uint8_t *read_commits(
    const uint8_t *at, const uint8_t *end, const Commits *commits, Version *version
) noexcept nogil:
    """Read the sequences of a version, behind its head."""
    cdef uint64_t value
    at = read_varint(at, end, &value)
    if at == NULL or value >= commits.count:
        return NULL
    version.sequence = commits.first + value
    version.born = version.sequence if version.head & FULL else 0
    if version.head & BORN_DIFFERS:
        at = read_varint(at, end, &value)
        if at == NULL or commits.first + value >= version.sequence:
            return NULL
        version.born = commits.first + value
    return at


cdef const uint8_t *check_node(
    const uint8_t *at, const uint8_t *end, const Commits *commits, uint64_t code_end,
    Version *version,
) noexcept nogil:
    """Read a version of a node; return where it ends, NULL where the careful way must look."""
    cdef uint64_t flags = 0, value
    cdef int64_t time
    cdef int field
    if at >= end:
        return NULL
    version.head = at[0]
    if version.head != 0 and version.head & ~<uint64_t>(FULL | BORN_DIFFERS) != CHANGE:
        return NULL
    if version.head & BORN_DIFFERS and not version.head & FULL:
        return NULL
    at += 1
    if version.head & CHANGE:
        if at >= end:
            return NULL
        flags = at[0]
        at += 1
    # What is both replaced and changed.
    if (flags & 4 and flags & 0x18) or (flags & 0x20 and flags & 0xc0):
        return NULL
    at = read_commits(at, end, commits, version)
    if at == NULL:
        return NULL
    time = commits.times[version.sequence - commits.first]
    for field in range(FIELD_COUNT):
        if not flags >> field & 1:
            continue
        if field == 0:
            at = read_varint(at, end, &value)
            if at == NULL or value >= code_end:
                return NULL
        elif field == 1:
            at = read_varint(at, end, &value)
            if at == NULL or not is_moment(value, time):
                return NULL
        else:
            at = check_map(at, end) if kind_of(field) == MAP else check_texts(at, end)
        if at == NULL:
            return NULL
    return at


cdef int begin_commits(Commits *commits, uint64_t first, const int64_t[::1] times) except -1:
    if not times.shape[0]:
        raise ValueError("there is no commit")
    commits.first = first
    commits.count = times.shape[0]
    commits.times = &times[0]
    return 0


def take_names(
    const uint8_t[::1] data not None, const uint8_t[::1] unpacked not None,
    const uint64_t[:, ::1] places not None, uint64_t per_block, uint64_t seed,
    uint64_t[::1] digests not None, uint8_t[::1] present not None,
):
    """Fill in the XXH64 of names, of seed `seed`, for blocks of a dense table; return for how many
    of the blocks.

    places, data : as `place_blocks` has them.   unpacked : their frames, in order.
    digests : one for each id; only the last block has fewer ids than `per_block`.
    present : whether the id has a name.
    """
    cdef Opener opener
    cdef uint64_t index = 0, done = 0, count, number, size, total = digests.shape[0]
    cdef const uint8_t *name
    cdef Made made
    cdef bint is_fine
    if present.shape[0] != digests.shape[0]:
        raise ValueError("columns of different lengths")
    begin_opener(&opener, data, unpacked)
    with nogil:
        while index < <uint64_t>places.shape[0] and done < total:
            count = min(per_block, total - done)
            made = open_block(&opener, &places[index, 0], count, 0, True)
            if made != MADE:
                break
            is_fine = True
            for number in range(count):
                if not opener.heads.heads[number]:
                    continue
                size = opener.heads.heads[number] >> 2
                name = opener.records + opener.heads.offsets[number]
                if opener.heads.heads[number] & 3 or not 0 < size <= TEXT_SIZE_MAX:
                    is_fine = False
                    break
                if not is_utf8(name, size):
                    is_fine = False
                    break
                present[done + number] = 1
                digests[done + number] = xxh64_seeded(name, size, seed)
            if not is_fine:
                break
            done += count
            index += 1
        end_opener(&opener)
    return index


def take_nodes(
    const uint8_t[::1] data not None, const uint8_t[::1] unpacked not None,
    const uint64_t[:, ::1] places not None, uint64_t per_block, uint64_t first_sequence,
    const int64_t[::1] times not None, uint64_t code_end, int64_t[::1] born not None,
    int64_t[::1] changed not None,
):
    """Fill in which commits made nodes and which made their end states, for blocks of a dense table
    that has a full version for every id; return for how many of the blocks.

    As `take_names`; times : of the file's commits, from `first_sequence` on.
    code_end : type codes are below.
    """
    cdef Opener opener
    cdef Commits commits
    cdef Version version
    cdef uint64_t index = 0, done = 0, count, number, total = born.shape[0]
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef Made made
    cdef bint is_fine
    if changed.shape[0] != born.shape[0]:
        raise ValueError("columns of different lengths")
    begin_opener(&opener, data, unpacked)
    begin_commits(&commits, first_sequence, times)
    with nogil:
        while index < <uint64_t>places.shape[0] and done < total:
            count = min(per_block, total - done)
            made = open_block(&opener, &places[index, 0], count, 0, True)
            if made != MADE:
                break
            is_fine = True
            for number in range(count):
                at = opener.records + opener.heads.offsets[number]
                end = at + (opener.heads.heads[number] >> 2)
                if opener.heads.heads[number] & 3:
                    is_fine = False
                    break
                if check_node(at, end, &commits, code_end, &version) != end:
                    is_fine = False
                    break
                if not version.head & FULL:
                    is_fine = False
                    break
                born[done + number] = version.born
                changed[done + number] = version.sequence
            if not is_fine:
                break
            done += count
            index += 1
        end_opener(&opener)
    return index
