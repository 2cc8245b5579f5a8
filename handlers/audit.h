/**
 * The log lines about what operators do: who, from where, with which key, did what to what.
 *
 * Each is at the level info and has the fields `address` (the client's, as connections are listed)
 * and `key` (the fingerprint of the key, never the key), and is kept in the gateway's audit log. On
 * the request's worker. It owns nothing. Callers: handlers/routes.c, handlers/admin/.
 */
#ifndef TW_HANDLERS_AUDIT_H
#define TW_HANDLERS_AUDIT_H

#include <h2o.h>

#include "base/log.h"

/** Logs one action of an operator, with the name of what it is about. */
void tw_audit_action(h2o_req_t *req, const char *action, tw_log_field_t about);

/** Logs that a key was refused for an admin route. Anybody can cause it, so each worker logs at
 * most one line a second, with their number. A request without a key does not count. */
void tw_audit_refused_key(h2o_req_t *req);

#endif
