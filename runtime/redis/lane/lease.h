/**
 * The node's place in the cluster: its lease, its leaving, and the order that all nodes keep
 * together: dead ones are buried, topics that nobody follows any more are forgotten.
 *
 * Burials and sweeps go in slices with pauses between them, at most some twenty a second for a
 * node, whatever there is to do. Control loop only.
 *
 * A lane owns it. Callers: runtime/redis/node.c, runtime/redis/adapter.c (tw_redis_lease_drain()).
 */
#ifndef TW_REDIS_LEASE_H
#define TW_REDIS_LEASE_H

#include "runtime/adapter.h"
#include "runtime/hub.h"
#include "runtime/redis/lane/inbox.h"

typedef struct tw_redis_lease {
    tw_redis_session_t *session; /* borrowed */
    tw_redis_inbox_t *inbox;     /* borrowed */
    tw_hub_t *hub;               /* borrowed */
    const tw_node_info_t *info;  /* borrowed */
    void (*on_granted)(void *data);
    void *data;
    bool asking;            /* a lease is asked for */
    bool burying, sweeping; /* a slice is under way */
    bool draining;
    uint64_t asked_ms, asked_us;
    uint64_t up_ms;                         /* when the session began */
    uint64_t bury_after_ms, sweep_after_ms; /* when the next slice may go */
    char twin[TW_REDIS_REGISTRATION_SIZE];  /* another one with our node id; "": none */
    uint64_t twin_ms;                       /* since when; 0: it was logged */
    void (*on_left)(void *data);            /* not NULL while the node leaves */
    void *left_data;
} tw_redis_lease_t;

void tw_redis_lease_init(tw_redis_lease_t *lease, tw_redis_inbox_t *inbox, tw_hub_t *hub,
                         const tw_node_info_t *info, void (*on_granted)(void *data), void *data);

void tw_redis_lease_up(tw_redis_lease_t *lease);
void tw_redis_lease_down(tw_redis_lease_t *lease);

/** Every 250 ms, or oftener. */
void tw_redis_lease_pulse(tw_redis_lease_t *lease, uint64_t now_ms);

/** Says that the node goes away soon. */
void tw_redis_lease_drain(tw_redis_lease_t *lease);

/** Takes the node out of the cluster; on_left is called once, later or now. */
void tw_redis_lease_leave(tw_redis_lease_t *lease, void (*on_left)(void *data), void *data);

/** Waits no longer for that. */
void tw_redis_lease_abandon_leave(tw_redis_lease_t *lease);

#endif
