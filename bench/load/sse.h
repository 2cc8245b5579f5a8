/*
 * Cuts what a subscriber receives into the items of an event stream (WHATWG HTML 9.2.6), only as
 * far as the load generator needs it: one line of data to an event, lines that end in LF or CRLF.
 *
 * Pull parser without state or copies: the caller keeps what is not yet a whole item and shows it
 * again with more behind it. Pure; any thread.
 */
#ifndef TW_BENCH_SSE_H
#define TW_BENCH_SSE_H

#include <stddef.h>

typedef enum {
    TW_SSE_EVENT,   /* up to and with its blank line; `data` is its first data line's value */
    TW_SSE_COMMENT, /* one comment line outside of any event: a heartbeat */
    TW_SSE_OTHER    /* a blank line, a retry line, an event without data */
} tw_sse_kind_t;

typedef struct st_tw_sse_item_t {
    tw_sse_kind_t kind;
    const char *data; /* TW_SSE_EVENT: borrowed from the input */
    size_t data_bytes;
} tw_sse_item_t;

/* The length of the first whole item in `text`, 0 when there is none yet. */
size_t tw_sse_next(const char *text, size_t bytes, tw_sse_item_t *item);

#endif
