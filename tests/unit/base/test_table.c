/* The hash table that grows bucket by bucket. */
#include <stdlib.h>

#include "base/table.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

typedef struct tw_item {
    tw_table_entry_t entry;
    uint32_t key;
    bool in;
} tw_item_t;

static bool has_key(const tw_table_entry_t *entry, const void *key)
{
    return ((const tw_item_t *)entry)->key == *(const uint32_t *)key;
}

static tw_item_t *find(const tw_table_t *table, uint64_t hash, uint32_t key)
{
    return (tw_item_t *)tw_table_find(table, hash, has_key, &key);
}

static tw_item_t *make_items(uint32_t count, uint64_t (*hash)(uint32_t key))
{
    tw_item_t *items = calloc(count, sizeof(*items));
    assert_non_null(items);
    for (uint32_t i = 0; i < count; ++i) {
        items[i].key = i;
        items[i].entry.hash = hash(i);
    }
    return items;
}

static uint64_t spread(uint32_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t same(uint32_t key)
{
    return 42;
}

static uint64_t few(uint32_t key)
{
    return key % 3;
}

/* Inserts and removes at random; what the table says must be what the items say, whatever the
 * hashes are like. */
static void play(uint64_t (*hash)(uint32_t key), uint32_t count, uint32_t steps, uint64_t seed)
{
    tw_test_random_t random;
    tw_item_t *items = make_items(count, hash);
    tw_table_t table;
    size_t in = 0;

    tw_test_random_init(&random, "table", seed);
    tw_table_init(&table);
    for (uint32_t step = 0; step < steps; ++step) {
        /* Waves: mostly in, then mostly out, so that the table grows and shrinks again. */
        bool filling = (step / (count * 2)) % 2 == 0;
        tw_item_t *item = &items[tw_test_random_below(&random, count)];
        bool in_wanted = tw_test_random_below(&random, 10) < (filling ? 9 : 1);
        if (in_wanted && !item->in) {
            tw_table_insert(&table, &item->entry);
            ++in;
        } else if (!in_wanted && item->in) {
            tw_table_remove(&table, &item->entry);
            --in;
        }
        item->in = in_wanted;
        const tw_item_t *probe = &items[tw_test_random_below(&random, count)];
        assert_ptr_equal(find(&table, probe->entry.hash, probe->key), probe->in ? probe : NULL);
        assert_int_equal(table.count, in);
    }
    for (uint32_t i = 0; i < count; ++i)
        assert_ptr_equal(find(&table, items[i].entry.hash, i), items[i].in ? &items[i] : NULL);
    tw_table_dispose(&table);
    free(items);
}

static void test_table__holds_what_was_put_in(void **state)
{
    play(spread, 3000, 40000, 1);
}

static void test_table__survives_hashes_that_collide(void **state)
{
    play(same, 60, 2000, 2);
    play(few, 100, 4000, 3);
}

static void test_table__grows_and_shrinks_with_its_content(void **state)
{
    enum { COUNT = 100000 };
    tw_item_t *items = make_items(COUNT, spread);
    tw_table_t table;

    tw_table_init(&table);
    for (uint32_t i = 0; i < COUNT; ++i) {
        tw_table_insert(&table, &items[i].entry);
        assert_true(table.now.size >= table.count);
        assert_true(table.past.size == 0 || table.past.size * 2 == table.now.size);
    }
    assert_true(table.now.size <= 2 * COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        tw_table_remove(&table, &items[i].entry);
        if (i % 977 == 0)
            assert_ptr_equal(find(&table, items[COUNT - 1].entry.hash, COUNT - 1),
                             &items[COUNT - 1]);
    }
    assert_int_equal(table.count, 0);
    assert_true(table.now.size + table.past.size < 100); /* an empty table is small again */
    tw_table_dispose(&table);
    free(items);
}

static void test_table__gives_any_node_until_it_is_empty(void **state)
{
    enum { COUNT = 1000 };
    tw_item_t *items = make_items(COUNT, spread);
    tw_table_t table;
    tw_table_entry_t *entry;
    uint32_t seen = 0;

    tw_table_init(&table);
    assert_null(tw_table_any(&table));
    for (uint32_t i = 0; i < COUNT; ++i)
        tw_table_insert(&table, &items[i].entry);
    while ((entry = tw_table_any(&table)) != NULL) {
        tw_item_t *item = (tw_item_t *)entry;
        assert_false(item->in); /* not seen before */
        item->in = true;
        ++seen;
        tw_table_remove(&table, entry);
    }
    assert_int_equal(seen, COUNT);
    tw_table_dispose(&table);
    free(items);
}

static void test_table__finds_nothing_in_nothing(void **state)
{
    tw_table_t table;

    tw_table_init(&table);
    assert_null(find(&table, 0, 0));
    tw_table_dispose(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__holds_what_was_put_in),
        cmocka_unit_test(test_table__survives_hashes_that_collide),
        cmocka_unit_test(test_table__grows_and_shrinks_with_its_content),
        cmocka_unit_test(test_table__gives_any_node_until_it_is_empty),
        cmocka_unit_test(test_table__finds_nothing_in_nothing),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
