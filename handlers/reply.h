/**
 * Answering requests: JSON bodies, errors in their one shape, headers that all answers share. On
 * the request's worker.
 */
#ifndef TW_HANDLERS_REPLY_H
#define TW_HANDLERS_REPLY_H

#include <h2o.h>
#include <jansson.h>

#include "handlers/error_codes.h"
#include "runtime/model/status.h"

/** Answers with a JSON value, whose reference is taken. NULL (out of memory, invalid UTF-8) becomes
 * a 500. */
void tw_reply_json(h2o_req_t *req, int status, json_t *value);

/** Answers with text; copied. */
void tw_reply_text(h2o_req_t *req, int status, const char *content_type, const char *text,
                   size_t len);

/** Answers {"error":{"code","message"}} with the table's status and message. 503 carries
 * Retry-After. */
void tw_reply_error(h2o_req_t *req, tw_error_t error);

/** The same with a message of its own. */
void tw_reply_error_text(h2o_req_t *req, tw_error_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same, the table's message with the offending text before it (cut and escaped as needed). */
void tw_reply_error_about(h2o_req_t *req, tw_error_t error, const char *text, size_t len);

/** The same with Retry-After, in seconds. */
void tw_reply_error_wait(h2o_req_t *req, tw_error_t error, unsigned seconds);

/** The error that a runtime status other than TW_OK means. */
void tw_reply_status(h2o_req_t *req, tw_status_t status);

/** Adds the CORS answer to the request's Origin, if it has one that is allowed. Replies do it by
 * themselves. */
void tw_reply_add_cors(h2o_req_t *req);

/** h2o_globalconf_t.on_error: what h2o refuses by itself is answered in our shape. */
void tw_reply_h2o_error(h2o_req_t *req, int status, const char *reason, const char *body,
                        int flags);

/** A JSON string of bytes that may be no UTF-8: those that are not are replaced by U+FFFD. */
json_t *tw_json_text(const char *bytes, size_t len);

#endif
