/*
 * A growing buffer of bytes that is filled at its end and emptied from its front. One owner, one
 * thread. Growth aborts when memory is gone: everything that fills one here is bounded by options.
 */
#ifndef TW_BENCH_BYTES_H
#define TW_BENCH_BYTES_H

#include <stddef.h>

typedef struct st_tw_bytes_t {
    char *data; /* owned; NULL while nothing was ever put in */
    size_t size;
    size_t capacity;
    size_t taken; /* of `size`, from the front, already dealt with */
} tw_bytes_t;

/* Room for `bytes` more behind the end; the caller fills it and then adds to `size`. */
char *tw_bytes_reserve(tw_bytes_t *self, size_t bytes);

void tw_bytes_append(tw_bytes_t *self, const void *data, size_t bytes);

/* What has not been taken yet. */
static inline const char *tw_bytes_front(const tw_bytes_t *self)
{
    return self->data + self->taken;
}

static inline size_t tw_bytes_left(const tw_bytes_t *self)
{
    return self->size - self->taken;
}

/* `bytes` of the front are dealt with. */
void tw_bytes_take(tw_bytes_t *self, size_t bytes);

/* Frees the memory; the object is empty and usable again. */
void tw_bytes_dispose(tw_bytes_t *self);

#endif
