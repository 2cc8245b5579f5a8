#include "runtime/model/topic_name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"

void tw_topic_list_init(tw_topic_list_t *list, size_t max)
{
    assert(max > 0);
    *list = (tw_topic_list_t){.max = max};
}

void tw_topic_list_dispose(tw_topic_list_t *list)
{
    free(list->items);
    *list = (tw_topic_list_t){.max = list->max};
}

bool tw_topic_name_valid(const char *base, size_t len)
{
    if (len == 0 || len > TW_TOPIC_NAME_MAX)
        return false;
    /* Clients and proxies remove such segments of a path (RFC 3986 section 5.2.4). */
    if (base[0] == '.' && (len == 1 || (len == 2 && base[1] == '.')))
        return false;
    for (size_t i = 0; i < len; ++i)
        if (base[i] <= ' ' || base[i] > '~' || base[i] == ',')
            return false;
    return true;
}

tw_topic_name_t tw_topic_name(const char *base, size_t len)
{
    return (tw_topic_name_t){.base = base, .len = len, .hash = tw_hash(base, len)};
}

uint32_t tw_topic_lane(const tw_topic_name_t *name, uint32_t lanes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, for tw_hash() has a key of its own */

    if (lanes <= 1)
        return 0;
    for (size_t i = 0; i < name->len; ++i)
        hash = (hash ^ (unsigned char)name->base[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)((hash ^ hash >> 32) % lanes);
}

size_t tw_topic_names_size(const tw_topic_name_t *names, size_t count)
{
    size_t bytes = count * sizeof(*names);
    for (size_t i = 0; i < count; ++i)
        bytes += names[i].len;
    return bytes;
}

char *tw_topic_names_copy(tw_topic_name_t *to, const tw_topic_name_t *names, size_t count)
{
    char *bytes = (char *)(to + count);
    for (size_t i = 0; i < count; ++i) {
        to[i] = names[i];
        to[i].base = memcpy(bytes, names[i].base, names[i].len);
        bytes += names[i].len;
    }
    return bytes;
}

bool tw_topic_name_equal(const tw_topic_name_t *a, const tw_topic_name_t *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->base, b->base, a->len) == 0;
}

int tw_topic_name_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order =
        common > 0 ? memcmp(a, b, common) : 0; /* the address of an empty name may be NULL */
    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static bool contains(const tw_topic_list_t *list, const tw_topic_name_t *name)
{
    for (size_t i = 0; i < list->count; ++i)
        if (tw_topic_name_equal(&list->items[i], name))
            return true;
    return false;
}

static tw_topic_list_result_t add_one(tw_topic_list_t *list, const char *base, size_t len)
{
    if (!tw_topic_name_valid(base, len)) {
        list->bad = (tw_topic_name_t){.base = base, .len = len};
        return TW_TOPIC_LIST_INVALID;
    }
    if (list->named == list->max)
        return TW_TOPIC_LIST_TOO_MANY;
    ++list->named;
    tw_topic_name_t name = tw_topic_name(base, len);
    if (contains(list, &name))
        return TW_TOPIC_LIST_OK;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        list->items = tw_realloc(list->items, list->capacity * sizeof(*list->items));
    }
    list->items[list->count++] = name;
    return TW_TOPIC_LIST_OK;
}

tw_topic_list_result_t tw_topic_list_add(tw_topic_list_t *list, const char *text, size_t len)
{
    tw_text_t rest = tw_text(text, len), item;

    while (tw_text_next_item(&rest, &item)) {
        tw_topic_list_result_t result = add_one(list, item.base, item.len);
        if (result != TW_TOPIC_LIST_OK)
            return result;
    }
    return TW_TOPIC_LIST_OK;
}
