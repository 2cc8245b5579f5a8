#include "runtime/redis/client/greeting.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/redis/client/info.h"

/* Commands that every server of the right version has, unless it is no Redis or hides them. */
static const char *const needed[] = {"EVALSHA", "SCRIPT", "XADD", "XREAD", "XTRIM"};

#define NEEDED_COUNT (sizeof(needed) / sizeof(*needed))

static void finish(tw_redis_greeting_t *greeting, const char *problem)
{
    if (greeting->done)
        return;
    greeting->done = true;
    greeting->on_done(problem, greeting->data);
}

/* Ends the greeting; the reason begins with the server's address. */
__attribute__((format(printf, 2, 3))) static void refuse(tw_redis_greeting_t *greeting,
                                                         const char *format, ...)
{
    char reason[TW_REDIS_ENDPOINT_TEXT_MAX + TW_REDIS_ERROR_MAX];
    size_t len = (size_t)snprintf(reason, sizeof(reason), "%s: ", greeting->server.endpoint);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason + len, sizeof(reason) - len, format, arguments);
    va_end(arguments);
    finish(greeting, reason);
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
    tw_redis_greeting_t *greeting = data;
    tw_redis_server_t *server = &greeting->server;

    if (reply == NULL || greeting->done)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        if (strstr(reply->str, "unknown command") != NULL)
            refuse(greeting, "this Redis is older than %d.%d (it does not know HELLO)",
                   TW_REDIS_VERSION_MIN_MAJOR, TW_REDIS_VERSION_MIN_MINOR);
        else
            refuse(greeting, "it refuses us: %s", reply->str);
        return;
    }
    const char *role = hello_value(reply, "role");
    snprintf(server->version, sizeof(server->version), "%s", hello_value(reply, "version"));
    if (!is_new_enough(server->version))
        refuse(greeting, "this Redis is version %s, older than %d.%d", server->version,
               TW_REDIS_VERSION_MIN_MAJOR, TW_REDIS_VERSION_MIN_MINOR);
    else if (strcmp(role, "master") != 0)
        refuse(greeting, "this Redis is a %s; Tideway needs the master", role);
    else if (!greeting->wants_cluster && strcmp(hello_value(reply, "mode"), "cluster") == 0)
        refuse(greeting, "this Redis runs in cluster mode: the URL has to be redis+cluster://…");
}

static void on_select(const redisReply *reply, void *data)
{
    tw_redis_greeting_t *greeting = data;
    if (reply != NULL && !greeting->done && reply->type == REDIS_REPLY_ERROR)
        refuse(greeting, "its database cannot be used: %s", reply->str);
}

/*
 * An element for each command that was asked for, nil when the server does not have it. Who may not
 * ask goes on without the answer: the first use of such a command says what is wrong.
 */
static void on_commands(const redisReply *reply, void *data)
{
    tw_redis_greeting_t *greeting = data;

    if (reply == NULL || greeting->done || reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < reply->elements && i < NEEDED_COUNT; ++i) {
        const redisReply *command = reply->element[i];
        if (command->type == REDIS_REPLY_NIL ||
            (command->type == REDIS_REPLY_ARRAY && command->elements == 0)) {
            refuse(greeting, "this server does not have the command %s, which Tideway needs",
                   needed[i]);
            return;
        }
    }
}

static void on_info(const redisReply *reply, void *data)
{
    tw_redis_greeting_t *greeting = data;
    tw_redis_server_t *server = &greeting->server;
    char value[64], run_id[64], replid[64];

    if (reply == NULL || greeting->done)
        return;
    if (reply->type != REDIS_REPLY_STRING) {
        refuse(greeting, "INFO is refused: %s",
               reply->type == REDIS_REPLY_ERROR ? reply->str : "it is no text");
        return;
    }
    tw_redis_info_value(reply->str, "loading", value, sizeof(value));
    if (strcmp(value, "1") == 0) {
        refuse(greeting, "it still loads its data");
        return;
    }
    tw_redis_info_value(reply->str, "run_id", run_id, sizeof(run_id));
    tw_redis_info_value(reply->str, "master_replid", replid, sizeof(replid));
    if (run_id[0] == '\0' || replid[0] == '\0') {
        refuse(greeting,
               "this server has no %s in its INFO, so a restart or a failover could not be "
               "noticed: Tideway needs Redis or Valkey",
               run_id[0] == '\0' ? "run_id" : "master_replid");
        return;
    }
    snprintf(server->identity, sizeof(server->identity), "%.60s:%.60s", run_id, replid);
    server->risks = tw_redis_info_risks(reply->str);
    finish(greeting, NULL);
}

static void ask(tw_redis_greeting_t *greeting, int argc, const char *const *argv,
                tw_redis_reply_cb on_reply)
{
    size_t lens[8];
    for (int i = 0; i < argc; ++i)
        lens[i] = strlen(argv[i]);
    tw_redis_link_send(greeting->link, argc, argv, lens, on_reply, greeting);
}

/* 0, or -1 when the password cannot be read and `error` says why. */
static int ask_who_it_is(tw_redis_greeting_t *greeting, const tw_redis_credentials_t *credentials,
                         const char *name, char *error, size_t error_size)
{
    const char *hello[8] = {"HELLO", "2"};
    char password[TW_REDIS_PASSWORD_MAX];
    int argc = 2, result = 0;

    if (tw_redis_credentials_given(credentials)) {
        result = tw_redis_credentials_password(credentials, password, error, error_size);
        hello[argc++] = "AUTH";
        hello[argc++] = credentials->user != NULL ? credentials->user : "default";
        hello[argc++] = password;
    }
    hello[argc++] = "SETNAME";
    hello[argc++] = name;
    if (result == 0)
        ask(greeting, argc, hello, on_hello);
    OPENSSL_cleanse(password, sizeof(password));
    return result;
}

void tw_redis_greeting_send(tw_redis_greeting_t *greeting, tw_redis_link_t *link,
                            const tw_redis_endpoint_t *endpoint, const tw_redis_access_t *access,
                            const char *name)
{
    const char *commands[2 + NEEDED_COUNT] = {"COMMAND", "INFO"};
    char db[16], error[TW_REDIS_ERROR_MAX];

    greeting->link = link;
    greeting->done = false;
    greeting->wants_cluster = access->url.kind == TW_REDIS_URL_CLUSTER;
    greeting->server = (tw_redis_server_t){.risks = 0};
    tw_redis_endpoint_text(endpoint, greeting->server.endpoint, sizeof(greeting->server.endpoint));
    if (ask_who_it_is(greeting, &access->redis, name, error, sizeof(error)) != 0) {
        refuse(greeting, "%s", error);
        return;
    }
    if (access->url.db != 0) {
        snprintf(db, sizeof(db), "%u", access->url.db);
        ask(greeting, 2, (const char *[]){"SELECT", db}, on_select);
    }
    memcpy(commands + 2, needed, sizeof(needed));
    ask(greeting, 2 + NEEDED_COUNT, commands, on_commands);
    ask(greeting, 1, (const char *[]){"INFO"}, on_info);
}
