/**
 * Resuming a stream: from Last-Event-ID (WHATWG HTML 9.2.4, 9.2.6) to the events that the client
 * has not seen.
 *
 * A client names the last event it got: by the publisher's id, or by the gateway's own
 * `~<epoch>-<seq>` of the opening block, which a stream that has seen no event yet sends back.
 * Where continuity cannot be proven the stream says so before its first event.
 */
#ifndef TW_MODEL_RESUME_H
#define TW_MODEL_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"
#include "runtime/model/status.h"

/** Why continuity cannot be proven. name, label, meaning */
#define TW_GAP_TABLE(X)                                                                            \
    X(NONE, "none", "every event after the last one seen is sent")                                 \
    X(UNKNOWN_ID, "unknown_id", "no kept event of these topics has this id")                       \
    X(EVICTED, "evicted", "events after the last one seen are no longer kept")                     \
    X(OTHER_EPOCH, "other_epoch", "the id is of before a restart")

typedef enum tw_gap {
#define X(name, label, meaning) TW_GAP_##name,
    TW_GAP_TABLE(X)
#undef X
} tw_gap_t;

/** A constant. */
const char *tw_gap_label(tw_gap_t gap);

/** `~`, 16 hex digits, `-`, up to 20 digits, and a NUL. */
#define TW_POSITION_ID_SIZE 40

/** Writes the gateway's own id of a position, NUL-terminated; returns its length. */
size_t tw_position_id(tw_position_t position, char out[TW_POSITION_ID_SIZE]);

/** Reads such an id, strictly as written; false when it is anything else. */
bool tw_position_parse(const char *id, size_t id_len, tw_position_t *position);

/** What the client wants: last_event_id NULL or empty means a fresh stream. Borrowed for the call.
 */
typedef struct tw_resume {
    const char *last_event_id;
    size_t last_event_id_len;
} tw_resume_t;

/** How a stream begins. Borrowed for the callback. */
typedef struct tw_opening {
    tw_position_t position; /* right before the first event that the stream will carry: the opening
                               block's id */
    tw_gap_t gap;           /* not NONE: the stream begins with a gap event that names … */
    const tw_topic_name_t *topics; /* … these */
    size_t topic_count;
} tw_opening_t;

/** `opening` is NULL when status is not TW_OK. */
typedef void (*tw_opened_fn)(void *data, tw_status_t status, const tw_opening_t *opening);

#endif
