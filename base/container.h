/**
 * From a member to the struct that embeds it. Any thread.
 *
 * Callers: everybody.
 */
#ifndef TW_BASE_CONTAINER_H
#define TW_BASE_CONTAINER_H

#include <stddef.h>

/** The `type` whose `member` lies at `pointer`, which must not be NULL. */
#define TW_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
