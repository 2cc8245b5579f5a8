/**
 * What one client may take of the node: connections and streams per address, wrong keys per
 * address, publishes per key.
 *
 * An address is an IPv4 address or an IPv6 /64, the least that a provider gives to one customer. An
 * address has an entry only while it holds something or its wrong keys are not forgiven yet, so the
 * table is as large as what it bounds. Any thread.
 */
#ifndef TW_HANDLERS_LIMITS_H
#define TW_HANDLERS_LIMITS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limit.h"
#include "base/table.h"
#include "handlers/address.h"

#define TW_LIMITS_STRIPES 64

/** A client as limits see it: an IPv4 address, or an IPv6 /64 (the last 64 bits are zero). */
typedef struct tw_client_key {
    tw_address_t address;
} tw_client_key_t;

typedef struct tw_client tw_client_t;

typedef struct tw_limits_config {
    uint64_t connections_per_address; /* 0: no limit */
    uint64_t streams_per_address;     /* 0: no limit */
    uint64_t failures_per_minute;     /* wrong keys per address; 0: no limit */
    uint64_t publishes_per_second;    /* per key; 0: no limit */
    uint64_t publish_burst;           /* that a key may have saved up */
    uint64_t publishes_in_flight;     /* of the node */
    uint64_t handshakes;              /* of the node */
    uint64_t handshakes_per_address;  /* 0: no limit */
    const tw_network_t *proxies; /* borrowed: their X-Forwarded-For is believed, and they have no
                                    limits of their own */
    size_t proxy_count;
} tw_limits_config_t;

typedef struct tw_limits_stripe {
    pthread_mutex_t lock;
    tw_table_t clients;
    TAILQ_HEAD(tw_failing_clients, tw_client)
    failing; /* those with wrong keys that are not forgiven */
} tw_limits_stripe_t;

/** A bucket that fills at a rate up to a burst. */
typedef struct tw_bucket {
    pthread_mutex_t lock;
    double tokens;
    int64_t filled_us;
} tw_bucket_t;

typedef struct tw_limits {
    tw_limits_config_t config;
    tw_limits_stripe_t stripes[TW_LIMITS_STRIPES];
    tw_bucket_t *keys; /* owned; one per key */
    size_t key_count;
    tw_limit_t publishes_in_flight; /* of the node */
    tw_limit_t handshakes;          /* likewise */
    /* what was refused, by limit */
    _Atomic uint64_t refused_connections, refused_streams, refused_failures, refused_publishes,
        refused_handshakes_of_address;
} tw_limits_t;

void tw_limits_init(tw_limits_t *limits, const tw_limits_config_t *config, size_t key_count);
void tw_limits_dispose(tw_limits_t *limits);

/** The client that an address belongs to. */
tw_client_key_t tw_client_key(const tw_address_t *address);

/** Whether this address is one of the trusted proxies. */
bool tw_limits_is_proxy(const tw_limits_t *limits, const tw_address_t *address);

/**
 * One connection (stream) more for the client; NULL: its limit is reached, and that is counted.
 * What is returned goes to the matching remove call; a stream without limits has none (NULL).
 */
tw_client_t *tw_limits_add_connection(tw_limits_t *limits, const tw_client_key_t *key);
void tw_limits_remove_connection(tw_limits_t *limits, tw_client_t *client);
tw_client_t *tw_limits_add_stream(tw_limits_t *limits, const tw_client_key_t *key);
void tw_limits_remove_stream(tw_limits_t *limits, tw_client_t *client);

/** Seconds until the client may try a key again; 0: now. Above 0 counts a refusal. */
unsigned tw_limits_key_wait_s(tw_limits_t *limits, const tw_client_key_t *key);

/** The client sent a wrong key. */
void tw_limits_key_failed(tw_limits_t *limits, const tw_client_key_t *key);

/** Forgets clients whose wrong keys are forgiven; about once a second, from one thread. */
void tw_limits_sweep(tw_limits_t *limits);

/** Takes one publish out of a key's bucket: 0, or the seconds until there is one, counted as a
 * refusal. */
unsigned tw_limits_publish_wait_s(tw_limits_t *limits, size_t key);

/** A publish begins (false: too many are under way, counted) and ends. */
bool tw_limits_begin_publish(tw_limits_t *limits);
void tw_limits_end_publish(tw_limits_t *limits);

/**
 * A TLS handshake begins on a connection that is counted for the client (NULL: for none), and ends,
 * however it does, before the connection does. NULL, or why it is refused, which is counted.
 */
const char *tw_limits_begin_handshake(tw_limits_t *limits, tw_client_t *client);
void tw_limits_end_handshake(tw_limits_t *limits, tw_client_t *client);

#endif
