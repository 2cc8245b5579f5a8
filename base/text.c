#include "base/text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_white_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

tw_text_t tw_text_trim(tw_text_t text)
{
    while (text.len > 0 && is_blank(text.base[0])) {
        ++text.base;
        --text.len;
    }
    while (text.len > 0 && is_blank(text.base[text.len - 1]))
        --text.len;
    return text;
}

tw_text_t tw_text_strip(tw_text_t text)
{
    while (text.len > 0 && is_white_space(text.base[0]))
        text = tw_text_from(text, 1);
    while (text.len > 0 && is_white_space(text.base[text.len - 1]))
        --text.len;
    return text;
}

bool tw_text_next_item(tw_text_t *list, tw_text_t *item)
{
    while (list->len > 0) {
        const char *comma = memchr(list->base, ',', list->len);
        size_t len = comma != NULL ? (size_t)(comma - list->base) : list->len;
        size_t passed = comma != NULL ? len + 1 : len;
        tw_text_t found = tw_text_trim(tw_text(list->base, len));

        list->base += passed;
        list->len -= passed;
        if (found.len > 0) {
            *item = found;
            return true;
        }
    }
    return false;
}
