/* Commands that change sorted sets. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tests/simulation/redis/model.h"

typedef struct tw_model_zadd {
    bool if_absent, if_present, if_greater, if_less, changed, increment;
    int64_t added, updated;
    bool skipped;
    double score; /* the last one that was written */
} tw_model_zadd_t;

static int read_options(tw_model_call_t *call, tw_model_zadd_t *zadd)
{
    int at = 2;
    for (; at < call->argc; ++at) {
        const tw_model_arg_t *arg = &call->argv[at];
        if (tw_model_arg_is(arg, "nx"))
            zadd->if_absent = true;
        else if (tw_model_arg_is(arg, "xx"))
            zadd->if_present = true;
        else if (tw_model_arg_is(arg, "gt"))
            zadd->if_greater = true;
        else if (tw_model_arg_is(arg, "lt"))
            zadd->if_less = true;
        else if (tw_model_arg_is(arg, "ch"))
            zadd->changed = true;
        else if (tw_model_arg_is(arg, "incr"))
            zadd->increment = true;
        else
            break;
    }
    return at;
}

static bool check_options(tw_model_call_t *call, const tw_model_zadd_t *zadd, int pairs)
{
    if (pairs == 0 || pairs % 2 != 0)
        tw_model_syntax_error(call);
    else if (zadd->if_absent && zadd->if_present)
        tw_model_reply_error(call->out,
                             "ERR XX and NX options at the same time are not compatible");
    else if ((zadd->if_greater && zadd->if_less) ||
             (zadd->if_absent && (zadd->if_greater || zadd->if_less)))
        tw_model_reply_error(call->out,
                             "ERR GT, LT, and/or NX options at the same time are not compatible");
    else if (zadd->increment && pairs > 2)
        tw_model_reply_error(call->out, "ERR INCR option supports a single increment-element pair");
    else
        return true;
    return false;
}

/* False: the score would be no number. */
static bool add_one(tw_model_call_t *call, tw_model_zset_t *zset, tw_model_zadd_t *zadd,
                    const tw_model_arg_t *member, double score)
{
    const tw_model_entry_t *entry = tw_model_dict_find(&zset->members, member->base, member->len);
    double old = entry != NULL ? ((const tw_model_element_t *)entry->value)->score : 0;

    zadd->skipped = entry != NULL ? zadd->if_absent : zadd->if_present;
    if (zadd->skipped)
        return true;
    if (entry != NULL && zadd->increment)
        score += old;
    if (isnan(score)) {
        tw_model_reply_error(call->out, "ERR resulting score is not a number (NaN)");
        return false;
    }
    zadd->skipped =
        entry != NULL && ((zadd->if_greater && score <= old) || (zadd->if_less && score >= old));
    if (zadd->skipped)
        return true;
    zadd->score = score;
    if (tw_model_zset_set(zset, member, score))
        ++zadd->added;
    else if (score != old)
        ++zadd->updated;
    return true;
}

static void reply_added(tw_model_call_t *call, const tw_model_zadd_t *zadd)
{
    if (!zadd->increment)
        tw_model_reply_integer(call->out, zadd->added + (zadd->changed ? zadd->updated : 0));
    else if (zadd->skipped)
        tw_model_reply_nil(call->out);
    else
        tw_model_reply_double(call->out, zadd->score);
}

static void add(tw_model_call_t *call, tw_model_zadd_t *zadd, int first)
{
    int count = (call->argc - first) / 2;
    double *scores = tw_alloc((size_t)count * sizeof(*scores));
    tw_model_object_t *object = NULL;

    /* Nothing is changed when one of the scores is no number. */
    for (int i = 0; i < count; ++i) {
        const tw_model_arg_t *score = &call->argv[first + 2 * i];
        if (!tw_model_parse_double(score->base, score->len, &scores[i])) {
            tw_model_reply_error(call->out, "ERR value is not a valid float");
            free(scores);
            return;
        }
    }
    bool fine = tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object);
    if (fine && object == NULL && zadd->if_present) {
        zadd->skipped = true;
    } else if (fine) {
        object = tw_model_lookup_or_create(call, &call->argv[1], TW_MODEL_ZSET);
        for (int i = 0; fine && i < count; ++i)
            fine = add_one(call, &object->zset, zadd, &call->argv[first + 2 * i + 1], scores[i]);
    }
    if (fine)
        reply_added(call, zadd);
    free(scores);
}

void tw_model_zadd(tw_model_call_t *call)
{
    tw_model_zadd_t zadd = {0};
    int first = read_options(call, &zadd);
    if (check_options(call, &zadd, call->argc - first))
        add(call, &zadd, first);
}

void tw_model_zincrby(tw_model_call_t *call)
{
    tw_model_zadd_t zadd = {.increment = true};
    add(call, &zadd, 2);
}

void tw_model_zrem(tw_model_call_t *call)
{
    tw_model_object_t *object;
    int64_t removed = 0;

    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return;
    for (int i = 2; object != NULL && i < call->argc; ++i) {
        tw_model_entry_t *entry =
            tw_model_dict_find(&object->zset.members, call->argv[i].base, call->argv[i].len);
        if (entry == NULL)
            continue;
        tw_model_zset_remove(&object->zset, entry);
        ++removed;
    }
    tw_model_delete_if_empty(call->server, &call->argv[1]);
    tw_model_reply_integer(call->out, removed);
}

void tw_model_zpopmin(tw_model_call_t *call)
{
    tw_model_object_t *object;
    int64_t count = 1;

    if (call->argc > 3) {
        tw_model_syntax_error(call);
        return;
    }
    if (call->argc == 3 &&
        (!tw_model_parse_integer(call->argv[2].base, call->argv[2].len, &count) || count < 0)) {
        tw_model_reply_error(call->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return;
    int64_t there = object != NULL ? (int64_t)object->zset.members.used : 0;
    if (count > there)
        count = there;
    tw_model_reply_array(call->out, (size_t)count * 2);
    for (int64_t i = 0; i < count; ++i) {
        const tw_model_element_t *element = object->zset.sorted[0];
        tw_model_reply_bulk(call->out, element->entry->key, element->entry->len);
        tw_model_reply_double(call->out, element->score);
        tw_model_zset_remove(&object->zset, element->entry);
    }
    tw_model_delete_if_empty(call->server, &call->argv[1]);
}
