#include "handlers/clients/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"

#define MINUTE_MS 60000

struct tw_client {
    tw_table_entry_t entry;
    tw_client_key_t key;
    uint64_t connections, streams;
    uint64_t handshakes;         /* of its connections */
    tw_budget_t bodies, answers; /* what its requests hold */
    double failures;             /* wrong keys, less those that time has forgiven */
    int64_t forgiven_ms;
    bool fails; /* it is in the stripe's list of failing clients, while failures > 0 */
    TAILQ_ENTRY(tw_client) failing;
};

static bool has_key(const tw_table_entry_t *entry, const void *key)
{
    const tw_client_t *client = TW_CONTAINER_OF(entry, tw_client_t, entry);
    return memcmp(&client->key, key, sizeof(client->key)) == 0;
}

void tw_limits_init(tw_limits_t *limits, const tw_limits_config_t *config, size_t key_count)
{
    memset(limits, 0, sizeof(*limits));
    limits->config = *config;
    for (size_t i = 0; i < TW_LIMITS_STRIPES; ++i) {
        pthread_mutex_init(&limits->stripes[i].lock, NULL);
        tw_table_init(&limits->stripes[i].clients);
        TAILQ_INIT(&limits->stripes[i].failing);
    }
    limits->keys = tw_alloc((key_count + 1) * sizeof(*limits->keys));
    limits->key_count = key_count;
    limits->publishes_in_flight.max = config->publishes_in_flight;
    limits->handshakes.max = config->handshakes;
    for (size_t i = 0; i < key_count; ++i) {
        pthread_mutex_init(&limits->keys[i].lock, NULL);
        limits->keys[i].tokens = (double)config->publish_burst;
        limits->keys[i].filled_us = tw_clock_us();
    }
}

void tw_limits_dispose(tw_limits_t *limits)
{
    for (size_t i = 0; i < TW_LIMITS_STRIPES; ++i) {
        tw_table_entry_t *entry;
        while ((entry = tw_table_any(&limits->stripes[i].clients)) != NULL) {
            tw_table_remove(&limits->stripes[i].clients, entry);
            free(TW_CONTAINER_OF(entry, tw_client_t, entry));
        }
        tw_table_dispose(&limits->stripes[i].clients);
        pthread_mutex_destroy(&limits->stripes[i].lock);
    }
    for (size_t i = 0; i < limits->key_count; ++i)
        pthread_mutex_destroy(&limits->keys[i].lock);
    free(limits->keys);
}

/* --- addresses --- */

tw_client_key_t tw_client_key(const tw_address_t *address)
{
    tw_client_key_t key = {.address = *address};

    if (!tw_address_is_v4(address))
        memset(key.address.bytes + 8, 0, 8);
    return key;
}

bool tw_limits_is_proxy(const tw_limits_t *limits, const tw_address_t *address)
{
    return tw_networks_contain(limits->config.proxies, limits->config.proxy_count, address);
}

/* --- clients --- */

static tw_limits_stripe_t *lock_stripe(tw_limits_t *limits, uint64_t hash)
{
    tw_limits_stripe_t *stripe = &limits->stripes[(hash >> 48) % TW_LIMITS_STRIPES];
    pthread_mutex_lock(&stripe->lock);
    return stripe;
}

static tw_client_t *find(tw_limits_stripe_t *stripe, uint64_t hash, const tw_client_key_t *key)
{
    tw_table_entry_t *entry = tw_table_find(&stripe->clients, hash, has_key, key);
    return entry != NULL ? TW_CONTAINER_OF(entry, tw_client_t, entry) : NULL;
}

static tw_client_t *obtain(const tw_limits_t *limits, tw_limits_stripe_t *stripe, uint64_t hash,
                           const tw_client_key_t *key)
{
    tw_client_t *client = find(stripe, hash, key);
    if (client != NULL)
        return client;
    client = tw_alloc(sizeof(*client));
    client->entry.hash = hash;
    client->key = *key;
    client->bodies.max = limits->config.body_bytes_per_address;
    client->answers.max = limits->config.answer_bytes_per_address;
    tw_table_insert(&stripe->clients, &client->entry);
    return client;
}

/* Time forgives failures evenly: as many as are allowed in a minute. */
static void forgive(const tw_limits_t *limits, tw_client_t *client)
{
    int64_t now_ms = tw_clock_ms();
    double forgiven = (double)limits->config.failures_per_minute *
                      (double)(now_ms - client->forgiven_ms) / MINUTE_MS;
    client->failures = client->failures > forgiven ? client->failures - forgiven : 0;
    client->forgiven_ms = now_ms;
}

static void collect(const tw_limits_t *limits, tw_limits_stripe_t *stripe, tw_client_t *client)
{
    forgive(limits, client);
    if (client->failures > 0)
        return;
    if (client->fails)
        TAILQ_REMOVE(&stripe->failing, client, failing);
    client->fails = false;
    if (client->connections > 0 || client->streams > 0 || client->bodies.used > 0 ||
        client->answers.used > 0)
        return;
    tw_table_remove(&stripe->clients, &client->entry);
    free(client);
}

static tw_client_t *add(tw_limits_t *limits, const tw_client_key_t *key, size_t field, uint64_t max,
                        _Atomic uint64_t *refused)
{
    uint64_t hash = tw_hash(key, sizeof(*key));
    tw_limits_stripe_t *stripe = lock_stripe(limits, hash);
    tw_client_t *client = obtain(limits, stripe, hash, key);
    uint64_t *count = (uint64_t *)(void *)((char *)client + field);

    if (max > 0 && *count >= max) {
        atomic_fetch_add(refused, 1);
        client = NULL;
    } else {
        ++*count;
    }
    pthread_mutex_unlock(&stripe->lock);
    return client;
}

static void take_away(tw_limits_t *limits, tw_client_t *client, size_t field)
{
    tw_limits_stripe_t *stripe = lock_stripe(limits, client->entry.hash);
    uint64_t *count = (uint64_t *)(void *)((char *)client + field);

    assert(*count > 0);
    --*count;
    collect(limits, stripe, client);
    pthread_mutex_unlock(&stripe->lock);
}

tw_client_t *tw_limits_add_connection(tw_limits_t *limits, const tw_client_key_t *key)
{
    return add(limits, key, offsetof(tw_client_t, connections),
               limits->config.connections_per_address, &limits->refused_connections);
}

void tw_limits_remove_connection(tw_limits_t *limits, tw_client_t *client)
{
    take_away(limits, client, offsetof(tw_client_t, connections));
}

tw_client_t *tw_limits_add_stream(tw_limits_t *limits, const tw_client_key_t *key)
{
    return add(limits, key, offsetof(tw_client_t, streams), limits->config.streams_per_address,
               &limits->refused_streams);
}

void tw_limits_remove_stream(tw_limits_t *limits, tw_client_t *client)
{
    if (client != NULL)
        take_away(limits, client, offsetof(tw_client_t, streams));
}

bool tw_limits_hold(tw_limits_t *limits, const tw_client_key_t *key, bool is_answer, uint64_t bytes)
{
    uint64_t hash = tw_hash(key, sizeof(*key));
    tw_limits_stripe_t *stripe = lock_stripe(limits, hash);
    tw_client_t *client = obtain(limits, stripe, hash, key);
    tw_budget_t *held = is_answer ? &client->answers : &client->bodies;
    bool fits = tw_budget_fits(held, bytes);

    if (fits)
        tw_budget_take(held, bytes);
    pthread_mutex_unlock(&stripe->lock);
    if (!fits)
        atomic_fetch_add(is_answer ? &limits->refused_answer_bytes_of_address
                                   : &limits->refused_request_bytes_of_address,
                         1);
    return fits;
}

void tw_limits_release(tw_limits_t *limits, const tw_client_key_t *key, bool is_answer,
                       uint64_t bytes)
{
    uint64_t hash = tw_hash(key, sizeof(*key));
    tw_limits_stripe_t *stripe = lock_stripe(limits, hash);
    tw_client_t *client = find(stripe, hash, key);

    assert(client != NULL);
    tw_budget_give(is_answer ? &client->answers : &client->bodies, bytes);
    collect(limits, stripe, client);
    pthread_mutex_unlock(&stripe->lock);
}

unsigned tw_limits_key_wait_s(tw_limits_t *limits, const tw_client_key_t *key)
{
    uint64_t hash = tw_hash(key, sizeof(*key));
    unsigned wait_s = 0;

    if (limits->config.failures_per_minute == 0)
        return 0;
    tw_limits_stripe_t *stripe = lock_stripe(limits, hash);
    tw_client_t *client = find(stripe, hash, key);
    if (client != NULL && client->failures > 0) {
        forgive(limits, client);
        double over = client->failures - (double)limits->config.failures_per_minute + 1;
        if (over > 0) {
            wait_s = 1 + (unsigned)(over * 60 / (double)limits->config.failures_per_minute);
            atomic_fetch_add(&limits->refused_failures, 1);
        }
        collect(limits, stripe, client);
    }
    pthread_mutex_unlock(&stripe->lock);
    return wait_s;
}

void tw_limits_key_failed(tw_limits_t *limits, const tw_client_key_t *key)
{
    uint64_t hash = tw_hash(key, sizeof(*key));

    if (limits->config.failures_per_minute == 0)
        return;
    tw_limits_stripe_t *stripe = lock_stripe(limits, hash);
    tw_client_t *client = obtain(limits, stripe, hash, key);
    forgive(limits, client);
    client->failures += 1;
    if (!client->fails)
        TAILQ_INSERT_TAIL(&stripe->failing, client, failing);
    client->fails = true;
    pthread_mutex_unlock(&stripe->lock);
}

void tw_limits_sweep(tw_limits_t *limits)
{
    for (size_t i = 0; i < TW_LIMITS_STRIPES; ++i) {
        tw_limits_stripe_t *stripe = &limits->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        for (tw_client_t *client = TAILQ_FIRST(&stripe->failing), *next; client != NULL;
             client = next) {
            next = TAILQ_NEXT(client, failing);
            collect(limits, stripe, client);
        }
        pthread_mutex_unlock(&stripe->lock);
    }
}

/* --- publishes --- */

unsigned tw_limits_publish_wait_s(tw_limits_t *limits, size_t key)
{
    double rate = (double)limits->config.publishes_per_second,
           burst = (double)limits->config.publish_burst;
    tw_bucket_t *bucket = &limits->keys[key];
    unsigned wait_s = 0;

    if (limits->config.publishes_per_second == 0)
        return 0;
    if (burst < 1)
        burst = rate;
    pthread_mutex_lock(&bucket->lock);
    int64_t now_us = tw_clock_us();
    bucket->tokens += rate * (double)(now_us - bucket->filled_us) / 1e6;
    if (bucket->tokens > burst)
        bucket->tokens = burst;
    bucket->filled_us = now_us;
    if (bucket->tokens >= 1) {
        bucket->tokens -= 1;
    } else {
        wait_s = 1 + (unsigned)((1 - bucket->tokens) / rate);
        atomic_fetch_add(&limits->refused_publishes, 1);
    }
    pthread_mutex_unlock(&bucket->lock);
    return wait_s;
}

bool tw_limits_begin_publish(tw_limits_t *limits)
{
    return tw_limit_take(&limits->publishes_in_flight);
}

void tw_limits_end_publish(tw_limits_t *limits)
{
    tw_limit_give(&limits->publishes_in_flight);
}

/* --- handshakes --- */

/* The entry stays, because the connection is counted, too. */
static bool begin_of_client(tw_limits_t *limits, tw_client_t *client)
{
    uint64_t max = limits->config.handshakes_per_address;
    tw_limits_stripe_t *stripe = lock_stripe(limits, client->entry.hash);
    bool begins = max == 0 || client->handshakes < max;

    client->handshakes += begins;
    pthread_mutex_unlock(&stripe->lock);
    if (!begins)
        atomic_fetch_add(&limits->refused_handshakes_of_address, 1);
    return begins;
}

static void end_of_client(tw_limits_t *limits, tw_client_t *client)
{
    tw_limits_stripe_t *stripe = lock_stripe(limits, client->entry.hash);

    assert(client->handshakes > 0);
    --client->handshakes;
    pthread_mutex_unlock(&stripe->lock);
}

const char *tw_limits_begin_handshake(tw_limits_t *limits, tw_client_t *client)
{
    if (client != NULL && !begin_of_client(limits, client))
        return "an address has reached TIDEWAY_MAX_HANDSHAKES_PER_IP";
    if (tw_limit_take(&limits->handshakes))
        return NULL;
    if (client != NULL)
        end_of_client(limits, client);
    return "the node has reached TIDEWAY_MAX_HANDSHAKES";
}

void tw_limits_end_handshake(tw_limits_t *limits, tw_client_t *client)
{
    if (client != NULL)
        end_of_client(limits, client);
    tw_limit_give(&limits->handshakes);
}
