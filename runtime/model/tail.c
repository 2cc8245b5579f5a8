#include "runtime/model/tail.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

#define CAPACITY_MIN 4

/* A ring of sequence numbers, after lost_seq and before the oldest event in the tail. */
typedef struct tw_elsewhere {
    uint32_t capacity, first, count;
    uint64_t seqs[];
} tw_elsewhere_t;

void tw_tail_dispose(tw_tail_t *tail)
{
    assert(tail->count == 0);
    free(tail->ring);
    free(tail->elsewhere);
    tail->ring = NULL;
    tail->elsewhere = NULL;
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

static tw_event_t *take_oldest(tw_tail_t *tail)
{
    assert(tail->count > 0);
    tw_event_t *oldest = tw_tail_at(tail, 0);
    tail->first = (tail->first + 1) & (tail->capacity - 1);
    --tail->count;
    return oldest;
}

tw_event_t *tw_tail_shift(tw_tail_t *tail)
{
    tw_event_t *oldest = take_oldest(tail);

    tail->lost_seq = oldest->position.seq;
    /* All of these numbers are older. */
    free(tail->elsewhere);
    tail->elsewhere = NULL;
    return oldest;
}

/* Takes out the oldest event, which is not lost for good, and remembers its number. */
static tw_event_t *shift_elsewhere(tw_tail_t *tail, uint32_t max)
{
    tw_event_t *oldest = take_oldest(tail);
    tw_elsewhere_t *elsewhere = tail->elsewhere;

    if (elsewhere == NULL) {
        elsewhere = tail->elsewhere =
            tw_alloc(sizeof(*elsewhere) + max * sizeof(elsewhere->seqs[0]));
        elsewhere->capacity = max;
    }
    if (elsewhere->count == elsewhere->capacity) {
        tail->lost_seq = elsewhere->seqs[elsewhere->first];
        elsewhere->first = (elsewhere->first + 1) % elsewhere->capacity;
        --elsewhere->count;
    }
    elsewhere->seqs[(elsewhere->first + elsewhere->count++) % elsewhere->capacity] =
        oldest->position.seq;
    return oldest;
}

tw_event_t *tw_tail_push(tw_tail_t *tail, tw_event_t *event, uint32_t max)
{
    assert(max > 0);
    tw_event_t *oldest = NULL;

    if (tail->count >= max)
        oldest = tw_tail_at(tail, 0)->kept > 1 ? shift_elsewhere(tail, max) : tw_tail_shift(tail);
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

static uint64_t elsewhere_at(const tw_elsewhere_t *elsewhere, uint32_t i)
{
    return elsewhere->seqs[(elsewhere->first + i) % elsewhere->capacity];
}

size_t tw_tail_elsewhere(const tw_tail_t *tail, uint64_t seq, uint64_t *seqs)
{
    const tw_elsewhere_t *elsewhere = tail->elsewhere;
    uint32_t low = 0, high = elsewhere != NULL ? elsewhere->count : 0, end = high;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (elsewhere_at(elsewhere, middle) > seq)
            high = middle;
        else
            low = middle + 1;
    }
    for (uint32_t i = low; seqs != NULL && i < end; ++i)
        seqs[i - low] = elsewhere_at(elsewhere, i);
    return end - low;
}

uint64_t tw_tail_newest_gone(const tw_tail_t *tail)
{
    const tw_elsewhere_t *elsewhere = tail->elsewhere;

    return elsewhere == NULL
               ? tail->lost_seq
               : elsewhere->seqs[(elsewhere->first + elsewhere->count - 1) % elsewhere->capacity];
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
