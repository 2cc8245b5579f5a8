/**
 * JSON of strangers: objects whose names are unique and which do not nest deeply. Any thread.
 *
 * The value is the caller's. Callers: handlers/tokens/.
 */
#ifndef TW_HANDLERS_STRICT_JSON_H
#define TW_HANDLERS_STRICT_JSON_H

#include <jansson.h>

#include "base/text.h"

#define TW_STRICT_JSON_DEPTH_MAX 8

/**
 * Reads an object. Returns NULL when the text is not valid JSON in UTF-8, is no object, has a name
 * twice in one object (readers differ in which value they take), or nests more than
 * TW_STRICT_JSON_DEPTH_MAX deep. The caller gives the reference back.
 */
json_t *tw_strict_json_read(tw_text_t text);

#endif
