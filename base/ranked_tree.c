#include "base/ranked_tree.h"

#include <assert.h>

#include "base/hash.h"

void tw_ranked_tree_init(tw_ranked_tree_t *tree, tw_ranked_compare_fn compare)
{
    *tree = (tw_ranked_tree_t){.compare = compare};
    tw_random(&tree->seed, sizeof(tree->seed));
    tree->seed |= 1; /* xorshift never leaves zero */
}

static inline uint32_t size_of(const tw_ranked_entry_t *entry)
{
    return entry != NULL ? entry->size : 0;
}

static inline void resize(tw_ranked_entry_t *entry)
{
    entry->size = 1 + size_of(entry->left) + size_of(entry->right);
}

size_t tw_ranked_count(const tw_ranked_tree_t *tree)
{
    return size_of(tree->root);
}

/* Is xorshift from a secret start. A client that could predict the priorities could choose names
 * that make the tree a list. */
static uint32_t next_priority(tw_ranked_tree_t *tree)
{
    tree->seed ^= tree->seed << 13;
    tree->seed ^= tree->seed >> 17;
    tree->seed ^= tree->seed << 5;
    return tree->seed;
}

/* Splits the subtree into the entries that sort before `key` and the others. */
static void split(const tw_ranked_tree_t *tree, tw_ranked_entry_t *entry, const void *key,
                  tw_ranked_entry_t **before, tw_ranked_entry_t **after)
{
    if (entry == NULL) {
        *before = *after = NULL;
        return;
    }
    if (tree->compare(key, entry) > 0) {
        split(tree, entry->right, key, &entry->right, after);
        *before = entry;
    } else {
        split(tree, entry->left, key, before, &entry->left);
        *after = entry;
    }
    resize(entry);
}

static tw_ranked_entry_t *merge(tw_ranked_entry_t *before, tw_ranked_entry_t *after)
{
    if (before == NULL || after == NULL)
        return before != NULL ? before : after;
    if (before->priority > after->priority) {
        before->right = merge(before->right, after);
        resize(before);
        return before;
    }
    after->left = merge(before, after->left);
    resize(after);
    return after;
}

void tw_ranked_insert(tw_ranked_tree_t *tree, const void *key, tw_ranked_entry_t *entry)
{
    assert(entry->size == 0);
    entry->priority = next_priority(tree);
    tw_ranked_entry_t **at = &tree->root;
    while (*at != NULL && (*at)->priority >= entry->priority) {
        int order = tree->compare(key, *at);
        assert(order != 0);
        ++(*at)->size;
        at = order < 0 ? &(*at)->left : &(*at)->right;
    }
    split(tree, *at, key, &entry->left, &entry->right);
    resize(entry);
    *at = entry;
}

void tw_ranked_remove(tw_ranked_tree_t *tree, const void *key)
{
    tw_ranked_entry_t **at = &tree->root;
    for (;;) {
        assert(*at != NULL);
        int order = tree->compare(key, *at);
        if (order == 0)
            break;
        --(*at)->size;
        at = order < 0 ? &(*at)->left : &(*at)->right;
    }
    tw_ranked_entry_t *gone = *at;
    *at = merge(gone->left, gone->right);
    *gone = (tw_ranked_entry_t){0};
}

tw_ranked_entry_t *tw_ranked_find(const tw_ranked_tree_t *tree, const void *key)
{
    tw_ranked_entry_t *entry = tree->root;
    while (entry != NULL) {
        int order = tree->compare(key, entry);
        if (order == 0)
            return entry;
        entry = order < 0 ? entry->left : entry->right;
    }
    return NULL;
}

size_t tw_ranked_before(const tw_ranked_tree_t *tree, const void *key)
{
    size_t before = 0;
    for (tw_ranked_entry_t *entry = tree->root; entry != NULL;) {
        if (tree->compare(key, entry) > 0) {
            before += size_of(entry->left) + 1;
            entry = entry->right;
        } else {
            entry = entry->left;
        }
    }
    return before;
}

tw_ranked_entry_t *tw_ranked_at(const tw_ranked_tree_t *tree, size_t rank)
{
    tw_ranked_entry_t *entry = tree->root;
    while (entry != NULL && rank != size_of(entry->left)) {
        size_t left = size_of(entry->left);
        entry = rank < left ? entry->left : entry->right;
        rank -= rank < left ? 0 : left + 1;
    }
    return entry;
}

static void walk(tw_ranked_entry_t *entry, size_t from, size_t *count, tw_ranked_visit_fn visit,
                 void *data)
{
    while (entry != NULL && *count > 0) {
        size_t left = size_of(entry->left);
        if (from < left)
            walk(entry->left, from, count, visit, data);
        if (from <= left && *count > 0) {
            --*count;
            visit(entry, data);
        }
        from = from > left ? from - left - 1 : 0;
        entry = entry->right;
    }
}

void tw_ranked_walk(const tw_ranked_tree_t *tree, size_t from, size_t count,
                    tw_ranked_visit_fn visit, void *data)
{
    walk(tree->root, from, &count, visit, data);
}
