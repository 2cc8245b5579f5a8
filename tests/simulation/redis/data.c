/* The data set: objects by key, and when they expire. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/server_inside.h"

#define OBJECT_BYTES 64 /* what a key costs besides its name and value, about */

/* The data set that is being changed; there is one thread. */
static size_t *meter;

void tw_model_meter(ptrdiff_t bytes)
{
    if (meter != NULL)
        *meter += (size_t)bytes;
}

tw_model_text_t *tw_model_text_create(const char *bytes, size_t len)
{
    tw_model_text_t *text = tw_alloc(sizeof(*text) + len + 1);
    text->len = len;
    if (len > 0)
        memcpy(text->bytes, bytes, len);
    tw_model_meter((ptrdiff_t)(sizeof(*text) + len));
    return text;
}

void tw_model_text_free(void *text)
{
    if (text != NULL)
        tw_model_meter(-(ptrdiff_t)(sizeof(tw_model_text_t) + ((tw_model_text_t *)text)->len));
    free(text);
}

tw_model_object_t *tw_model_object_create(tw_model_type_t type)
{
    tw_model_object_t *object = tw_alloc(sizeof(*object));
    object->type = type;
    object->expires_ms = -1;
    return object;
}

void tw_model_object_free(void *data)
{
    tw_model_object_t *object = data;

    switch (object->type) {
    case TW_MODEL_STRING:
        tw_model_text_free(object->string);
        break;
    case TW_MODEL_HASH:
    case TW_MODEL_SET:
        tw_model_dict_clear(&object->dict, tw_model_text_free);
        break;
    case TW_MODEL_ZSET:
        tw_model_zset_dispose(&object->zset);
        break;
    case TW_MODEL_STREAM:
        tw_model_stream_dispose(&object->stream);
        break;
    }
    free(object);
}

static void clone_dict(tw_model_dict_t *to, const tw_model_dict_t *from)
{
    for (const tw_model_entry_t *entry = from->first; entry != NULL; entry = entry->next) {
        const tw_model_text_t *text = entry->value;
        tw_model_dict_add(to, entry->key, entry->len)->value =
            text != NULL ? tw_model_text_create(text->bytes, text->len) : NULL;
    }
}

tw_model_object_t *tw_model_object_clone(const tw_model_object_t *object)
{
    tw_model_object_t *clone = tw_model_object_create(object->type);

    clone->expires_ms = object->expires_ms;
    switch (object->type) {
    case TW_MODEL_STRING:
        clone->string = tw_model_text_create(object->string->bytes, object->string->len);
        break;
    case TW_MODEL_HASH:
    case TW_MODEL_SET:
        clone_dict(&clone->dict, &object->dict);
        break;
    case TW_MODEL_ZSET:
        tw_model_zset_clone(&clone->zset, &object->zset);
        break;
    case TW_MODEL_STREAM:
        tw_model_stream_clone(&clone->stream, &object->stream);
        break;
    }
    return clone;
}

tw_model_data_t *tw_model_data_create(void)
{
    return tw_alloc(sizeof(tw_model_data_t));
}

tw_model_data_t *tw_model_data_clone(const tw_model_data_t *from)
{
    tw_model_data_t *data = tw_model_data_create();
    size_t *metered = meter;

    meter = NULL;
    for (const tw_model_entry_t *entry = from->keys.first; entry != NULL; entry = entry->next)
        tw_model_dict_add(&data->keys, entry->key, entry->len)->value =
            tw_model_object_clone(entry->value);
    meter = metered;
    data->bytes = from->bytes;
    return data;
}

void tw_model_data_destroy(tw_model_data_t *data)
{
    if (data == NULL)
        return;
    if (meter == &data->bytes)
        meter = NULL;
    size_t *metered = meter;
    meter = NULL;
    tw_model_dict_clear(&data->keys, tw_model_object_free);
    meter = metered;
    free(data);
}

size_t tw_model_data_bytes(const tw_model_data_t *data)
{
    return data->bytes;
}

/* --- keys --- */

int64_t tw_model_now_ms(const tw_model_server_t *server)
{
    int64_t now_us = server->script_now_us != 0 ? server->script_now_us
                                                : server->owner.wall_us(server->owner.data);
    return now_us / 1000;
}

static void remove_key(tw_model_data_t *data, tw_model_entry_t *entry)
{
    meter = &data->bytes;
    tw_model_meter(-(ptrdiff_t)(OBJECT_BYTES + entry->len));
    tw_model_object_free(entry->value);
    tw_model_dict_remove(&data->keys, entry);
}

static tw_model_entry_t *find(tw_model_server_t *server, const tw_model_arg_t *key)
{
    tw_model_entry_t *entry = tw_model_dict_find(&server->data->keys, key->base, key->len);

    meter = &server->data->bytes;
    if (entry == NULL)
        return NULL;
    const tw_model_object_t *object = entry->value;
    if (object->expires_ms == -1 || object->expires_ms > tw_model_now_ms(server))
        return entry;
    if (!server->is_replica) /* a replica waits for its master's word */
        remove_key(server->data, entry);
    return NULL;
}

tw_model_object_t *tw_model_lookup(tw_model_server_t *server, const tw_model_arg_t *key)
{
    tw_model_entry_t *entry = find(server, key);
    return entry != NULL ? entry->value : NULL;
}

bool tw_model_lookup_type(tw_model_call_t *call, const tw_model_arg_t *key, tw_model_type_t type,
                          tw_model_object_t **object)
{
    *object = tw_model_lookup(call->server, key);
    if (*object == NULL || (*object)->type == type)
        return true;
    tw_model_reply_error(call->out,
                         "WRONGTYPE Operation against a key holding the wrong kind of "
                         "value");
    return false;
}

tw_model_object_t *tw_model_lookup_or_create(tw_model_call_t *call, const tw_model_arg_t *key,
                                             tw_model_type_t type)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, key, type, &object))
        return NULL;
    if (object == NULL) {
        object = tw_model_object_create(type);
        tw_model_put(call->server, key, object);
    }
    return object;
}

void tw_model_put(tw_model_server_t *server, const tw_model_arg_t *key, tw_model_object_t *object)
{
    tw_model_entry_t *entry = find(server, key);

    if (entry != NULL) {
        tw_model_object_free(entry->value);
    } else {
        entry = tw_model_dict_add(&server->data->keys, key->base, key->len);
        tw_model_meter((ptrdiff_t)(OBJECT_BYTES + key->len));
    }
    entry->value = object;
}

bool tw_model_delete(tw_model_server_t *server, const tw_model_arg_t *key)
{
    tw_model_entry_t *entry = find(server, key);
    if (entry == NULL)
        return false;
    remove_key(server->data, entry);
    return true;
}

static bool is_empty(const tw_model_object_t *object)
{
    switch (object->type) {
    case TW_MODEL_HASH:
    case TW_MODEL_SET:
        return object->dict.used == 0;
    case TW_MODEL_ZSET:
        return object->zset.members.used == 0;
    default:
        return false;
    }
}

void tw_model_delete_if_empty(tw_model_server_t *server, const tw_model_arg_t *key)
{
    tw_model_entry_t *entry = find(server, key);
    if (entry != NULL && is_empty(entry->value))
        remove_key(server->data, entry);
}
