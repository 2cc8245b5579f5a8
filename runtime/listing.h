/**
 * Lists and closes the streams of this node. Each worker is asked on its own thread, one after the
 * other.
 *
 * The ids of a process's streams sort by worker, then by age, so a page of all streams is a page of
 * the first worker's, then of the next one's.
 *
 * A query owns itself, and frees itself with its answer. Callers: runtime/memory/ and
 * runtime/redis/, the adapters, on the thread of `from`.
 */
#ifndef TW_RUNTIME_LISTING_H
#define TW_RUNTIME_LISTING_H

#include "runtime/adapter.h"
#include "runtime/hub.h"

/**
 * Reads a page of this node's streams, as tw_adapter_ops_t.list_streams does. The rows have the
 * given node_id, which is borrowed until on_page has returned. on_page comes once, later, on
 * `from`.
 */
void tw_listing_streams(tw_hub_t *hub, tw_loop_t *from, const tw_page_query_t *query,
                        const char *node_id, tw_streams_fn on_page, void *data);

/**
 * Closes the stream with this id, if it is this node's. on_done comes once, later, on `from`, with
 * TW_OK or TW_NOT_FOUND. Both are NULL when nobody waits.
 */
void tw_listing_close(tw_hub_t *hub, tw_loop_t *from, const char *stream_id,
                      tw_close_reason_t reason, tw_status_fn on_done, void *data);

/** Closes the open streams of a subject on this node. on_done comes once, later, on `from`, with
 * TW_OK and how many they were; both are NULL when nobody waits. */
void tw_listing_close_subject(tw_hub_t *hub, tw_loop_t *from, const tw_ending_query_t *query,
                              tw_closed_fn on_done, void *data);

/**
 * Adds a revocation to this node's list and closes the streams that it is about with
 * TW_CLOSE_REVOKED: with `all` those of any token of the subject, else those with tokens that it
 * refuses. A no-op when the list knew it and nobody waits. on_done as above; it does not come
 * with another status than TW_OK, which is TW_FULL.
 */
tw_status_t tw_listing_revoke(tw_hub_t *hub, tw_loop_t *from, const tw_revocation_t *revocation,
                              bool all, tw_closed_fn on_done, void *data);

/** Whether the id can be one of a stream of this process. */
bool tw_listing_owns(const tw_hub_t *hub, const char *stream_id);

#endif
