/**
 * What the parts of a request may look like, whichever version of HTTP brings them (RFC 9110, RFC
 * 9112, RFC 9113). Pure functions on texts that they borrow: no state, any thread, no errors but
 * their answers.
 */
#ifndef H2O_HTTP_MESSAGE_H
#define H2O_HTTP_MESSAGE_H

#include <stddef.h>

#include "h2o/memory.h"

/** Whether this is a token, i.e. a possible method (RFC 9110 5.6.2). */
int h2o_message_is_token(h2o_iovec_t text);

/** Whether this is `uri-host [":" port]` (RFC 9110 7.2), which may be empty. User information is
 * refused (RFC 9113 8.3.1). */
int h2o_message_is_authority(h2o_iovec_t text);

/** Whether both name the same origin, in a scheme whose default port is the one given (RFC
 * 3986 6.2). */
int h2o_message_is_same_authority(h2o_iovec_t a, h2o_iovec_t b, unsigned default_port);

/** Whether a target starts with `/`, or is `*` with the method OPTIONS, and has no blanks or
 * control characters. */
int h2o_message_is_path(h2o_iovec_t method, h2o_iovec_t target);

/**
 * Splits a target in absolute-form (RFC 9112 3.2.2). *path is empty or begins with `/` or `?`.
 * False: it is none, or its authority is not valid or is empty.
 */
int h2o_message_split_absolute(h2o_iovec_t target, h2o_iovec_t *authority, h2o_iovec_t *path);

/** Whether a value begins or ends with a blank, which HTTP/2 has no framing for (RFC 9113 8.2.1).
 */
int h2o_message_has_outer_blanks(h2o_iovec_t value);

/** Whether a field is about a connection, and thus malformed in HTTP/2 (RFC 9113 8.2.2). */
int h2o_message_is_connection_specific(h2o_iovec_t name, h2o_iovec_t value);

/** Whether an answer with this status may have a Content-Length, which 1xx, 204 and 304 may not, or
 * need not (RFC 9110 8.6). */
int h2o_message_status_has_length(int status);

#endif
