/**
 * Resuming a stream: from Last-Event-ID (WHATWG HTML 9.2.4, 9.2.6) to the events that the client
 * has missed.
 *
 * A client names the last event that it got, by the publisher's id, or by the gateway's own id
 * `~<epoch>-<seq>` of the opening block, which a stream that has got no event yet sends back. A
 * stream whose continuity cannot be proven says so before its first event (a gap). Any thread.
 *
 * Callers: handlers/, runtime/.
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

/** A node has at most so many lanes: orders that are independent of each other. */
#define TW_LANES_MAX 64
/** Room for the positions of all lanes, each as above with a comma for the `~`, and a NUL. */
#define TW_POSITIONS_ID_SIZE (TW_LANES_MAX * TW_POSITION_ID_SIZE)

/**
 * Writes the gateway's own id of a stream whose topics are in several lanes: `~` and the positions
 * in these (at least one), with commas between them. Which lane each is of is told by its epoch.
 * With one position it is tw_position_id(). NUL-terminated; returns its length.
 */
size_t tw_positions_id(const tw_position_t *positions, size_t count,
                       char out[TW_POSITIONS_ID_SIZE]);

/** Reads an id that tw_positions_id() wrote; returns how many positions are in it, 0 when it is
 * anything else. */
size_t tw_positions_parse(const char *id, size_t id_len, tw_position_t positions[TW_LANES_MAX]);

/** From where a client wants to resume; last_event_id NULL or empty: it does not. Borrowed for the
 * call. */
typedef struct tw_resume {
    const char *last_event_id;
    size_t last_event_id_len;
} tw_resume_t;

/** How a stream begins. Borrowed for the callback. */
typedef struct tw_opening {
    tw_position_t position; /* before the first event of the stream: the id of the opening block */
    const tw_position_t *positions; /* of each of its lanes, the one above first */
    size_t position_count;
    tw_gap_t gap;                  /* other than NONE: the stream begins with a gap event … */
    const tw_topic_name_t *topics; /* … that names these */
    size_t topic_count;
} tw_opening_t;

/** `opening` is NULL when status is not TW_OK. */
typedef void (*tw_opened_fn)(void *data, tw_status_t status, const tw_opening_t *opening);

#endif
