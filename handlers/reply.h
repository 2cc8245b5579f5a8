/**
 * Answers requests: JSON bodies, errors, which all have the same form, and headers that all answers
 * share. On the request's thread: its worker's, or the control loop's for the ops listener.
 *
 * What is sent is copied, or lies in the request's pool. Callers: handlers/.
 */
#ifndef TW_HANDLERS_REPLY_H
#define TW_HANDLERS_REPLY_H

#include <h2o.h>
#include <jansson.h>

#include "handlers/error_codes.h"
#include "handlers/pieces.h"
#include "runtime/model/status.h"

/** Answers with a JSON value and takes the caller's reference. NULL (no memory, or invalid UTF-8)
 * is answered with 500. */
void tw_reply_json(h2o_req_t *req, int status, json_t *value);

/** Answers with text, which is copied. */
void tw_reply_text(h2o_req_t *req, int status, const char *content_type, const char *text,
                   size_t len);

/** Answers with pieces, whose length nobody knows before: see tw_pieces_start(). */
void tw_reply_pieces(h2o_req_t *req, int status, const char *content_type, tw_pieces_t *pieces,
                     tw_piece_fn next);

/** Answers {"error":{"code","message"}} with the status and message of the table. A 503 has a
 * Retry-After. */
void tw_reply_error(h2o_req_t *req, tw_error_t error);

/** The same with another message. */
void tw_reply_error_text(h2o_req_t *req, tw_error_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same with the wrong text before the table's message; it is shortened and escaped as needed.
 */
void tw_reply_error_about(h2o_req_t *req, tw_error_t error, const char *text, size_t len);

/** The same with Retry-After; the message says after how many seconds to try again. */
void tw_reply_error_wait(h2o_req_t *req, tw_error_t error, unsigned seconds);

/** The code that clients see. */
const char *tw_error_code(tw_error_t error);

/** The error that a runtime status other than TW_OK stands for. */
tw_error_t tw_error_of(tw_status_t status);

/** Answers with the error of a runtime status other than TW_OK. */
void tw_reply_status(h2o_req_t *req, tw_status_t status);

/** h2o_globalconf_t.on_error: answers what h2o refuses itself in the form of all errors. */
void tw_reply_h2o_error(h2o_req_t *req, int status, const char *reason, const char *body,
                        int flags);

/** Makes a JSON string of bytes that may not be UTF-8: then bytes above 0x7f become U+FFFD. */
json_t *tw_json_text(const char *bytes, size_t len);

#endif
