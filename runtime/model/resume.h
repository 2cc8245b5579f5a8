/**
 * Resuming a stream: from Last-Event-ID (WHATWG HTML 9.2.4, 9.2.6) to the events that the client
 * has missed.
 *
 * A client names the last event that it got, by the publisher's id, or by the gateway's own id
 * `~<epoch>-<seq>` of the opening block, which a stream that has got no event yet sends back. A
 * stream whose continuity cannot be proven says so before its first event (a gap). Any thread.
 */
#ifndef TW_MODEL_RESUME_H
#define TW_MODEL_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"
#include "runtime/model/status.h"

/** Why continuity cannot be proven. Columns: name, label, meaning. */
#define TW_GAP_TABLE(X)                                                                            \
    X(NONE, "none", "every event after the last one seen is sent")                                 \
    X(UNKNOWN_ID, "unknown_id", "no kept event of these topics has this id")                       \
    X(EVICTED, "evicted", "events after the last one seen are no longer kept")                     \
    X(OTHER_EPOCH, "other_epoch", "the id predates a restart")

typedef enum tw_gap {
#define X(name, label, meaning) TW_GAP_##name,
    TW_GAP_TABLE(X)
#undef X
} tw_gap_t;

/** The label of the table; a constant. */
const char *tw_gap_label(tw_gap_t gap);

/** Room for `~`, 16 hex digits, `-`, up to 20 digits, and a NUL. */
#define TW_POSITION_ID_SIZE 40

/** Writes the gateway's own id of a position, NUL-terminated. Returns its length. */
size_t tw_position_id(tw_position_t position, char out[TW_POSITION_ID_SIZE]);

/** Reads an id that tw_position_id() wrote. False when it is anything else. */
bool tw_position_parse(const char *id, size_t id_len, tw_position_t *position);

/** From where a client wants to resume; last_event_id NULL or empty: it does not. Borrowed for the
 * call. */
typedef struct tw_resume {
    const char *last_event_id;
    size_t last_event_id_len;
} tw_resume_t;

/** How a stream begins. Borrowed for the callback. */
typedef struct tw_opening {
    tw_position_t position; /* before the first event of the stream: the id of the opening block */
    tw_gap_t gap;           /* other than NONE: the stream begins with a gap event … */
    const tw_topic_name_t *topics; /* … that names these */
    size_t topic_count;
} tw_opening_t;

/** `opening` is NULL when status is not TW_OK. */
typedef void (*tw_opened_fn)(void *data, tw_status_t status, const tw_opening_t *opening);

#endif
