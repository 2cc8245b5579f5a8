/** The functions of the route table, each in the file of its route family. All answer the request,
 * now or later; on its worker. */
#ifndef TW_HANDLERS_HANDLERS_H
#define TW_HANDLERS_HANDLERS_H

#include <h2o.h>

/** What the path's `:name` segment was, as sent (still percent-encoded); base NULL when the route
 * has none. */
typedef h2o_iovec_t tw_path_parameter_t;

/* publish.c */
h2o_body_decision_t tw_publish_on_headers(h2o_req_t *req);
void tw_handle_publish(h2o_req_t *req, tw_path_parameter_t none);

/* admin.c */
void tw_handle_admin_topics(h2o_req_t *req, tw_path_parameter_t none);
void tw_handle_admin_connections(h2o_req_t *req, tw_path_parameter_t none);
void tw_handle_admin_close(h2o_req_t *req, tw_path_parameter_t connection_id);
void tw_handle_admin_nodes(h2o_req_t *req, tw_path_parameter_t none);
void tw_handle_admin_stats(h2o_req_t *req, tw_path_parameter_t none);

/* admin_tail.c */
void tw_handle_admin_tail(h2o_req_t *req, tw_path_parameter_t topic);
void tw_handle_admin_tail_stream(h2o_req_t *req, tw_path_parameter_t topic);

/* ops.c */
void tw_handle_health(h2o_req_t *req, tw_path_parameter_t none);
void tw_handle_ready(h2o_req_t *req, tw_path_parameter_t none);
void tw_handle_metrics(h2o_req_t *req, tw_path_parameter_t none);

/* openapi.c */
void tw_handle_openapi(h2o_req_t *req, tw_path_parameter_t none);

/* ui.c: everything under /admin/; `file` is the path after it */
void tw_handle_ui(h2o_req_t *req, tw_path_parameter_t file);

#endif
