/**
 * An intrusive ordered set that knows the rank of each entry: it finds page K of a million entries
 * in O(log N + page).
 *
 * It is a treap with subtree sizes. The caller defines the order. An entry is in one tree at a
 * time, and the tree owns no memory. Not thread-safe: callers lock.
 *
 * Callers: everybody. A tree belongs to whoever embeds it, and so does its lock.
 */
#ifndef TW_BASE_RANKED_TREE_H
#define TW_BASE_RANKED_TREE_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw_ranked_entry {
    struct tw_ranked_entry *left, *right;
    uint32_t priority;
    uint32_t size; /* entries in this subtree; 0 while in no tree */
} tw_ranked_entry_t;

/** <0, 0, >0 as `key` sorts before, at, after `entry`. `key` is what the caller passes to the calls
 * below. */
typedef int (*tw_ranked_compare_fn)(const void *key, const tw_ranked_entry_t *entry);

/** Called with each entry of a walk, in order. */
typedef void (*tw_ranked_visit_fn)(tw_ranked_entry_t *entry, void *data);

typedef struct tw_ranked_tree {
    tw_ranked_entry_t *root;
    tw_ranked_compare_fn compare;
    uint32_t seed;
} tw_ranked_tree_t;

void tw_ranked_tree_init(tw_ranked_tree_t *tree, tw_ranked_compare_fn compare);

size_t tw_ranked_count(const tw_ranked_tree_t *tree);

/** Adds an entry that is in no tree; `key` is its own, and no other entry's. */
void tw_ranked_insert(tw_ranked_tree_t *tree, const void *key, tw_ranked_entry_t *entry);

/** Removes the entry that sorts at `key`, which must be in the tree. */
void tw_ranked_remove(tw_ranked_tree_t *tree, const void *key);

/** Returns the entry that sorts at `key`, or NULL. */
tw_ranked_entry_t *tw_ranked_find(const tw_ranked_tree_t *tree, const void *key);

/** Returns how many entries sort before `key`. */
size_t tw_ranked_before(const tw_ranked_tree_t *tree, const void *key);

/** Returns the entry of a rank (0 is the first), or NULL when there are fewer. */
tw_ranked_entry_t *tw_ranked_at(const tw_ranked_tree_t *tree, size_t rank);

/** Visits up to `count` entries in order, beginning with the one of rank `from` (0 is the first).
 * The visitor changes no tree. */
void tw_ranked_walk(const tw_ranked_tree_t *tree, size_t from, size_t count,
                    tw_ranked_visit_fn visit, void *data);

#endif
