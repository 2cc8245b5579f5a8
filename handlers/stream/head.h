/**
 * The head of a response that is a stream. On the thread of the request's worker.
 *
 * It owns nothing; what is added lies in the request's pool. Callers: handlers/stream/,
 * handlers/admin/tail.c.
 */
#ifndef TW_HANDLERS_HEAD_H
#define TW_HANDLERS_HEAD_H

#include <h2o.h>

/** Fills in status and headers of a stream's response (WHATWG HTML section 9.2.5:
 * text/event-stream), for a response that no cache keeps and no proxy compresses or holds back. */
void tw_stream_add_head(h2o_req_t *req);

/** Answers HEAD: what GET would, without a stream (RFC 9110 section 9.3.2). The length of a stream
 * is not known, so the answer gives none. */
void tw_stream_reply_head(h2o_req_t *req);

#endif
