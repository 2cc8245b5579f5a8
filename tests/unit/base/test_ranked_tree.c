/* The set that knows ranks, against a sorted array. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/ranked_tree.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

#define KEYS 400

typedef struct tw_item {
    tw_ranked_entry_t entry;
    uint32_t key;
} tw_item_t;

static int compare(const void *key, const tw_ranked_entry_t *entry)
{
    uint32_t wanted = *(const uint32_t *)key, here = ((const tw_item_t *)entry)->key;
    return wanted < here ? -1 : wanted > here;
}

/* The oracle: the keys that are in, sorted. */
typedef struct tw_oracle {
    uint32_t keys[KEYS];
    size_t count;
} tw_oracle_t;

static size_t oracle_before(const tw_oracle_t *oracle, uint32_t key)
{
    size_t rank = 0;
    while (rank < oracle->count && oracle->keys[rank] < key)
        ++rank;
    return rank;
}

static bool oracle_has(const tw_oracle_t *oracle, uint32_t key)
{
    size_t rank = oracle_before(oracle, key);
    return rank < oracle->count && oracle->keys[rank] == key;
}

static void oracle_toggle(tw_oracle_t *oracle, uint32_t key)
{
    size_t rank = oracle_before(oracle, key);
    if (oracle_has(oracle, key)) {
        --oracle->count;
        memmove(&oracle->keys[rank], &oracle->keys[rank + 1],
                (oracle->count - rank) * sizeof(uint32_t));
    } else {
        memmove(&oracle->keys[rank + 1], &oracle->keys[rank],
                (oracle->count - rank) * sizeof(uint32_t));
        oracle->keys[rank] = key;
        ++oracle->count;
    }
}

typedef struct tw_walk {
    uint32_t keys[KEYS];
    size_t count;
} tw_walk_t;

static void visit(tw_ranked_entry_t *entry, void *data)
{
    tw_walk_t *walk = data;
    assert_true(walk->count < KEYS);
    walk->keys[walk->count++] = ((const tw_item_t *)entry)->key;
}

static void expect_walk(const tw_ranked_tree_t *tree, const tw_oracle_t *oracle, size_t from,
                        size_t count)
{
    tw_walk_t walk = {.count = 0};
    size_t expected = from < oracle->count ? oracle->count - from : 0;

    if (expected > count)
        expected = count;
    tw_ranked_walk(tree, from, count, visit, &walk);
    assert_int_equal(walk.count, expected);
    if (expected > 0)
        assert_memory_equal(walk.keys, oracle->keys + from, expected * sizeof(uint32_t));
}

static void expect_same(const tw_ranked_tree_t *tree, const tw_oracle_t *oracle,
                        tw_test_random_t *random)
{
    uint32_t key = tw_test_random_below(random, KEYS + 2);
    tw_ranked_entry_t *found = tw_ranked_find(tree, &key);

    assert_int_equal(tw_ranked_count(tree), oracle->count);
    assert_int_equal(tw_ranked_before(tree, &key), oracle_before(oracle, key));
    size_t rank = tw_test_random_below(random, KEYS + 2);
    const tw_ranked_entry_t *at = tw_ranked_at(tree, rank);
    assert_int_equal(at != NULL, rank < oracle->count);
    if (at != NULL)
        assert_int_equal(((const tw_item_t *)at)->key, oracle->keys[rank]);
    assert_int_equal(found != NULL, oracle_has(oracle, key));
    if (found != NULL)
        assert_int_equal(((const tw_item_t *)found)->key, key);
    expect_walk(tree, oracle, tw_test_random_below(random, KEYS + 2),
                tw_test_random_below(random, 20));
}

static void test_ranked_tree__is_what_a_sorted_array_is(void **state)
{
    static tw_item_t items[KEYS];
    tw_test_random_t random;
    tw_ranked_tree_t tree;
    tw_oracle_t oracle = {.count = 0};

    tw_test_random_init(&random, "ranked_tree", 99);
    tw_ranked_tree_init(&tree, compare);
    for (uint32_t step = tw_test_runs(30000); step > 0; --step) {
        uint32_t key = tw_test_random_below(&random, KEYS);
        items[key].key = key;
        if (oracle_has(&oracle, key))
            tw_ranked_remove(&tree, &key);
        else
            tw_ranked_insert(&tree, &key, &items[key].entry);
        oracle_toggle(&oracle, key);
        expect_same(&tree, &oracle, &random);
    }
    expect_walk(&tree, &oracle, 0, KEYS);
    expect_walk(&tree, &oracle, 0, SIZE_MAX);
    expect_walk(&tree, &oracle, SIZE_MAX, 1);
    while (oracle.count > 0) {
        uint32_t key = oracle.keys[tw_test_random_below(&random, (uint32_t)oracle.count)];
        tw_ranked_remove(&tree, &key);
        oracle_toggle(&oracle, key);
        expect_same(&tree, &oracle, &random);
    }
    assert_null(tree.root);
}

static size_t depth_of(const tw_ranked_entry_t *entry)
{
    if (entry == NULL)
        return 0;
    size_t left = depth_of(entry->left), right = depth_of(entry->right);
    return 1 + (left > right ? left : right);
}

static void test_ranked_tree__stays_flat_when_keys_come_in_order(void **state)
{
    enum { COUNT = 100000 };
    tw_item_t *items = calloc(COUNT, sizeof(*items));
    tw_ranked_tree_t tree;

    assert_non_null(items);
    tw_ranked_tree_init(&tree, compare);
    for (uint32_t i = 0; i < COUNT; ++i) {
        items[i].key = i;
        tw_ranked_insert(&tree, &i, &items[i].entry);
    }
    assert_int_equal(tw_ranked_count(&tree), COUNT);
    assert_true(depth_of(tree.root) < 80); /* 2 × ln(N) is usual, some 40 */
    free(items);
}

/* Who can foresee the priorities can choose names that make the tree a list. */
static void test_ranked_tree__cannot_be_foreseen(void **state)
{
    tw_item_t items[16] = {{.key = 0}};
    tw_ranked_tree_t one, two;
    bool same = true;

    tw_ranked_tree_init(&one, compare);
    tw_ranked_tree_init(&two, compare);
    for (uint32_t i = 0; i < 8; ++i) {
        items[i].key = items[i + 8].key = i;
        tw_ranked_insert(&one, &i, &items[i].entry);
        tw_ranked_insert(&two, &i, &items[i + 8].entry);
        same = same && items[i].entry.priority == items[i + 8].entry.priority;
    }
    assert_false(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranked_tree__is_what_a_sorted_array_is),
        cmocka_unit_test(test_ranked_tree__stays_flat_when_keys_come_in_order),
        cmocka_unit_test(test_ranked_tree__cannot_be_foreseen),
    };
    return cmocka_run_group_tests_name("ranked_tree", tests, NULL, NULL);
}
