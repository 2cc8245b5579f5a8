/**
 * What the two parts of the server of ordinary requests share; see server.c.
 *
 * H2O_SERIES is the number of the last patch in the libh2o that this is built with. The server also
 * builds with a part of the series, so that deps/h2o/tests/prove can show what each patch is there
 * for.
 */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include <stdint.h>

#include "h2o.h"

#define HAS_EARLY_ANSWER (H2O_SERIES >= 2)
#define HAS_EMBEDDER_ERRORS (H2O_SERIES >= 3)
#define HAS_HELD_BYTES (H2O_SERIES >= 29)
#define HAS_WANTED_HEADERS (H2O_SERIES >= 30)

typedef struct {
    const char *name;
    uint64_t value;
} option_t;

enum {
    OPT_DELAY_MS,
    OPT_ENTITY_MAX,
    OPT_BIG_BYTES,
    OPT_CONCURRENT,
    OPT_HTTP2_IDLE_MS,
    OPT_HTTP1_REQUEST_MS,
    OPT_NO_ROOM_FOR_ALERTS,
    OPT_HELD_MAX,
#define PATCHED(series, name, label, field, value) OPT_##name,
#include "patched_options.h"
#undef PATCHED
    OPT_COUNT
};

extern option_t options[OPT_COUNT];

/* handlers.c: what the paths answer */
void handlers_register(h2o_globalconf_t *config);

#endif
