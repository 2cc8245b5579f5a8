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

static inline tw_table_node_t **head_in(const tw_table_buckets_t *buckets, uint64_t hash)
{
    return &buckets->heads[hash & (buckets->size - 1)];
}

static tw_table_node_t *find_in(const tw_table_buckets_t *buckets, uint64_t hash,
                                tw_table_match_fn match, const void *key)
{
    if (buckets->size == 0)
        return NULL;
    for (tw_table_node_t *node = *head_in(buckets, hash); node != NULL; node = node->next)
        if (node->hash == hash && match(node, key))
            return node;
    return NULL;
}

tw_table_node_t *tw_table_find(const tw_table_t *table, uint64_t hash, tw_table_match_fn match,
                               const void *key)
{
    tw_table_node_t *node = find_in(&table->now, hash, match, key);
    return node != NULL ? node : find_in(&table->past, hash, match, key);
}

static void move_some(tw_table_t *table)
{
    for (int moves = MOVES_PER_INSERT; moves > 0 && table->past.size != 0; --moves) {
        tw_table_node_t *node = table->past.heads[table->moved], *next;
        for (; node != NULL; node = next) {
            tw_table_node_t **head = head_in(&table->now, node->hash);
            next = node->next;
            node->next = *head;
            *head = node;
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

void tw_table_insert(tw_table_t *table, tw_table_node_t *node)
{
    if (table->now.size == 0)
        resize(table, SIZE_MIN);
    /* MOVES_PER_INSERT empties `past` long before `now` is full again, so there are never three. */
    else if (table->count >= table->now.size && table->past.size == 0)
        resize(table, table->now.size * 2);
    tw_table_node_t **head = head_in(&table->now, node->hash);
    node->next = *head;
    *head = node;
    ++table->count;
    move_some(table);
}

static bool remove_from(tw_table_buckets_t *buckets, tw_table_node_t *node)
{
    if (buckets->size == 0)
        return false;
    for (tw_table_node_t **at = head_in(buckets, node->hash); *at != NULL; at = &(*at)->next) {
        if (*at == node) {
            *at = node->next;
            node->next = NULL;
            return true;
        }
    }
    return false;
}

void tw_table_remove(tw_table_t *table, tw_table_node_t *node)
{
    bool removed = remove_from(&table->now, node) || remove_from(&table->past, node);
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

tw_table_node_t *tw_table_any(const tw_table_t *table)
{
    const tw_table_buckets_t *both[] = {&table->past, &table->now};
    for (int b = 0; table->count != 0 && b < 2; ++b)
        for (size_t i = 0; i < both[b]->size; ++i)
            if (both[b]->heads[i] != NULL)
                return both[b]->heads[i];
    return NULL;
}
