/**
 * A set of patterns for topics: names, and prefixes that end with `*`, which stand for every topic
 * that begins with them; `*` alone stands for all.
 *
 * A sealed set is sorted, and holds no pattern that another one covers. So the last pattern that is
 * not greater than a name is the only one that can match it: a look-up is one binary search,
 * however many prefixes there are. Filled by one thread; any thread may ask a sealed set.
 *
 * Whoever fills a set owns it. Callers: handlers/access.c, handlers/tokens/,
 * server/options/forms.c, server/process.c.
 */
#ifndef TW_HANDLERS_PATTERNS_H
#define TW_HANDLERS_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define TW_PATTERN_MAX 255 /* bytes, as of a topic; the `*` of a prefix is not counted */

typedef struct tw_pattern {
    uint32_t at; /* in tw_patterns_t.bytes */
    uint16_t len;
    bool prefix;
} tw_pattern_t;

/** All zeros is the empty set, which matches nothing. */
typedef struct tw_patterns {
    tw_pattern_t *items; /* owned */
    char *bytes;         /* owned; the patterns' texts */
    size_t count, byte_count;
} tw_patterns_t;

/** How a text is read. */
typedef enum tw_pattern_kind {
    TW_PATTERN_ANY_PREFIX, /* a final `*` makes it a prefix */
    TW_PATTERN_EXACT,      /* only `*` alone stands for others, as in the claims of Mercure */
} tw_pattern_kind_t;

/** Adds a pattern; its bytes are copied. False: it is not one, because no topic can match it. */
bool tw_patterns_add(tw_patterns_t *set, tw_text_t pattern, tw_pattern_kind_t kind);

/** Prepares the set for tw_patterns_match(), after the last pattern was added. */
void tw_patterns_seal(tw_patterns_t *set);

/** Reads a comma-separated list (NULL: none) into a sealed set. False: *bad is the first item that
 * is no pattern, and nothing is to be disposed. */
bool tw_patterns_parse(const char *list, tw_patterns_t *set, tw_text_t *bad);

/** Whether a pattern of the sealed set matches the topic. */
bool tw_patterns_match(const tw_patterns_t *set, const char *topic, size_t len);

/** Bytes of memory that the set owns. */
size_t tw_patterns_size(const tw_patterns_t *set);

/** Frees what the set owns, and leaves it empty. */
void tw_patterns_dispose(tw_patterns_t *set);

#endif
