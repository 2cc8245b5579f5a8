#include "bench/load/checker.h"

#include <stdbool.h>

enum { HISTORY = 32 };

void load_checker_unexpected(load_checker_slot_t *slot, uint32_t sequence,
                             load_checker_counts_t *counts)
{
    bool began = slot->seen != 0;
    if (!began && sequence < slot->next) {
        /* Published before the subscriber had joined: the sequence starts earlier than it must. */
        slot->next = sequence + 1;
        slot->seen = 1;
        counts->in_order++;
        return;
    }
    if (sequence >= slot->next) {
        uint32_t skipped = sequence - slot->next;
        counts->lost += skipped;
        counts->in_order++;
        slot->seen = skipped + 1 < HISTORY ? slot->seen << (skipped + 1) | 1 : 1;
        slot->next = sequence + 1;
        return;
    }
    uint32_t age = slot->next - 1 - sequence;
    if (age < HISTORY && (slot->seen & UINT32_C(1) << age) == 0) {
        slot->seen |= UINT32_C(1) << age;
        counts->out_of_order++;
        if (counts->lost > 0)
            counts->lost--;
        return;
    }
    counts->duplicates++;
}

void load_checker_end(const load_checker_slot_t *slot, uint32_t last, load_checker_counts_t *counts)
{
    if (last >= slot->next)
        counts->lost += last - slot->next + 1;
}

void load_checker_counts_add(load_checker_counts_t *to, const load_checker_counts_t *from)
{
    to->in_order += from->in_order;
    to->lost += from->lost;
    to->duplicates += from->duplicates;
    to->out_of_order += from->out_of_order;
}
