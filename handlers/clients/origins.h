/**
 * Origins of web pages (RFC 6454): which ones an operator has listed, and whether one is among
 * them.
 *
 * A listed origin is `scheme://host` or `scheme://host:port`, as browsers write it in the Origin
 * header, except that it may have capital letters, the scheme's default port, and one slash at the
 * end. A host that begins with `*.` stands for all names with one or more labels in its place, and
 * an item `*` for every origin. Read once; after that any thread may ask.
 *
 * The gateway owns it. Callers: handlers/cors.c (asks), server/ (reads).
 */
#ifndef TW_HANDLERS_ORIGINS_H
#define TW_HANDLERS_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define TW_ORIGIN_MAX 300 /* scheme, host of at most 253 bytes, port */

typedef struct tw_origin {
    size_t len;
    size_t star;              /* where the labels that `*` stood for go; 0: this is one origin */
    char text[TW_ORIGIN_MAX]; /* as browsers write it, without the `*` */
} tw_origin_t;

typedef struct tw_origins {
    bool any;           /* the list holds `*` */
    tw_origin_t *items; /* owned */
    size_t count;
} tw_origins_t;

/**
 * Reads a comma-separated list (NULL: none). False: *bad is the first item that is no origin, and
 * nothing is to be disposed.
 */
bool tw_origins_parse(const char *text, tw_origins_t *origins, tw_text_t *bad);

/** Whether the value of an Origin header is one of them. `null` never is, unless all are. */
bool tw_origins_contain(const tw_origins_t *origins, tw_text_t origin);

/** Frees the list. */
void tw_origins_dispose(tw_origins_t *origins);

#endif
