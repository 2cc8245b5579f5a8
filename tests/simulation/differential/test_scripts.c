/*
 * The adapter's own commands and scripts on the model and on a real server: what a simulated
 * world's gateways have sent is replayed, and each script is called again with arguments of its
 * other calls in their places. Nothing here knows what a script does. Seeded: TIDEWAY_TEST_SEED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "tests/simulation/differential/pair.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

#define ARGS_MAX 1000
#define SCRIPTS_MAX 64
#define CALLS_KEPT 64 /* of each script */
#define COMMANDS_MAX 20000

/* Both servers have to see the same time in scripts. */
static const char prelude[] =
    "local real = redis\n"
    "local function fixed(run) return function(name, ...)\n"
    "  if name == 'TIME' then return {'1767225700', '5'} end\n"
    "  return run(name, ...)\n"
    "end end\n"
    "local redis = setmetatable({call = fixed(real.call), pcall = fixed(real.pcall)}, "
    "{__index = real})\n";

typedef struct tw_script {
    char *text; /* owned; with the prelude */
    size_t len;
    char sha[41];                  /* of the text as the gateways know it */
    redisReply *calls[CALLS_KEPT]; /* owned */
    size_t call_count;
} tw_script_t;

typedef struct tw_replay {
    tw_pair_t pair;
    tw_script_t scripts[SCRIPTS_MAX];
    size_t script_count;
    tw_test_random_t random;
} tw_replay_t;

static bool is(const redisReply *word, const char *text)
{
    return word->len == strlen(text) && strncasecmp(word->str, text, word->len) == 0;
}

static void set_clock(tw_replay_t *replay)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    replay->pair.now_us = (int64_t)now.tv_sec * 1000000 + now.tv_usec;
}

/* --- scripts --- */

static tw_script_t *find_script(tw_replay_t *replay, const char *sha)
{
    for (size_t i = 0; i < replay->script_count; ++i)
        if (memcmp(replay->scripts[i].sha, sha, 40) == 0)
            return &replay->scripts[i];
    return NULL;
}

/* SCRIPT LOAD: the model says what the gateways call it; then both get it with the prelude. */
static void take_script(tw_replay_t *replay, const redisReply *text)
{
    const char *argv[] = {"EVAL", "return redis.sha1hex(ARGV[1])", "0", text->str};
    const size_t lens[] = {4, strlen(argv[1]), 1, text->len};
    redisReply *reply = redisCommandArgv(replay->pair.sessions[0].real, 4, argv, lens);

    tw_check(reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == 40);
    if (find_script(replay, reply->str) == NULL) {
        tw_check(replay->script_count < SCRIPTS_MAX);
        tw_script_t *script = &replay->scripts[replay->script_count++];
        memcpy(script->sha, reply->str, 41);
        script->len = sizeof(prelude) - 1 + text->len;
        script->text = tw_alloc(script->len + 1);
        memcpy(script->text, prelude, sizeof(prelude) - 1);
        memcpy(script->text + sizeof(prelude) - 1, text->str, text->len);
    }
    freeReplyObject(reply);
}

static void run_script(tw_replay_t *replay, const tw_script_t *script, size_t argc,
                       redisReply *const *args)
{
    const char *argv[ARGS_MAX] = {"EVAL", script->text};
    size_t lens[ARGS_MAX] = {4, script->len};

    for (size_t i = 2; i < argc; ++i) {
        argv[i] = args[i]->str;
        lens[i] = args[i]->len;
    }
    set_clock(replay);
    tw_pair_run(&replay->pair, 0, TW_SAME, (int)argc, argv, lens);
}

/* The call again, with some arguments of another call of the script in their places. */
static void run_mixed(tw_replay_t *replay, const tw_script_t *script, const redisReply *call)
{
    redisReply *args[ARGS_MAX];
    const redisReply *other =
        script->calls[tw_test_random_below(&replay->random, (uint32_t)script->call_count)];

    for (size_t i = 0; i < call->elements; ++i) {
        bool takes = i > 2 && i < other->elements && tw_test_random_below(&replay->random, 3) == 0;
        args[i] = takes ? other->element[i] : call->element[i];
    }
    run_script(replay, script, call->elements, args);
}

/* Keeps the call for later mixes; false: it is the caller's still. */
static bool keep_call(tw_replay_t *replay, tw_script_t *script, redisReply *call)
{
    if (script->call_count < CALLS_KEPT) {
        script->calls[script->call_count++] = call;
        return true;
    }
    redisReply **place = &script->calls[tw_test_random_below(&replay->random, CALLS_KEPT)];
    freeReplyObject(*place);
    *place = call;
    return true;
}

/* --- the record --- */

static bool is_about_the_session(const redisReply *name)
{
    static const char *const names[] = {"HELLO",  "INFO", "SELECT", "CLIENT", "PING",   "ROLE",
                                        "CONFIG", "TIME", "AUTH",   "WAIT",   "COMMAND"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        if (is(name, names[i]))
            return true;
    return false;
}

static void run_plain(tw_replay_t *replay, const redisReply *command)
{
    const char *argv[ARGS_MAX];
    size_t lens[ARGS_MAX];
    bool subscribes =
        is(command->element[0], "SUBSCRIBE") || is(command->element[0], "UNSUBSCRIBE");

    for (size_t i = 0; i < command->elements; ++i) {
        if (is(command->element[i], "BLOCK"))
            return; /* test_channels.c has those */
        argv[i] = command->element[i]->str;
        lens[i] = command->element[i]->len;
    }
    set_clock(replay);
    if (subscribes) {
        tw_pair_send(&replay->pair, 1, (int)command->elements, argv, lens);
        tw_pair_drain(&replay->pair, 1); /* and so the real server has run it, too */
    } else {
        tw_pair_run(&replay->pair, 0, TW_SAME, (int)command->elements, argv, lens);
    }
}

/* False: the command is the caller's to free. */
static bool replay_command(tw_replay_t *replay, redisReply *command)
{
    redisReply **words = command->element;

    tw_check(command->type == REDIS_REPLY_ARRAY && command->elements > 0);
    if (command->elements > ARGS_MAX || is_about_the_session(words[0]))
        return false;
    if (is(words[0], "SCRIPT")) {
        if (is(words[1], "LOAD"))
            take_script(replay, words[2]);
        return false;
    }
    if (!is(words[0], "EVALSHA")) {
        run_plain(replay, command);
        return false;
    }
    tw_script_t *script = find_script(replay, words[1]->str);
    if (script == NULL)
        return false; /* the server that it was loaded into is gone */
    run_script(replay, script, command->elements, words);
    if (script->call_count > 0)
        run_mixed(replay, script, command);
    return keep_call(replay, script, command);
}

static void replay_world(tw_replay_t *replay, uint64_t seed)
{
    char command_line[1024], bytes[65536];
    redisReader *reader = redisReaderCreate();
    size_t len, commands = 0;

    snprintf(command_line, sizeof(command_line), "%s record %llu", TW_SIMULATE,
             (unsigned long long)seed);
    FILE *record = popen(command_line, "re"); /* NOLINT(cert-env33-c): our own program */
    tw_check(record != NULL);
    while (commands < COMMANDS_MAX && (len = fread(bytes, 1, sizeof(bytes), record)) > 0) {
        void *command = NULL;
        redisReaderFeed(reader, bytes, len);
        while (redisReaderGetReply(reader, &command) == REDIS_OK && command != NULL) {
            ++commands;
            if (!replay_command(replay, command))
                freeReplyObject(command);
        }
        tw_check(reader->err == 0);
    }
    tw_pair_drain(&replay->pair, 1);
    pclose(record);
    redisReaderFree(reader);
    tw_check(commands > 100);
}

static void test_scripts__answer_as_redis_does(void **state)
{
    tw_replay_t *replay = tw_alloc(sizeof(*replay));
    uint64_t seed = tw_test_random_init(&replay->random, "scripts", 5);

    tw_pair_open(&replay->pair);
    for (uint32_t left = tw_test_runs(4); left > 0; --left)
        replay_world(replay, seed++);
    tw_check(replay->script_count > 0);
    for (size_t i = 0; i < replay->script_count; ++i) {
        for (size_t k = 0; k < replay->scripts[i].call_count; ++k)
            freeReplyObject(replay->scripts[i].calls[k]);
        free(replay->scripts[i].text);
    }
    tw_pair_close(&replay->pair);
    free(replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts__answer_as_redis_does),
    };
    return cmocka_run_group_tests_name("redis_model_scripts", tests, NULL, NULL);
}
