/**
 * A Redis that answers as it should, or as the fuzzer's input wants: any value, or bytes that are
 * none; and that puts into the inbox what it likes. It knows just so much of Redis as the
 * adapter asks for.
 *
 * Each command takes one byte of the input: its lowest two bits all set, the answer is made of the
 * input; its lowest three bits 6, an entry that is made of the input is put into the inbox after
 * the answer; 255, the connection is closed instead. When the input is used up, all answers are as
 * they should be.
 */
#ifndef TW_FUZZ_FAKE_REDIS_H
#define TW_FUZZ_FAKE_REDIS_H

#include <uv.h>

#include "runtime/redis/protocol/scripts.h"
#include "tests/fuzz/input.h"
#include "tests/support/sse_reader.h"

typedef struct tw_fake_redis_client tw_fake_redis_client_t;

typedef struct tw_fake_redis {
    uv_tcp_t listener;
    int port;
    const char *node_id;    /* borrowed: the gateway's */
    tw_fuzz_input_t *input; /* borrowed */
    bool rude;              /* greetings are made of the input, too */
    uint64_t seq;           /* newest number */
    size_t commands;        /* that came so far */
    unsigned handles;       /* not closed yet */
    tw_fake_redis_client_t *clients;
    tw_fake_redis_client_t *reader; /* waits for what comes into the inbox; or NULL */
    uv_timer_t clock;               /* ends its waiting */
    bool joined;
    uint64_t inbox_end;     /* number of the newest entry */
    tw_test_text_t entries; /* owned; that nobody has read */
    size_t entry_count;
    char sha[TW_REDIS_SCRIPT_COUNT][TW_REDIS_SHA_LEN + 1];
} tw_fake_redis_t;

/** Listens on 127.0.0.1, on redis->port. */
void tw_fake_redis_init(tw_fake_redis_t *redis, uv_loop_t *loop, const char *node_id,
                        tw_fuzz_input_t *input);

/** Puts an entry that is made of the input into the inbox. */
void tw_fake_redis_publish(tw_fake_redis_t *redis);

/** Begins to close everything; done when redis->handles is 0. */
void tw_fake_redis_close(tw_fake_redis_t *redis);

#endif
