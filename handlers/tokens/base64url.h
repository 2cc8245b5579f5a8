/**
 * Base64url without padding (RFC 7515 section 2), as tokens and keys use it. cjose's own reader
 * ends the process at some texts that are none, so that every text is checked here before. Any
 * thread.
 *
 * It owns nothing. Callers: handlers/tokens/.
 */
#ifndef TW_HANDLERS_BASE64URL_H
#define TW_HANDLERS_BASE64URL_H

#include <stdbool.h>

#include "base/text.h"

/** How many bytes the text begins with that may be part of one. */
static inline size_t tw_base64url_span(tw_text_t text)
{
    size_t len = 0;

    for (; len < text.len; ++len) {
        char c = text.base[len];
        if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' &&
            c != '_')
            break;
    }
    return len;
}

/** Whether the text stands for one byte or more. */
static inline bool tw_base64url_is(tw_text_t text)
{
    return text.len > 0 && text.len % 4 != 1 && tw_base64url_span(text) == text.len;
}

#endif
