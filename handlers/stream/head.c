#include "handlers/stream/head.h"

#include "handlers/cors.h"

void tw_stream_add_head(h2o_req_t *req)
{
    h2o_headers_t *headers = &req->res.headers;

    req->res.status = 200;
    req->res.reason = "OK";
    h2o_add_header(&req->pool, headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/event-stream"));
    h2o_add_header(&req->pool, headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store, no-transform"));
    h2o_add_header_by_str(&req->pool, headers, H2O_STRLIT("x-accel-buffering"), 0, NULL,
                          H2O_STRLIT("no"));
    tw_cors_add(req);
}

void tw_stream_reply_head(h2o_req_t *req)
{
    static h2o_generator_t nothing_more;

    tw_stream_add_head(req);
    h2o_start_response(req, &nothing_more);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}
