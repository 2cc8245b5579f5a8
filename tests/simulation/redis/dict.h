/**
 * A hash table as Redis has it: buckets by a power of two that grow when they are full and shrink
 * when nine tenths are empty, and a scan whose cursor counts the bits of the bucket's number in
 * reverse. What a SCAN finds, and what it misses when its caller begins at 0 again, is so what it
 * is in Redis. (Redis moves to the new size step by step; here it is one step, which no reply
 * shows.)
 *
 * Entries are also in a list in the order in which they came, for replies in a stable order.
 */
#ifndef TW_SIM_REDIS_DICT_H
#define TW_SIM_REDIS_DICT_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw_model_entry {
    struct tw_model_entry *chain;       /* the next one in its bucket */
    struct tw_model_entry *prev, *next; /* in order of insertion */
    uint64_t hash;
    void *value; /* the owner's */
    size_t len;
    char key[]; /* NUL behind it */
} tw_model_entry_t;

typedef struct tw_model_dict {
    tw_model_entry_t **buckets; /* owned; NULL when size is 0 */
    size_t size;                /* a power of two, or 0 */
    size_t used;
    tw_model_entry_t *first, *last;
} tw_model_dict_t;

typedef void (*tw_model_visit_fn)(tw_model_entry_t *entry, void *data);

tw_model_entry_t *tw_model_dict_find(const tw_model_dict_t *dict, const char *key, size_t len);

/** A new entry with value NULL for a key that is not there yet. */
tw_model_entry_t *tw_model_dict_add(tw_model_dict_t *dict, const char *key, size_t len);

/** Takes an entry out and frees it; its value is the caller's. */
void tw_model_dict_remove(tw_model_dict_t *dict, tw_model_entry_t *entry);

/** Frees all entries, each after free_value(its value) if that is not NULL. */
void tw_model_dict_clear(tw_model_dict_t *dict, void (*free_value)(void *value));

/** Visits the entries of one step of a scan; returns the next cursor, 0 at the end. */
uint64_t tw_model_dict_scan(const tw_model_dict_t *dict, uint64_t cursor, tw_model_visit_fn visit,
                            void *data);

#endif
