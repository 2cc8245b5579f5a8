/*
 * A growing buffer of bytes that is filled at its end and emptied from its front. One owner, one
 * thread. Growth aborts when memory is gone: everything that fills one here is bounded by options.
 */
#ifndef LOAD_BYTES_H
#define LOAD_BYTES_H

#include <stddef.h>

typedef struct load_bytes {
    char *data; /* owned; NULL while nothing was ever put in */
    size_t size;
    size_t capacity;
    size_t taken; /* of `size`, from the front, already dealt with */
} load_bytes_t;

/* Room for `bytes` more behind the end; the caller fills it and then adds to `size`. */
char *load_bytes_reserve(load_bytes_t *self, size_t bytes);

void load_bytes_append(load_bytes_t *self, const void *data, size_t bytes);

/* What has not been taken yet. */
static inline const char *load_bytes_front(const load_bytes_t *self)
{
    return self->data + self->taken;
}

static inline size_t load_bytes_left(const load_bytes_t *self)
{
    return self->size - self->taken;
}

/* `bytes` of the front are dealt with. */
void load_bytes_take(load_bytes_t *self, size_t bytes);

/* Frees the memory; the object is empty and usable again. */
void load_bytes_dispose(load_bytes_t *self);

#endif
