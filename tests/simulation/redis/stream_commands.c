/* Commands of streams, but XREAD, which may block. */
#include <string.h>

#include "tests/simulation/redis/server_inside.h"

static const tw_model_id_t id_max = {UINT64_MAX, UINT64_MAX};

/* --- ids --- */

static bool parse_part(const char *bytes, size_t len, uint64_t *number)
{
    *number = 0;
    if (len == 0 || len > 20)
        return false;
    for (size_t i = 0; i < len; ++i) {
        if (bytes[i] < '0' || bytes[i] > '9' ||
            __builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(bytes[i] - '0'), number))
            return false;
    }
    return true;
}

/* "<ms>" or "<ms>-<seq>"; without a part behind the dash, or with "*" there, *auto_seq. */
static bool parse_id(const char *bytes, size_t len, uint64_t missing_seq, tw_model_id_t *id,
                     bool *auto_seq)
{
    const char *dash = memchr(bytes, '-', len);

    if (auto_seq != NULL)
        *auto_seq = false;
    if (dash == NULL) {
        id->seq = missing_seq;
        return parse_part(bytes, len, &id->ms);
    }
    size_t seq_len = len - (size_t)(dash - bytes) - 1;
    if (!parse_part(bytes, (size_t)(dash - bytes), &id->ms))
        return false;
    if (auto_seq != NULL && seq_len == 1 && dash[1] == '*')
        return *auto_seq = true;
    return parse_part(dash + 1, seq_len, &id->seq);
}

bool tw_model_parse_id(const tw_model_arg_t *arg, uint64_t missing_seq, tw_model_id_t *id)
{
    return parse_id(arg->base, arg->len, missing_seq, id, NULL);
}

static void invalid_id(tw_model_call_t *call)
{
    tw_model_reply_error(call->out, "ERR Invalid stream ID specified as stream command argument");
}

static bool next_id(tw_model_id_t *id)
{
    if (++id->seq == 0)
        ++id->ms;
    return id->ms != 0 || id->seq != 0;
}

static bool previous_id(tw_model_id_t *id)
{
    if (id->ms == 0 && id->seq == 0)
        return false;
    if (id->seq-- == 0)
        --id->ms;
    return true;
}

/* --- trimming --- */

typedef struct tw_model_trim {
    char how; /* 0: not at all, 'l': by length, 'i': by id */
    bool approx;
    int64_t length;
    tw_model_id_t min;
} tw_model_trim_t;

/* MAXLEN or MINID at argv[*at]; *at is the argument behind it then. */
static bool read_trim(tw_model_call_t *call, int *at, tw_model_trim_t *trim)
{
    bool by_length = tw_model_arg_is(&call->argv[*at], "maxlen");
    int64_t limit;

    if (trim->how != 0 || *at + 1 >= call->argc) {
        tw_model_syntax_error(call);
        return false;
    }
    trim->how = by_length ? 'l' : 'i';
    ++*at;
    trim->approx = tw_model_arg_is(&call->argv[*at], "~");
    if ((trim->approx || tw_model_arg_is(&call->argv[*at], "=")) && *at + 1 < call->argc)
        ++*at;
    const tw_model_arg_t *arg = &call->argv[(*at)++];
    if (by_length) {
        if (!tw_model_arg_integer(call, arg, &trim->length))
            return false;
        if (trim->length < 0) {
            tw_model_reply_error(call->out, "ERR The MAXLEN argument must be >= 0.");
            return false;
        }
    } else if (!parse_id(arg->base, arg->len, 0, &trim->min, NULL)) {
        invalid_id(call);
        return false;
    }
    if (*at + 1 < call->argc && tw_model_arg_is(&call->argv[*at], "limit")) {
        if (!tw_model_arg_integer(call, &call->argv[*at + 1], &limit))
            return false;
        *at += 2;
    }
    return true;
}

static size_t trim_stream(tw_model_stream_t *stream, const tw_model_trim_t *trim)
{
    if (trim->how == 'l')
        return tw_model_stream_trim_length(stream, (size_t)trim->length, trim->approx);
    if (trim->how == 'i')
        return tw_model_stream_trim_before(stream, trim->min, trim->approx);
    return 0;
}

void tw_model_xtrim(tw_model_call_t *call)
{
    tw_model_trim_t trim = {0};
    tw_model_object_t *object;
    int at = 2;

    if (!tw_model_arg_is(&call->argv[2], "maxlen") && !tw_model_arg_is(&call->argv[2], "minid")) {
        tw_model_syntax_error(call);
        return;
    }
    if (!read_trim(call, &at, &trim))
        return;
    if (at != call->argc)
        tw_model_syntax_error(call);
    else if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STREAM, &object))
        tw_model_reply_integer(call->out,
                               object != NULL ? (int64_t)trim_stream(&object->stream, &trim) : 0);
}

/* --- adding --- */

typedef struct tw_model_xadd {
    tw_model_trim_t trim;
    bool no_create, auto_id, auto_seq;
    tw_model_id_t id;
    int fields_at;
} tw_model_xadd_t;

static bool read_xadd(tw_model_call_t *call, tw_model_xadd_t *xadd)
{
    int at = 2;

    while (at < call->argc) {
        if (tw_model_arg_is(&call->argv[at], "nomkstream")) {
            xadd->no_create = true;
            ++at;
        } else if (tw_model_arg_is(&call->argv[at], "maxlen") ||
                   tw_model_arg_is(&call->argv[at], "minid")) {
            if (!read_trim(call, &at, &xadd->trim))
                return false;
        } else {
            break;
        }
    }
    if (at == call->argc) {
        tw_model_syntax_error(call);
        return false;
    }
    const tw_model_arg_t *id = &call->argv[at];
    xadd->auto_id = id->len == 1 && id->base[0] == '*';
    if (!xadd->auto_id && !parse_id(id->base, id->len, 0, &xadd->id, &xadd->auto_seq)) {
        invalid_id(call);
        return false;
    }
    xadd->fields_at = at + 1;
    if (call->argc - xadd->fields_at < 2 || (call->argc - xadd->fields_at) % 2 != 0) {
        tw_model_reply_error(call->out, "ERR wrong number of arguments for 'xadd' command");
        return false;
    }
    if (!xadd->auto_id && !xadd->auto_seq && xadd->id.ms == 0 && xadd->id.seq == 0) {
        tw_model_reply_error(call->out, "ERR The ID specified in XADD must be greater than 0-0");
        return false;
    }
    return true;
}

/* The id of the new entry; false: it would not be the greatest. */
static bool choose_id(tw_model_call_t *call, tw_model_xadd_t *xadd, tw_model_id_t last)
{
    if (xadd->auto_id) {
        xadd->id = (tw_model_id_t){(uint64_t)tw_model_now_ms(call->server), 0};
        if (tw_model_id_compare(xadd->id, last) <= 0) {
            xadd->id = last;
            next_id(&xadd->id);
        }
    } else if (xadd->auto_seq) {
        xadd->id.seq = xadd->id.ms == last.ms ? last.seq + 1 : 0;
    }
    if (tw_model_id_compare(xadd->id, last) > 0)
        return true;
    tw_model_reply_error(call->out,
                         "ERR The ID specified in XADD is equal or smaller than the "
                         "target stream top item");
    return false;
}

void tw_model_xadd(tw_model_call_t *call)
{
    const tw_model_arg_t *key = &call->argv[1];
    tw_model_xadd_t xadd = {0};
    tw_model_object_t *object;
    char id[48];

    if (!read_xadd(call, &xadd) || !tw_model_lookup_type(call, key, TW_MODEL_STREAM, &object))
        return;
    if (object == NULL && xadd.no_create) {
        tw_model_reply_nil(call->out);
        return;
    }
    bool is_new = object == NULL;
    object = tw_model_lookup_or_create(call, key, TW_MODEL_STREAM);
    if (!choose_id(call, &xadd, object->stream.last_id)) {
        if (is_new)
            tw_model_delete(call->server, key);
        return;
    }
    tw_model_stream_append(&object->stream, xadd.id, &call->argv[xadd.fields_at],
                           (size_t)(call->argc - xadd.fields_at));
    trim_stream(&object->stream, &xadd.trim);
    call->server->signalled = true;
    tw_model_reply_bulk(call->out, id, tw_model_id_print(xadd.id, id));
}

/* --- reading --- */

void tw_model_xlen(tw_model_call_t *call)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STREAM, &object))
        tw_model_reply_integer(call->out, object != NULL ? (int64_t)object->stream.count : 0);
}

/* One end of a range: "-", "+", an id, or "(" and an id. */
static bool parse_end(tw_model_call_t *call, const tw_model_arg_t *arg, bool start,
                      tw_model_id_t *id)
{
    bool excluded = arg->len > 1 && arg->base[0] == '(';
    const char *bytes = arg->base + excluded;
    size_t len = arg->len - excluded;

    if (!excluded && len == 1 && (bytes[0] == '-' || bytes[0] == '+')) {
        *id = bytes[0] == '-' ? (tw_model_id_t){0, 0} : id_max;
        return true;
    }
    if (!parse_id(bytes, len, start ? 0 : UINT64_MAX, id, NULL)) {
        invalid_id(call);
        return false;
    }
    if (excluded && !(start ? next_id(id) : previous_id(id))) {
        tw_model_reply_error(call->out, "ERR invalid %s ID for the interval",
                             start ? "start" : "end");
        return false;
    }
    return true;
}

static void reply_range(tw_model_call_t *call, const tw_model_arg_t *from, const tw_model_arg_t *to,
                        bool reverse)
{
    tw_model_object_t *object;
    tw_model_id_t first, last;
    int64_t limit = -1;

    if (!parse_end(call, from, true, &first) || !parse_end(call, to, false, &last))
        return;
    if (call->argc > 4) {
        if (call->argc != 6 || !tw_model_arg_is(&call->argv[4], "count")) {
            tw_model_syntax_error(call);
            return;
        }
        if (!tw_model_arg_integer(call, &call->argv[5], &limit))
            return;
        if (limit < 0)
            limit = 0;
    }
    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STREAM, &object))
        return;
    if (object != NULL && limit == 0) {
        tw_model_reply_nil_array(call->out);
        return;
    }
    size_t start = object != NULL ? tw_model_stream_at(&object->stream, first) : 0, end = start;
    if (object != NULL && tw_model_id_compare(first, last) <= 0)
        end = tw_model_id_compare(last, id_max) == 0
                  ? object->stream.count
                  : tw_model_stream_at(
                        &object->stream,
                        (tw_model_id_t){last.ms + (last.seq == UINT64_MAX), last.seq + 1});
    size_t count = end - start;
    if (limit > 0 && count > (size_t)limit)
        count = (size_t)limit;
    tw_model_reply_array(call->out, count);
    for (size_t i = 0; i < count; ++i)
        tw_model_reply_entry(
            call->out, tw_model_stream_entry(&object->stream, reverse ? end - 1 - i : start + i));
}

void tw_model_xrange(tw_model_call_t *call)
{
    reply_range(call, &call->argv[2], &call->argv[3], false);
}

void tw_model_xrevrange(tw_model_call_t *call)
{
    reply_range(call, &call->argv[3], &call->argv[2], true);
}

void tw_model_xdel(tw_model_call_t *call)
{
    tw_model_object_t *object;
    int64_t deleted = 0;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STREAM, &object))
        return;
    if (object == NULL) {
        tw_model_reply_integer(call->out, 0);
        return;
    }
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 2; i < call->argc; ++i) {
            tw_model_id_t id;
            if (!parse_id(call->argv[i].base, call->argv[i].len, 0, &id, NULL)) {
                invalid_id(call);
                return;
            }
            if (pass == 1)
                deleted += tw_model_stream_delete(&object->stream, id);
        }
    }
    tw_model_reply_integer(call->out, deleted);
}
