#include "bench/load/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

char *load_bytes_reserve(load_bytes_t *self, size_t bytes)
{
    if (self->taken > 0 && self->taken * 2 >= self->size) {
        memmove(self->data, self->data + self->taken, self->size - self->taken);
        self->size -= self->taken;
        self->taken = 0;
    }
    if (self->capacity - self->size < bytes) {
        size_t capacity = self->capacity > 0 ? self->capacity : 256;
        while (capacity - self->size < bytes)
            capacity *= 2;
        char *data = realloc(self->data, capacity);
        if (data == NULL)
            abort();
        self->data = data;
        self->capacity = capacity;
    }
    return self->data + self->size;
}

void load_bytes_append(load_bytes_t *self, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    memcpy(load_bytes_reserve(self, bytes), data, bytes);
    self->size += bytes;
}

void load_bytes_take(load_bytes_t *self, size_t bytes)
{
    assert(bytes <= load_bytes_left(self));
    self->taken += bytes;
    if (self->taken == self->size)
        self->taken = self->size = 0;
}

void load_bytes_dispose(load_bytes_t *self)
{
    free(self->data);
    *self = (load_bytes_t){NULL, 0, 0, 0};
}
