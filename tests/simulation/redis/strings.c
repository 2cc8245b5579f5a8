/* Commands of strings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/redis/model.h"

static void put_string(tw_model_call_t *call, const tw_model_arg_t *key,
                       const tw_model_arg_t *value, int64_t expires_ms)
{
    tw_model_object_t *object = tw_model_object_create(TW_MODEL_STRING);
    tw_model_lookup(call->server, key); /* from here on it is this data set that is metered */
    object->string = tw_model_text_create(value->base, value->len);
    object->expires_ms = expires_ms;
    tw_model_put(call->server, key, object);
}

static bool reply_string(tw_model_call_t *call, const tw_model_arg_t *key)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, key, TW_MODEL_STRING, &object))
        return false;
    if (object == NULL)
        tw_model_reply_nil(call->out);
    else
        tw_model_reply_bulk(call->out, object->string->bytes, object->string->len);
    return true;
}

void tw_model_get(tw_model_call_t *call)
{
    reply_string(call, &call->argv[1]);
}

void tw_model_getdel(tw_model_call_t *call)
{
    if (reply_string(call, &call->argv[1]))
        tw_model_delete(call->server, &call->argv[1]);
}

void tw_model_mget(tw_model_call_t *call)
{
    tw_model_reply_array(call->out, (size_t)call->argc - 1);
    for (int i = 1; i < call->argc; ++i) {
        const tw_model_object_t *object = tw_model_lookup(call->server, &call->argv[i]);
        if (object == NULL || object->type != TW_MODEL_STRING)
            tw_model_reply_nil(call->out);
        else
            tw_model_reply_bulk(call->out, object->string->bytes, object->string->len);
    }
}

void tw_model_mset(tw_model_call_t *call)
{
    if (call->argc % 2 == 0) {
        tw_model_reply_error(call->out, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    for (int i = 1; i < call->argc; i += 2)
        put_string(call, &call->argv[i], &call->argv[i + 1], -1);
    tw_model_reply_status(call->out, "OK");
}

void tw_model_setnx(tw_model_call_t *call)
{
    bool is_new = tw_model_lookup(call->server, &call->argv[1]) == NULL;
    if (is_new)
        put_string(call, &call->argv[1], &call->argv[2], -1);
    tw_model_reply_integer(call->out, is_new);
}

typedef struct tw_model_set_options {
    bool if_absent, if_present, keep_ttl, get;
    const char *expiry; /* "ex", "px", "exat" or "pxat"; NULL: none */
    int64_t number;
} tw_model_set_options_t;

static bool read_set_option(tw_model_call_t *call, int *at, tw_model_set_options_t *options)
{
    static const char *const expiries[] = {"ex", "px", "exat", "pxat"};
    const tw_model_arg_t *arg = &call->argv[*at];

    if (tw_model_arg_is(arg, "nx") && !options->if_present)
        return options->if_absent = true;
    if (tw_model_arg_is(arg, "xx") && !options->if_absent)
        return options->if_present = true;
    if (tw_model_arg_is(arg, "get"))
        return options->get = true;
    if (tw_model_arg_is(arg, "keepttl") && options->expiry == NULL)
        return options->keep_ttl = true;
    for (size_t i = 0; i < 4; ++i) {
        if (!tw_model_arg_is(arg, expiries[i]) || options->expiry != NULL || options->keep_ttl ||
            *at + 1 == call->argc)
            continue;
        options->expiry = expiries[i];
        return tw_model_arg_integer(call, &call->argv[++*at], &options->number);
    }
    tw_model_syntax_error(call);
    return false;
}

/* The end of a value's life; false: the number cannot be one. */
static bool expiry_of(tw_model_call_t *call, const tw_model_set_options_t *options,
                      int64_t *ends_ms)
{
    bool seconds = options->expiry[0] == 'e', absolute = strlen(options->expiry) == 4;

    if (options->number <= 0 || options->number > INT64_MAX / 4 / (seconds ? 1000 : 1)) {
        tw_model_reply_error(call->out, "ERR invalid expire time in 'set' command");
        return false;
    }
    *ends_ms = options->number * (seconds ? 1000 : 1);
    if (!absolute)
        *ends_ms += tw_model_now_ms(call->server);
    return true;
}

void tw_model_set(tw_model_call_t *call)
{
    const tw_model_arg_t *key = &call->argv[1];
    tw_model_set_options_t options = {0};
    int64_t expires_ms = -1;

    for (int at = 3; at < call->argc; ++at)
        if (!read_set_option(call, &at, &options))
            return;
    if (options.expiry != NULL && !expiry_of(call, &options, &expires_ms))
        return;
    if (options.get && !reply_string(call, key))
        return;
    const tw_model_object_t *old = tw_model_lookup(call->server, key);
    if ((options.if_absent && old != NULL) || (options.if_present && old == NULL)) {
        if (!options.get)
            tw_model_reply_nil(call->out);
        return;
    }
    if (options.keep_ttl && old != NULL)
        expires_ms = old->expires_ms;
    put_string(call, key, &call->argv[2], expires_ms);
    if (!options.get)
        tw_model_reply_status(call->out, "OK");
}

static void add(tw_model_call_t *call, int64_t change)
{
    const tw_model_arg_t *key = &call->argv[1];
    tw_model_object_t *object;
    int64_t value = 0;
    char text[24];

    if (!tw_model_lookup_type(call, key, TW_MODEL_STRING, &object))
        return;
    if (object != NULL &&
        !tw_model_parse_integer(object->string->bytes, object->string->len, &value)) {
        tw_model_reply_error(call->out, "ERR value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(value, change, &value)) {
        tw_model_reply_error(call->out, "ERR increment or decrement would overflow");
        return;
    }
    const tw_model_arg_t written = {text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value)};
    put_string(call, key, &written, object != NULL ? object->expires_ms : -1);
    tw_model_reply_integer(call->out, value);
}

void tw_model_incr(tw_model_call_t *call)
{
    add(call, 1);
}

void tw_model_decr(tw_model_call_t *call)
{
    add(call, -1);
}

void tw_model_incrby(tw_model_call_t *call)
{
    int64_t change;
    if (tw_model_arg_integer(call, &call->argv[2], &change))
        add(call, change);
}

void tw_model_decrby(tw_model_call_t *call)
{
    int64_t change;
    if (!tw_model_arg_integer(call, &call->argv[2], &change))
        return;
    if (change == INT64_MIN)
        tw_model_reply_error(call->out, "ERR decrement would overflow");
    else
        add(call, -change);
}

void tw_model_strlen(tw_model_call_t *call)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STRING, &object))
        tw_model_reply_integer(call->out, object != NULL ? (int64_t)object->string->len : 0);
}

void tw_model_append(tw_model_call_t *call)
{
    tw_model_buffer_t joined = {0};
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_STRING, &object))
        return;
    if (object != NULL)
        tw_model_buffer_append(&joined, object->string->bytes, object->string->len);
    tw_model_buffer_append(&joined, call->argv[2].base, call->argv[2].len);
    const tw_model_arg_t value = {joined.bytes, joined.len};
    put_string(call, &call->argv[1], &value, object != NULL ? object->expires_ms : -1);
    tw_model_reply_integer(call->out, (int64_t)joined.len);
    tw_model_buffer_dispose(&joined);
}
