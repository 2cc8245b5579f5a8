/**
 * A keyed 64-bit hash (SipHash-1-3) of names that peers choose.
 *
 * Topic names and event ids come from anonymous clients. The key is drawn at start, so that nobody
 * outside can choose names that all fall into one bucket. Any thread, after tw_hash_seed().
 *
 * Callers: everybody; server/main.c draws the key.
 */
#ifndef TW_BASE_HASH_H
#define TW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/** Draws the process's key. Called once, at start, before other threads run; aborts when the system
 * has no randomness. */
void tw_hash_seed(void);

/** Returns the hash of len bytes under the process's key. */
uint64_t tw_hash(const void *bytes, size_t len);

/** Fills `out` with len bytes of the system's random source; aborts when there are none, because
 * the process could do nothing safely. */
void tw_random(void *out, size_t len);

#endif
