/* Ranges of sorted sets, by rank, score and name: read, counted, removed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/redis/model.h"

typedef enum tw_model_order { BY_RANK, BY_SCORE, BY_NAME } tw_model_order_t;

typedef struct tw_model_range {
    tw_model_order_t order;
    bool reverse, with_scores, has_limit;
    int64_t offset, count; /* LIMIT; count -1: all */
    size_t start, end;     /* places in the sorted array, end excluded */
} tw_model_range_t;

/* One end of a range by score. */
typedef struct tw_model_score_end {
    double score;
    bool excluded;
} tw_model_score_end_t;

/* One end of a range by name. */
typedef struct tw_model_name_end {
    char kind; /* '-', '+', '[' or '(' */
    tw_model_arg_t name;
} tw_model_name_end_t;

/* --- the ends --- */

/* More lenient than scores elsewhere, as Redis is: an empty one is 0. */
static bool parse_score_end(const tw_model_arg_t *arg, tw_model_score_end_t *end)
{
    char text[128], *stop;

    if (arg->len >= sizeof(text))
        return false;
    memcpy(text, arg->base, arg->len);
    text[arg->len] = '\0';
    end->excluded = text[0] == '(';
    end->score = strtod(text + end->excluded, &stop);
    return *stop == '\0' && !isnan(end->score);
}

static bool parse_name_end(const tw_model_arg_t *arg, tw_model_name_end_t *end)
{
    if (arg->len == 0 || strchr("-+[(", arg->base[0]) == NULL || arg->base[0] == '\0')
        return false;
    end->kind = arg->base[0];
    if ((end->kind == '-' || end->kind == '+') && arg->len != 1)
        return false;
    end->name = (tw_model_arg_t){arg->base + 1, arg->len - 1};
    return true;
}

/* Whether the element is before a lower end, or not behind an upper one. */
static bool is_before_score(const tw_model_element_t *element, const tw_model_score_end_t *end,
                            bool lower)
{
    if (element->score != end->score)
        return element->score < end->score;
    return lower == end->excluded;
}

static bool is_before_name(const tw_model_element_t *element, const tw_model_name_end_t *end,
                           bool lower)
{
    if (end->kind == '-' || end->kind == '+')
        return end->kind == '+';
    int order =
        tw_model_compare(element->entry->key, element->entry->len, end->name.base, end->name.len);
    if (order != 0)
        return order < 0;
    return lower == (end->kind == '(');
}

/* How many elements are before an end, which is a score or a name. */
static size_t place_of(const tw_model_zset_t *zset, const tw_model_score_end_t *score,
                       const tw_model_name_end_t *name, bool lower)
{
    size_t low = 0, high = zset->members.used;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const tw_model_element_t *element = zset->sorted[middle];
        if ((score != NULL && is_before_score(element, score, lower)) ||
            (name != NULL && is_before_name(element, name, lower)))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- finding them --- */

static bool find_ranks(tw_model_call_t *call, const tw_model_arg_t *min, const tw_model_arg_t *max,
                       const tw_model_zset_t *zset, tw_model_range_t *range)
{
    int64_t start, end, used = zset != NULL ? (int64_t)zset->members.used : 0;

    if (!tw_model_arg_integer(call, min, &start) || !tw_model_arg_integer(call, max, &end))
        return false;
    start = start < 0 ? start + used : start;
    end = end < 0 ? end + used : end;
    if (start < 0)
        start = 0;
    if (end >= used)
        end = used - 1;
    if (start > end || start >= used) {
        range->start = range->end = 0;
    } else if (range->reverse) {
        range->start = (size_t)(used - 1 - end);
        range->end = (size_t)(used - start);
    } else {
        range->start = (size_t)start;
        range->end = (size_t)end + 1;
    }
    return true;
}

static bool find_scores(tw_model_call_t *call, const tw_model_arg_t *min, const tw_model_arg_t *max,
                        const tw_model_zset_t *zset, tw_model_range_t *range)
{
    tw_model_score_end_t from, to;

    if (!parse_score_end(min, &from) || !parse_score_end(max, &to)) {
        tw_model_reply_error(call->out, "ERR min or max is not a float");
        return false;
    }
    if (zset != NULL) {
        range->start = place_of(zset, &from, NULL, true);
        range->end = place_of(zset, &to, NULL, false);
    }
    return true;
}

static bool find_names(tw_model_call_t *call, const tw_model_arg_t *min, const tw_model_arg_t *max,
                       const tw_model_zset_t *zset, tw_model_range_t *range)
{
    tw_model_name_end_t from, to;

    if (!parse_name_end(min, &from) || !parse_name_end(max, &to)) {
        tw_model_reply_error(call->out, "ERR min or max not valid string range item");
        return false;
    }
    if (zset != NULL) {
        range->start = place_of(zset, NULL, &from, true);
        range->end = place_of(zset, NULL, &to, false);
    }
    return true;
}

/* The set and the places of the range from argv[first] to argv[first + 1]; false: an error was
 * written. A set that is not there has an empty range. */
static bool find_range(tw_model_call_t *call, int first, tw_model_range_t *range,
                       tw_model_zset_t **zset)
{
    tw_model_object_t *object;
    const tw_model_arg_t *min = &call->argv[first], *max = &call->argv[first + 1];
    bool found;

    object = tw_model_lookup(call->server, &call->argv[1]);
    *zset = object != NULL && object->type == TW_MODEL_ZSET ? &object->zset : NULL;
    if (range->order == BY_RANK) {
        found = find_ranks(call, min, max, *zset, range);
    } else {
        if (range->reverse) {
            min = &call->argv[first + 1];
            max = &call->argv[first];
        }
        found = range->order == BY_SCORE ? find_scores(call, min, max, *zset, range)
                                         : find_names(call, min, max, *zset, range);
    }
    if (!found || !tw_model_lookup_type(call, &call->argv[1], TW_MODEL_ZSET, &object))
        return false;
    if (range->end < range->start)
        range->end = range->start;
    return true;
}

/* --- reading --- */

static bool read_option(tw_model_call_t *call, int *at, bool modern, tw_model_range_t *range)
{
    const tw_model_arg_t *arg = &call->argv[*at];

    if (tw_model_arg_is(arg, "withscores")) {
        range->with_scores = true;
    } else if (tw_model_arg_is(arg, "limit") && *at + 2 < call->argc) {
        if (!tw_model_arg_integer(call, &call->argv[*at + 1], &range->offset) ||
            !tw_model_arg_integer(call, &call->argv[*at + 2], &range->count))
            return false;
        range->has_limit = true;
        *at += 2;
    } else if (modern && tw_model_arg_is(arg, "byscore")) {
        range->order = BY_SCORE;
    } else if (modern && tw_model_arg_is(arg, "bylex")) {
        range->order = BY_NAME;
    } else if (modern && tw_model_arg_is(arg, "rev")) {
        range->reverse = true;
    } else {
        tw_model_syntax_error(call);
        return false;
    }
    return true;
}

static bool check_options(tw_model_call_t *call, const tw_model_range_t *range)
{
    if (range->has_limit && range->order == BY_RANK)
        tw_model_reply_error(call->out,
                             "ERR syntax error, LIMIT is only supported in combination "
                             "with either BYSCORE or BYLEX");
    else if (range->with_scores && range->order == BY_NAME)
        tw_model_reply_error(call->out,
                             "ERR syntax error, WITHSCORES not supported in combination "
                             "with BYLEX");
    else
        return true;
    return false;
}

static void apply_limit(tw_model_range_t *range)
{
    int64_t there = (int64_t)(range->end - range->start);
    int64_t skipped = range->offset < there ? range->offset : there;

    if (range->offset < 0)
        skipped = there; /* Redis gives nothing then */
    int64_t left = there - skipped;
    if (range->count >= 0 && range->count < left)
        left = range->count;
    if (range->reverse) {
        range->end -= (size_t)skipped;
        range->start = range->end - (size_t)left;
    } else {
        range->start += (size_t)skipped;
        range->end = range->start + (size_t)left;
    }
}

static void reply_range(tw_model_call_t *call, tw_model_order_t order, bool reverse, bool modern)
{
    tw_model_range_t range = {.order = order, .reverse = reverse, .count = -1};
    tw_model_zset_t *zset;

    for (int at = 4; at < call->argc; ++at)
        if (!read_option(call, &at, modern, &range))
            return;
    if (!check_options(call, &range) || !find_range(call, 2, &range, &zset))
        return;
    if (range.has_limit)
        apply_limit(&range);
    size_t count = range.end - range.start;
    tw_model_reply_array(call->out, count * (range.with_scores ? 2 : 1));
    for (size_t i = 0; i < count; ++i) {
        const tw_model_element_t *element =
            zset->sorted[range.reverse ? range.end - 1 - i : range.start + i];
        tw_model_reply_bulk(call->out, element->entry->key, element->entry->len);
        if (range.with_scores)
            tw_model_reply_double(call->out, element->score);
    }
}

void tw_model_zrange(tw_model_call_t *call)
{
    reply_range(call, BY_RANK, false, true);
}

void tw_model_zrevrange(tw_model_call_t *call)
{
    reply_range(call, BY_RANK, true, false);
}

void tw_model_zrangebyscore(tw_model_call_t *call)
{
    reply_range(call, BY_SCORE, false, false);
}

void tw_model_zrevrangebyscore(tw_model_call_t *call)
{
    reply_range(call, BY_SCORE, true, false);
}

void tw_model_zrangebylex(tw_model_call_t *call)
{
    reply_range(call, BY_NAME, false, false);
}

void tw_model_zrevrangebylex(tw_model_call_t *call)
{
    reply_range(call, BY_NAME, true, false);
}

/* --- counting and removing --- */

static void count_range(tw_model_call_t *call, tw_model_order_t order)
{
    tw_model_range_t range = {.order = order};
    tw_model_zset_t *zset;

    if (find_range(call, 2, &range, &zset))
        tw_model_reply_integer(call->out, (int64_t)(range.end - range.start));
}

void tw_model_zcount(tw_model_call_t *call)
{
    count_range(call, BY_SCORE);
}

void tw_model_zlexcount(tw_model_call_t *call)
{
    count_range(call, BY_NAME);
}

static void remove_range(tw_model_call_t *call, tw_model_order_t order)
{
    tw_model_range_t range = {.order = order};
    tw_model_zset_t *zset;

    if (!find_range(call, 2, &range, &zset))
        return;
    for (size_t i = range.start; i < range.end; ++i)
        tw_model_zset_remove(zset, zset->sorted[range.start]->entry);
    tw_model_delete_if_empty(call->server, &call->argv[1]);
    tw_model_reply_integer(call->out, (int64_t)(range.end - range.start));
}

void tw_model_zremrangebyrank(tw_model_call_t *call)
{
    remove_range(call, BY_RANK);
}

void tw_model_zremrangebyscore(tw_model_call_t *call)
{
    remove_range(call, BY_SCORE);
}

void tw_model_zremrangebylex(tw_model_call_t *call)
{
    remove_range(call, BY_NAME);
}
