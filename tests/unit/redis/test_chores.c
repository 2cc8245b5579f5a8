/* Work in slices. */
#include <stdlib.h>

#include "base/clock.h"
#include "runtime/redis/node.h"
#include "tests/support/cmocka_test.h"

#define CHORES 200

typedef struct tw_test_chore {
    tw_redis_chore_t chore;
    unsigned number;
} tw_test_chore_t;

static unsigned next_number;

/* A millisecond each: a slice cannot hold all of them. */
static void work(tw_redis_node_t *node, tw_redis_chore_t *chore)
{
    int64_t begun_us = tw_clock_us();

    (void)node;
    assert_int_equal(((tw_test_chore_t *)chore)->number, next_number++);
    while (tw_clock_us() - begun_us < 1000)
        ;
}

static void add_all(tw_redis_node_t *node, tw_test_chore_t *chores)
{
    next_number = 0;
    for (unsigned i = 0; i < CHORES; ++i) {
        chores[i].number = i;
        tw_redis_chore_add(node, &chores[i].chore, work);
    }
}

static void test_chores__are_done_in_order_in_several_turns(void **state)
{
    tw_redis_node_t *node = calloc(1, sizeof(*node));
    tw_test_chore_t chores[CHORES];
    uv_loop_t loop;
    unsigned turns = 0;

    uv_loop_init(&loop);
    uv_idle_init(&loop, &node->more);
    STAILQ_INIT(&node->chores);
    add_all(node, chores);
    do {
        tw_redis_chores_turn(node);
        ++turns;
        assert_true((next_number < CHORES) == uv_is_active((uv_handle_t *)&node->more));
    } while (next_number < CHORES && turns < CHORES);
    assert_int_equal(next_number, CHORES);
    assert_true(turns > 5);
    uv_close((uv_handle_t *)&node->more, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    free(node);
}

static void test_chores__that_are_left_are_finished_at_once(void **state)
{
    tw_redis_node_t *node = calloc(1, sizeof(*node));
    tw_test_chore_t chores[CHORES];

    STAILQ_INIT(&node->chores);
    add_all(node, chores);
    tw_redis_chores_finish(node);
    assert_int_equal(next_number, CHORES);
    free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chores__are_done_in_order_in_several_turns),
        cmocka_unit_test(test_chores__that_are_left_are_finished_at_once),
    };
    return cmocka_run_group_tests_name("redis_chores", tests, NULL, NULL);
}
