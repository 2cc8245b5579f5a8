/* What reaches another session than the one that acts: messages, and streams that it waits for. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/simulation/differential/pair.h"
#include "tests/support/cmocka_test.h"

static void receive(tw_pair_t *pair, int at)
{
    tw_pair_receive(pair, at, TW_SAME, NULL, NULL, 0);
}

static void test_channels__bring_messages_in_order(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_send_words(&pair, 1, "SUBSCRIBE a b a c");
    for (int i = 0; i < 4; ++i)
        receive(&pair, 1);
    tw_pair_say(&pair, 0, TW_SAME, "PUBLISH a first");
    tw_pair_say(&pair, 0, TW_SAME, "PUBLISH nobody x");
    tw_pair_say(&pair, 0, TW_SAME, "PUBLISH c second");
    tw_pair_say(&pair, 0, TW_SAME, "PUBSUB NUMSUB a b nobody");
    tw_pair_say(&pair, 0, TW_SAME_SET, "PUBSUB CHANNELS");
    receive(&pair, 1);
    receive(&pair, 1);
    tw_pair_say(&pair, 1, TW_SAME, "PING");
    tw_pair_say(&pair, 1, TW_SAME, "PING x");
    tw_pair_say(&pair, 1, TW_SAME, "GET x");
    tw_pair_send_words(&pair, 1, "UNSUBSCRIBE b c nobody");
    for (int i = 0; i < 3; ++i)
        receive(&pair, 1);
    tw_pair_say(&pair, 0, TW_SAME, "PUBLISH b third");
    tw_pair_send_words(&pair, 1, "UNSUBSCRIBE");
    receive(&pair, 1);
    tw_pair_say(&pair, 1, TW_SAME, "UNSUBSCRIBE");
    tw_pair_say(&pair, 1, TW_SAME, "GET x");
    tw_pair_close(&pair);
}

static void test_blocking__a_write_serves_who_waits(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_say(&pair, 0, TW_SAME, "XADD s 5-0 f v");
    tw_pair_send_words(&pair, 1, "XREAD BLOCK 60000 STREAMS s t 5 0");
    tw_pair_say(&pair, 0, TW_SAME, "SET x 1"); /* Redis reads connections in any order */
    tw_pair_say(&pair, 0, TW_SAME, "XADD s 6-0 f v");
    receive(&pair, 1);
    tw_pair_send_words(&pair, 1, "XREAD COUNT 1 BLOCK 60000 STREAMS s $");
    tw_pair_send_words(&pair, 1, "GET x"); /* waits for the one before it */
    usleep(20000);
    tw_pair_say(&pair, 0, TW_SAME, "XADD s 7-0 f v");
    receive(&pair, 1);
    receive(&pair, 1);
    tw_pair_send_words(&pair, 1, "XREAD BLOCK 60000 STREAMS t 0");
    usleep(20000);
    tw_pair_say(&pair, 0, TW_SAME,
                "EVAL redis.call('XADD','t','1-1','a','b')redis.call('XADD','t','1-2','a','b') 0");
    receive(&pair, 1);
    tw_pair_close(&pair);
}

static void test_blocking__ends_with_its_time(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_send_words(&pair, 1, "XREAD BLOCK 10 STREAMS s $");
    assert_int_equal(tw_model_server_next_timeout(pair.model), pair.now_us + 10000);
    pair.now_us += 10000;
    tw_model_server_expire(pair.model);
    receive(&pair, 1);
    tw_pair_close(&pair);
}

static void test_trimming__by_blocks_keeps_what_redis_keeps(void **state)
{
    tw_pair_t pair;
    char words[512], value[300];

    tw_pair_open(&pair);
    for (unsigned i = 0; i < 1500; ++i) {
        size_t len = i < 500 ? 3 : (i * 7) % 250;
        memset(value, 'v', len);
        value[len] = '\0';
        snprintf(words, sizeof(words), "XADD s MAXLEN ~ %u 170000000012%04u-0 e v%s",
                 i % 2 == 0 ? 201U : 220U, i, value);
        tw_pair_say(&pair, 0, TW_SAME, words);
        tw_pair_say(&pair, 0, TW_SAME, "XLEN s");
    }
    tw_pair_say(&pair, 0, TW_SAME, "XTRIM s MINID ~ 1700000000121400");
    tw_pair_say(&pair, 0, TW_SAME, "XLEN s");
    tw_pair_say(&pair, 0, TW_SAME, "XRANGE s - + COUNT 2");
    tw_pair_close(&pair);
}

static void test_scans__find_everything_that_stays(void **state)
{
    tw_pair_t pair;
    char words[256];

    tw_pair_open(&pair);
    for (unsigned i = 0; i < 3000; ++i) {
        snprintf(words, sizeof(words), "HSET h field-%u %u", i, i);
        tw_pair_say(&pair, 0, TW_SAME, words);
    }
    /* From 0 each time, as long as something is found: both get stuck, or both do not. */
    const char *argv[] = {"EVAL",
                          "local n = 0\n"
                          "while true do\n"
                          "  local found = redis.call('HSCAN', 'h', 0, 'COUNT', 20)[2]\n"
                          "  if #found == 0 then break end\n"
                          "  n = n + #found / 2\n"
                          "  for i = 1, #found, 2 do redis.call('HDEL', 'h', found[i]) end\n"
                          "end\n"
                          "return n > 100 and n < 2900",
                          "0"};
    size_t lens[3];
    for (int i = 0; i < 3; ++i)
        lens[i] = strlen(argv[i]);
    tw_pair_run(&pair, 0, TW_SAME, 3, argv, lens);
    tw_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels__bring_messages_in_order),
        cmocka_unit_test(test_blocking__a_write_serves_who_waits),
        cmocka_unit_test(test_blocking__ends_with_its_time),
        cmocka_unit_test(test_trimming__by_blocks_keeps_what_redis_keeps),
        cmocka_unit_test(test_scans__find_everything_that_stays),
    };
    return cmocka_run_group_tests_name("redis_model_channels", tests, NULL, NULL);
}
