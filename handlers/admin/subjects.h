/** The subject that a request of an operator is about. On the thread of the request's worker.
 * Callers: handlers/admin/listings.c. */
#ifndef TW_HANDLERS_SUBJECTS_H
#define TW_HANDLERS_SUBJECTS_H

#include <stdbool.h>

#include <h2o.h>

#include "base/text.h"

/** Reads the query parameter `subject`; base is NULL and len 0 without one. The text belongs to the
 * request. False: it is no subject, and the request has been answered. */
bool tw_admin_read_subject(h2o_req_t *req, tw_text_t *subject);

#endif
