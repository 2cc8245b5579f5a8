/* Scripts on the model and on a real server: values, errors, and what a script may do. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/differential/pair.h"
#include "tests/support/cmocka_test.h"

static void eval(tw_pair_t *pair, const char *script)
{
    const char *argv[] = {"EVAL", script, "2", "key:1", "key:2", "one", "2", ""};
    size_t lens[8];

    for (int i = 0; i < 8; ++i)
        lens[i] = strlen(argv[i]);
    tw_pair_run(pair, 0, TW_SAME, 8, argv, lens);
}

static void test_lua__values_become_the_same_replies(void **state)
{
    static const char *const scripts[] = {
        "return 1",
        "return 3.99",
        "return -3.99",
        "return '3.99'",
        "return 1e15",
        "return true",
        "return false",
        "return nil",
        "return {1, 2, nil, 4}",
        "return {1, 'a', {true, false, {}}, 2.5}",
        "return {ok = 'fine'}",
        "return {err = 'BAD thing'}",
        "return redis.status_reply('fine')",
        "return redis.error_reply('BAD thing')",
        "return redis.error_reply('-BAD thing')",
        "return redis.error_reply('bad')",
        "return redis.error_reply(1, 2)",
        "return {KEYS[1], KEYS[2], KEYS[3]}",
        "return {ARGV[1], ARGV[2], ARGV[3], #ARGV}",
        "return ARGV[2] + 1",
        "return function() end",
        "return redis.sha1hex('abc')",
        "return string.format('%.0f', 1700000000123456)",
        "return tostring(1700000000123456)",
        "return 1700000000123456",
        "return {string.match('123-4', '^%d+'), #'abc', ('x'):rep(3)}",
        "return table.concat({1, 2, 3}, ',')",
        "return tonumber('x')",
        "return unpack({1, 2, 3})",
    };
    tw_pair_t pair;

    tw_pair_open(&pair);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); ++i)
        eval(&pair, scripts[i]);
    tw_pair_close(&pair);
}

static void test_lua__replies_become_the_same_values(void **state)
{
    static const char *const scripts[] = {
        "return redis.call('SET', KEYS[1], 'v')",
        "return type(redis.call('SET', KEYS[1], 'v').ok)",
        "return redis.call('GET', KEYS[1])",
        "return tostring(redis.call('GET', 'none'))",
        "return {redis.call('GET', 'none'), redis.call('EXISTS', 'none')}",
        "return redis.call('SET', KEYS[2], 1700000000123456)",
        "return redis.call('GET', KEYS[2])",
        "return redis.call('SET', KEYS[2], 0.1)",
        "return redis.call('GET', KEYS[2])",
        "return redis.call('INCRBY', KEYS[1], 1)",
        "return redis.pcall('INCRBY', KEYS[1], 1)",
        "return redis.pcall('INCRBY', KEYS[1], 1).err",
        "local r = redis.pcall('HGET', KEYS[1], 'x') return {type(r), r.err}",
        "return redis.call('XADD', 's', '5-0', 'e', 'body')",
        "return redis.call('XADD', 's', '5-0', 'e', 'body')",
        "return redis.call('XRANGE', 's', '-', '+')[1][2][2]",
        "return #redis.call('XRANGE', 's', '(5-0', '+')",
        "return tostring(redis.call('XADD', 'none', 'NOMKSTREAM', '5-0', 'e', 'body'))",
        "return redis.call('XREAD', 'BLOCK', 1000, 'STREAMS', 's', '5-0')",
        "return redis.call('ZADD', 'z', 1.5, 'a', 2, 'b')",
        "return redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')",
        "return redis.call('ZSCORE', 'z', 'a') + 1",
        "return redis.call('NOSUCH')",
        "return redis.call('GET')",
        "return redis.call()",
        "return redis.call('GET', {})",
        "return redis.call('SUBSCRIBE', 'x')",
        "return redis.call('PUBLISH', 'x', 'y')",
        "return redis.call('PUBSUB', 'NUMSUB', 'x')[2]",
        "return #redis.call('TIME')",
        "x = 1",
        "return x",
        "return nothing.there",
        "return redis.call('SET', KEYS[1], 'w') .. ''",
        "error('mine')",
        "return {pcall(function() redis.call('GET') end)}",
        "local ok, e = pcall(redis.call, 'GET') return {tostring(ok), e.err}",
        "this is no Lua",
    };
    tw_pair_t pair;

    tw_pair_open(&pair);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); ++i)
        eval(&pair, scripts[i]);
    tw_pair_close(&pair);
}

static void test_scripts__are_found_by_their_hash(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_say(&pair, 0, TW_SAME, "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0");
    tw_pair_say(&pair, 0, TW_SAME, "SCRIPT LOAD return(1)");
    tw_pair_say(&pair, 0, TW_SAME, "SCRIPT EXISTS 1 2fd57a0ba1a8e8a5f5ffa6cb9ba6ef0e3ec1a6c0");
    tw_pair_say(&pair, 0, TW_SAME, "SCRIPT LOAD return(ARGV[1])");
    tw_pair_say(&pair, 0, TW_SAME, "EVAL return(1) 0");
    tw_pair_say(&pair, 0, TW_SAME, "EVAL return(1) 1");
    tw_pair_say(&pair, 0, TW_SAME, "EVAL return(1) -1");
    tw_pair_say(&pair, 0, TW_SAME, "EVAL return(1) x");
    tw_pair_say(&pair, 0, TW_SAME, "EVALSHA short 0");
    tw_pair_say(&pair, 0, TW_SAME, "SCRIPT FLUSH");
    tw_pair_say(&pair, 0, TW_SAME, "SCRIPT LOAD is-no-Lua");
    tw_pair_close(&pair);
}

static void test_memory__a_full_server_refuses_before_a_script_has_written(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_say(&pair, 0, TW_SAME, "SET key:1 x");
    free(tw_test_redis_cli(&pair.redis, (const char *[]){"CONFIG", "SET", "maxmemory", "1", NULL}));
    tw_model_server_set_full(pair.model, true);
    tw_pair_say(&pair, 0, TW_SAME, "SET key:1 y");
    tw_pair_say(&pair, 0, TW_SAME, "GET key:1");
    eval(&pair, "return redis.call('SET', KEYS[1], 'z')");
    eval(&pair, "return redis.pcall('SET', KEYS[1], 'z').err");
    eval(&pair, "return redis.call('GET', KEYS[1])");
    eval(&pair, "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 'w')");
    eval(&pair, "redis.call('PUBLISH', 'x', 'y') return redis.call('SET', KEYS[1], 'w')");
    eval(&pair, "return redis.call('XADD', 's', '1-0', 'a', 'b')");
    tw_pair_say(&pair, 0, TW_SAME, "GET key:1");
    tw_pair_close(&pair);
}

static void test_replica__refuses_writes(void **state)
{
    tw_pair_t pair;

    tw_pair_open(&pair);
    tw_pair_say(&pair, 0, TW_SAME, "SET key:1 x");
    free(tw_test_redis_cli(
        &pair.redis, (const char *[]){"CONFIG", "SET", "replica-serve-stale-data", "yes", NULL}));
    free(tw_test_redis_cli(&pair.redis, (const char *[]){"REPLICAOF", "127.0.0.1", "1", NULL}));
    tw_model_server_set_master(pair.model, pair.model, 0);
    tw_pair_say(&pair, 0, TW_SAME, "SET key:1 y");
    tw_pair_say(&pair, 0, TW_SAME, "GET key:1");
    eval(&pair, "return redis.call('SET', KEYS[1], 'z')");
    eval(&pair, "return redis.call('GET', KEYS[1])");
    tw_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua__values_become_the_same_replies),
        cmocka_unit_test(test_lua__replies_become_the_same_values),
        cmocka_unit_test(test_scripts__are_found_by_their_hash),
        cmocka_unit_test(test_memory__a_full_server_refuses_before_a_script_has_written),
        cmocka_unit_test(test_replica__refuses_writes),
    };
    return cmocka_run_group_tests_name("redis_model_lua", tests, NULL, NULL);
}
