/* A server and its sessions: commands out of bytes, one after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/server_inside.h"

#define ARGS_MAX (1 << 20)

/* --- the server --- */

static void draw_id(char id[TW_MODEL_RUN_ID_LEN + 1], uint64_t seed)
{
    for (int i = 0; i < TW_MODEL_RUN_ID_LEN; ++i) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        id[i] = "0123456789abcdef"[seed >> 60];
    }
    id[TW_MODEL_RUN_ID_LEN] = '\0';
}

tw_model_server_t *tw_model_server_create(const tw_model_owner_t *owner, uint64_t seed)
{
    tw_model_server_t *server = tw_alloc(sizeof(*server));

    server->owner = *owner;
    server->data = tw_model_data_create();
    LIST_INIT(&server->sessions);
    TAILQ_INIT(&server->blocking);
    tw_model_server_restart(server, seed);
    return server;
}

void tw_model_server_destroy(tw_model_server_t *server)
{
    while (!LIST_EMPTY(&server->sessions))
        tw_model_session_close(LIST_FIRST(&server->sessions));
    tw_model_data_destroy(server->data);
    tw_model_lua_destroy(server->lua);
    tw_model_dict_clear(&server->channels, NULL);
    free(server);
}

void tw_model_server_restart(tw_model_server_t *server, uint64_t seed)
{
    while (!LIST_EMPTY(&server->sessions))
        tw_model_session_close(LIST_FIRST(&server->sessions));
    tw_model_lua_destroy(server->lua);
    server->lua = tw_model_lua_create();
    server->is_replica = server->full = false;
    draw_id(server->run_id, seed);
    draw_id(server->replication_id, seed + 1);
    memset(server->replication_id2, '0', TW_MODEL_RUN_ID_LEN);
}

void tw_model_server_set_data(tw_model_server_t *server, tw_model_data_t *data)
{
    tw_model_data_destroy(server->data);
    server->data = data;
}

const tw_model_data_t *tw_model_server_data(const tw_model_server_t *server)
{
    return server->data;
}

void tw_model_server_set_master(tw_model_server_t *server, const tw_model_server_t *master,
                                uint64_t seed)
{
    server->is_replica = master != NULL;
    if (master != NULL) {
        memcpy(server->replication_id, master->replication_id, sizeof(server->replication_id));
        server->writes = master->writes;
        return;
    }
    memcpy(server->replication_id2, server->replication_id, sizeof(server->replication_id));
    draw_id(server->replication_id, seed);
}

void tw_model_server_set_full(tw_model_server_t *server, bool full)
{
    server->full = full;
}

void tw_model_server_set_memory_max(tw_model_server_t *server, size_t bytes)
{
    server->memory_max = bytes;
}

void tw_model_server_set_unsent(tw_model_server_t *server, size_t bytes)
{
    server->unsent = bytes;
}

uint64_t tw_model_server_commands(const tw_model_server_t *server)
{
    return server->commands;
}

const char *tw_model_server_run_id(const tw_model_server_t *server)
{
    return server->run_id;
}

/* --- sessions --- */

tw_model_session_t *tw_model_session_open(tw_model_server_t *server, void *data)
{
    tw_model_session_t *session = tw_alloc(sizeof(*session));
    session->server = server;
    session->data = data;
    session->id = ++server->next_session;
    LIST_INSERT_HEAD(&server->sessions, session, all);
    return session;
}

void *tw_model_session_data(const tw_model_session_t *session)
{
    return session->data;
}

void tw_model_session_close(tw_model_session_t *session)
{
    tw_model_unblock(session);
    tw_model_unsubscribe_all(session);
    LIST_REMOVE(session, all);
    tw_model_buffer_dispose(&session->input);
    free(session);
}

void tw_model_session_write(tw_model_session_t *session, const tw_model_buffer_t *out)
{
    if (out->len > 0)
        session->server->owner.on_output(session, out->bytes, out->len);
}

void tw_model_session_run(tw_model_session_t *session, int argc, const tw_model_arg_t *argv)
{
    tw_model_buffer_t out = {0};
    tw_model_call_t call = {
        .server = session->server, .session = session, .argc = argc, .argv = argv, .out = &out};

    tw_model_execute(&call);
    tw_model_session_write(session, &out);
    tw_model_buffer_dispose(&out);
    if (session->server->signalled)
        tw_model_serve_blocked(session->server);
}

/* --- commands out of bytes --- */

/* A number behind `kind` up to a line's end; the place behind it, NULL: it has not come yet, or
 * *broken. */
static const char *read_head(const char *at, const char *end, char kind, int64_t *number,
                             bool *broken)
{
    if (at == end)
        return NULL;
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (line_end == NULL)
        return NULL;
    *broken = *at != kind || line_end - at < 3 || line_end[-1] != '\r' ||
              !tw_model_parse_integer(at + 1, (size_t)(line_end - at) - 2, number) || *number < 0 ||
              *number > ((int64_t)512 << 20);
    return *broken ? NULL : line_end + 1;
}

/* Runs the command that stands at the front of the input; false: it is not whole yet, or broken. */
static bool run_next(tw_model_session_t *session)
{
    const char *at = session->input.bytes + session->parsed,
               *end = session->input.bytes + session->input.len;
    int64_t argc = 0, len = 0;
    bool broken = false;

    at = read_head(at, end, '*', &argc, &broken);
    if (at != NULL && (argc == 0 || argc > ARGS_MAX))
        broken = true;
    tw_model_arg_t small[16], *argv = small;
    if (at != NULL && !broken && argc > 16)
        argv = tw_alloc((size_t)argc * sizeof(*argv));
    int64_t n = 0;
    for (; at != NULL && !broken && n < argc; ++n) {
        at = read_head(at, end, '$', &len, &broken);
        if (at == NULL || end - at < len + 2)
            break;
        argv[n] = (tw_model_arg_t){at, (size_t)len};
        at += len + 2;
    }
    bool whole = at != NULL && !broken && n == argc;
    if (whole) {
        session->parsed = (size_t)(at - session->input.bytes);
        tw_model_session_run(session, (int)argc, argv);
    }
    if (broken)
        session->ended = true;
    if (argv != small)
        free(argv);
    return whole;
}

static size_t run_input(tw_model_session_t *session)
{
    size_t commands = 0;

    if (session->feeding)
        return 0; /* a blocked session that is served while it runs a command */
    session->feeding = true;
    while (!session->ended && session->blocked.count == 0 && session->parsed < session->input.len &&
           run_next(session))
        ++commands;
    session->feeding = false;
    if (session->parsed == session->input.len) {
        session->parsed = session->input.len = 0;
    } else if (session->parsed > 0) {
        session->input.len -= session->parsed;
        memmove(session->input.bytes, session->input.bytes + session->parsed, session->input.len);
        session->parsed = 0;
    }
    if (session->ended)
        session->server->owner.on_end(session);
    return commands;
}

size_t tw_model_session_feed(tw_model_session_t *session, const char *bytes, size_t len)
{
    tw_model_buffer_append(&session->input, bytes, len);
    return run_input(session);
}

/* --- those that block --- */

void tw_model_serve_blocked(tw_model_server_t *server)
{
    tw_model_session_t *session, *next;

    server->signalled = false;
    for (session = TAILQ_FIRST(&server->blocking); session != NULL; session = next) {
        tw_model_buffer_t out = {0};
        next = TAILQ_NEXT(session, blocking);
        if (tw_model_xread_serve(session, &out)) {
            tw_model_session_write(session, &out);
            run_input(session);
            next = TAILQ_FIRST(&server->blocking); /* what it ran may have changed the list */
        }
        tw_model_buffer_dispose(&out);
    }
}

int64_t tw_model_server_next_timeout(const tw_model_server_t *server)
{
    const tw_model_session_t *session;
    int64_t first = INT64_MAX;

    TAILQ_FOREACH(session, &server->blocking, blocking)
    if (session->blocked.deadline_us < first)
        first = session->blocked.deadline_us;
    return first;
}

void tw_model_server_expire(tw_model_server_t *server)
{
    int64_t now_us = server->owner.now_us(server->owner.data);
    tw_model_session_t *session, *next;

    for (session = TAILQ_FIRST(&server->blocking); session != NULL; session = next) {
        tw_model_buffer_t out = {0};
        next = TAILQ_NEXT(session, blocking);
        if (session->blocked.deadline_us > now_us)
            continue;
        tw_model_unblock(session);
        tw_model_reply_nil_array(&out);
        tw_model_session_write(session, &out);
        tw_model_buffer_dispose(&out);
        run_input(session);
        next = TAILQ_FIRST(&server->blocking);
    }
}
