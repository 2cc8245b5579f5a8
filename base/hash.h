/**
 * A keyed 64-bit hash (SipHash-1-3) of names that peers choose.
 *
 * Topic names and event ids come from anonymous clients; with a key drawn at start nobody outside
 * can aim names at one bucket. Any thread, after tw_hash_seed().
 */
#ifndef TW_BASE_HASH_H
#define TW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/** Draws the process's key. Once, at start, before other threads run; aborts when the system gives
 * no randomness. */
void tw_hash_seed(void);

/** The hash of len bytes under the process's key. */
uint64_t tw_hash(const void *bytes, size_t len);

/** len bytes from the system's random source; aborts when there are none (nothing safe can follow).
 */
void tw_random(void *out, size_t len);

#endif
