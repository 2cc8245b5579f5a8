#include "tests/simulation/virtual/agenda.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"

typedef struct tw_sim_happening {
    int64_t at_us;
    uint64_t order;
    tw_sim_happening_fn run;
    void *data;
} tw_sim_happening_t;

/* A heap: the first is due first. */
static tw_sim_happening_t *heap;
static size_t count, capacity;
static uint64_t added;

static int is_before(const tw_sim_happening_t *a, const tw_sim_happening_t *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    tw_sim_happening_t kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

void tw_sim_agenda_add(int64_t at_us, tw_sim_happening_fn run, void *data)
{
    if (count == capacity) {
        capacity = capacity * 2 + 64;
        heap = tw_realloc(heap, capacity * sizeof(*heap));
    }
    size_t at = count++;
    heap[at] = (tw_sim_happening_t){at_us, added++, run, data};
    for (; at > 0 && is_before(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(at, (at - 1) / 2);
}

int64_t tw_sim_agenda_due_us(void)
{
    return count > 0 ? heap[0].at_us : INT64_MAX;
}

void tw_sim_agenda_run(void)
{
    tw_sim_happening_t first = heap[0];
    size_t at = 0;

    heap[0] = heap[--count];
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; ++child)
            if (is_before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            break;
        swap(at, least);
        at = least;
    }
    if (first.run != NULL)
        first.run(first.data);
}

void tw_sim_agenda_cancel(const void *data)
{
    for (size_t i = 0; i < count; ++i)
        if (heap[i].data == data)
            heap[i].run = NULL;
}

void tw_sim_agenda_clear(void)
{
    free(heap);
    heap = NULL;
    count = capacity = 0;
    added = 0;
}
