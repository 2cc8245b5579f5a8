#include "handlers/stream/refusal.h"

#include <stdio.h>
#include <stdlib.h>

#include <h2o/http2_lean.h>

#include "handlers/gateway.h"
#include "handlers/reply.h"
#include "handlers/stream/head.h"

#define LEAST_MS 100 /* nobody comes back sooner */

static bool passes(tw_error_t error)
{
    return error == TW_ERROR_DRAINING || error == TW_ERROR_OVER_CAPACITY ||
           error == TW_ERROR_NO_MEMORY || error == TW_ERROR_RUNTIME_UNAVAILABLE;
}

/* Clients come back at a random time: of a gateway that drains within the length of its drain, as
 * those whose stream it closes, of others between one and two times the usual delay. */
static uint32_t retry_ms_of(const tw_gateway_t *gateway, tw_error_t error)
{
    bool drains = error == TW_ERROR_DRAINING;
    uint32_t least = drains ? LEAST_MS : gateway->retry_ms;
    uint32_t spread = drains ? gateway->drain_ms : gateway->retry_ms;

    if (least < LEAST_MS)
        least = LEAST_MS;
    return least + (uint32_t)random() % (spread > LEAST_MS ? spread : LEAST_MS);
}

static void reply_retry(h2o_req_t *req, tw_error_t error)
{
    static h2o_generator_t nothing_more;
    uint32_t retry_ms = retry_ms_of(tw_worker_of(req)->gateway, error);
    char *after = h2o_mem_alloc_pool(&req->pool, 16), *text = h2o_mem_alloc_pool(&req->pool, 256);
    int after_len = snprintf(after, 16, "%u", (retry_ms + 999) / 1000);
    int len = snprintf(
        text, 256, "retry: %u\nevent: tideway.retry\ndata: {\"code\":\"%s\",\"retryMs\":%u}\n\n",
        retry_ms, tw_error_code(error), retry_ms);
    h2o_iovec_t body = h2o_iovec_init(text, (size_t)len);

    tw_stream_add_head(req);
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("retry-after"), 0, NULL, after,
                          (size_t)after_len);
    h2o_start_response(req, &nothing_more);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

void tw_stream_reply_refusal(h2o_req_t *req, tw_error_t error, const char *message)
{
    if (passes(error) && !tw_worker_of(req)->gateway->refuses_by_status)
        reply_retry(req, error);
    else if (message != NULL)
        tw_reply_error_text(req, error, "%s", message);
    else
        tw_reply_error(req, error);
}

void tw_stream_reply_draining(h2o_req_t *req)
{
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);

    if (conn != NULL && !tw_worker_of(req)->gateway->refuses_by_status) {
        h2o_http2_conn_goaway(conn); /* one that was accepted late has not got it yet */
        if (h2o_http2_lean_refuse(req) == 0)
            return;
    }
    tw_stream_reply_refusal(req, TW_ERROR_DRAINING, NULL);
}
