#include "runtime/redis/client/sentinel.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct tw_redis_sentinel {
    uv_loop_t *loop;                 /* borrowed */
    const tw_redis_access_t *access; /* borrowed */
    const tw_redis_url_t *url;       /* access's */
    const tw_redis_limits_t *limits;
    tw_redis_link_t *link;         /* owned; NULL while nothing is asked */
    size_t current;                /* in url->endpoints: asked now, or answered last */
    size_t asked;                  /* how many were asked for this question */
    tw_redis_sentinel_cb callback; /* NULL: no question is open */
    void *data;
};

static void ask_current(tw_redis_sentinel_t *sentinel);

static void answer(tw_redis_sentinel_t *sentinel, const tw_redis_endpoint_t *master,
                   const char *reason)
{
    tw_redis_sentinel_cb callback = sentinel->callback;
    tw_redis_link_t *link = sentinel->link;

    sentinel->callback = NULL;
    sentinel->link = NULL;
    tw_redis_link_close(link);
    callback(master, reason, sentinel->data);
}

/* This sentinel did not help: the next one, or the end of the question. */
static void give_up_current(tw_redis_sentinel_t *sentinel, const char *reason)
{
    char line[TW_REDIS_ERROR_MAX];

    sentinel->current = (sentinel->current + 1) % sentinel->url->endpoint_count;
    if (++sentinel->asked == sentinel->url->endpoint_count) {
        snprintf(line, sizeof(line), "no sentinel knows a master '%s'; the last one, %s",
                 sentinel->url->master_name, reason);
        answer(sentinel, NULL, line);
        return;
    }
    tw_redis_link_t *link = sentinel->link;
    sentinel->link = NULL;
    tw_redis_link_close(link);
    ask_current(sentinel);
}

static void on_fail(const char *reason, void *data)
{
    give_up_current(data, reason);
}

static void on_reply(const redisReply *reply, void *data)
{
    tw_redis_sentinel_t *sentinel = data;
    char where[TW_REDIS_ENDPOINT_TEXT_MAX], reason[TW_REDIS_ERROR_MAX];
    tw_redis_endpoint_t master = {.port = 0};

    if (reply == NULL || sentinel->callback == NULL)
        return; /* on_fail follows, or nobody asks any more */
    tw_redis_endpoint_text(&sentinel->url->endpoints[sentinel->current], where, sizeof(where));
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len > 0 &&
        reply->element[0]->len <= TW_REDIS_HOST_MAX &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        memcpy(master.host, reply->element[0]->str, reply->element[0]->len);
        master.port = (uint16_t)strtoul(reply->element[1]->str, NULL, 10);
    }
    if (master.port != 0) {
        answer(sentinel, &master, NULL);
        return;
    }
    snprintf(reason, sizeof(reason), "%s: %s", where,
             reply->type == REDIS_REPLY_ERROR ? reply->str : "it does not know that name");
    give_up_current(sentinel, reason);
}

/* A sentinel that refuses our password answers the question with an error, too, which says less. */
static void on_auth(const redisReply *reply, void *data)
{
    tw_redis_sentinel_t *sentinel = data;
    char where[TW_REDIS_ENDPOINT_TEXT_MAX], reason[TW_REDIS_ERROR_MAX];

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return;
    tw_redis_endpoint_text(&sentinel->url->endpoints[sentinel->current], where, sizeof(where));
    snprintf(reason, sizeof(reason), "%s: it refuses us: %s", where, reply->str);
    tw_redis_link_fail(sentinel->link, reason);
}

/* 0, or -1 when the password cannot be read or sent and `error` says why. */
static int authenticate(tw_redis_sentinel_t *sentinel, char *error, size_t error_size)
{
    const tw_redis_credentials_t *credentials = &sentinel->access->sentinel;
    char password[TW_REDIS_PASSWORD_MAX];
    const char *argv[3] = {"AUTH"};
    size_t lens[3];
    int argc = 1;

    if (!tw_redis_credentials_given(credentials))
        return 0;
    int result = tw_redis_credentials_password(credentials, password, error, error_size);
    if (credentials->user != NULL)
        argv[argc++] = credentials->user;
    argv[argc++] = password;
    for (int i = 0; result == 0 && i < argc; ++i)
        lens[i] = strlen(argv[i]);
    if (result == 0)
        result = tw_redis_link_send(sentinel->link, argc, argv, lens, on_auth, sentinel);
    OPENSSL_cleanse(password, sizeof(password));
    return result;
}

static void on_open(void *data)
{
    tw_redis_sentinel_t *sentinel = data;
    const char *argv[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel->url->master_name};
    const size_t lens[] = {strlen(argv[0]), strlen(argv[1]), strlen(argv[2])};
    char error[TW_REDIS_ERROR_MAX] = "the question cannot be sent";

    if (authenticate(sentinel, error, sizeof(error)) != 0 ||
        tw_redis_link_send(sentinel->link, 3, argv, lens, on_reply, sentinel) != 0)
        tw_redis_link_fail(sentinel->link, error);
}

static void ask_current(tw_redis_sentinel_t *sentinel)
{
    static const tw_redis_link_callbacks_t callbacks = {.on_open = on_open, .on_fail = on_fail};
    sentinel->link = tw_redis_link_open(
        sentinel->loop, &sentinel->url->endpoints[sentinel->current],
        tw_redis_access_tls(sentinel->access), sentinel->limits, &callbacks, sentinel);
}

tw_redis_sentinel_t *tw_redis_sentinel_create(uv_loop_t *loop, const tw_redis_access_t *access,
                                              const tw_redis_limits_t *limits)
{
    tw_redis_sentinel_t *sentinel = tw_alloc(sizeof(*sentinel));
    assert(access->url.kind == TW_REDIS_URL_SENTINEL);
    sentinel->loop = loop;
    sentinel->access = access;
    sentinel->url = &access->url;
    sentinel->limits = limits;
    return sentinel;
}

void tw_redis_sentinel_ask(tw_redis_sentinel_t *sentinel, tw_redis_sentinel_cb callback, void *data)
{
    assert(sentinel->callback == NULL);
    sentinel->callback = callback;
    sentinel->data = data;
    sentinel->asked = 0;
    ask_current(sentinel);
}

void tw_redis_sentinel_destroy(tw_redis_sentinel_t *sentinel)
{
    if (sentinel == NULL)
        return;
    sentinel->callback = NULL;
    tw_redis_link_close(sentinel->link);
    free(sentinel);
}
