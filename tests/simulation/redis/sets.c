/* Commands of sets. */
#include "tests/simulation/redis/dicts.h"

#define BLOCK_ENTRIES_MAX                                                                          \
    512 /* a set of few numbers is one block, which a scan returns as a whole */

void tw_model_sadd(tw_model_call_t *call)
{
    tw_model_object_t *object = tw_model_lookup_or_create(call, &call->argv[1], TW_MODEL_SET);
    int64_t added = 0;

    if (object == NULL)
        return;
    for (int i = 2; i < call->argc; ++i) {
        const tw_model_arg_t *member = &call->argv[i];
        if (tw_model_dict_find(&object->dict, member->base, member->len) != NULL)
            continue;
        tw_model_dict_add(&object->dict, member->base, member->len);
        tw_model_meter((ptrdiff_t)member->len);
        ++added;
    }
    tw_model_reply_integer(call->out, added);
}

void tw_model_srem(tw_model_call_t *call)
{
    tw_model_dict_remove_named(call, TW_MODEL_SET, NULL);
}

/* Which members it takes is Redis' own choice; here, those that were added first. */
void tw_model_spop(tw_model_call_t *call)
{
    tw_model_object_t *object;
    int64_t count;

    if (!tw_model_arg_integer(call, &call->argv[2], &count) ||
        !tw_model_lookup_type(call, &call->argv[1], TW_MODEL_SET, &object))
        return;
    size_t used = object != NULL ? object->dict.used : 0;
    size_t taken = count < 0 ? 0 : (size_t)count < used ? (size_t)count : used;
    tw_model_reply_array(call->out, taken);
    for (; taken > 0; --taken) {
        tw_model_entry_t *entry = object->dict.first;
        tw_model_reply_bulk(call->out, entry->key, entry->len);
        tw_model_meter(-(ptrdiff_t)entry->len);
        tw_model_dict_remove(&object->dict, entry);
    }
    tw_model_delete_if_empty(call->server, &call->argv[1]);
}

void tw_model_scard(tw_model_call_t *call)
{
    tw_model_dict_reply_size(call, TW_MODEL_SET);
}

void tw_model_sismember(tw_model_call_t *call)
{
    tw_model_dict_reply_has(call, TW_MODEL_SET);
}

void tw_model_smembers(tw_model_call_t *call)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_SET, &object))
        return;
    tw_model_reply_array(call->out, object != NULL ? object->dict.used : 0);
    for (const tw_model_entry_t *entry = object != NULL ? object->dict.first : NULL; entry != NULL;
         entry = entry->next)
        tw_model_reply_bulk(call->out, entry->key, entry->len);
}

static bool is_block(const tw_model_dict_t *dict)
{
    int64_t number;

    if (dict->used > BLOCK_ENTRIES_MAX)
        return false;
    for (const tw_model_entry_t *entry = dict->first; entry != NULL; entry = entry->next)
        if (!tw_model_parse_integer(entry->key, entry->len, &number))
            return false;
    return true;
}

void tw_model_sscan(tw_model_call_t *call)
{
    tw_model_object_t *object;
    tw_model_scan_t scan;

    if (!tw_model_scan_begin(call, 2, &scan) ||
        !tw_model_lookup_type(call, &call->argv[1], TW_MODEL_SET, &object))
        return;
    if (object == NULL)
        scan.cursor = 0;
    else
        tw_model_scan_run(&scan, &object->dict, is_block(&object->dict), tw_model_dict_visit_name);
    tw_model_scan_reply(call, &scan);
}
