/**
 * Allocation: sizes that we choose never fail (the process aborts), sizes that a peer chooses may.
 * Any thread.
 */
#ifndef TW_BASE_ALLOC_H
#define TW_BASE_ALLOC_H

#include <stddef.h>

/** Zeroed memory of a size that no peer chooses; aborts when there is none. free() it. */
void *tw_alloc(size_t bytes);

/** realloc() of a size that no peer chooses; aborts when there is none. */
void *tw_realloc(void *p, size_t bytes);

/** A NUL-terminated copy of len bytes (a size that an option caps); aborts when there is no memory.
 * free() it. */
char *tw_strndup(const char *s, size_t len);

/**
 * Memory of a size that a peer chose below some option's cap: NULL when there is none, and the
 * caller answers with an error. Not zeroed. free() it. Tests make its n-th call fail with
 * tw_alloc_fail_after().
 */
void *tw_try_alloc(size_t bytes);

/** For tests: the n-th following tw_try_alloc() of this thread fails (1 = the next one; 0 = none
 * does). Returns how many were still to come until the one that was to fail before; 0: it has. */
unsigned tw_alloc_fail_after(unsigned n);

#endif
