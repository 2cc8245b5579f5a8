/**
 * Listing and finding this node's streams across its workers: each is asked on its own thread.
 *
 * Connection ids sort by worker and then by age, so a page of all of them is a page of one worker
 * after the other.
 */
#ifndef TW_RUNTIME_LISTING_H
#define TW_RUNTIME_LISTING_H

#include "runtime/adapter.h"
#include "runtime/hub.h"

/**
 * A page of this node's live streams; see tw_adapter_ops_t.list_connections. Rows carry node_id as
 * given (borrowed until on_page). on_page comes once, later, on `from`.
 */
void tw_listing_connections(tw_hub_t *hub, tw_loop_t *from, const tw_page_query_t *query,
                            const char *node_id, tw_connections_fn on_page, void *data);

/**
 * Closes the live stream with this id if it is this node's. on_done comes once, later, on
 * `from`: TW_OK or TW_NOT_FOUND; with from and on_done NULL nobody waits.
 */
void tw_listing_close(tw_hub_t *hub, tw_loop_t *from, const char *connection_id,
                      tw_close_reason_t reason, tw_status_fn on_done, void *data);

/** Whether the id can be one of this process's streams. */
bool tw_listing_owns(const tw_hub_t *hub, const char *connection_id);

#endif
