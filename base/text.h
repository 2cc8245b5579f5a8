/**
 * Borrowed bytes, and the comma-separated lists that they hold: `10.0.0.0/8, ::1,,`.
 *
 * Blanks are spaces and tabs, as RFC 9110 section 5.6.3 has them (OWS). Nothing is copied, so an
 * item lives as long as the list that it was read from. Any thread.
 *
 * Callers: everybody.
 */
#ifndef TW_BASE_TEXT_H
#define TW_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** `len` bytes, not NUL-terminated. base may be NULL when len is 0. */
typedef struct tw_text {
    const char *base; /* borrowed */
    size_t len;
} tw_text_t;

static inline tw_text_t tw_text(const char *base, size_t len)
{
    return (tw_text_t){.base = base, .len = len};
}

/** A NUL-terminated string; NULL is the empty text. */
static inline tw_text_t tw_text_of(const char *string)
{
    return tw_text(string, string != NULL ? strlen(string) : 0);
}

/** What is left of the text after its first `len` bytes. */
static inline tw_text_t tw_text_from(tw_text_t text, size_t len)
{
    return len < text.len ? tw_text(text.base + len, text.len - len) : tw_text(text.base, 0);
}

/** The text without the blanks and tabs at both ends. */
tw_text_t tw_text_trim(tw_text_t text);

/** The text without the white space at both ends, line ends included. */
tw_text_t tw_text_strip(tw_text_t text);

/**
 * Takes the first item off a comma-separated list: *item is trimmed and never empty, and *list is
 * what follows it. Empty items are skipped. False: no item is left, and *item is unchanged.
 */
bool tw_text_next_item(tw_text_t *list, tw_text_t *item);

#endif
