#include "runtime/tail.h"

#include <assert.h>
#include <stdlib.h>

#include "runtime/memory.h"

#define CAPACITY_MIN 4

void tw_tail_dispose(tw_tail_t *tail)
{
    assert(tail->count == 0);
    free(tail->ring);
    tail->ring = NULL;
    tail->capacity = 0;
}

tw_event_t *tw_tail_at(const tw_tail_t *tail, uint32_t i)
{
    return tail->ring[(tail->first + i) & (tail->capacity - 1)];
}

static void grow(tw_tail_t *tail)
{
    uint32_t capacity = tail->capacity == 0 ? CAPACITY_MIN : tail->capacity * 2;
    tw_event_t **ring = tw_alloc(capacity * sizeof(*ring));
    for (uint32_t i = 0; i < tail->count; ++i)
        ring[i] = tw_tail_at(tail, i);
    free(tail->ring);
    tail->ring = ring;
    tail->capacity = capacity;
    tail->first = 0;
}

tw_event_t *tw_tail_shift(tw_tail_t *tail)
{
    assert(tail->count > 0);
    tw_event_t *oldest = tw_tail_at(tail, 0);
    tail->first = (tail->first + 1) & (tail->capacity - 1);
    --tail->count;
    tail->lost_seq = oldest->position.seq;
    return oldest;
}

tw_event_t *tw_tail_push(tw_tail_t *tail, tw_event_t *event, uint32_t max)
{
    assert(max > 0);
    tw_event_t *oldest = tail->count >= max ? tw_tail_shift(tail) : NULL;
    if (tail->count == tail->capacity)
        grow(tail);
    tail->ring[(tail->first + tail->count) & (tail->capacity - 1)] = event;
    ++tail->count;
    return oldest;
}

void tw_tail_unshift(tw_tail_t *tail, tw_event_t *event)
{
    if (tail->count == tail->capacity)
        grow(tail);
    tail->first = (tail->first - 1) & (tail->capacity - 1);
    tail->ring[tail->first] = event;
    ++tail->count;
}

uint32_t tw_tail_after(const tw_tail_t *tail, uint64_t seq)
{
    uint32_t low = 0, high = tail->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tw_tail_at(tail, middle)->position.seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

tw_event_t *tw_tail_find_id(const tw_tail_t *tail, const char *id, size_t id_len, uint64_t id_hash)
{
    for (uint32_t i = tail->count; i-- > 0;) {
        tw_event_t *event = tw_tail_at(tail, i);
        if (tw_event_has_id(event, id, id_len, id_hash))
            return event;
    }
    return NULL;
}
