#include "base/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

#define SIZE_MIN 16
#define MOVES_PER_INSERT 4

void tw_table_init(tw_table_t *table)
{
    *table = (tw_table_t){0};
}

void tw_table_dispose(tw_table_t *table)
{
    free(table->now.heads);
    free(table->past.heads);
    tw_table_init(table);
}

static inline tw_table_entry_t **head_in(const tw_table_buckets_t *buckets, uint64_t hash)
{
    return &buckets->heads[hash & (buckets->size - 1)];
}

static tw_table_entry_t *find_in(const tw_table_buckets_t *buckets, uint64_t hash,
                                 tw_table_match_fn match, const void *key)
{
    if (buckets->size == 0)
        return NULL;
    for (tw_table_entry_t *entry = *head_in(buckets, hash); entry != NULL; entry = entry->next)
        if (entry->hash == hash && match(entry, key))
            return entry;
    return NULL;
}

tw_table_entry_t *tw_table_find(const tw_table_t *table, uint64_t hash, tw_table_match_fn match,
                                const void *key)
{
    tw_table_entry_t *entry = find_in(&table->now, hash, match, key);
    return entry != NULL ? entry : find_in(&table->past, hash, match, key);
}

static void move_some(tw_table_t *table)
{
    for (int moves = MOVES_PER_INSERT; moves > 0 && table->past.size != 0; --moves) {
        tw_table_entry_t *entry = table->past.heads[table->moved], *next;
        for (; entry != NULL; entry = next) {
            tw_table_entry_t **head = head_in(&table->now, entry->hash);
            next = entry->next;
            entry->next = *head;
            *head = entry;
        }
        table->past.heads[table->moved] = NULL;
        if (++table->moved == table->past.size) {
            free(table->past.heads);
            table->past = (tw_table_buckets_t){0};
            table->moved = 0;
        }
    }
}

static void resize(tw_table_t *table, size_t size)
{
    table->past = table->now;
    table->moved = 0;
    table->now.heads = tw_alloc(size * sizeof(*table->now.heads));
    table->now.size = size;
}

void tw_table_insert(tw_table_t *table, tw_table_entry_t *entry)
{
    if (table->now.size == 0)
        resize(table, SIZE_MIN);
    /* MOVES_PER_INSERT empties `past` long before `now` is full again, so two sets of buckets are
     * enough. */
    else if (table->count >= table->now.size && table->past.size == 0)
        resize(table, table->now.size * 2);
    tw_table_entry_t **head = head_in(&table->now, entry->hash);
    entry->next = *head;
    *head = entry;
    ++table->count;
    move_some(table);
}

static bool remove_from(tw_table_buckets_t *buckets, tw_table_entry_t *entry)
{
    if (buckets->size == 0)
        return false;
    for (tw_table_entry_t **at = head_in(buckets, entry->hash); *at != NULL; at = &(*at)->next) {
        if (*at == entry) {
            *at = entry->next;
            entry->next = NULL;
            return true;
        }
    }
    return false;
}

void tw_table_remove(tw_table_t *table, tw_table_entry_t *entry)
{
    bool removed = remove_from(&table->now, entry) || remove_from(&table->past, entry);
    assert(removed);
    --table->count;
    if (table->count == 0 && table->now.size > SIZE_MIN) {
        tw_table_dispose(table);
        return;
    }
    move_some(table);
    if (table->now.size > SIZE_MIN && table->count < table->now.size / 8 && table->past.size == 0)
        resize(table, table->now.size / 2);
}

tw_table_entry_t *tw_table_any(const tw_table_t *table)
{
    const tw_table_buckets_t *both[] = {&table->past, &table->now};
    for (int b = 0; table->count != 0 && b < 2; ++b)
        for (size_t i = 0; i < both[b]->size; ++i)
            if (both[b]->heads[i] != NULL)
                return both[b]->heads[i];
    return NULL;
}
