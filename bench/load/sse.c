#include "bench/load/sse.h"

#include <stdbool.h>
#include <string.h>

static bool starts_with(const char *line, const char *end, const char *prefix, size_t bytes)
{
    return (size_t)(end - line) >= bytes && memcmp(line, prefix, bytes) == 0;
}

static const char *without_cr(const char *line, const char *lf)
{
    return lf > line && lf[-1] == '\r' ? lf - 1 : lf;
}

static void take_data(load_sse_item_t *item, const char *line, const char *end)
{
    const char *value = line + sizeof("data:") - 1;
    if (value < end && *value == ' ')
        value++;
    item->kind = LOAD_SSE_EVENT;
    item->data = value;
    item->data_bytes = (size_t)(end - value);
}

size_t load_sse_next(const char *text, size_t bytes, load_sse_item_t *item)
{
    const char *line = text, *limit = text + bytes;
    *item = (load_sse_item_t){LOAD_SSE_OTHER, NULL, 0};
    while (line < limit) {
        const char *lf = memchr(line, '\n', (size_t)(limit - line));
        if (lf == NULL)
            return 0;
        const char *end = without_cr(line, lf);
        bool first = line == text;
        if (end == line)
            return (size_t)(lf + 1 - text);
        if (first && *line == ':') {
            item->kind = LOAD_SSE_COMMENT;
            return (size_t)(lf + 1 - text);
        }
        if (first && starts_with(line, end, "retry:", 6))
            return (size_t)(lf + 1 - text);
        if (item->data == NULL && starts_with(line, end, "data:", 5))
            take_data(item, line, end);
        line = lf + 1;
    }
    return 0;
}
