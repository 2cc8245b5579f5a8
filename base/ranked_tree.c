#include "base/ranked_tree.h"

#include <assert.h>

#include "base/hash.h"

void tw_ranked_tree_init(tw_ranked_tree_t *tree, tw_ranked_compare_fn compare)
{
    *tree = (tw_ranked_tree_t){.compare = compare};
    tw_random(&tree->seed, sizeof(tree->seed));
    tree->seed |= 1; /* xorshift never leaves zero */
}

static inline uint32_t size_of(const tw_ranked_node_t *node)
{
    return node != NULL ? node->size : 0;
}

static inline void resize(tw_ranked_node_t *node)
{
    node->size = 1 + size_of(node->left) + size_of(node->right);
}

size_t tw_ranked_count(const tw_ranked_tree_t *tree)
{
    return size_of(tree->root);
}

/* xorshift from a start that nobody outside knows: who could foresee the priorities could choose
 * names that make the tree a list. */
static uint32_t next_priority(tw_ranked_tree_t *tree)
{
    tree->seed ^= tree->seed << 13;
    tree->seed ^= tree->seed >> 17;
    tree->seed ^= tree->seed << 5;
    return tree->seed;
}

/* Splits `node` into what sorts before `key` and what does not. */
static void split(const tw_ranked_tree_t *tree, tw_ranked_node_t *node, const void *key,
                  tw_ranked_node_t **before, tw_ranked_node_t **after)
{
    if (node == NULL) {
        *before = *after = NULL;
        return;
    }
    if (tree->compare(key, node) > 0) {
        split(tree, node->right, key, &node->right, after);
        *before = node;
    } else {
        split(tree, node->left, key, before, &node->left);
        *after = node;
    }
    resize(node);
}

static tw_ranked_node_t *merge(tw_ranked_node_t *before, tw_ranked_node_t *after)
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

void tw_ranked_insert(tw_ranked_tree_t *tree, const void *key, tw_ranked_node_t *node)
{
    assert(node->size == 0);
    node->priority = next_priority(tree);
    tw_ranked_node_t **at = &tree->root;
    while (*at != NULL && (*at)->priority >= node->priority) {
        int order = tree->compare(key, *at);
        assert(order != 0);
        ++(*at)->size;
        at = order < 0 ? &(*at)->left : &(*at)->right;
    }
    split(tree, *at, key, &node->left, &node->right);
    resize(node);
    *at = node;
}

void tw_ranked_remove(tw_ranked_tree_t *tree, const void *key)
{
    tw_ranked_node_t **at = &tree->root;
    for (;;) {
        assert(*at != NULL);
        int order = tree->compare(key, *at);
        if (order == 0)
            break;
        --(*at)->size;
        at = order < 0 ? &(*at)->left : &(*at)->right;
    }
    tw_ranked_node_t *gone = *at;
    *at = merge(gone->left, gone->right);
    *gone = (tw_ranked_node_t){0};
}

tw_ranked_node_t *tw_ranked_find(const tw_ranked_tree_t *tree, const void *key)
{
    tw_ranked_node_t *node = tree->root;
    while (node != NULL) {
        int order = tree->compare(key, node);
        if (order == 0)
            return node;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

size_t tw_ranked_before(const tw_ranked_tree_t *tree, const void *key)
{
    size_t before = 0;
    for (tw_ranked_node_t *node = tree->root; node != NULL;) {
        if (tree->compare(key, node) > 0) {
            before += size_of(node->left) + 1;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return before;
}

static void walk(tw_ranked_node_t *node, size_t from, size_t *count, tw_ranked_visit_fn visit,
                 void *data)
{
    while (node != NULL && *count > 0) {
        size_t left = size_of(node->left);
        if (from < left)
            walk(node->left, from, count, visit, data);
        if (from <= left && *count > 0) {
            --*count;
            visit(node, data);
        }
        from = from > left ? from - left - 1 : 0;
        node = node->right;
    }
}

void tw_ranked_walk(const tw_ranked_tree_t *tree, size_t from, size_t count,
                    tw_ranked_visit_fn visit, void *data)
{
    walk(tree->root, from, &count, visit, data);
}
