#include "tests/support/sse_reader.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"

void tw_test_text_append(tw_test_text_t *text, const char *bytes, size_t len)
{
    if (text->capacity < text->len + len + 1) {
        text->capacity = (text->len + len + 1) * 2;
        text->bytes = realloc(text->bytes, text->capacity);
        tw_check(text->bytes != NULL);
    }
    for (size_t i = 0; i < len; ++i)
        text->bytes[text->len + i] = bytes[i];
    text->len += len;
    text->bytes[text->len] = '\0';
}

void tw_test_text_dispose(tw_test_text_t *text)
{
    free(text->bytes);
    *text = (tw_test_text_t){0};
}

static void set_text(tw_test_text_t *text, const char *bytes, size_t len)
{
    text->len = 0;
    tw_test_text_append(text, bytes, len);
}

bool tw_test_text_is(const tw_test_text_t *text, const char *bytes, size_t len)
{
    return text->len == len && (len == 0 || memcmp(text->bytes, bytes, len) == 0);
}

void tw_sse_reader_init(tw_sse_reader_t *reader)
{
    *reader = (tw_sse_reader_t){.retry_ms = -1};
}

void tw_sse_reader_dispose(tw_sse_reader_t *reader)
{
    for (size_t i = 0; i < reader->message_count; ++i) {
        tw_test_text_dispose(&reader->messages[i].last_event_id);
        tw_test_text_dispose(&reader->messages[i].type);
        tw_test_text_dispose(&reader->messages[i].data);
    }
    free(reader->messages);
    tw_test_text_dispose(&reader->line);
    tw_test_text_dispose(&reader->data);
    tw_test_text_dispose(&reader->type);
    tw_test_text_dispose(&reader->last_id_buffer);
    tw_test_text_dispose(&reader->last_event_id);
    tw_sse_reader_init(reader);
}

/* "Dispatch the event": 9.2.6. */
static void dispatch(tw_sse_reader_t *reader)
{
    set_text(&reader->last_event_id, reader->last_id_buffer.bytes, reader->last_id_buffer.len);
    if (reader->data.len == 0) {
        reader->type.len = 0;
        return;
    }
    if (reader->data.bytes[reader->data.len - 1] == '\n')
        --reader->data.len;
    if (reader->message_count == reader->message_capacity) {
        reader->message_capacity = reader->message_capacity * 2 + 8;
        reader->messages =
            realloc(reader->messages, reader->message_capacity * sizeof(*reader->messages));
        tw_check(reader->messages != NULL);
    }
    tw_sse_message_t *message = &reader->messages[reader->message_count++];
    *message = (tw_sse_message_t){0};
    set_text(&message->last_event_id, reader->last_event_id.bytes, reader->last_event_id.len);
    set_text(&message->data, reader->data.bytes, reader->data.len);
    if (reader->type.len != 0)
        set_text(&message->type, reader->type.bytes, reader->type.len);
    else
        set_text(&message->type, "message", 7);
    reader->data.len = 0;
    reader->type.len = 0;
}

static bool is_field(const char *name, size_t len, const char *field)
{
    return len == strlen(field) && memcmp(name, field, len) == 0;
}

/* "Process the field": 9.2.6. */
static void process_field(tw_sse_reader_t *reader, const char *name, size_t name_len,
                          const char *value, size_t value_len)
{
    if (is_field(name, name_len, "event")) {
        set_text(&reader->type, value, value_len);
    } else if (is_field(name, name_len, "data")) {
        tw_test_text_append(&reader->data, value, value_len);
        tw_test_text_append(&reader->data, "\n", 1);
    } else if (is_field(name, name_len, "id")) {
        if (memchr(value, '\0', value_len) == NULL)
            set_text(&reader->last_id_buffer, value, value_len);
    } else if (is_field(name, name_len, "retry")) {
        if (value_len > 0 && strspn(value, "0123456789") >= value_len)
            reader->retry_ms = strtol(value, NULL, 10);
    }
}

static void process_line(tw_sse_reader_t *reader)
{
    const char *line = reader->line.bytes;
    size_t len = reader->line.len;

    if (len == 0) {
        dispatch(reader);
        return;
    }
    const char *colon = memchr(line, ':', len);
    if (colon == line) {
        ++reader->comments;
    } else if (colon != NULL) {
        const char *value = colon + 1;
        size_t value_len = len - (size_t)(value - line);
        if (value_len > 0 && *value == ' ') {
            ++value;
            --value_len;
        }
        process_field(reader, line, (size_t)(colon - line), value, value_len);
    } else {
        process_field(reader, line, len, "", 0);
    }
    reader->line.len = 0;
}

void tw_sse_reader_feed(tw_sse_reader_t *reader, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; ++i) {
        bool belongs_to_cr = reader->after_cr && bytes[i] == '\n';
        reader->after_cr = bytes[i] == '\r';
        if (belongs_to_cr)
            continue;
        if (bytes[i] == '\n' || bytes[i] == '\r')
            process_line(reader);
        else
            tw_test_text_append(&reader->line, &bytes[i], 1);
    }
}
