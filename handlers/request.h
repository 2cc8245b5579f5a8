/**
 * Reads requests: headers, query parameters (application/x-www-form-urlencoded, WHATWG URL 5.1),
 * and what several routes need. On the request's thread: its worker's, or the control loop's
 * for the ops listener. Texts are borrowed from the request or its pool.
 *
 * Callers: handlers/.
 */
#ifndef TW_HANDLERS_REQUEST_H
#define TW_HANDLERS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/text.h"
#include "handlers/clients/limits.h"
#include "handlers/error_codes.h"
#include "runtime/model/topic_name.h"

/** The path without the query, as sent. */
h2o_iovec_t tw_request_path(const h2o_req_t *req);

/** h2o_globalconf_t.wants_header, called by libh2o on the request's thread: whether a handler reads
 * headers of this lowercase name. h2o keeps no others of HTTP/2 requests. */
int tw_request_wants_header(const h2o_iovec_t *name);

/** The first header of this lowercase name, which must be one that tw_request_wants_header() knows;
 * base is NULL when the request has no such header. */
h2o_iovec_t tw_request_header(const h2o_req_t *req, const char *name);

/**
 * Takes the next parameter of the query. Name and value are as they were sent, still
 * percent-encoded, and lie in the request; a parameter without `=` has an empty value. *at is the
 * position, 0 for the first call. False: no parameter is left.
 */
bool tw_request_next_parameter(const h2o_req_t *req, size_t *at, tw_text_t *name, tw_text_t *value);

/**
 * The next query parameter of this name, decoded into the request's pool; base is NULL after the
 * last one. *at is the position, 0 for the first call.
 */
h2o_iovec_t tw_request_query(h2o_req_t *req, const char *name, size_t *at);

/** Decodes `%41` to `A`, and `+` to a space if plus, into the request's pool. A `%` without two hex
 * digits behind it stays as it is. */
h2o_iovec_t tw_request_decode(h2o_req_t *req, const char *base, size_t len, bool plus);

/**
 * Adds the topics of all x-sse-topic headers and, if query is true, of all topic parameters. False:
 * the request has been answered with an error.
 */
bool tw_request_topics(h2o_req_t *req, bool query, tw_topic_list_t *topics);

/** Whether the bytes are printable ASCII (0x20–0x7e) and 1 to max long. */
bool tw_request_printable(h2o_iovec_t text, size_t max);

/**
 * Reads a parameter that is a positive integer. *value keeps its default when the parameter is not
 * given, and is at most max. False: it is not a positive integer, and the request has been answered
 * with the error.
 */
bool tw_request_number(h2o_req_t *req, const char *name, tw_error_t error, uint64_t max,
                       uint64_t *value);

/**
 * The client behind the request, for limits: its peer, unless that is a trusted proxy. Then it is
 * the last address of X-Forwarded-For that is not a trusted proxy's, or the proxy when an item of
 * the list is not an address. False: a trusted proxy asks for itself, and has no limits.
 */
bool tw_request_client(const h2o_req_t *req, tw_client_key_t *key);

/** Writes the address of the request's peer, "192.0.2.1:1234" or "[2001:db8::1]:1234", of which 56
 * bytes hold any; empty when it has none. A client of a socket on [::] that comes over IPv4 is
 * shown as such. */
void tw_request_peer_text(const h2o_req_t *req, char *text, size_t size);

/** Whether the peer of the request is a trusted proxy; then *text is the client's address as the
 * proxy wrote it (base is NULL when it wrote none). */
bool tw_request_proxied(const h2o_req_t *req, tw_text_t *text);

/** h2o_globalconf_t.http2.is_shared of the main listeners, called by libh2o on the worker's thread:
 * whether the peer is a trusted proxy. A proxy's connection carries the requests of many clients,
 * so libh2o tolerates more stream resets on it. */
int tw_request_conn_is_shared(h2o_conn_t *conn);

/** The client that the connection is counted for. False: a trusted proxy's, which has no limits. */
bool tw_request_conn_client(h2o_conn_t *conn, tw_client_key_t *key);

/** Whether the request carries a valid key. If not, it has been answered with 401 or 429, and that
 * is counted. */
bool tw_request_authorized(h2o_req_t *req);

/** Answers a request without the right key or token with a 401 (RFC 6750 section 3), and counts it.
 * A wrong one counts against its client's limit, and is answered with 429 beyond that. */
void tw_request_refuse(h2o_req_t *req, tw_error_t error, bool wrong);

#endif
