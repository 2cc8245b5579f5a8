/**
 * The functions of the route table. Each answers its request, now or later, on the request's
 * thread: its worker's, or the control loop's for the ops listener.
 *
 * Callers: handlers/routes.c, whose table names them and by which libh2o calls them; handlers/ for
 * what was looked up.
 */
#ifndef TW_HANDLERS_HANDLERS_H
#define TW_HANDLERS_HANDLERS_H

#include <h2o.h>

/** A request whose route has been looked up; in its pool. */
typedef struct tw_routed {
    const struct tw_route *routes; /* the listener's table */
    const struct tw_route *route;  /* NULL: no route has this method and path */
    h2o_iovec_t parameter;         /* the path's variable segment as it was sent, still
                                      percent-encoded; base NULL when the route has none */
    void *data;                    /* belongs to the handler */
} tw_routed_t;

/** NULL before the route has been looked up; never in a handler. */
static inline tw_routed_t *tw_routed(const h2o_req_t *req)
{
    return req->handler_data;
}

/* stream.c */
void tw_handle_stream(h2o_req_t *req);

/* publish.c; routes.c calls the first one at the end of the headers */
h2o_body_decision_t tw_publish_on_headers(h2o_req_t *req);
void tw_handle_publish(h2o_req_t *req);

/* admin/listings.c */
void tw_handle_admin_topics(h2o_req_t *req);
void tw_handle_admin_connections(h2o_req_t *req);
void tw_handle_admin_close(h2o_req_t *req);
void tw_handle_admin_nodes(h2o_req_t *req);
void tw_handle_admin_stats(h2o_req_t *req);
void tw_handle_admin_audit(h2o_req_t *req);

/* admin/subjects.c */
void tw_handle_admin_close_subject(h2o_req_t *req);
void tw_handle_admin_revoke(h2o_req_t *req);

/* admin/tail.c */
void tw_handle_admin_tail(h2o_req_t *req);
void tw_handle_admin_forget(h2o_req_t *req);
void tw_handle_admin_tail_stream(h2o_req_t *req);

/* ops.c */
void tw_handle_health(h2o_req_t *req);
void tw_handle_ready(h2o_req_t *req);
void tw_handle_metrics(h2o_req_t *req);

/* openapi.c */
void tw_handle_openapi(h2o_req_t *req);

/* ui.c: everything under /admin/; the parameter is the path after it */
void tw_handle_ui(h2o_req_t *req);

#endif
