/*
 * Proves order, loss and duplicates of one sequence as one subscriber sees it: numbers count up by
 * one from where the subscriber began. Eight octets a sequence, so that a million fit anywhere.
 *
 * The history of the last 32 numbers tells a late event (out of order) from a repeated one. What
 * comes later than that counts as repeated, and its gap stays a loss: both are failures anyway.
 * Pure; a slot belongs to one thread.
 */
#ifndef LOAD_CHECKER_H
#define LOAD_CHECKER_H

#include <stdint.h>

typedef struct load_checker_slot {
    uint32_t next; /* the number that should come now */
    uint32_t seen; /* bit i: number next-1-i has come; 0: nothing has come yet */
} load_checker_slot_t;

typedef struct load_checker_counts {
    uint64_t in_order;
    uint64_t lost;         /* numbers skipped and not seen since */
    uint64_t duplicates;   /* numbers seen before */
    uint64_t out_of_order; /* numbers that came after a later one */
} load_checker_counts_t;

/*
 * `first`: the number that the subscriber must see first at the latest. Earlier ones may precede
 * it: they were under way when the subscriber joined.
 */
static inline void load_checker_begin(load_checker_slot_t *slot, uint32_t first)
{
    slot->next = first;
    slot->seen = 0;
}

/* All but the next number in order. */
void load_checker_unexpected(load_checker_slot_t *slot, uint32_t sequence,
                             load_checker_counts_t *counts);

static inline void load_checker_observe(load_checker_slot_t *slot, uint32_t sequence,
                                        load_checker_counts_t *counts)
{
    if (__builtin_expect(sequence != slot->next, 0)) {
        load_checker_unexpected(slot, sequence, counts);
        return;
    }
    slot->next++;
    slot->seen = slot->seen << 1 | 1;
    counts->in_order++;
}

/* No more will come; `last` is the last number that was sent. Counts what is missing as lost. */
void load_checker_end(const load_checker_slot_t *slot, uint32_t last,
                      load_checker_counts_t *counts);

void load_checker_counts_add(load_checker_counts_t *to, const load_checker_counts_t *from);

#endif
