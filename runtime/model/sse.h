/**
 * The event-stream format: WHATWG HTML 9.2.5 (parsing) and 9.2.6 (interpreting), seen from the side
 * that writes it.
 *
 * A frame is `id: …\n`, `event: …\n` if there is a type, one `data: …\n` per line of the payload,
 * and an empty line. CRLF, CR and LF each end a line of the payload (9.2.5 "end-of-line"), so that
 * a client sees the lines that the publisher meant; a payload that ends in a line end has an empty
 * last line, and an empty payload is one empty line. Any thread; nothing here allocates.
 *
 * Buffers are the caller's. Callers: runtime/model/event.c, handlers/.
 */
#ifndef TW_MODEL_SSE_H
#define TW_MODEL_SSE_H

#include <stdbool.h>
#include <stddef.h>

/** The comment that keeps a silent stream alive. */
#define TW_SSE_HEARTBEAT ":\n\n"
#define TW_SSE_HEARTBEAT_LEN (sizeof(TW_SSE_HEARTBEAT) - 1)

/** The same as an event, which pages see. */
#define TW_SSE_HEARTBEAT_EVENT "event: tideway.heartbeat\ndata:\n\n"

/** The fields of a frame. With id_len 0 it has no id line, with type_len 0 no event line. id and
 * type contain no CR, LF or NUL. */
typedef struct tw_sse_fields {
    const char *id;
    size_t id_len;
    const char *type;
    size_t type_len;
    const char *payload;
    size_t payload_len;
} tw_sse_fields_t;

/** How many bytes tw_sse_write() writes. */
size_t tw_sse_size(const tw_sse_fields_t *fields);

/** Writes the frame to out, which has room for tw_sse_size() bytes; returns its end. */
char *tw_sse_write(char *out, const tw_sse_fields_t *fields);

/**
 * Reads the payload back from a frame that tw_sse_write() wrote: its lines, joined by LF, as a
 * subscriber gets them. out has room for frame_len bytes. Returns how many were written.
 */
size_t tw_sse_payload(const char *frame, size_t frame_len, char *out);

/** Whether the bytes are UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF) without
 * NUL: what a payload must be. */
bool tw_sse_text_valid(const char *text, size_t len);

#endif
