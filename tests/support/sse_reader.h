/**
 * An event-stream client, written from WHATWG HTML 9.2.5 (parsing) and 9.2.6 (interpreting) alone:
 * what the gateway writes is read here as a browser would. Shares no code with runtime/model/sse.c.
 */
#ifndef TW_TEST_SSE_READER_H
#define TW_TEST_SSE_READER_H

#include <stdbool.h>
#include <stddef.h>

/** Bytes that grow. */
typedef struct tw_test_text {
    char *bytes; /* owned; NUL-terminated once anything was appended */
    size_t len, capacity;
} tw_test_text_t;

void tw_test_text_append(tw_test_text_t *text, const char *bytes, size_t len);
void tw_test_text_dispose(tw_test_text_t *text);

/** A message event as script would see it. */
typedef struct tw_sse_message {
    tw_test_text_t last_event_id, type, data;
} tw_sse_message_t;

typedef struct tw_sse_reader {
    tw_test_text_t line;                       /* of which the end has not come */
    bool after_cr;                             /* an LF that comes next belongs to that CR */
    tw_test_text_t data, type, last_id_buffer; /* 9.2.6: the three buffers */
    tw_test_text_t last_event_id;              /* the event source's last event ID string */
    long retry_ms;                             /* -1: none came */
    size_t comments;
    tw_sse_message_t *messages; /* owned */
    size_t message_count, message_capacity;
} tw_sse_reader_t;

void tw_sse_reader_init(tw_sse_reader_t *reader);
void tw_sse_reader_dispose(tw_sse_reader_t *reader);

/** The next bytes of the stream, cut anywhere. */
void tw_sse_reader_feed(tw_sse_reader_t *reader, const char *bytes, size_t len);

/** Whether a text is these bytes. */
bool tw_test_text_is(const tw_test_text_t *text, const char *bytes, size_t len);

#endif
