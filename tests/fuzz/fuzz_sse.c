/*
 * The SSE encoder, with a reader as oracle that was written from the WHATWG's text alone
 * (tests/support/sse_reader.h). The input is `id LF type LF payload`. Checked: what is written is
 * as long as was said, is read as exactly one event with this id, type and lines, wherever the
 * stream is cut, and adds no field; the payload of a frame is found again; the check for UTF-8
 * agrees with jansson's.
 */
#include <stdlib.h>

#include <jansson.h>

#include "runtime/model/sse.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"
#include "tests/support/sse_reader.h"

/* The payload with each CRLF and CR as LF: the lines that a publisher means. */
static size_t normalize(tw_fuzz_text_t payload, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < payload.len; ++i) {
        if (payload.base[i] == '\r') {
            out[len++] = '\n';
            if (i + 1 < payload.len && payload.base[i + 1] == '\n')
                ++i;
        } else {
            out[len++] = payload.base[i];
        }
    }
    return len;
}

static void check_read(const char *frame, size_t frame_len, const tw_sse_fields_t *fields,
                       const char *data, size_t data_len, size_t cut)
{
    tw_sse_reader_t reader;

    tw_sse_reader_init(&reader);
    tw_sse_reader_feed(&reader, frame, cut);
    tw_sse_reader_feed(&reader, frame + cut, frame_len - cut);
    tw_sse_reader_feed(&reader, ":\n\n", 3);
    tw_check(reader.line.len == 0 && reader.comments == 1 && reader.retry_ms == -1);
    tw_check(tw_test_text_is(&reader.last_event_id, fields->id, fields->id_len));
    /* An event without data is none (9.2.6), and one empty line is no data. */
    tw_check(reader.message_count == 1);
    const tw_sse_message_t *message = &reader.messages[0];
    tw_check(tw_test_text_is(&message->data, data, data_len));
    tw_check(fields->type_len > 0 ? tw_test_text_is(&message->type, fields->type, fields->type_len)
                                  : tw_test_text_is(&message->type, "message", 7));
    tw_sse_reader_dispose(&reader);
}

/* As the publish route: printable ASCII. */
static tw_fuzz_text_t printable(tw_fuzz_text_t text, char *out)
{
    size_t len = text.len < 256 ? text.len : 256;
    for (size_t i = 0; i < len; ++i)
        out[i] = (char)(' ' + (unsigned char)text.base[i] % ('~' - ' ' + 1));
    return (tw_fuzz_text_t){out, len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    char id_bytes[256], type_bytes[256];
    tw_fuzz_text_t id = printable(tw_fuzz_until(&input, '\n'), id_bytes);
    tw_fuzz_text_t type = printable(tw_fuzz_until(&input, '\n'), type_bytes);
    tw_fuzz_text_t payload = {(const char *)input.at, input.left};
    json_t *text = json_stringn(payload.base != NULL ? payload.base : "", payload.len);
    bool has_nul = payload.len > 0 && memchr(payload.base, '\0', payload.len) != NULL;

    tw_check(tw_sse_text_valid(payload.base, payload.len) == (text != NULL && !has_nul));
    json_decref(text);
    const tw_sse_fields_t fields = {.id = id.base,
                                    .id_len = id.len,
                                    .type = type.base,
                                    .type_len = type.len,
                                    .payload = payload.base,
                                    .payload_len = payload.len};
    size_t frame_len = tw_sse_size(&fields);
    char *frame = malloc(frame_len), *lines = malloc(payload.len + 1), *again = malloc(frame_len);
    tw_check(frame != NULL && lines != NULL && again != NULL);
    tw_check(tw_sse_write(frame, &fields) == frame + frame_len);
    size_t lines_len = normalize(payload, lines);
    check_read(frame, frame_len, &fields, lines, lines_len, size % (frame_len + 1));
    tw_check(tw_sse_payload(frame, frame_len, again) == lines_len);
    tw_check(lines_len == 0 || memcmp(again, lines, lines_len) == 0);
    free(again);
    free(lines);
    free(frame);
    return 0;
}
