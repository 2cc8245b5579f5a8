/* A sorted set: members by name, and an array of them in order. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/model.h"

#define ELEMENT_BYTES 48

static int compare(const tw_model_element_t *a, double score, const char *member, size_t len)
{
    if (a->score != score)
        return a->score < score ? -1 : 1;
    return tw_model_compare(a->entry->key, a->entry->len, member, len);
}

/* Where a member of this score stands, or would stand. */
static size_t place_of(const tw_model_zset_t *zset, double score, const char *member, size_t len)
{
    size_t low = 0, high = zset->members.used;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(zset->sorted[middle], score, member, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t tw_model_zset_rank(const tw_model_zset_t *zset, const tw_model_element_t *element)
{
    return place_of(zset, element->score, element->entry->key, element->entry->len);
}

static void insert(tw_model_zset_t *zset, tw_model_element_t *element, size_t count)
{
    if (count == zset->capacity) {
        zset->capacity = zset->capacity * 2 + 8;
        zset->sorted = tw_realloc(zset->sorted, zset->capacity * sizeof(*zset->sorted));
    }
    /* The array does not have it yet, the dictionary may. */
    size_t used = zset->members.used;
    zset->members.used = count;
    size_t at = place_of(zset, element->score, element->entry->key, element->entry->len);
    zset->members.used = used;
    memmove(zset->sorted + at + 1, zset->sorted + at, (count - at) * sizeof(*zset->sorted));
    zset->sorted[at] = element;
}

static void take_out(tw_model_zset_t *zset, const tw_model_element_t *element)
{
    size_t at = tw_model_zset_rank(zset, element);
    memmove(zset->sorted + at, zset->sorted + at + 1,
            (zset->members.used - at - 1) * sizeof(*zset->sorted));
}

bool tw_model_zset_set(tw_model_zset_t *zset, const tw_model_arg_t *member, double score)
{
    tw_model_entry_t *entry = tw_model_dict_find(&zset->members, member->base, member->len);
    bool is_new = entry == NULL;
    tw_model_element_t *element;

    if (is_new) {
        entry = tw_model_dict_add(&zset->members, member->base, member->len);
        element = entry->value = tw_alloc(sizeof(*element));
        element->entry = entry;
        tw_model_meter((ptrdiff_t)(ELEMENT_BYTES + member->len));
    } else {
        element = entry->value;
        if (element->score == score)
            return false;
        take_out(zset, element);
    }
    element->score = score;
    insert(zset, element, zset->members.used - 1);
    return is_new;
}

void tw_model_zset_remove(tw_model_zset_t *zset, tw_model_entry_t *entry)
{
    take_out(zset, entry->value);
    free(entry->value);
    tw_model_meter(-(ptrdiff_t)(ELEMENT_BYTES + entry->len));
    tw_model_dict_remove(&zset->members, entry);
}

void tw_model_zset_dispose(tw_model_zset_t *zset)
{
    for (const tw_model_entry_t *entry = zset->members.first; entry != NULL; entry = entry->next)
        tw_model_meter(-(ptrdiff_t)(ELEMENT_BYTES + entry->len));
    tw_model_dict_clear(&zset->members, free);
    free(zset->sorted);
}

void tw_model_zset_clone(tw_model_zset_t *to, const tw_model_zset_t *from)
{
    for (const tw_model_entry_t *entry = from->members.first; entry != NULL; entry = entry->next) {
        const tw_model_arg_t member = {entry->key, entry->len};
        tw_model_zset_set(to, &member, ((const tw_model_element_t *)entry->value)->score);
    }
}
