/**
 * The arguments of a command to Redis, gathered one by one. Control loop only.
 */
#ifndef TW_REDIS_ARGS_H
#define TW_REDIS_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/redis/client/client.h"
#include "runtime/redis/scripts.h"

struct tw_redis_node;

#define TW_REDIS_ARGS_NUMBERS_MAX 40

/** Arguments of a command: borrowed bytes. */
typedef struct tw_redis_args {
    const char **argv;
    size_t *lens;
    int count, capacity;
    char numbers[TW_REDIS_ARGS_NUMBERS_MAX][24];
    int number_count;
} tw_redis_args_t;

void tw_redis_args_init(tw_redis_args_t *args);
void tw_redis_args_dispose(tw_redis_args_t *args);
void tw_redis_args_add(tw_redis_args_t *args, const char *bytes, size_t len);
void tw_redis_args_text(tw_redis_args_t *args, const char *text);
/** Up to TW_REDIS_ARGS_NUMBERS_MAX of them. */
void tw_redis_args_number(tw_redis_args_t *args, uint64_t number);
/** Begins with EVALSHA of the script. */
void tw_redis_args_script(tw_redis_args_t *args, const struct tw_redis_node *node,
                          tw_redis_script_t script);
/** Sends and disposes; see tw_redis_client_send(). */
int tw_redis_args_send(tw_redis_args_t *args, tw_redis_client_t *client, tw_redis_reply_cb on_reply,
                       void *data);

#endif
