#include "runtime/sse.h"

#include <stdint.h>
#include <string.h>

#define DATA "data: "
#define DATA_LEN (sizeof(DATA) - 1)

/* The end of the line that begins at p: *next is where the following one begins, or NULL when this
 * was the last. */
static const char *line_end(const char *p, const char *end, const char **next)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *cr = memchr(p, '\r', (size_t)((lf != NULL ? lf : end) - p));

    if (cr != NULL) {
        *next = cr + 1 < end && cr[1] == '\n' ? cr + 2 : cr + 1;
        return cr;
    }
    *next = lf != NULL ? lf + 1 : NULL;
    return lf != NULL ? lf : end;
}

static size_t field_size(size_t name_len, size_t value_len)
{
    return value_len == 0 ? 0 : name_len + 2 + value_len + 1;
}

size_t tw_sse_size(const tw_sse_fields_t *fields)
{
    size_t size = field_size(2, fields->id_len) + field_size(5, fields->type_len) + 1;
    const char *p = fields->payload, *end = p + fields->payload_len, *next;

    for (; p != NULL; p = next)
        size += DATA_LEN + (size_t)(line_end(p, end, &next) - p) + 1;
    return size;
}

static char *write_bytes(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

char *tw_sse_write(char *out, const tw_sse_fields_t *fields)
{
    const char *p = fields->payload, *end = p + fields->payload_len, *next;

    if (fields->id_len != 0) {
        out = write_bytes(out, "id: ", 4);
        out = write_bytes(out, fields->id, fields->id_len);
        *out++ = '\n';
    }
    if (fields->type_len != 0) {
        out = write_bytes(out, "event: ", 7);
        out = write_bytes(out, fields->type, fields->type_len);
        *out++ = '\n';
    }
    for (; p != NULL; p = next) {
        out = write_bytes(out, DATA, DATA_LEN);
        out = write_bytes(out, p, (size_t)(line_end(p, end, &next) - p));
        *out++ = '\n';
    }
    *out++ = '\n';
    return out;
}

size_t tw_sse_payload(const char *frame, size_t frame_len, char *out)
{
    const char *p = frame, *end = frame + frame_len;
    char *to = out;
    bool first = true;

    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        if (lf == NULL)
            lf = end;
        if ((size_t)(lf - p) >= DATA_LEN && memcmp(p, DATA, DATA_LEN) == 0) {
            if (!first)
                *to++ = '\n';
            first = false;
            to = write_bytes(to, p + DATA_LEN, (size_t)(lf - p) - DATA_LEN);
        }
        p = lf + 1;
    }
    return (size_t)(to - out);
}

/* Length of the well-formed multi-byte sequence at p, or 0 (Unicode table 3-7). */
static size_t sequence_len(const unsigned char *p, const unsigned char *end)
{
    unsigned char lead = p[0], low = 0x80, high = 0xbf;
    size_t len;

    if (lead >= 0xc2 && lead <= 0xdf)
        len = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        len = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        len = 4;
    else
        return 0;
    if ((size_t)(end - p) < len)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; ++i)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Whether one of the eight bytes is NUL or not ASCII. */
static inline bool unusual(uint64_t word)
{
    return (((word - 0x0101010101010101ULL) | word) & 0x8080808080808080ULL) != 0;
}

bool tw_sse_text_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + len;

    while (p < end) {
        uint64_t word;
        while (end - p >= 8 && (memcpy(&word, p, 8), !unusual(word)))
            p += 8;
        if (p == end)
            break;
        if (*p == 0)
            return false;
        size_t step = *p < 0x80 ? 1 : sequence_len(p, end);
        if (step == 0)
            return false;
        p += step;
    }
    return true;
}
