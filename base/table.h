/**
 * An intrusive hash table that grows without a pause: it moves a few buckets at every insertion, so
 * that an insertion into a table of a million topics takes no longer than one into a table of ten.
 *
 * It shrinks as entries are removed, and a large table frees its buckets with the last entry. An
 * entry is in one table at a time; the table owns no memory but its buckets. Not thread-safe:
 * callers lock.
 *
 * Callers: everybody. A table belongs to whoever embeds it, and so does its lock.
 */
#ifndef TW_BASE_TABLE_H
#define TW_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tw_table_entry {
    struct tw_table_entry *next;
    uint64_t hash;
} tw_table_entry_t;

typedef struct tw_table_buckets {
    tw_table_entry_t **heads; /* owned; NULL when size is 0 */
    size_t size;              /* a power of two, or 0 */
} tw_table_buckets_t;

typedef struct tw_table {
    tw_table_buckets_t now;  /* where new entries go */
    tw_table_buckets_t past; /* being emptied into `now`, from bucket `moved` on */
    size_t moved;
    size_t count;
} tw_table_t;

/** Whether the entry is the one that the caller looks for. */
typedef bool (*tw_table_match_fn)(const tw_table_entry_t *entry, const void *key);

void tw_table_init(tw_table_t *table);

/** Frees the buckets; entries that are still in it are the caller's as ever. */
void tw_table_dispose(tw_table_t *table);

/** Returns the entry with this hash that matches, or NULL. */
tw_table_entry_t *tw_table_find(const tw_table_t *table, uint64_t hash, tw_table_match_fn match,
                                const void *key);

/** Adds an entry that is in no table, under entry->hash, which the caller has set. */
void tw_table_insert(tw_table_t *table, tw_table_entry_t *entry);

/** Removes an entry that is in the table. */
void tw_table_remove(tw_table_t *table, tw_table_entry_t *entry);

/** Returns any entry, or NULL when the table is empty: to remove all of them, one by one, at the
 * end. */
tw_table_entry_t *tw_table_any(const tw_table_t *table);

#endif
