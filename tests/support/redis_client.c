#include "tests/support/redis_client.h"

#include <string.h>

#include "tests/support/cmocka_test.h"
#include "tests/support/loop.h"

#define WORDS_MAX 8
#define DEADLINE_MS 10000

tw_redis_client_config_t tw_test_redis_client_config(const tw_redis_access_t *access)
{
    return (tw_redis_client_config_t){
        .access = access,
        .name = "tideway-test",
        .limits = {.connect_timeout_ms = 10000,
                   .command_timeout_ms = 2000,
                   .pending_max = 1000,
                   .output_bytes_max = 1 << 20,
                   .reply_bytes_max = 8 << 20},
        .backoff_min_ms = 20,
        .backoff_max_ms = 100,
    };
}

void tw_test_redis_access_init(tw_redis_access_t *access, const tw_redis_access_config_t *config)
{
    char error[512];
    if (tw_redis_access_init(access, config, error, sizeof(error)) != 0)
        fail_msg("%s", error);
}

int tw_test_redis_client_send(tw_redis_client_t *client, const char *const *words,
                              tw_redis_reply_cb on_reply, void *data)
{
    const char *argv[WORDS_MAX];
    size_t lens[WORDS_MAX];
    int argc = 0;

    for (; words[argc] != NULL; ++argc) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = words[argc];
        lens[argc] = strlen(words[argc]);
    }
    return tw_redis_client_send(client, argc, argv, lens, on_reply, data);
}

void tw_test_redis_client_end(tw_redis_client_t *client, uv_loop_t *loop, tw_redis_access_t *access)
{
    tw_redis_client_destroy(client);
    tw_test_loop_close(loop, DEADLINE_MS);
    tw_redis_access_dispose(access);
}
