/**
 * What the handlers know about the process. The main thread sets it up before the workers start;
 * after that every worker reads it, and writes only its atomic fields.
 *
 * The process owns it. Callers: handlers/; server/ adds watches.
 */
#ifndef TW_HANDLERS_GATEWAY_H
#define TW_HANDLERS_GATEWAY_H

#include <stdatomic.h>
#include <stdbool.h>

#include <h2o.h>

#include "base/log_limit.h"
#include "base/loop_watch.h"
#include "base/text.h"
#include "handlers/clients/audit_log.h"
#include "handlers/clients/auth.h"
#include "handlers/clients/limits.h"
#include "handlers/clients/origins.h"
#include "handlers/tokens/tokens.h"
#include "runtime/adapter.h"
#include "runtime/shard.h"
#include "runtime/stats.h"
#include "runtime/tokens/revocations.h"

/** Which origins may read answers (Fetch standard, CORS protocol). */
typedef struct tw_cors {
    tw_origins_t origins;
    bool credentials; /* requests with cookies and the like, too; never together with any origin */
} tw_cors_t;

typedef struct tw_gateway {
    tw_adapter_t *adapter; /* borrowed */
    const tw_hub_t *hub;   /* borrowed; for tw_stats_read() alone */
    tw_auth_t auth;
    tw_limits_t limits;
    tw_audit_t audit;
    tw_patterns_t private_topics;  /* that streams need a token for; empty: none */
    tw_tokens_t tokens;            /* the keys of tokens */
    tw_revocations_t *revocations; /* borrowed; the tokens that are valid no more */
    tw_text_t token_cookie;        /* the name of the cookie that may carry a stream's token */
    tw_cors_t cors;
    char hsts[32]; /* the value of Strict-Transport-Security; empty: no such header */
    const char *version;
    const char *node_id; /* borrowed */
    int64_t started_at_ms;
    size_t topics_max;        /* per request */
    size_t payload_bytes_max; /* per event */
    uint32_t tail_events_max; /* per topic */
    uint32_t retry_ms;        /* the reconnection delay that streams tell their clients */
    uint32_t drain_ms;
    tw_text_t heartbeat;    /* what silent streams get */
    bool refuses_by_status; /* streams that may be opened later, too: TIDEWAY_STREAM_REFUSAL */
    int64_t connection_age_max_ms; /* 0: no maximum */
    _Atomic bool draining;
    const _Atomic uint64_t *key_updates_refused; /* borrowed; of TLS */
    _Atomic uint64_t connections_refused; /* at TIDEWAY_MAX_CONNECTIONS or without descriptors */
    /* borrowed: each lives as long as its loop. All are added before the first request. */
    const tw_loop_watch_t *watches[TW_WORKERS_MAX + 1];
    uint32_t watch_count;
} tw_gateway_t;

/** A worker's h2o context, with what handlers need to find from a request: see tw_worker_of(). */
typedef struct tw_worker_context {
    h2o_context_t super;
    tw_gateway_t *gateway;       /* borrowed */
    tw_shard_t *shard;           /* borrowed; NULL on the ops listener */
    tw_token_cache_t *tokens;    /* owned; NULL: the gateway takes no tokens, or the ops listener */
    tw_log_limit_t key_refusals; /* of log lines about wrong keys of operators */
    tw_log_limit_t publish_refusals; /* of log lines about publishes that were not admitted */
} tw_worker_context_t;

/** Adds a loop whose turns /metrics shows. Called before the workers start. */
static inline void tw_gateway_watch(tw_gateway_t *gateway, const tw_loop_watch_t *watch)
{
    gateway->watches[gateway->watch_count++] = watch;
}

/** The worker (or ops listener) that serves the request. */
static inline tw_worker_context_t *tw_worker_of(const h2o_req_t *req)
{
    return (tw_worker_context_t *)req->conn->ctx;
}

#endif
