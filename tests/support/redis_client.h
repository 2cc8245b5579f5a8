/**
 * What tests of the Redis client share.
 */
#ifndef TW_TEST_REDIS_CLIENT_H
#define TW_TEST_REDIS_CLIENT_H

#include <uv.h>

#include "runtime/redis/client/client.h"

/** The configuration of a client for tests, which waits for little; `access` is borrowed. */
tw_redis_client_config_t tw_test_redis_client_config(const tw_redis_access_t *access);

/** Reads the access, and fails the test when it cannot be used. */
void tw_test_redis_access_init(tw_redis_access_t *access, const tw_redis_access_config_t *config);

/** Sends the words of a command (a NULL-terminated list of at most eight); what
 * tw_redis_client_send() returns. */
int tw_test_redis_client_send(tw_redis_client_t *client, const char *const *words,
                              tw_redis_reply_cb on_reply, void *data);

/** Destroys the client, which may be NULL, then closes its loop and frees its access. */
void tw_test_redis_client_end(tw_redis_client_t *client, uv_loop_t *loop,
                              tw_redis_access_t *access);

#endif
