/**
 * Kept events as text for operators: as rows of a JSON array, or as SSE. It is written bit by bit,
 * so that a large payload costs no more at a time than a small one. Belongs to one thread.
 *
 * It is part of a request's answer, and of its pool. Callers: handlers/admin/tail.c.
 */
#ifndef TW_HANDLERS_ADMIN_TAIL_TEXT_H
#define TW_HANDLERS_ADMIN_TAIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/model/event.h"

/** The least room for which tw_tail_text_write() gets on. */
#define TW_TAIL_TEXT_ROOM_MIN 4096

typedef enum tw_tail_form {
    TW_TAIL_JSON, /* objects with commas between them */
    TW_TAIL_SSE,  /* events of the type tideway.event, whose data is the object */
} tw_tail_form_t;

/** All zeros: nothing is left to be written. */
typedef struct tw_tail_text {
    tw_tail_form_t form;
    tw_event_t **events; /* owned; those from `next` on with a reference */
    size_t count;
    size_t next;    /* index of the event that is being written */
    const char *at; /* in its frame: the rest of its payload; NULL: nothing of it is written yet */
    bool line_begins; /* `at` is where a line of the frame begins */
    bool has_line;    /* a line of the payload is written already */
    bool is_utf8;     /* else bytes above 0x7f are written as U+FFFD */
} tw_tail_text_t;

/** Begins with these events and takes references of its own. What was left before is dropped. */
void tw_tail_text_set(tw_tail_text_t *text, tw_tail_form_t form, tw_event_t *const *events,
                      size_t count);

/** Writes the next bytes, at most `room`, which is at least TW_TAIL_TEXT_ROOM_MIN. Returns how
 * many; 0 when nothing is left. */
size_t tw_tail_text_write(tw_tail_text_t *text, char *to, size_t room);

static inline bool tw_tail_text_is_done(const tw_tail_text_t *text)
{
    return text->next == text->count;
}

/** Drops what is left. */
void tw_tail_text_dispose(tw_tail_text_t *text);

#endif
