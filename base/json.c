#include "base/json.h"

#include <assert.h>

char *tw_json_write_string(char *to, const char *text, size_t len)
{
    *to++ = '"';
    for (size_t i = 0; i < len; ++i) {
        assert((unsigned char)text[i] >= ' ');
        if (text[i] == '"' || text[i] == '\\')
            *to++ = '\\';
        *to++ = text[i];
    }
    *to++ = '"';
    return to;
}
