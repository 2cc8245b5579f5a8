/**
 * Writes JSON strings straight into a buffer, where a tree of JSON values would cost too much: the
 * answer to every publish, and the registry's entry of every stream. Any thread.
 *
 * Callers: everybody.
 */
#ifndef TW_BASE_JSON_H
#define TW_BASE_JSON_H

#include <stddef.h>

/** The most bytes that tw_json_write_string() writes for a text of `len` bytes. */
#define TW_JSON_STRING_MAX(len) (2 * (len) + 2)

/**
 * Writes `len` bytes as a JSON string, quotes included, without a NUL behind it. Returns its end.
 * The text is UTF-8 without control characters, which the caller has checked; the buffer has room
 * for TW_JSON_STRING_MAX(len) bytes.
 */
char *tw_json_write_string(char *to, const char *text, size_t len);

#endif
