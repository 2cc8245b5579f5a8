/*
 * The connections of one subscriber thread: between subscriber.c, which has the streams and what
 * HTTP/2 tells of them, and subscriber_thread.c, which has the thread. Belongs to the thread.
 */
#ifndef LOAD_SUBSCRIBER_CONNECTION_H
#define LOAD_SUBSCRIBER_CONNECTION_H

#include "bench/load/subscriber.h"

/* A stream to open again. */
typedef struct load_waiting {
    uint32_t topic;
    bool resumes; /* from where its sequence has come to: */
    load_checker_slot_t slot;
} load_waiting_t;

/* One connection and its streams. */
typedef struct load_subscriber {
    load_h2_t h2;
    load_subscriber_thread_t *thread;
    uint32_t index;             /* over all threads */
    uint32_t mask;              /* of `streams` */
    load_stream_t *streams;     /* owned; stream `id` is at (id >> 1) & mask */
    load_checker_slot_t *slots; /* owned; NULL when a stream needs only one */
    load_waiting_t *waiting;    /* owned; with churn or resume: streams to open again */
    uint32_t waiting_count;
    uint32_t started; /* streams asked for, those opened again left out */
    uint32_t opening;
    bool ready; /* the server's SETTINGS have come */
    bool slow;
} load_subscriber_t;

/* Only this thread writes these counters: a plain addition does. */
static inline void load_bump(_Atomic uint64_t *counter, int64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + (uint64_t)by, memory_order_relaxed);
}

static inline uint32_t load_slots_per_stream(const load_options_t *options)
{
    return options->topics_per_stream * options->lanes;
}

/* The checker's slots of a stream. */
static inline load_checker_slot_t *load_slots_of(load_subscriber_t *self, load_stream_t *stream)
{
    if (self->slots == NULL)
        return &stream->slot;
    return self->slots +
           (size_t)(stream - self->streams) * load_slots_per_stream(self->thread->run->options);
}

/* Connects one connection, with its streams to follow when the server is ready. */
void load_subscriber_connect(load_subscriber_thread_t *thread, load_subscriber_t *connection);

/* Connects what is left, within the window. */
void load_subscriber_connect_more(load_subscriber_thread_t *thread);

/* Opens streams, within the window. */
void load_subscriber_open_more(load_subscriber_t *self);

/* Forgets a stream; its place is free again. */
void load_subscriber_free_stream(load_subscriber_t *self, load_stream_t *stream);

/* With churn: closes a stream that has seen enough, to open it again. */
void load_subscriber_churn_if_due(load_subscriber_t *self, load_stream_t *stream);

#endif
