#include "tests/simulation/redis/dict.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SIZE_MIN ((size_t)4)
#define FILL_MIN_PERCENT 10

/* FNV-1a with a last mix: the same in every run. */
static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; ++i)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static void resize(tw_model_dict_t *dict, size_t size)
{
    free(dict->buckets);
    dict->buckets = tw_alloc(size * sizeof(tw_model_entry_t *));
    dict->size = size;
    for (tw_model_entry_t *entry = dict->first; entry != NULL; entry = entry->next) {
        tw_model_entry_t **bucket = &dict->buckets[entry->hash & (size - 1)];
        entry->chain = *bucket;
        *bucket = entry;
    }
}

tw_model_entry_t *tw_model_dict_find(const tw_model_dict_t *dict, const char *key, size_t len)
{
    if (dict->used == 0)
        return NULL;
    uint64_t hash = hash_of(key, len);
    tw_model_entry_t *entry = dict->buckets[hash & (dict->size - 1)];
    while (entry != NULL &&
           (entry->hash != hash || entry->len != len || memcmp(entry->key, key, len) != 0))
        entry = entry->chain;
    return entry;
}

tw_model_entry_t *tw_model_dict_add(tw_model_dict_t *dict, const char *key, size_t len)
{
    tw_model_entry_t *entry = tw_alloc(sizeof(*entry) + len + 1);

    if (dict->used >= dict->size)
        resize(dict, dict->size == 0 ? SIZE_MIN : dict->size * 2);
    entry->hash = hash_of(key, len);
    entry->len = len;
    memcpy(entry->key, key, len);
    tw_model_entry_t **bucket = &dict->buckets[entry->hash & (dict->size - 1)];
    entry->chain = *bucket;
    *bucket = entry;
    entry->prev = dict->last;
    *(dict->last != NULL ? &dict->last->next : &dict->first) = entry;
    dict->last = entry;
    ++dict->used;
    return entry;
}

void tw_model_dict_remove(tw_model_dict_t *dict, tw_model_entry_t *entry)
{
    tw_model_entry_t **at = &dict->buckets[entry->hash & (dict->size - 1)];

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    *(entry->prev != NULL ? &entry->prev->next : &dict->first) = entry->next;
    *(entry->next != NULL ? &entry->next->prev : &dict->last) = entry->prev;
    free(entry);
    --dict->used;
    if (dict->size > SIZE_MIN && dict->used * 100 / dict->size < FILL_MIN_PERCENT) {
        size_t size = SIZE_MIN;
        while (size < dict->used)
            size *= 2;
        resize(dict, size);
    }
}

void tw_model_dict_clear(tw_model_dict_t *dict, void (*free_value)(void *value))
{
    tw_model_entry_t *entry = dict->first, *next;

    for (; entry != NULL; entry = next) {
        next = entry->next;
        if (free_value != NULL)
            free_value(entry->value);
        free(entry);
    }
    free(dict->buckets);
    *dict = (tw_model_dict_t){0};
}

static uint64_t reverse_bits(uint64_t v)
{
    uint64_t reversed = 0;
    for (int i = 0; i < 64; ++i, v >>= 1)
        reversed = (reversed << 1) | (v & 1);
    return reversed;
}

uint64_t tw_model_dict_scan(const tw_model_dict_t *dict, uint64_t cursor, tw_model_visit_fn visit,
                            void *data)
{
    if (dict->used == 0)
        return 0;
    uint64_t mask = dict->size - 1;
    tw_model_entry_t *entry = dict->buckets[cursor & mask], *next;
    for (; entry != NULL; entry = next) {
        next = entry->chain;
        visit(entry, data);
    }
    /* The bits above the mask are set, so that the carry of the reversed increment goes through. */
    return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}
