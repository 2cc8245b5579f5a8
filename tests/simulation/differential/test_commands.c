/* Random commands on the model and on a real server: the same replies. Seeded: TIDEWAY_TEST_SEED.
 */
#include <string.h>

#include "tests/simulation/differential/grammar.h"
#include "tests/simulation/differential/pair.h"
#include "tests/simulation/redis/commands.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"

typedef struct tw_pattern {
    const char *line; /* see grammar.h */
    tw_same_t same;
} tw_pattern_t;

static const tw_pattern_t patterns[] = {
    {"append %s %v", TW_SAME},
    {"decr %s", TW_SAME},
    {"decrby %s %b", TW_SAME},
    {"get %s", TW_SAME},
    {"getdel %s", TW_SAME},
    {"incr %s", TW_SAME},
    {"incrby %s %b", TW_SAME},
    {"mget {%k}", TW_SAME},
    {"mset {%s %v}", TW_SAME},
    {"set %s %v [(nx|xx)] [(px %t|keepttl|ex %t|px (0|-1))] [get]", TW_SAME},
    {"setnx %s %v", TW_SAME},
    {"strlen %s", TW_SAME},
    {"dbsize", TW_SAME},
    {"del {%k}", TW_SAME},
    {"exists {%k}", TW_SAME},
    {"expire %k %t", TW_SAME},
    {"flushdb", TW_SAME},
    {"keys key:*", TW_SAME_SET},
    {"persist %k", TW_SAME},
    {"pexpire %k (%t|%t|%t|-1|x)", TW_SAME},
    {"pexpireat %k (9999999999999|1)", TW_SAME},
    {"pttl %k", TW_SAME_ABOUT},
    {"scan 0 [match key:h*] count 1000", TW_SAME_SCAN_SET},
    {"ttl %k", TW_SAME_ABOUT},
    {"type %k", TW_SAME},
    {"unlink {%k}", TW_SAME},
    {"hdel %h {%f}", TW_SAME},
    {"hexists %h %f", TW_SAME},
    {"hget %h %f", TW_SAME},
    {"hgetall %h", TW_SAME_PAIRS},
    {"hincrby %h %f %b", TW_SAME},
    {"hkeys %h", TW_SAME_SET},
    {"hlen %h", TW_SAME},
    {"hmget %h {%f}", TW_SAME},
    {"hmset %h {%f %v} [%f]", TW_SAME},
    {"hscan %h 0 [match f1*] count 1000", TW_SAME_SCAN},
    {"hset %h {%f %v} [%f]", TW_SAME},
    {"hsetnx %h %f %v", TW_SAME},
    {"hvals %h", TW_SAME_SET},
    {"sadd %e {%f}", TW_SAME},
    {"scard %e", TW_SAME},
    {"sismember %e %f", TW_SAME},
    {"smembers %e", TW_SAME_SET},
    {"spop %e (1000|0)", TW_SAME_SET},
    {"srem %e {%f}", TW_SAME},
    {"sscan %e 0 count 1000", TW_SAME_SCAN_SET},
    {"zadd %z [(nx|xx)] [(gt|lt)] [ch] {%d %f}", TW_SAME},
    {"zadd %z [nx] [gt] [lt] incr %d %f", TW_SAME},
    {"zadd %w {0 %f}", TW_SAME},
    {"zrem %w {%f}", TW_SAME},
    {"zincrby %z %d %f", TW_SAME},
    {"zpopmin %z [%n]", TW_SAME},
    {"zrem %z {%f}", TW_SAME},
    {"zcard %z", TW_SAME},
    {"zmscore %z {%f}", TW_SAME},
    {"zrank %z %f", TW_SAME},
    {"zscan %z 0 count 1000", TW_SAME_SCAN},
    {"zscore %z %f", TW_SAME},
    {"zcount %z %r %r", TW_SAME},
    {"zlexcount %w %l %l", TW_SAME},
    {"zrange %z %n %n [rev] [withscores]", TW_SAME},
    {"zrange %z %r %r byscore [rev] [limit %n %n] [withscores]", TW_SAME},
    {"zrange %w %l %l bylex [rev] [limit %n %n] [withscores]", TW_SAME},
    {"zrangebylex %w %l %l [limit %n %n]", TW_SAME},
    {"zrangebyscore %z %r %r [withscores] [limit %n %n]", TW_SAME},
    {"zremrangebylex %w %l %l", TW_SAME},
    {"zremrangebyrank %z %n %n", TW_SAME},
    {"zremrangebyscore %z %r %r", TW_SAME},
    {"zrevrange %z %n %n [withscores]", TW_SAME},
    {"zrevrangebylex %w %l %l [limit %n %n]", TW_SAME},
    {"zrevrangebyscore %z %r %r [withscores] [limit %n %n]", TW_SAME},
    {"xadd %x [nomkstream] [maxlen (5|= 7|~ 9|-1)] %a {%f %v}", TW_SAME},
    {"xadd %x [minid (%i|= %i)] %a {%f %v} [%f]", TW_SAME},
    {"xadd %x %a {%f %v}", TW_SAME},
    {"xdel %x {%a}", TW_SAME},
    {"xlen %x", TW_SAME},
    {"xrange %x %i %i [count %n]", TW_SAME},
    {"xrevrange %x %i %i [count %n]", TW_SAME},
    {"xtrim %x (maxlen [=] %n|minid [=] %i)", TW_SAME},
    {"xread [count %n] streams %x %i", TW_SAME},
    {"xread streams %x %x %a (%a|$)", TW_SAME},
    {"xread streams %x %x %a", TW_SAME},
    {"publish %f %v", TW_SAME},
    {"pubsub numsub {%f}", TW_SAME},
    {"echo %v", TW_SAME},
    {"ping [%f]", TW_SAME},
    {"select (0|99|x)", TW_SAME_KIND},
    {"time", TW_SAME_KIND},
    {"wait 0 1", TW_SAME_KIND},
    {"role", TW_SAME_KIND},
    {"info", TW_SAME_KIND},
    {"hello [2] [setname x]", TW_SAME_KIND},
    {"client (id|setname x|getname)", TW_SAME_KIND},
    {"command info (get|nosuchcommand) xadd", TW_SAME_KIND},
    {"config get maxmemory-policy", TW_SAME},
    {"nosuchcommand %f %v", TW_SAME},
    {"(get|hset|zadd|xadd|xrange) %k", TW_SAME},
};

#define PATTERN_COUNT (sizeof(patterns) / sizeof(patterns[0]))

static void test_model__answers_random_commands_as_redis_does(void **state)
{
    tw_test_random_t random;
    tw_pair_t pair;
    tw_line_t line = {0};

    tw_test_random_init(&random, "commands", 14);
    tw_pair_open(&pair);
    for (uint32_t left = tw_test_runs(60000); left > 0; --left) {
        const tw_pattern_t *pattern =
            &patterns[tw_test_random_below(&random, (uint32_t)PATTERN_COUNT)];
        tw_line_make(&line, pattern->line, &random);
        tw_pair_run(&pair, 0, pattern->same, line.argc, line.argv, line.lens);
    }
    tw_line_dispose(&line);
    tw_pair_close(&pair);
}

/* Those of which a test of their own knows more. */
static bool is_tested_elsewhere(const char *name)
{
    static const char *const names[] = {"flushall", "subscribe", "unsubscribe", "evalsha", "script",
                                        "auth",     "quit",      "xinfo",       "eval"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool has_pattern(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < PATTERN_COUNT; ++i)
        if (strncmp(patterns[i].line, name, len) == 0 &&
            (patterns[i].line[len] == ' ' || patterns[i].line[len] == '\0'))
            return true;
    return false;
}

static void test_table__every_command_of_the_model_is_tried(void **state)
{
    static const char *const names[] = {
#define X(name, function, arity, flags) name,
        TW_MODEL_COMMAND_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (!is_tested_elsewhere(names[i]) && !has_pattern(names[i]))
            fail_msg("%s has no pattern in this test", names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__answers_random_commands_as_redis_does),
        cmocka_unit_test(test_table__every_command_of_the_model_is_tried),
    };
    return cmocka_run_group_tests_name("redis_model_commands", tests, NULL, NULL);
}
