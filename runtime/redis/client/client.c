#include "runtime/redis/client/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/redis/client/locator.h"
#include "runtime/redis/client/slots.h"

typedef enum {
    IDLE,
    LOCATING,   /* asks sentinels, or nodes of a cluster, where the master is */
    CONNECTING, /* looks the name up, connects, negotiates TLS */
    GREETING,   /* finds out whether the server can be used */
    UP,
    WAITING, /* for the next attempt */
    CLOSED
} client_state_t;

struct tw_redis_client {
    uv_loop_t *loop; /* borrowed */
    tw_redis_client_config_t config;
    const tw_redis_client_callbacks_t *callbacks;
    void *data;
    client_state_t state;
    tw_redis_locator_t *locator; /* owned; NULL when the URL names the server itself */
    tw_redis_link_t *link;       /* owned; NULL while LOCATING and WAITING */
    uv_timer_t retry;
    uint32_t backoff_ms; /* upper bound of the next pause */
    uint64_t up_at_ms;   /* the loop's clock */
    tw_redis_endpoint_t master;
    bool redirected; /* master is where the server before said; the next attempt goes there */
    char reason[TW_REDIS_ENDPOINT_TEXT_MAX + TW_REDIS_ERROR_MAX]; /* of an error that ends a link */
    tw_redis_greeting_t greeting;
};

static void attempt(tw_redis_client_t *client);

/* ---- coming back ---- */

static void on_retry(uv_timer_t *timer)
{
    attempt(timer->data);
}

/* A pause from half of the bound to all of it, and a bound twice as long for the next one. */
static uint32_t next_pause_ms(tw_redis_client_t *client)
{
    uint32_t random, bound_ms = client->backoff_ms;
    tw_random(&random, sizeof(random));
    client->backoff_ms =
        bound_ms > client->config.backoff_max_ms / 2 ? client->config.backoff_max_ms : bound_ms * 2;
    return bound_ms / 2 + random % (bound_ms / 2 + 1);
}

static void go_down(tw_redis_client_t *client, const char *reason)
{
    bool was_up = client->state == UP;
    tw_redis_link_t *link = client->link;

    if (client->state == CLOSED)
        return;
    if (was_up && uv_now(client->loop) - client->up_at_ms >= TW_REDIS_SETTLED_MS)
        tw_redis_client_settled(client);
    client->state = WAITING;
    client->link = NULL;
    tw_redis_link_close(link);
    uv_timer_start(&client->retry, on_retry, next_pause_ms(client), 0);
    client->callbacks->on_down(reason, was_up, client->data);
}

static void on_fail(const char *reason, void *data)
{
    go_down(data, reason);
}

void tw_redis_client_reset(tw_redis_client_t *client, const char *reason)
{
    if (client != NULL && client->state == UP)
        tw_redis_link_fail(client->link, reason);
}

void tw_redis_client_settled(tw_redis_client_t *client)
{
    if (client != NULL && client->state == UP)
        client->backoff_ms = client->config.backoff_min_ms;
}

/* ---- an attempt ---- */

static void on_greeted(const char *problem, void *data)
{
    tw_redis_client_t *client = data;

    if (problem != NULL) {
        tw_redis_link_fail(client->link, problem);
        return;
    }
    client->state = UP;
    client->up_at_ms = uv_now(client->loop);
    client->callbacks->on_up(&client->greeting.server, client->data);
}

static void on_open(void *data)
{
    tw_redis_client_t *client = data;

    client->state = GREETING;
    tw_redis_greeting_send(&client->greeting, client->link, &client->master, client->config.access,
                           client->config.name);
}

/*
 * Errors after which nothing on this link can be trusted. A master that became a replica or lost
 * its data set says so in its replies, and so does a node of a cluster that does not serve the slot
 * any more, or not all of it while the slot is moved: then the session begins again, with growing
 * pauses, until the slot has arrived.
 */
static bool ends_session(const char *error)
{
    static const char *const kinds[] = {"ASK ",
                                        "CLUSTERDOWN",
                                        "LOADING",
                                        "MASTERDOWN",
                                        "MOVED ",
                                        "NOAUTH",
                                        "NOSCRIPT",
                                        "READONLY",
                                        "TRYAGAIN",
                                        "UNBLOCKED",
                                        "ERR unknown command"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); ++i)
        if (strncmp(error, kinds[i], strlen(kinds[i])) == 0)
            return true;
    /* Inside of a script's error. */
    return strstr(error, "READONLY") != NULL || strstr(error, "non local key") != NULL;
}

static const char *on_error(const char *error, void *data)
{
    tw_redis_client_t *client = data;
    tw_redis_endpoint_t target;

    if (client->state != UP || !ends_session(error))
        return NULL;
    if (client->locator != NULL && tw_redis_slots_read_moved(error, &client->master, &target)) {
        client->master = target;
        client->redirected = true;
    }
    snprintf(client->reason, sizeof(client->reason), "%s: %s", client->greeting.server.endpoint,
             error);
    return client->reason;
}

static void connect_to_master(tw_redis_client_t *client)
{
    static const tw_redis_link_callbacks_t callbacks = {
        .on_open = on_open, .on_error = on_error, .on_fail = on_fail};
    client->state = CONNECTING;
    client->link = tw_redis_link_open(client->loop, &client->master,
                                      tw_redis_access_tls(client->config.access),
                                      &client->config.limits, &callbacks, client);
}

static void on_master(const tw_redis_endpoint_t *master, const char *reason, void *data)
{
    tw_redis_client_t *client = data;
    if (master == NULL) {
        go_down(client, reason);
        return;
    }
    client->master = *master;
    connect_to_master(client);
}

static void attempt(tw_redis_client_t *client)
{
    if (client->locator != NULL && !client->redirected) {
        client->state = LOCATING;
        tw_redis_locator_ask(client->locator, on_master, client);
        return;
    }
    if (client->locator == NULL)
        client->master = client->config.access->url.endpoints[0];
    client->redirected = false;
    connect_to_master(client);
}

/* ---- life ---- */

tw_redis_client_t *tw_redis_client_create(uv_loop_t *loop, const tw_redis_client_config_t *config,
                                          const tw_redis_client_callbacks_t *callbacks, void *data)
{
    tw_redis_client_t *client = tw_alloc(sizeof(*client));
    assert(config->backoff_min_ms > 0 && config->backoff_min_ms <= config->backoff_max_ms);
    client->loop = loop;
    client->config = *config;
    client->callbacks = callbacks;
    client->data = data;
    client->backoff_ms = config->backoff_min_ms;
    client->greeting.on_done = on_greeted;
    client->greeting.data = client;
    uv_timer_init(loop, &client->retry);
    client->retry.data = client;
    if (config->access->url.kind == TW_REDIS_URL_SENTINEL ||
        config->access->url.kind == TW_REDIS_URL_CLUSTER)
        client->locator =
            tw_redis_locator_create(loop, config->access, &client->config.limits, config->slot_key);
    return client;
}

void tw_redis_client_start(tw_redis_client_t *client)
{
    assert(client->state == IDLE);
    attempt(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void tw_redis_client_destroy(tw_redis_client_t *client)
{
    if (client == NULL)
        return;
    client->state = CLOSED;
    tw_redis_locator_destroy(client->locator);
    tw_redis_link_close(client->link);
    uv_close((uv_handle_t *)&client->retry, on_timer_closed);
}

/* ---- commands ---- */

int tw_redis_client_send(tw_redis_client_t *client, int argc, const char *const *argv,
                         const size_t *lens, tw_redis_reply_cb on_reply, void *data)
{
    if (client == NULL || client->state != UP)
        return -1;
    return tw_redis_link_send(client->link, argc, argv, lens, on_reply, data);
}

void tw_redis_client_flush(tw_redis_client_t *client)
{
    if (client != NULL && client->state == UP)
        tw_redis_link_flush(client->link);
}
