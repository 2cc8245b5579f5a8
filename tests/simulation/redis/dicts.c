#include "tests/simulation/redis/dicts.h"

void tw_model_dict_remove_named(tw_model_call_t *call, tw_model_type_t type,
                                void (*dispose)(tw_model_entry_t *entry))
{
    tw_model_object_t *object;
    int64_t removed = 0;

    if (!tw_model_lookup_type(call, &call->argv[1], type, &object))
        return;
    for (int i = 2; object != NULL && i < call->argc; ++i) {
        tw_model_entry_t *entry =
            tw_model_dict_find(&object->dict, call->argv[i].base, call->argv[i].len);
        if (entry == NULL)
            continue;
        if (dispose != NULL)
            dispose(entry);
        tw_model_meter(-(ptrdiff_t)entry->len);
        tw_model_dict_remove(&object->dict, entry);
        ++removed;
    }
    tw_model_delete_if_empty(call->server, &call->argv[1]);
    tw_model_reply_integer(call->out, removed);
}

void tw_model_dict_reply_size(tw_model_call_t *call, tw_model_type_t type)
{
    tw_model_object_t *object;
    if (tw_model_lookup_type(call, &call->argv[1], type, &object))
        tw_model_reply_integer(call->out, object != NULL ? (int64_t)object->dict.used : 0);
}

void tw_model_dict_reply_has(tw_model_call_t *call, tw_model_type_t type)
{
    const tw_model_arg_t *name = &call->argv[2];
    tw_model_object_t *object;

    if (tw_model_lookup_type(call, &call->argv[1], type, &object))
        tw_model_reply_integer(
            call->out,
            object != NULL && tw_model_dict_find(&object->dict, name->base, name->len) != NULL);
}

void tw_model_dict_visit_name(tw_model_entry_t *entry, void *data)
{
    tw_model_scan_t *scan = data;
    ++scan->seen;
    if (!tw_model_scan_matches(scan, entry->key, entry->len))
        return;
    ++scan->found;
    tw_model_reply_bulk(&scan->elements, entry->key, entry->len);
}
