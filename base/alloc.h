/**
 * Allocation. The process aborts when there is no memory for a size that it chose itself; memory of
 * a size that a peer chose may fail, and the caller answers with an error. Any thread.
 *
 * Callers: everybody; tw_alloc_fail_after() is for tests alone.
 */
#ifndef TW_BASE_ALLOC_H
#define TW_BASE_ALLOC_H

#include <stddef.h>

/** Allocates zeroed memory of a size that no peer chooses, or one below 1 KiB, as for a topic's
 * name; aborts when there is no memory. The caller frees it with free(). */
void *tw_alloc(size_t bytes);

/** Is realloc() for a size that no peer chooses; aborts when there is no memory. */
void *tw_realloc(void *p, size_t bytes);

/** Returns a NUL-terminated copy of len bytes, a size that an option caps; aborts when there is no
 * memory. The caller frees it with free(). */
char *tw_strndup(const char *s, size_t len);

/**
 * Allocates memory, which is not zeroed, of a size that a peer chose below the cap of some option.
 * Returns NULL when there is no memory; the caller then answers with an error. The caller frees it
 * with free(). Tests make its n-th call fail with tw_alloc_fail_after().
 */
void *tw_try_alloc(size_t bytes);

/** For tests: makes the n-th following tw_try_alloc() of this thread fail (1: the next one; 0: no
 * call). Returns how many calls were left until the one that an earlier call has chosen; 0: that
 * one has failed already. */
unsigned tw_alloc_fail_after(unsigned n);

#endif
