#include "runtime/model/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tw_gap_label(tw_gap_t gap)
{
    static const char *const labels[] = {
#define X(name, label, meaning) label,
        TW_GAP_TABLE(X)
#undef X
    };
    return labels[gap];
}

size_t tw_position_id(tw_position_t position, char out[TW_POSITION_ID_SIZE])
{
    return (size_t)snprintf(out, TW_POSITION_ID_SIZE, "~%016" PRIx64 "-%" PRIu64, position.epoch,
                            position.seq);
}

bool tw_position_parse(const char *id, size_t id_len, tw_position_t *position)
{
    char text[TW_POSITION_ID_SIZE], again[TW_POSITION_ID_SIZE];
    tw_position_t parsed;
    char *end;

    if (id_len == 0 || id_len >= sizeof(text) || id[0] != '~')
        return false;
    memcpy(text, id, id_len);
    text[id_len] = '\0';
    parsed.epoch = strtoull(text + 1, &end, 16);
    if (*end != '-')
        return false;
    parsed.seq = strtoull(end + 1, NULL, 10);
    /* Only what tw_position_id() writes is taken: no blanks, signs or capitals, and no numbers that
     * overflow. */
    if (tw_position_id(parsed, again) != id_len || memcmp(again, text, id_len) != 0)
        return false;
    *position = parsed;
    return true;
}

size_t tw_positions_id(const tw_position_t *positions, size_t count, char out[TW_POSITIONS_ID_SIZE])
{
    size_t len = 0;

    for (size_t i = 0; i < count; ++i) {
        size_t at = len;
        len += tw_position_id(positions[i], out + at);
        if (i > 0)
            out[at] = ',';
    }
    return len;
}

size_t tw_positions_parse(const char *id, size_t id_len, tw_position_t positions[TW_LANES_MAX])
{
    char item[TW_POSITION_ID_SIZE] = "~";
    const char *at = id + 1, *end = id + id_len;
    size_t count = 0;

    if (id_len == 0 || id[0] != '~')
        return 0;
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t len = (size_t)((comma != NULL ? comma : end) - at);
        if (len + 1 >= sizeof(item) || count == TW_LANES_MAX)
            return 0;
        memcpy(item + 1, at, len);
        if (!tw_position_parse(item, len + 1, &positions[count++]))
            return 0;
        if (comma == NULL)
            return count;
        at = comma + 1;
    }
}
