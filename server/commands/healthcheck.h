/**
 * `tideway healthcheck`: asks the gateway that these options describe whether it is healthy. It is
 * meant for container engines: the image contains no other program that could ask.
 */
#ifndef TW_SERVER_HEALTHCHECK_H
#define TW_SERVER_HEALTHCHECK_H

#include <stddef.h>

#include "server/options/options.h"

/**
 * Requests /healthz of the ops listener or, if that is off, of the first main address. Blocks for a
 * few seconds at most. Returns 0 when the answer is 200, else -1 with one line in `error`.
 */
int tw_healthcheck(const tw_options_t *options, char *error, size_t error_size);

#endif
