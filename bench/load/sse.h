/*
 * Cuts what a subscriber receives into the items of an event stream (WHATWG HTML 9.2.6), only as
 * far as the load generator needs it: one line of data to an event, lines that end in LF or CRLF.
 *
 * Pull parser without state or copies: the caller keeps what is not yet a whole item and shows it
 * again with more behind it. Pure; any thread.
 */
#ifndef LOAD_SSE_H
#define LOAD_SSE_H

#include <stddef.h>

typedef enum {
    LOAD_SSE_EVENT,   /* up to and with its blank line; `data` is its first data line's value */
    LOAD_SSE_COMMENT, /* one comment line outside of any event: a heartbeat */
    LOAD_SSE_OTHER    /* a blank line, a retry line, an event without data */
} load_sse_kind_t;

typedef struct load_sse_item {
    load_sse_kind_t kind;
    const char *data; /* LOAD_SSE_EVENT: borrowed from the input */
    size_t data_bytes;
} load_sse_item_t;

/* The length of the first whole item in `text`, 0 when there is none yet. */
size_t load_sse_next(const char *text, size_t bytes, load_sse_item_t *item);

#endif
