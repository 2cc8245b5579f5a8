#include "runtime/model/sse.h"

#include <stdint.h>
#include <string.h>

#define DATA "data: "
#define DATA_LEN (sizeof(DATA) - 1)

/* Reads a payload line by line. It remembers where the next LF and the next CR are, so that it
 * looks at each byte twice at most, whatever the payload consists of. */
typedef struct tw_lines {
    const char *at, *end; /* where the next line begins; NULL after the last one */
    const char *lf, *cr;  /* the next LF and CR that are not before `at`, or end */
} tw_lines_t;

static const char *find(const char *p, const char *end, char c)
{
    const char *found = memchr(p, c, (size_t)(end - p));
    return found != NULL ? found : end;
}

static tw_lines_t lines_of(const tw_sse_fields_t *fields)
{
    const char *at = fields->payload_len > 0 ? fields->payload : "";
    const char *end = at + fields->payload_len;
    return (tw_lines_t){.at = at, .end = end, .lf = find(at, end, '\n'), .cr = find(at, end, '\r')};
}

/* Reads the next line, without its end. False after the last one. */
static bool next_line(tw_lines_t *lines, const char **line, size_t *len)
{
    if (lines->at == NULL)
        return false;
    if (lines->lf < lines->at)
        lines->lf = find(lines->at, lines->end, '\n');
    if (lines->cr < lines->at)
        lines->cr = find(lines->at, lines->end, '\r');
    const char *stop = lines->lf < lines->cr ? lines->lf : lines->cr;
    *line = lines->at;
    *len = (size_t)(stop - lines->at);
    if (stop == lines->end)
        lines->at = NULL;
    else if (stop == lines->cr && stop + 1 != lines->end && stop[1] == '\n')
        lines->at = stop + 2;
    else
        lines->at = stop + 1;
    return true;
}

static size_t field_size(size_t name_len, size_t value_len)
{
    return value_len == 0 ? 0 : name_len + 2 + value_len + 1;
}

size_t tw_sse_size(const tw_sse_fields_t *fields)
{
    size_t size = field_size(2, fields->id_len) + field_size(5, fields->type_len) + 1;
    tw_lines_t lines = lines_of(fields);
    const char *line;
    size_t len;

    while (next_line(&lines, &line, &len))
        size += DATA_LEN + len + 1;
    return size;
}

static char *write_bytes(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

char *tw_sse_write(char *out, const tw_sse_fields_t *fields)
{
    tw_lines_t lines = lines_of(fields);
    const char *line;
    size_t len;

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
    while (next_line(&lines, &line, &len)) {
        out = write_bytes(out, DATA, DATA_LEN);
        out = write_bytes(out, line, len);
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

/* The length of the well-formed multi-byte sequence at p, or 0 (Unicode, table 3-7). */
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
