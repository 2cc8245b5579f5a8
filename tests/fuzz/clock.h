/**
 * The monotonic clock of the fuzzer's process: what waits for a timeout gets it by a jump, not by
 * waiting. Linking clock.c replaces clock_gettime() for the gateway and for libuv; the wall clock
 * stays what it is.
 */
#ifndef TW_FUZZ_CLOCK_H
#define TW_FUZZ_CLOCK_H

#include <stdint.h>

/** Time goes on by that much at once. */
void tw_fuzz_clock_advance(uint64_t ms);

#endif
