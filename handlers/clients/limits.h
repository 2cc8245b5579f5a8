/**
 * What one client may use of the node: connections, streams, wrong keys and held bytes of an
 * address, publishes of a key.
 *
 * An address is an IPv4 address or an IPv6 /64, the smallest network that a provider gives to a
 * customer. It has an entry only while it uses something, or while wrong keys are counted against
 * it, so the table is never larger than what it limits. Any thread.
 *
 * The gateway owns it. Callers: handlers/ (addresses, streams, wrong keys, publishes), server/
 * (connections, handshakes, sweeps).
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
#include "handlers/clients/address.h"

#define TW_LIMITS_STRIPES 64

/** A client as limits see it: an IPv4 address, or an IPv6 /64 (the last 64 bits are zero). */
typedef struct tw_client_key {
    tw_address_t address;
} tw_client_key_t;

typedef struct tw_client tw_client_t;

typedef struct tw_limits_config {
    uint64_t connections_per_address;  /* 0: no limit */
    uint64_t streams_per_address;      /* 0: no limit */
    uint64_t failures_per_minute;      /* wrong keys per address; 0: no limit */
    uint64_t publishes_per_second;     /* per key; 0: no limit */
    uint64_t publish_burst;            /* of a key, above its rate */
    uint64_t publishes_in_flight;      /* of the node */
    uint64_t handshakes;               /* of the node */
    uint64_t handshakes_per_address;   /* 0: no limit */
    uint64_t body_bytes_per_address;   /* 0: no limit */
    uint64_t answer_bytes_per_address; /* 0: no limit */
    const tw_network_t *proxies; /* borrowed: their X-Forwarded-For is believed, and they have no
                                    limits of their own */
    size_t proxy_count;
} tw_limits_config_t;

typedef struct tw_limits_stripe {
    pthread_mutex_t lock;
    tw_table_t clients;
    TAILQ_HEAD(tw_failing_clients, tw_client)
    failing; /* those that wrong keys are counted against */
} tw_limits_stripe_t;

/** A token bucket: it fills at a rate, up to the burst. */
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
    /* how many times each limit has refused something */
    _Atomic uint64_t refused_connections, refused_streams, refused_failures, refused_publishes,
        refused_handshakes_of_address, refused_silent, refused_request_bytes, refused_answer_bytes,
        refused_request_bytes_of_address, refused_answer_bytes_of_address;
} tw_limits_t;

void tw_limits_init(tw_limits_t *limits, const tw_limits_config_t *config, size_t key_count);
void tw_limits_dispose(tw_limits_t *limits);

/** The client that an address belongs to. */
tw_client_key_t tw_client_key(const tw_address_t *address);

/** Whether this address is one of the trusted proxies. */
bool tw_limits_is_proxy(const tw_limits_t *limits, const tw_address_t *address);

/**
 * Counts one more connection (stream) of the client, and returns the entry to give back to the
 * matching remove function. NULL: its limit is reached, and the refusal is counted. A trusted proxy
 * is not counted; for its streams tw_limits_remove_stream() takes NULL.
 */
tw_client_t *tw_limits_add_connection(tw_limits_t *limits, const tw_client_key_t *key);
void tw_limits_remove_connection(tw_limits_t *limits, tw_client_t *client);
tw_client_t *tw_limits_add_stream(tw_limits_t *limits, const tw_client_key_t *key);
void tw_limits_remove_stream(tw_limits_t *limits, tw_client_t *client);

/** Counts memory that requests of the client hold: of bodies that are being received, or of answers
 * that it does not take. False: its limit is reached, nothing is counted but the refusal. */
bool tw_limits_hold(tw_limits_t *limits, const tw_client_key_t *key, bool is_answer,
                    uint64_t bytes);
void tw_limits_release(tw_limits_t *limits, const tw_client_key_t *key, bool is_answer,
                       uint64_t bytes);

/** Returns the seconds until wrong keys of the client are told 401 again; 0: now. Counts a refusal
 * when it is not 0. */
unsigned tw_limits_key_wait_s(tw_limits_t *limits, const tw_client_key_t *key);

/** Counts a wrong key of the client. */
void tw_limits_key_failed(tw_limits_t *limits, const tw_client_key_t *key);

/** Removes the entries of clients whose wrong keys do not count any more. Called about once a
 * second, by one thread. */
void tw_limits_sweep(tw_limits_t *limits);

/** Takes one publish out of the key's bucket. Returns 0, or the seconds until there is one, and
 * counts the refusal. */
unsigned tw_limits_publish_wait_s(tw_limits_t *limits, size_t key);

/** A publish begins, and ends. False: too many are in progress, and the refusal is counted. */
bool tw_limits_begin_publish(tw_limits_t *limits);
void tw_limits_end_publish(tw_limits_t *limits);

/**
 * A TLS handshake begins on a connection that is counted for the client (NULL: for no client). It
 * ends, in whatever way, before the connection does. Returns NULL, or why the handshake is refused,
 * and counts the refusal.
 */
const char *tw_limits_begin_handshake(tw_limits_t *limits, tw_client_t *client);
void tw_limits_end_handshake(tw_limits_t *limits, tw_client_t *client);

#endif
