/* Commands of hashes. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/simulation/redis/dicts.h"

/* Small ones are one block, which a scan returns as a whole. */
#define BLOCK_ENTRIES_MAX 128
#define BLOCK_VALUE_MAX 64

static bool set_field(tw_model_dict_t *dict, const tw_model_arg_t *field,
                      const tw_model_arg_t *value)
{
    tw_model_entry_t *entry = tw_model_dict_find(dict, field->base, field->len);
    bool is_new = entry == NULL;

    if (is_new) {
        entry = tw_model_dict_add(dict, field->base, field->len);
        tw_model_meter((ptrdiff_t)field->len);
    } else {
        tw_model_text_free(entry->value);
    }
    entry->value = tw_model_text_create(value->base, value->len);
    return is_new;
}

/* Sets what argv has from 2 on; false: an error was written. */
static bool set_fields(tw_model_call_t *call, const char *name, int64_t *added)
{
    *added = 0;
    if (call->argc % 2 != 0) {
        tw_model_reply_error(call->out, "ERR wrong number of arguments for '%s' command", name);
        return false;
    }
    tw_model_object_t *object = tw_model_lookup_or_create(call, &call->argv[1], TW_MODEL_HASH);
    if (object == NULL)
        return false;
    for (int i = 2; i < call->argc; i += 2)
        *added += set_field(&object->dict, &call->argv[i], &call->argv[i + 1]);
    return true;
}

void tw_model_hset(tw_model_call_t *call)
{
    int64_t added;
    if (set_fields(call, "hset", &added))
        tw_model_reply_integer(call->out, added);
}

void tw_model_hmset(tw_model_call_t *call)
{
    int64_t added;
    if (set_fields(call, "hmset", &added))
        tw_model_reply_status(call->out, "OK");
}

void tw_model_hsetnx(tw_model_call_t *call)
{
    const tw_model_arg_t *field = &call->argv[2];
    tw_model_object_t *object = tw_model_lookup_or_create(call, &call->argv[1], TW_MODEL_HASH);

    if (object == NULL)
        return;
    bool is_new = tw_model_dict_find(&object->dict, field->base, field->len) == NULL;
    if (is_new)
        set_field(&object->dict, field, &call->argv[3]);
    tw_model_reply_integer(call->out, is_new);
}

static void reply_field(tw_model_call_t *call, const tw_model_object_t *object,
                        const tw_model_arg_t *field)
{
    const tw_model_entry_t *entry =
        object != NULL ? tw_model_dict_find(&object->dict, field->base, field->len) : NULL;
    if (entry == NULL) {
        tw_model_reply_nil(call->out);
        return;
    }
    const tw_model_text_t *value = entry->value;
    tw_model_reply_bulk(call->out, value->bytes, value->len);
}

void tw_model_hget(tw_model_call_t *call)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_HASH, &object))
        reply_field(call, object, &call->argv[2]);
}

void tw_model_hmget(tw_model_call_t *call)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_HASH, &object))
        return;
    tw_model_reply_array(call->out, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; ++i)
        reply_field(call, object, &call->argv[i]);
}

void tw_model_hexists(tw_model_call_t *call)
{
    tw_model_dict_reply_has(call, TW_MODEL_HASH);
}

void tw_model_hlen(tw_model_call_t *call)
{
    tw_model_dict_reply_size(call, TW_MODEL_HASH);
}

static void free_value(tw_model_entry_t *entry)
{
    tw_model_text_free(entry->value);
}

void tw_model_hdel(tw_model_call_t *call)
{
    tw_model_dict_remove_named(call, TW_MODEL_HASH, free_value);
}

static void reply_all(tw_model_call_t *call, bool keys, bool values)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_HASH, &object))
        return;
    if (object == NULL) {
        tw_model_reply_array(call->out, 0);
        return;
    }
    tw_model_reply_array(call->out, object->dict.used * ((size_t)keys + values));
    for (const tw_model_entry_t *entry = object->dict.first; entry != NULL; entry = entry->next) {
        const tw_model_text_t *value = entry->value;
        if (keys)
            tw_model_reply_bulk(call->out, entry->key, entry->len);
        if (values)
            tw_model_reply_bulk(call->out, value->bytes, value->len);
    }
}

void tw_model_hgetall(tw_model_call_t *call)
{
    reply_all(call, true, true);
}

void tw_model_hkeys(tw_model_call_t *call)
{
    reply_all(call, true, false);
}

void tw_model_hvals(tw_model_call_t *call)
{
    reply_all(call, false, true);
}

void tw_model_hincrby(tw_model_call_t *call)
{
    const tw_model_arg_t *field = &call->argv[2];
    int64_t change, value = 0;
    char text[24];

    if (!tw_model_arg_integer(call, &call->argv[3], &change))
        return;
    tw_model_object_t *object = tw_model_lookup_or_create(call, &call->argv[1], TW_MODEL_HASH);
    if (object == NULL)
        return;
    const tw_model_entry_t *entry = tw_model_dict_find(&object->dict, field->base, field->len);
    const tw_model_text_t *old = entry != NULL ? entry->value : NULL;
    if (old != NULL && !tw_model_parse_integer(old->bytes, old->len, &value)) {
        tw_model_reply_error(call->out, "ERR hash value is not an integer");
    } else if (__builtin_add_overflow(value, change, &value)) {
        tw_model_reply_error(call->out, "ERR increment or decrement would overflow");
    } else {
        const tw_model_arg_t written = {text,
                                        (size_t)snprintf(text, sizeof(text), "%" PRId64, value)};
        set_field(&object->dict, field, &written);
        tw_model_reply_integer(call->out, value);
    }
    tw_model_delete_if_empty(call->server, &call->argv[1]);
}

static bool is_block(const tw_model_dict_t *dict)
{
    if (dict->used > BLOCK_ENTRIES_MAX)
        return false;
    for (const tw_model_entry_t *entry = dict->first; entry != NULL; entry = entry->next)
        if (entry->len > BLOCK_VALUE_MAX ||
            ((const tw_model_text_t *)entry->value)->len > BLOCK_VALUE_MAX)
            return false;
    return true;
}

static void visit_field(tw_model_entry_t *entry, void *data)
{
    tw_model_scan_t *scan = data;
    const tw_model_text_t *value = entry->value;

    scan->seen += 2; /* Redis counts what it will answer */
    if (!tw_model_scan_matches(scan, entry->key, entry->len))
        return;
    scan->found += 2;
    tw_model_reply_bulk(&scan->elements, entry->key, entry->len);
    tw_model_reply_bulk(&scan->elements, value->bytes, value->len);
}

void tw_model_hscan(tw_model_call_t *call)
{
    tw_model_object_t *object;
    tw_model_scan_t scan;

    if (!tw_model_scan_begin(call, 2, &scan) ||
        !tw_model_lookup_type(call, &call->argv[1], TW_MODEL_HASH, &object))
        return;
    scan.count *= 2;
    if (object == NULL)
        scan.cursor = 0;
    else
        tw_model_scan_run(&scan, &object->dict, is_block(&object->dict), visit_field);
    tw_model_scan_reply(call, &scan);
}
