#include "runtime/redis/client/locator.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/client/slots.h"

struct tw_redis_locator {
    uv_loop_t *loop;                 /* borrowed */
    const tw_redis_access_t *access; /* borrowed */
    const tw_redis_limits_t *limits; /* borrowed */
    uint16_t slot;                   /* of a cluster */
    tw_redis_link_t *link;           /* owned; NULL while nothing is asked */
    tw_redis_nodes_t nodes; /* whom to ask: those of the URL behind those of the last answer */
    size_t current;         /* in nodes: asked now, or answered last */
    size_t asked;           /* how many were asked for this question */
    tw_redis_locator_cb callback; /* NULL: no question is open */
    void *data;
};

static bool asks_cluster(const tw_redis_locator_t *locator)
{
    return locator->access->url.kind == TW_REDIS_URL_CLUSTER;
}

static void ask_current(tw_redis_locator_t *locator);

/* Puts the nodes of the URL behind those that are there, as far as there is room. */
static void add_url_nodes(tw_redis_locator_t *locator)
{
    const tw_redis_url_t *url = &locator->access->url;
    for (size_t i = 0; i < url->endpoint_count && locator->nodes.count < TW_REDIS_NODES_MAX; ++i)
        locator->nodes.items[locator->nodes.count++] = url->endpoints[i];
}

static void answer(tw_redis_locator_t *locator, const tw_redis_endpoint_t *master,
                   const char *reason)
{
    tw_redis_locator_cb callback = locator->callback;
    tw_redis_link_t *link = locator->link;

    locator->callback = NULL;
    locator->link = NULL;
    tw_redis_link_close(link);
    callback(master, reason, locator->data);
}

/* This one did not help: the next one, or the end of the question. */
static void give_up_current(tw_redis_locator_t *locator, const char *reason)
{
    char line[TW_REDIS_ERROR_MAX + 128];

    locator->current = (locator->current + 1) % locator->nodes.count;
    if (++locator->asked == locator->nodes.count) {
        if (asks_cluster(locator))
            snprintf(line, sizeof(line),
                     "no node of the cluster knows the master of slot %u; the "
                     "last one, %s",
                     locator->slot, reason);
        else
            snprintf(line, sizeof(line), "no sentinel knows a master '%s'; the last one, %s",
                     locator->access->url.master_name, reason);
        answer(locator, NULL, line);
        return;
    }
    tw_redis_link_t *link = locator->link;
    locator->link = NULL;
    tw_redis_link_close(link);
    ask_current(locator);
}

static void on_fail(const char *reason, void *data)
{
    give_up_current(data, reason);
}

/* Ends with the address of who was asked before the reason. */
static void give_up_because(tw_redis_locator_t *locator, const char *problem)
{
    char where[TW_REDIS_ENDPOINT_TEXT_MAX], reason[TW_REDIS_ERROR_MAX];

    tw_redis_endpoint_text(&locator->nodes.items[locator->current], where, sizeof(where));
    snprintf(reason, sizeof(reason), "%s: %.200s", where, problem);
    tw_redis_link_fail(locator->link, reason);
}

static void on_sentinel_reply(const redisReply *reply, void *data)
{
    tw_redis_locator_t *locator = data;
    tw_redis_endpoint_t master = {.port = 0};

    if (reply == NULL || locator->callback == NULL)
        return; /* on_fail follows, or nobody asks any more */
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len > 0 &&
        reply->element[0]->len <= TW_REDIS_HOST_MAX &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        memcpy(master.host, reply->element[0]->str, reply->element[0]->len);
        master.port = (uint16_t)strtoul(reply->element[1]->str, NULL, 10);
    }
    if (master.port != 0)
        answer(locator, &master, NULL);
    else
        give_up_because(locator, reply->type == REDIS_REPLY_ERROR ? reply->str
                                                                  : "it does not know that name");
}

static void on_cluster_reply(const redisReply *reply, void *data)
{
    tw_redis_locator_t *locator = data;
    tw_redis_endpoint_t master, asked;
    tw_redis_nodes_t nodes;

    if (reply == NULL || locator->callback == NULL)
        return;
    asked = locator->nodes.items[locator->current];
    if (!tw_redis_slots_read(reply, locator->slot, &asked, &master, &nodes)) {
        give_up_because(locator, reply->type == REDIS_REPLY_ERROR
                                     ? reply->str
                                     : "it knows of no master that serves it");
        return;
    }
    locator->nodes = nodes;
    locator->current = 0;
    for (size_t i = 0; i < nodes.count; ++i)
        if (nodes.items[i].port == asked.port && strcmp(nodes.items[i].host, asked.host) == 0)
            locator->current = i;
    add_url_nodes(locator);
    answer(locator, &master, NULL);
}

/* Who refuses our password answers the question with an error, too, which says less. */
static void on_auth(const redisReply *reply, void *data)
{
    char problem[TW_REDIS_ERROR_MAX];

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return;
    snprintf(problem, sizeof(problem), "it refuses us: %s", reply->str);
    give_up_because(data, problem);
}

static int ask(tw_redis_locator_t *locator, int argc, const char *const *argv,
               tw_redis_reply_cb on_reply)
{
    size_t lens[3];
    for (int i = 0; i < argc; ++i)
        lens[i] = strlen(argv[i]);
    return tw_redis_link_send(locator->link, argc, argv, lens, on_reply, locator);
}

/* 0, or -1 when the password cannot be read or sent and `error` says why. */
static int authenticate(tw_redis_locator_t *locator, char *error, size_t error_size)
{
    const tw_redis_credentials_t *credentials =
        asks_cluster(locator) ? &locator->access->redis : &locator->access->sentinel;
    char password[TW_REDIS_PASSWORD_MAX];
    const char *argv[3] = {"AUTH"};
    int argc = 1;

    if (!tw_redis_credentials_given(credentials))
        return 0;
    int result = tw_redis_credentials_password(credentials, password, error, error_size);
    if (credentials->user != NULL)
        argv[argc++] = credentials->user;
    argv[argc++] = password;
    if (result == 0)
        result = ask(locator, argc, argv, on_auth);
    OPENSSL_cleanse(password, sizeof(password));
    return result;
}

static void on_open(void *data)
{
    tw_redis_locator_t *locator = data;
    char error[TW_REDIS_ERROR_MAX] = "the question cannot be sent";
    int result = authenticate(locator, error, sizeof(error));

    if (result == 0 && asks_cluster(locator))
        result = ask(locator, 2, (const char *[]){"CLUSTER", "SLOTS"}, on_cluster_reply);
    else if (result == 0)
        result = ask(locator, 3,
                     (const char *[]){"SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                      locator->access->url.master_name},
                     on_sentinel_reply);
    if (result != 0)
        give_up_because(locator, error);
}

static void ask_current(tw_redis_locator_t *locator)
{
    static const tw_redis_link_callbacks_t callbacks = {.on_open = on_open, .on_fail = on_fail};
    locator->link = tw_redis_link_open(locator->loop, &locator->nodes.items[locator->current],
                                       tw_redis_access_tls(locator->access), locator->limits,
                                       &callbacks, locator);
}

tw_redis_locator_t *tw_redis_locator_create(uv_loop_t *loop, const tw_redis_access_t *access,
                                            const tw_redis_limits_t *limits, const char *slot_key)
{
    tw_redis_locator_t *locator = tw_alloc(sizeof(*locator));
    assert(access->url.kind == TW_REDIS_URL_SENTINEL ||
           (access->url.kind == TW_REDIS_URL_CLUSTER && slot_key != NULL));
    locator->loop = loop;
    locator->access = access;
    locator->limits = limits;
    if (slot_key != NULL)
        locator->slot = tw_redis_slot_of(slot_key);
    add_url_nodes(locator);
    return locator;
}

void tw_redis_locator_ask(tw_redis_locator_t *locator, tw_redis_locator_cb callback, void *data)
{
    assert(locator->callback == NULL);
    locator->callback = callback;
    locator->data = data;
    locator->asked = 0;
    ask_current(locator);
}

void tw_redis_locator_destroy(tw_redis_locator_t *locator)
{
    if (locator == NULL)
        return;
    locator->callback = NULL;
    tw_redis_link_close(locator->link);
    free(locator);
}
