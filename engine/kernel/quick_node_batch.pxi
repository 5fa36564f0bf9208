# Records of many nodes at a time, for scans: read in the order of the ids, given in another.

def keep_block(QuickRecords records not None, uint64_t index, bytes body not None):
    """Keep a block at hand that was unpacked elsewhere; return whether it is now."""
    cdef Heads heads
    cdef uint64_t first = index * records.per_block, count
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(body)
    if first >= records.end_id - records.first_id:
        raise IndexError(index)
    count = min(records.per_block, records.end_id - records.first_id - first)
    if not records.blocks.takes(len(body)) or not read_heads(
        &heads, start, len(body), count, 0, True
    ):
        return False
    records.blocks.put(&records.places[index & records.place_mask], index, &heads, start, False)
    return True


cdef bint is_in_memory(QuickView view, uint64_t node_id) noexcept:
    """Return whether a memtable says something of a node."""
    cdef int place
    for place in range(view.memory_count):
        if memory_node(view.memories[place], node_id) != NULL:
            return True
        if view.memories[place].first_id <= node_id:
            return True
    return False


cdef bint is_at_hand(QuickRecords records, uint64_t node_id) noexcept:
    cdef uint64_t index = (node_id - records.first_id) / records.per_block
    cdef NodeBlock *block = records.places[index & records.place_mask]
    return block != NULL and block.index == index


def take_records(
    QuickView view not None, const int64_t[::1] ids not None, const int64_t[::1] order not None,
    Py_ssize_t first, list records not None, Py_ssize_t size_max, bint must_pass,
):
    """Fill in the records of nodes that are all in one segment, None of others.

    order : places in `ids` and `records`, ascending by id; those before place `first` are done.
    ids : -1 of what is no node.   size_max : bytes of records, from which on none is filled in.
    must_pass : the first one is passed even if its block is not at hand.

    Returns
    -------
    (first, bytes) : what comes next, whose block is not at hand; and how much was filled in.
    """
    cdef QuickNodes nodes
    cdef uint64_t node_id
    cdef Py_ssize_t size = 0, place, stop = order.shape[0]
    cdef object record
    if len(records) != ids.shape[0] or ids.shape[0] != stop:
        raise ValueError("as many records as ids are wanted")
    while first < stop and size <= size_max:
        place = order[first]
        if not 0 <= place < stop:
            raise IndexError(place)
        if ids[place] >= 0:
            node_id = ids[place]
            nodes = None if is_in_memory(view, node_id) else view.store.nodes_with(node_id)
            if nodes is not None and nodes.first_id <= node_id < nodes.end_id:
                record = nodes.record(node_id)
                if record is UNSURE and not must_pass and not is_at_hand(nodes, node_id):
                    break
                if type(record) is bytes:
                    records[place] = record
                    size += len(record)
        must_pass = False
        first += 1
    return first, size


def make_node(QuickView view not None, uint64_t node_id, str name not None, bytes record not None):
    """Return the node whose record `take_records` filled in, or UNSURE."""
    cdef QuickNodes nodes = view.store.nodes_with(node_id)
    if nodes is None:
        return UNSURE
    return new_node(nodes, node_id, name, record, view.type_names, view.node_class)
