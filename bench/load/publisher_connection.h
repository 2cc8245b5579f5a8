/*
 * The connections of the publisher: between publisher.c, which sends, and publisher_answers.c,
 * which takes what comes back. Belongs to the publisher's thread.
 */
#ifndef LOAD_PUBLISHER_CONNECTION_H
#define LOAD_PUBLISHER_CONNECTION_H

#include "bench/load/publisher.h"

/* An event that is not answered yet. */
typedef struct load_pending {
    uint64_t time_ns; /* intended */
    uint32_t id;      /* 0: free */
    uint32_t followers;
    int status;
    bool judged; /* the body has told what became of it */
    load_answer_t answer;
} load_pending_t;

typedef struct load_publisher_connection {
    load_h2_t h2;
    load_publisher_t *publisher;
    uint32_t index;
    uint32_t mask;
    bool ready;
    load_pending_t *pending; /* owned; stream `id` is at (id >> 1) & mask */
} load_publisher_connection_t;

/* What HTTP/2 calls for a publisher's connection: it takes the answers. */
extern const load_h2_callbacks_t load_publisher_callbacks;

#endif
