/**
 * Reading requests: headers, query parameters (application/x-www-form-urlencoded, WHATWG URL 5.1),
 * and what several routes share. On the request's worker. Strings are borrowed from the request or
 * its pool.
 */
#ifndef TW_HANDLERS_REQUEST_H
#define TW_HANDLERS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/text.h"
#include "handlers/error_codes.h"
#include "handlers/limits.h"
#include "runtime/model/topic_name.h"

/** The path without the query, as sent. */
h2o_iovec_t tw_request_path(const h2o_req_t *req);

/** The first header of this (lowercase) name; base NULL when there is none. */
h2o_iovec_t tw_request_header(const h2o_req_t *req, const char *name);

/**
 * The next query parameter of this name, decoded into the request's pool; base NULL when there is
 * none left. *at is 0 for the first call.
 */
h2o_iovec_t tw_request_query(h2o_req_t *req, const char *name, size_t *at);

/** `%41` → `A`, and `+` → space if plus; into the request's pool. A `%` without two hex digits
 * stays as it is. */
h2o_iovec_t tw_request_decode(h2o_req_t *req, const char *base, size_t len, bool plus);

/**
 * Adds the topics of all x-sse-topic headers and, if query is true, of all topic parameters. False:
 * the error is answered already.
 */
bool tw_request_topics(h2o_req_t *req, bool query, tw_topic_list_t *topics);

/** Whether the bytes are printable ASCII (0x20–0x7e) and 1 to max long. */
bool tw_request_printable(h2o_iovec_t text, size_t max);

/**
 * A positive integer parameter: *value keeps its default when it is not given, and is lowered to
 * max when it is larger. False: it is no positive integer, and the error is answered already.
 */
bool tw_request_number(h2o_req_t *req, const char *name, tw_error_t error, uint64_t max,
                       uint64_t *value);

/**
 * The client behind the request: its peer, or, when that is a trusted proxy, the last address of
 * X-Forwarded-For that is none, or the proxy where the list makes no sense. False: a trusted proxy
 * asks for itself, which has no limits.
 */
bool tw_request_client(const h2o_req_t *req, tw_client_key_t *key);

/** Whether the peer of the request is a trusted proxy; then *text is the client's address as the
 * proxy wrote it (base NULL: not at all). */
bool tw_request_proxied(const h2o_req_t *req, tw_text_t *text);

/** Whether the request carries a valid key; if not, 401 or 429 is answered and counted already. */
bool tw_request_authorized(h2o_req_t *req);

/** The same; *key is the key's index. */
bool tw_request_authorized_as(h2o_req_t *req, size_t *key);

#endif
