#include "h2o.h"
#include "h2o/http2_lean_internal.h"

#define TABLE_MIN_CAPACITY 8

static uint32_t table_home(h2o_http2_lean_table_t *table, uint32_t stream_id)
{
    uint32_t hash = (uint32_t)((stream_id * table->seed) >> 32);

    return (uint32_t)(((uint64_t)hash * table->capacity) >> 32);
}

static uint32_t table_next(h2o_http2_lean_table_t *table, uint32_t slot)
{
    return ++slot != table->capacity ? slot : 0;
}

/* Returns the slot of the stream, or the vacant slot in which it can be inserted. */
static uint32_t table_lookup(h2o_http2_lean_table_t *table, uint32_t stream_id)
{
    uint32_t slot = table_home(table, stream_id);

    while (table->ids[slot] != 0 && table->ids[slot] != stream_id)
        slot = table_next(table, slot);
    return slot;
}

/* Moves the entries to new slots, of which there must be more than entries. */
static void table_resize(h2o_http2_lean_table_t *table, uint32_t capacity)
{
    h2o_http2_lean_table_t old = *table;
    uint32_t i, slot;

    table->capacity = capacity;
    table->streams = h2o_mem_alloc((sizeof(table->streams[0]) + sizeof(table->ids[0])) * capacity);
    table->ids = (void *)(table->streams + capacity);
    memset(table->ids, 0, sizeof(table->ids[0]) * capacity);
    for (i = 0; i != old.capacity; ++i) {
        if (old.ids[i] != 0) {
            slot = table_lookup(table, old.ids[i]);
            table->ids[slot] = old.ids[i];
            table->streams[slot] = old.streams[i];
        }
    }
    free(old.streams);
}

/* Empties the slot and moves entries back, so that no vacant slot separates one from its home. */
static void table_vacate(h2o_http2_lean_table_t *table, uint32_t vacant)
{
    uint32_t slot, home, distance_to_home, distance_to_vacant;

    for (slot = table_next(table, vacant); table->ids[slot] != 0; slot = table_next(table, slot)) {
        home = table_home(table, table->ids[slot]);
        distance_to_home = slot >= home ? slot - home : slot + table->capacity - home;
        distance_to_vacant = slot >= vacant ? slot - vacant : slot + table->capacity - vacant;
        if (distance_to_vacant <= distance_to_home) {
            table->ids[vacant] = table->ids[slot];
            table->streams[vacant] = table->streams[slot];
            vacant = slot;
        }
    }
    table->ids[vacant] = 0;
    --table->size;
}

h2o_http2_lean_stream_t *h2o_http2_lean_table__find(h2o_http2_lean_table_t *table,
                                                    uint32_t stream_id)
{
    uint32_t slot;

    if (table->size == 0 || stream_id == 0)
        return NULL;
    slot = table_lookup(table, stream_id);
    return table->ids[slot] != 0 ? table->streams[slot] : NULL;
}

void h2o_http2_lean_table__insert(h2o_http2_lean_table_t *table, h2o_http2_lean_stream_t *stream)
{
    uint32_t slot;

    if (table->size >= table->capacity - table->capacity / 8)
        table_resize(table, table->capacity != 0 ? table->capacity + table->capacity / 2
                                                 : TABLE_MIN_CAPACITY);
    slot = table_lookup(table, stream->stream_id);
    assert(table->ids[slot] == 0);
    table->ids[slot] = stream->stream_id;
    table->streams[slot] = stream;
    ++table->size;
}

int h2o_http2_lean_table__remove(h2o_http2_lean_table_t *table, h2o_http2_lean_stream_t *stream)
{
    uint32_t slot;

    if (table->size == 0)
        return 0;
    slot = table_lookup(table, stream->stream_id);
    if (table->ids[slot] == 0)
        return 0;
    assert(table->streams[slot] == stream);
    table_vacate(table, slot);

    if (table->size == 0)
        h2o_http2_lean_table__dispose(table);
    else if (table->capacity > TABLE_MIN_CAPACITY * 2 && table->size < table->capacity / 2)
        table_resize(table, table->capacity - table->capacity / 4 - table->capacity / 16);
    return 1;
}

void h2o_http2_lean_table__dispose(h2o_http2_lean_table_t *table)
{
    free(table->streams);
    table->streams = NULL;
    table->ids = NULL;
    table->size = 0;
    table->capacity = 0;
}
