#include "runtime/redis/client/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/redis/client/sentinel.h"

struct tw_redis_client {
    uv_loop_t *loop; /* borrowed */
    tw_redis_client_config_t config;
    const tw_redis_client_callbacks_t *callbacks;
    void *data;
    tw_redis_client_state_t state;
    tw_redis_sentinel_t *sentinel;     /* owned; NULL without Sentinel */
    tw_redis_connection_t *connection; /* owned; NULL while LOCATING and WAITING */
    uv_timer_t retry;
    uint32_t backoff_ms; /* upper bound of the next pause */
    tw_redis_endpoint_t master;
    tw_redis_server_t server;
};

static void attempt(tw_redis_client_t *client);

const char *tw_redis_client_state_label(tw_redis_client_state_t state)
{
    static const char *const labels[] = {
#define X(name, label) label,
        TW_REDIS_CLIENT_STATE_TABLE(X)
#undef X
    };
    return labels[state];
}

tw_redis_client_state_t tw_redis_client_state(const tw_redis_client_t *client)
{
    return client->state;
}

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
    bool was_up = client->state == TW_REDIS_CLIENT_UP;
    tw_redis_connection_t *connection = client->connection;

    if (client->state == TW_REDIS_CLIENT_CLOSED)
        return;
    client->state = TW_REDIS_CLIENT_WAITING;
    client->connection = NULL;
    tw_redis_connection_close(connection);
    uint32_t pause_ms = next_pause_ms(client);
    uv_timer_start(&client->retry, on_retry, pause_ms, 0);
    client->callbacks->on_down(reason, was_up, pause_ms, client->data);
}

static void on_fail(const char *reason, void *data)
{
    go_down(data, reason);
}

void tw_redis_client_reset(tw_redis_client_t *client, const char *reason)
{
    if (client != NULL && client->state == TW_REDIS_CLIENT_UP)
        tw_redis_connection_fail(client->connection, reason);
}

/* ---- what the server says about itself ---- */

/* Refuses the server, with its name before the reason. */
__attribute__((format(printf, 2, 3))) static void refuse(tw_redis_client_t *client,
                                                         const char *format, ...)
{
    char reason[TW_REDIS_ENDPOINT_TEXT_MAX + TW_REDIS_ERROR_MAX];
    size_t len = (size_t)snprintf(reason, sizeof(reason), "%s: ", client->server.endpoint);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason + len, sizeof(reason) - len, format, arguments);
    va_end(arguments);
    tw_redis_connection_fail(client->connection, reason);
}

/* The value of `name` in HELLO's flat list of names and values, or "". */
static const char *hello_value(const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            strcmp(key->str, name) == 0)
            return value->str;
    }
    return "";
}

static bool is_new_enough(const char *version)
{
    char *end;
    unsigned long major = strtoul(version, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > TW_REDIS_VERSION_MIN_MAJOR ||
           (major == TW_REDIS_VERSION_MIN_MAJOR && minor >= TW_REDIS_VERSION_MIN_MINOR);
}

static void on_hello(const redisReply *reply, void *data)
{
    tw_redis_client_t *client = data;

    if (reply == NULL)
        return; /* on_fail follows */
    if (reply->type == REDIS_REPLY_ERROR) {
        if (strstr(reply->str, "unknown command") != NULL)
            refuse(client, "this Redis is older than %d.%d (it does not know HELLO)",
                   TW_REDIS_VERSION_MIN_MAJOR, TW_REDIS_VERSION_MIN_MINOR);
        else
            refuse(client, "it refuses us: %s", reply->str);
        return;
    }
    const char *role = hello_value(reply, "role");
    snprintf(client->server.version, sizeof(client->server.version), "%s",
             hello_value(reply, "version"));
    if (!is_new_enough(client->server.version))
        refuse(client, "this Redis is version %s, older than %d.%d", client->server.version,
               TW_REDIS_VERSION_MIN_MAJOR, TW_REDIS_VERSION_MIN_MINOR);
    else if (strcmp(role, "master") != 0)
        refuse(client, "this Redis is a %s; Tideway needs the master", role);
    else if (strcmp(hello_value(reply, "mode"), "cluster") == 0)
        refuse(client, "this Redis runs in cluster mode; Tideway needs a single master");
}

static void on_select(const redisReply *reply, void *data)
{
    tw_redis_client_t *client = data;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        refuse(client, "database %u cannot be used: %s", client->config.url->db, reply->str);
}

/* Copies the value of a line "name:value" of INFO; "" when there is none. */
static void info_value(const char *info, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n')
            ++line;
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, size, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            return;
        }
    }
}

static void on_info(const redisReply *reply, void *data)
{
    tw_redis_client_t *client = data;
    tw_redis_server_t *server = &client->server;
    char value[64];

    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STRING) {
        refuse(client, "INFO is refused: %s",
               reply->type == REDIS_REPLY_ERROR ? reply->str : "it is no text");
        return;
    }
    info_value(reply->str, "loading", value, sizeof(value));
    if (strcmp(value, "1") == 0) {
        refuse(client, "it still loads its data");
        return;
    }
    info_value(reply->str, "run_id", server->run_id, sizeof(server->run_id));
    info_value(reply->str, "maxmemory", value, sizeof(value));
    server->memory_limited = strcmp(value, "0") != 0;
    info_value(reply->str, "maxmemory_policy", value, sizeof(value));
    server->may_evict = strcmp(value, "noeviction") != 0;
    server->evicts_lasting = strncmp(value, "allkeys", 7) == 0;
    client->state = TW_REDIS_CLIENT_UP;
    client->backoff_ms = client->config.backoff_min_ms;
    client->callbacks->on_up(server, client->data);
}

/* ---- an attempt ---- */

static void send_greeting(tw_redis_client_t *client, int argc, const char *const *argv,
                          tw_redis_reply_cb on_reply)
{
    size_t lens[8];
    for (int i = 0; i < argc; ++i)
        lens[i] = strlen(argv[i]);
    tw_redis_connection_send(client->connection, argc, argv, lens, on_reply, client);
}

static void on_open(void *data)
{
    tw_redis_client_t *client = data;
    const tw_redis_url_t *url = client->config.url;
    char db[16];
    const char *hello[8] = {"HELLO", "2"};
    int argc = 2;

    client->state = TW_REDIS_CLIENT_GREETING;
    if (url->password != NULL) {
        hello[argc++] = "AUTH";
        hello[argc++] = url->user != NULL ? url->user : "default";
        hello[argc++] = url->password;
    }
    hello[argc++] = "SETNAME";
    hello[argc++] = client->config.name;
    send_greeting(client, argc, hello, on_hello);
    if (url->db != 0) {
        snprintf(db, sizeof(db), "%u", url->db);
        send_greeting(client, 2, (const char *[]){"SELECT", db}, on_select);
    }
    send_greeting(client, 1, (const char *[]){"INFO"}, on_info);
}

static void on_push(const redisReply *reply, void *data)
{
    tw_redis_client_t *client = data;
    if (client->callbacks->on_push != NULL)
        client->callbacks->on_push(reply, client->data);
    else
        tw_redis_connection_fail(client->connection, "a reply came that nothing asked for");
}

/* A master that became a replica, or lost its data set, says so in its replies. */
static void on_error(const redisReply *reply, void *data)
{
    tw_redis_client_t *client = data;
    if (client->state == TW_REDIS_CLIENT_UP &&
        (strstr(reply->str, "READONLY") != NULL || strncmp(reply->str, "LOADING", 7) == 0 ||
         strncmp(reply->str, "NOAUTH", 6) == 0 || strncmp(reply->str, "NOSCRIPT", 8) == 0 ||
         strncmp(reply->str, "MASTERDOWN", 10) == 0))
        refuse(client, "%s", reply->str);
}

static void connect_to_master(tw_redis_client_t *client)
{
    static const tw_redis_connection_callbacks_t callbacks = {
        .on_open = on_open, .on_push = on_push, .on_error = on_error, .on_fail = on_fail};
    client->state = TW_REDIS_CLIENT_CONNECTING;
    client->server = (tw_redis_server_t){.memory_limited = false};
    tw_redis_endpoint_text(&client->master, client->server.endpoint,
                           sizeof(client->server.endpoint));
    client->connection = tw_redis_connection_open(client->loop, &client->master, client->config.tls,
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
    if (client->sentinel == NULL) {
        client->master = client->config.url->endpoints[0];
        connect_to_master(client);
        return;
    }
    client->state = TW_REDIS_CLIENT_LOCATING;
    tw_redis_sentinel_ask(client->sentinel, on_master, client);
}

/* ---- life ---- */

tw_redis_client_t *tw_redis_client_create(uv_loop_t *loop, const tw_redis_client_config_t *config,
                                          const tw_redis_client_callbacks_t *callbacks, void *data)
{
    tw_redis_client_t *client = tw_alloc(sizeof(*client));
    assert(config->url->tls == (config->tls != NULL));
    assert(config->backoff_min_ms > 0 && config->backoff_min_ms <= config->backoff_max_ms);
    client->loop = loop;
    client->config = *config;
    client->callbacks = callbacks;
    client->data = data;
    client->backoff_ms = config->backoff_min_ms;
    uv_timer_init(loop, &client->retry);
    client->retry.data = client;
    if (config->url->master_name != NULL)
        client->sentinel = tw_redis_sentinel_create(loop, client->config.url, client->config.tls,
                                                    &client->config.limits);
    return client;
}

void tw_redis_client_start(tw_redis_client_t *client)
{
    assert(client->state == TW_REDIS_CLIENT_IDLE);
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
    client->state = TW_REDIS_CLIENT_CLOSED;
    tw_redis_sentinel_destroy(client->sentinel);
    tw_redis_connection_close(client->connection);
    uv_close((uv_handle_t *)&client->retry, on_timer_closed);
}

/* ---- commands ---- */

int tw_redis_client_send(tw_redis_client_t *client, int argc, const char *const *argv,
                         const size_t *lens, tw_redis_reply_cb on_reply, void *data)
{
    if (client == NULL || client->state != TW_REDIS_CLIENT_UP)
        return -1;
    return tw_redis_connection_send(client->connection, argc, argv, lens, on_reply, data);
}

void tw_redis_client_flush(tw_redis_client_t *client)
{
    if (client != NULL && client->state == TW_REDIS_CLIENT_UP)
        tw_redis_connection_flush(client->connection);
}

int tw_redis_client_send_push(tw_redis_client_t *client, int argc, const char *const *argv,
                              const size_t *lens)
{
    if (client == NULL || client->state != TW_REDIS_CLIENT_UP)
        return -1;
    return tw_redis_connection_send_push(client->connection, argc, argv, lens);
}
