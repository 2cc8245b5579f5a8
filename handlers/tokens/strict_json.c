#include "handlers/tokens/strict_json.h"

#include <stdbool.h>

/* Brackets inside strings do not count. What is no JSON is the reader's to refuse. */
static bool is_flat(tw_text_t text)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < text.len; ++i) {
        char c = text.base[i];
        if (quoted && c == '\\')
            ++i;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            ++depth;
        else if (!quoted && (c == '}' || c == ']'))
            --depth;
        if (depth > TW_STRICT_JSON_DEPTH_MAX)
            return false;
    }
    return true;
}

json_t *tw_strict_json_read(tw_text_t text)
{
    json_t *value =
        is_flat(text) ? json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}
