#include "handlers/admin/tail_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/model/resume.h"
#include "runtime/model/sse.h"

#define DATA "data: "
#define DATA_LEN (sizeof(DATA) - 1)
#define ESCAPED_MAX 6 /* bytes that one byte becomes at most */
#define NAME_MAX 256  /* bytes of an id or a type; publishers cannot send more */
#define HEAD_MAX (2 * NAME_MAX * ESCAPED_MAX + 128)
#define TAIL_MAX 160

_Static_assert(TW_TAIL_TEXT_ROOM_MIN >= HEAD_MAX + ESCAPED_MAX + TAIL_MAX,
               "an event fits in parts");

void tw_tail_text_set(tw_tail_text_t *text, tw_tail_form_t form, tw_event_t *const *events,
                      size_t count)
{
    tw_tail_text_dispose(text);
    text->form = form;
    text->events = tw_alloc((count + 1) * sizeof(tw_event_t *));
    for (; text->count < count; ++text->count)
        text->events[text->count] = tw_event_ref(events[text->count]);
}

void tw_tail_text_dispose(tw_tail_text_t *text)
{
    for (; text->next < text->count; ++text->next)
        tw_event_unref(text->events[text->next]);
    free(text->events);
    *text = (tw_tail_text_t){.form = text->form};
}

static char *put(char *to, const char *constant)
{
    return stpcpy(to, constant);
}

/* Writes one byte of a JSON string. */
static char *escape(char *to, unsigned char c, bool is_utf8)
{
    if (c == '"' || c == '\\') {
        *to++ = '\\';
        *to++ = (char)c;
    } else if (c < ' ') {
        to += sprintf(to, "\\u%04x", c);
    } else if (c < 0x80 || is_utf8) {
        *to++ = (char)c;
    } else {
        to = put(to, "\xef\xbf\xbd");
    }
    return to;
}

static char *put_name(char *to, const char *name, size_t len)
{
    *to++ = '"';
    for (size_t i = 0; i < len && i < NAME_MAX; ++i)
        to = escape(to, (unsigned char)name[i], false);
    *to++ = '"';
    return to;
}

/* Everything in front of the payload. */
static char *begin_event(tw_tail_text_t *text, char *to)
{
    const tw_event_t *event = text->events[text->next];
    char position[TW_POSITION_ID_SIZE];

    if (text->form == TW_TAIL_SSE) {
        tw_position_id(event->position, position);
        to += sprintf(to, "id: %s\nevent: tideway.event\ndata: ", position);
    } else if (text->next > 0) {
        *to++ = ',';
    }
    to = put(to, "{\"id\":");
    to = put_name(to, tw_event_id(event), event->id_len);
    to = put(to, ",\"event\":");
    to =
        event->type_len > 0 ? put_name(to, tw_event_type(event), event->type_len) : put(to, "null");
    text->at = event->frame;
    text->line_begins = true;
    text->has_line = false;
    text->is_utf8 = tw_sse_text_valid(event->frame, event->frame_len);
    return put(to, ",\"payload\":\"");
}

/* At the beginning of a line of the frame: goes on to the payload's part of it, or to the next line
 * when it has none. */
static char *begin_line(tw_tail_text_t *text, char *to, const char *end)
{
    text->line_begins = false;
    if ((size_t)(end - text->at) >= DATA_LEN && memcmp(text->at, DATA, DATA_LEN) == 0) {
        if (text->has_line)
            to = put(to, "\\n");
        text->has_line = true;
        text->at += DATA_LEN;
    } else {
        const char *lf = memchr(text->at, '\n', (size_t)(end - text->at));
        text->at = lf != NULL ? lf : end;
    }
    return to;
}

/* As much of the payload as there is room for. */
static char *write_payload(tw_tail_text_t *text, char *to, const char *room_end, const char *end)
{
    while (text->at < end && room_end - to >= ESCAPED_MAX) {
        if (text->line_begins) {
            to = begin_line(text, to, end);
            continue;
        }
        if (*text->at == '\n')
            text->line_begins = true;
        else
            to = escape(to, (unsigned char)*text->at, text->is_utf8);
        ++text->at;
    }
    return to;
}

/* Everything behind the payload. */
static char *end_event(tw_tail_text_t *text, char *to)
{
    tw_event_t *event = text->events[text->next++];
    char position[TW_POSITION_ID_SIZE];

    tw_position_id(event->position, position);
    to += sprintf(to, "\",\"publishedAt\":%" PRId64 ",\"position\":\"%s\"}%s",
                  event->published_at_ms, position, text->form == TW_TAIL_SSE ? "\n\n" : "");
    text->at = NULL;
    tw_event_unref(event);
    return to;
}

size_t tw_tail_text_write(tw_tail_text_t *text, char *to, size_t room)
{
    char *begin = to, *room_end = to + room;

    while (text->next < text->count) {
        const tw_event_t *event = text->events[text->next];
        const char *end = event->frame + event->frame_len;

        if (text->at == NULL) {
            if (room_end - to < HEAD_MAX)
                break;
            to = begin_event(text, to);
        }
        to = write_payload(text, to, room_end, end);
        if (text->at < end || room_end - to < TAIL_MAX)
            break;
        to = end_event(text, to);
    }
    return (size_t)(to - begin);
}
