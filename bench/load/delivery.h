/*
 * The hot path of the load generator: from the bytes of a DATA frame to verified, timed deliveries.
 * Belongs to the subscriber's thread.
 */
#ifndef LOAD_DELIVERY_H
#define LOAD_DELIVERY_H

#include "bench/load/subscriber.h"

/* Takes what came on `stream`; `slots` are its topics_per_stream * lanes checker slots. */
void load_delivery_take(load_subscriber_thread_t *thread, load_stream_t *stream,
                        load_checker_slot_t *slots, const char *data, size_t bytes,
                        uint64_t now_ns);

#endif
