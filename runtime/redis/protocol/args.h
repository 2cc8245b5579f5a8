/**
 * The arguments of a command to Redis, gathered one by one. Control loop only.
 *
 * It belongs to the function that gathers them. Callers: runtime/redis/.
 */
#ifndef TW_REDIS_ARGS_H
#define TW_REDIS_ARGS_H

#include <stddef.h>
#include <stdint.h>

#define TW_REDIS_ARGS_NUMBERS_MAX 136

/** Arguments of a command: borrowed bytes, but for numbers. Not copied or moved once it holds a
 * number, to which argv points. */
typedef struct tw_redis_args {
    const char **argv; /* owned */
    size_t *lens;      /* owned */
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

#endif
