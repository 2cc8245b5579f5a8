#include "handlers/tokens/patterns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* A topic is printable ASCII without blank and comma. */
static bool is_possible(tw_text_t text)
{
    for (size_t i = 0; i < text.len; ++i)
        if (text.base[i] <= ' ' || text.base[i] > '~' || text.base[i] == ',')
            return false;
    return text.len <= TW_PATTERN_MAX;
}

bool tw_patterns_add(tw_patterns_t *set, tw_text_t pattern, tw_pattern_kind_t kind)
{
    bool starred = pattern.len > 0 && pattern.base[pattern.len - 1] == '*';
    bool prefix = starred && (kind == TW_PATTERN_ANY_PREFIX || pattern.len == 1);
    tw_text_t text = tw_text(pattern.base, pattern.len - prefix);

    if (pattern.len == 0 || !is_possible(text))
        return false;
    set->items = tw_realloc(set->items, (set->count + 1) * sizeof(*set->items));
    set->bytes = tw_realloc(set->bytes, set->byte_count + text.len + 1);
    set->items[set->count++] = (tw_pattern_t){
        .at = (uint32_t)set->byte_count, .len = (uint16_t)text.len, .prefix = prefix};
    memcpy(set->bytes + set->byte_count, text.base, text.len);
    set->byte_count += text.len;
    return true;
}

/* The order of bytes; a text comes before those that it begins. */
static int compare_texts(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* Of equal texts the prefix comes first, and covers the name. */
static int compare_items(const void *left, const void *right, void *data)
{
    const tw_pattern_t *a = left, *b = right;
    const char *bytes = data;
    int order = compare_texts(bytes + a->at, a->len, bytes + b->at, b->len);

    return order != 0 ? order : (int)b->prefix - (int)a->prefix;
}

static bool item_matches(const tw_patterns_t *set, const tw_pattern_t *item, const char *topic,
                         size_t len)
{
    return (item->prefix ? len >= item->len : len == item->len) &&
           memcmp(set->bytes + item->at, topic, item->len) == 0;
}

/* What a prefix covers stands right behind it, so that comparing with the last one that was kept is
 * enough. */
void tw_patterns_seal(tw_patterns_t *set)
{
    size_t kept = 0;

    if (set->count == 0)
        return;
    qsort_r(set->items, set->count, sizeof(*set->items), compare_items, set->bytes);
    for (size_t i = 0; i < set->count; ++i) {
        const tw_pattern_t item = set->items[i];
        const tw_pattern_t *last = kept > 0 ? &set->items[kept - 1] : NULL;
        if (last == NULL || !item_matches(set, last, set->bytes + item.at, item.len))
            set->items[kept++] = item;
    }
    set->count = kept;
}

bool tw_patterns_parse(const char *list, tw_patterns_t *set, tw_text_t *bad)
{
    tw_text_t rest = tw_text_of(list), item;

    *set = (tw_patterns_t){.items = NULL};
    while (tw_text_next_item(&rest, &item)) {
        if (!tw_patterns_add(set, item, TW_PATTERN_ANY_PREFIX)) {
            *bad = item;
            tw_patterns_dispose(set);
            return false;
        }
    }
    tw_patterns_seal(set);
    return true;
}

bool tw_patterns_match(const tw_patterns_t *set, const char *topic, size_t len)
{
    size_t low = 0, high = set->count; /* the patterns below `low` are not greater than the topic */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const tw_pattern_t *item = &set->items[middle];
        if (compare_texts(set->bytes + item->at, item->len, topic, len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && item_matches(set, &set->items[low - 1], topic, len);
}

size_t tw_patterns_size(const tw_patterns_t *set)
{
    return set->count * sizeof(*set->items) + set->byte_count;
}

void tw_patterns_dispose(tw_patterns_t *set)
{
    free(set->items);
    free(set->bytes);
    *set = (tw_patterns_t){.items = NULL};
}
