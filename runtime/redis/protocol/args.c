#include "runtime/redis/protocol/args.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void tw_redis_args_init(tw_redis_args_t *args)
{
    args->argv = NULL;
    args->lens = NULL;
    args->count = args->capacity = args->number_count = 0;
}

void tw_redis_args_dispose(tw_redis_args_t *args)
{
    free((void *)args->argv);
    free(args->lens);
    tw_redis_args_init(args);
}

void tw_redis_args_add(tw_redis_args_t *args, const char *bytes, size_t len)
{
    if (args->count == args->capacity) {
        args->capacity = args->capacity == 0 ? 16 : args->capacity * 2;
        size_t capacity = (size_t)args->capacity;
        args->argv = tw_realloc((void *)args->argv, capacity * sizeof(*args->argv));
        args->lens = tw_realloc(args->lens, capacity * sizeof(*args->lens));
    }
    args->argv[args->count] = bytes;
    args->lens[args->count++] = len;
}

void tw_redis_args_text(tw_redis_args_t *args, const char *text)
{
    tw_redis_args_add(args, text, strlen(text));
}

void tw_redis_args_number(tw_redis_args_t *args, uint64_t number)
{
    assert(args->number_count < TW_REDIS_ARGS_NUMBERS_MAX);
    char *text = args->numbers[args->number_count++];
    tw_redis_args_add(
        args, text,
        (size_t)snprintf(text, sizeof(args->numbers[0]), "%llu", (unsigned long long)number));
}
