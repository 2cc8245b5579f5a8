/* Commands that read single members of sorted sets. */
#include "tests/simulation/redis/model.h"

static const tw_model_element_t *find(const tw_model_object_t *object, const tw_model_arg_t *member)
{
    const tw_model_entry_t *entry =
        object != NULL ? tw_model_dict_find(&object->zset.members, member->base, member->len)
                       : NULL;
    return entry != NULL ? entry->value : NULL;
}

static void reply_score(tw_model_call_t *call, const tw_model_element_t *element)
{
    if (element != NULL)
        tw_model_reply_double(call->out, element->score);
    else
        tw_model_reply_nil(call->out);
}

void tw_model_zcard(tw_model_call_t *call)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        tw_model_reply_integer(call->out, object != NULL ? (int64_t)object->zset.members.used : 0);
}

void tw_model_zscore(tw_model_call_t *call)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        reply_score(call, find(object, &call->argv[2]));
}

void tw_model_zmscore(tw_model_call_t *call)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return;
    tw_model_reply_array(call->out, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; ++i)
        reply_score(call, find(object, &call->argv[i]));
}

void tw_model_zrank(tw_model_call_t *call)
{
    tw_model_object_t *object;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return;
    const tw_model_element_t *element = find(object, &call->argv[2]);
    if (element != NULL)
        tw_model_reply_integer(call->out, (int64_t)tw_model_zset_rank(&object->zset, element));
    else
        tw_model_reply_nil(call->out);
}

#define BLOCK_ENTRIES_MAX 128
#define BLOCK_MEMBER_MAX 64

static bool is_block(const tw_model_dict_t *members)
{
    if (members->used > BLOCK_ENTRIES_MAX)
        return false;
    for (const tw_model_entry_t *entry = members->first; entry != NULL; entry = entry->next)
        if (entry->len > BLOCK_MEMBER_MAX)
            return false;
    return true;
}

static void visit_member(tw_model_entry_t *entry, void *data)
{
    tw_model_scan_t *scan = data;

    scan->seen += 2;
    if (!tw_model_scan_matches(scan, entry->key, entry->len))
        return;
    scan->found += 2;
    tw_model_reply_bulk(&scan->elements, entry->key, entry->len);
    tw_model_reply_double(&scan->elements, ((const tw_model_element_t *)entry->value)->score);
}

void tw_model_zscan(tw_model_call_t *call)
{
    tw_model_object_t *object;
    tw_model_scan_t scan;

    if (!tw_model_scan_begin(call, 2, &scan) ||
        !tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return;
    scan.count *= 2;
    if (object == NULL)
        scan.cursor = 0;
    else
        tw_model_scan_run(&scan, &object->zset.members, is_block(&object->zset.members),
                          visit_member);
    tw_model_scan_reply(call, &scan);
}
