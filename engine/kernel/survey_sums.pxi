# Sums of hashes under a key that nobody knows before (`segments.survey`).

cdef struct Secret:
    # seed : of the hashes of texts.   three : odd, for three numbers at a time.
    uint64_t seed
    uint64_t three[3]


cdef int read_secret(Secret *secret, const uint8_t[::1] key) except -1:
    cdef int place
    if key.shape[0] != 32:
        raise ValueError("a key has 32 bytes")
    secret.seed = load64(&key[0])
    for place in range(3):
        secret.three[place] = load64(&key[8 * (place + 1)]) | 1
    return 0


cdef inline uint64_t hash_name(
    const Secret *secret, uint64_t digest, uint64_t sequence, uint64_t value
) noexcept nogil:
    """Return the hash of a commit that gave a name to a node; `value` is its id + 1, or 0."""
    return hash_three(secret.three, digest, sequence, value)


def name_hash(const uint8_t[::1] key not None, bytes name not None, uint64_t sequence, int64_t node_id):
    """Return what a name, a commit and an id, -1 for none, add to a sum."""
    cdef Secret secret
    cdef const uint8_t *at = name
    read_secret(&secret, key)
    return hash_name(
        &secret, xxh64_seeded(at, len(name), secret.seed), sequence, <uint64_t>(node_id + 1)
    )


def sum_names(
    const uint8_t[::1] key not None, const uint64_t[::1] digests not None,
    const int64_t[::1] sequences not None, const int64_t[::1] ids not None,
):
    """Return the sum, modulo 2**64, of what these names, commits and ids add, which are not -1
    where there is an id; digests as `take_names` has them. Where a sequence is 0 nothing is added."""
    cdef Secret secret
    cdef Py_ssize_t place, count = digests.shape[0]
    cdef uint64_t sum = 0
    read_secret(&secret, key)
    if sequences.shape[0] != count or ids.shape[0] != count:
        raise ValueError("columns of different lengths")
    with nogil:
        for place in range(count):
            if sequences[place]:
                sum += hash_name(
                    &secret, digests[place], sequences[place], <uint64_t>(ids[place] + 1)
                )
    return sum


cdef struct Blocks:
    const uint8_t *data
    const uint8_t *sums
    uint64_t size, end
    int64_t damaged


cdef void check_blocks(void *what) noexcept nogil:
    cdef Blocks *blocks = <Blocks *>what
    cdef uint64_t start = 0, place = 0
    while start < blocks.end:
        if xxh64_of(
            blocks.data + start, min(blocks.size, blocks.end - start)
        ) != load64(blocks.sums + 8 * place):
            blocks.damaged = place
            return
        start += blocks.size
        place += 1


def first_damaged(const uint8_t[::1] data not None, const uint8_t[::1] sums not None, uint64_t size):
    """Return the first block of `data` whose XXH64 is not the one that `sums` has, eight bytes each;
    -1 if all are right, None where `data` cannot be read: it may be a map.

    size : of a block in bytes; the last may be shorter.
    """
    cdef Blocks blocks
    cdef bint failed
    if not size or <uint64_t>sums.shape[0] != 8 * ((data.shape[0] + size - 1) / size):
        raise ValueError("not one checksum for each block")
    if not data.shape[0]:
        return -1
    blocks = Blocks(&data[0], &sums[0], size, data.shape[0], -1)
    with nogil:
        failed = guarded(check_blocks, &blocks)
    return None if failed else blocks.damaged
