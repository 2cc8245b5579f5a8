/** The file descriptors that the process may have. Main thread, at start. */
#ifndef TW_SERVER_DESCRIPTORS_H
#define TW_SERVER_DESCRIPTORS_H

#include <stdint.h>

/**
 * Raises the limit on descriptors to what `connections` need, and some more for probes, Redis and
 * files, which must work when clients are many. Returns how many connections there may be: fewer
 * than were asked for, with a warning in the log, when the system does not give that many.
 */
uint64_t tw_descriptors_reserve(uint64_t connections);

#endif
