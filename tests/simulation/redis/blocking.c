/* XREAD, and the sessions that it blocks; XINFO STREAM. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/server_inside.h"

/* --- answering --- */

static const tw_model_stream_t *stream_of(tw_model_server_t *server, const tw_model_text_t *name)
{
    const tw_model_arg_t key = {name->bytes, name->len};
    const tw_model_object_t *object = tw_model_lookup(server, &key);
    return object != NULL && object->type == TW_MODEL_STREAM ? &object->stream : NULL;
}

static bool has_more(const tw_model_stream_t *stream, tw_model_id_t after)
{
    return stream != NULL && stream->count > 0 &&
           tw_model_id_compare(tw_model_stream_entry(stream, stream->count - 1)->id, after) > 0;
}

static void reply_stream(const tw_model_stream_t *stream, const tw_model_text_t *key,
                         tw_model_id_t after, int64_t limit, tw_model_buffer_t *out)
{
    const tw_model_id_t first = {after.ms + (after.seq == UINT64_MAX), after.seq + 1};
    size_t start = tw_model_stream_at(stream, first), count = stream->count - start;

    if (limit > 0 && count > (size_t)limit)
        count = (size_t)limit;
    tw_model_reply_array(out, 2);
    tw_model_reply_bulk(out, key->bytes, key->len);
    tw_model_reply_array(out, count);
    for (size_t i = 0; i < count; ++i)
        tw_model_reply_entry(out, tw_model_stream_entry(stream, start + i));
}

static bool serve(tw_model_server_t *server, const tw_model_blocked_t *blocked,
                  tw_model_buffer_t *out)
{
    size_t with_more = 0;

    for (size_t i = 0; i < blocked->count; ++i)
        with_more += has_more(stream_of(server, blocked->keys[i]), blocked->after[i]);
    if (with_more == 0)
        return false;
    tw_model_reply_array(out, with_more);
    for (size_t i = 0; i < blocked->count; ++i) {
        const tw_model_stream_t *stream = stream_of(server, blocked->keys[i]);
        if (has_more(stream, blocked->after[i]))
            reply_stream(stream, blocked->keys[i], blocked->after[i], blocked->limit, out);
    }
    return true;
}

static void forget(tw_model_blocked_t *blocked)
{
    for (size_t i = 0; i < blocked->count; ++i)
        free(blocked->keys[i]);
    free(blocked->keys);
    free(blocked->after);
    *blocked = (tw_model_blocked_t){0};
}

void tw_model_unblock(tw_model_session_t *session)
{
    if (session->blocked.count == 0)
        return;
    TAILQ_REMOVE(&session->server->blocking, session, blocking);
    forget(&session->blocked);
}

bool tw_model_xread_serve(tw_model_session_t *session, tw_model_buffer_t *out)
{
    if (!serve(session->server, &session->blocked, out))
        return false;
    tw_model_unblock(session);
    return true;
}

/* --- the command --- */

static bool read_options(tw_model_call_t *call, int *at, int64_t *limit, int64_t *block_ms)
{
    for (*at = 1; *at < call->argc && !tw_model_arg_is(&call->argv[*at], "streams"); *at += 2) {
        bool counts = tw_model_arg_is(&call->argv[*at], "count");
        int64_t *number = counts ? limit : block_ms;

        if ((!counts && !tw_model_arg_is(&call->argv[*at], "block")) || *at + 1 == call->argc) {
            tw_model_syntax_error(call);
            return false;
        }
        if (!tw_model_arg_integer(call, &call->argv[*at + 1], number))
            return false;
        if (!counts && *number < 0) {
            tw_model_reply_error(call->out, "ERR timeout is negative");
            return false;
        }
    }
    int streams = call->argc - ++*at;
    if (streams >= 2 && streams % 2 == 0)
        return true;
    if (streams > 0)
        tw_model_reply_error(call->out,
                             "ERR Unbalanced XREAD list of streams: for each stream key an ID "
                             "or '$' must be specified.");
    else
        tw_model_syntax_error(call);
    return false;
}

/* "$" is what the stream has given out last. */
static bool read_after(tw_model_call_t *call, const tw_model_arg_t *key, const tw_model_arg_t *id,
                       tw_model_id_t *after)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, key, TW_MODEL_STREAM, &object))
        return false;
    if (id->len == 1 && id->base[0] == '$') {
        *after = object != NULL ? object->stream.last_id : (tw_model_id_t){0, 0};
        return true;
    }
    if (tw_model_parse_id(id, 0, after))
        return true;
    tw_model_reply_error(call->out, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

static bool read_streams(tw_model_call_t *call, int at, tw_model_blocked_t *wanted)
{
    size_t count = (size_t)(call->argc - at) / 2;

    wanted->keys = tw_alloc(count * sizeof(*wanted->keys));
    wanted->after = tw_alloc(count * sizeof(*wanted->after));
    for (; wanted->count < count; ++wanted->count) {
        const tw_model_arg_t *key = &call->argv[at + (int)wanted->count];
        if (!read_after(call, key, key + count, &wanted->after[wanted->count]))
            return false;
        tw_model_text_t *name = tw_alloc(sizeof(*name) + key->len + 1); /* not of the data set */
        name->len = key->len;
        memcpy(name->bytes, key->base, key->len);
        wanted->keys[wanted->count] = name;
    }
    return true;
}

void tw_model_xread(tw_model_call_t *call)
{
    tw_model_blocked_t wanted = {.deadline_us = INT64_MAX};
    tw_model_server_t *server = call->server;
    int64_t block_ms = -1;
    int at;

    if (!read_options(call, &at, &wanted.limit, &block_ms))
        return;
    if (call->in_script && block_ms >= 0) {
        tw_model_reply_error(call->out,
                             "ERR XREAD command is not allowed with BLOCK option from scripts");
        return;
    }
    if (!read_streams(call, at, &wanted) || serve(server, &wanted, call->out)) {
        forget(&wanted);
        return;
    }
    if (block_ms < 0) {
        forget(&wanted);
        tw_model_reply_nil_array(call->out);
        return;
    }
    if (block_ms > 0)
        wanted.deadline_us = server->owner.now_us(server->owner.data) + block_ms * 1000;
    call->session->blocked = wanted;
    TAILQ_INSERT_TAIL(&server->blocking, call->session, blocking);
}

/* --- XINFO STREAM --- */

static void reply_field(tw_model_call_t *call, const char *name, int64_t number)
{
    tw_model_reply_text(call->out, name);
    tw_model_reply_integer(call->out, number);
}

static void reply_id_field(tw_model_call_t *call, const char *name, tw_model_id_t id)
{
    char text[48];
    tw_model_reply_text(call->out, name);
    tw_model_reply_bulk(call->out, text, tw_model_id_print(id, text));
}

static void reply_edge(tw_model_call_t *call, const char *name, const tw_model_stream_t *stream,
                       size_t index)
{
    tw_model_reply_text(call->out, name);
    if (stream->count == 0)
        tw_model_reply_nil(call->out);
    else
        tw_model_reply_entry(call->out, tw_model_stream_entry(stream, index));
}

void tw_model_xinfo(tw_model_call_t *call)
{
    tw_model_object_t *object;
    size_t nodes = 0;

    if (call->argc != 3 || !tw_model_arg_is(&call->argv[1], "stream")) {
        tw_model_syntax_error(call);
        return;
    }
    if (!tw_model_lookup_type(call, &call->argv[2], TW_MODEL_STREAM, &object))
        return;
    if (object == NULL) {
        tw_model_reply_error(call->out, "ERR no such key");
        return;
    }
    const tw_model_stream_t *stream = &object->stream;
    for (size_t i = 0; i < stream->count; ++i)
        nodes += tw_model_stream_entry(stream, i)->opens_node;
    tw_model_reply_array(call->out, 20);
    reply_field(call, "length", (int64_t)stream->count);
    reply_field(call, "radix-tree-keys", (int64_t)nodes);
    reply_field(call, "radix-tree-nodes", (int64_t)nodes + 1);
    reply_id_field(call, "last-generated-id", stream->last_id);
    reply_id_field(call, "max-deleted-entry-id", stream->max_deleted);
    reply_field(call, "entries-added", (int64_t)stream->added);
    reply_id_field(call, "recorded-first-entry-id",
                   stream->count > 0 ? tw_model_stream_entry(stream, 0)->id : (tw_model_id_t){0});
    reply_field(call, "groups", 0);
    reply_edge(call, "first-entry", stream, 0);
    reply_edge(call, "last-entry", stream, stream->count - 1);
}
