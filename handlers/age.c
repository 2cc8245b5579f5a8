#include "handlers/age.h"

#include <h2o/http2_lean.h>

#include "base/clock.h"
#include "handlers/gateway.h"

/* h2o knows the time at which the turn began, and clocks are corrected by a little all the time. */
#define CLOCK_SLACK_MS 1000

/* The maximum age of this connection: always the same for a connection, and spread evenly over a
 * fifth so that connections of one age do not end together. */
static int64_t limit_ms(int64_t age_max_ms, uint64_t connection_id)
{
    uint32_t jitter = (uint32_t)connection_id * UINT32_C(0x9e3779b9);
    return age_max_ms - age_max_ms / 10 + (int64_t)((uint64_t)(age_max_ms / 5) * jitter >> 32);
}

void tw_age_check(h2o_req_t *req)
{
    int64_t age_max_ms = tw_worker_of(req)->gateway->connection_age_max_ms;
    const struct timeval *since = &req->conn->connected_at;

    if (age_max_ms == 0)
        return;
    int64_t since_ms = (int64_t)since->tv_sec * 1000 + since->tv_usec / 1000;
    int64_t age_ms = tw_clock_wall_ms() - since_ms;
    /* After the clock has jumped back, the connection counts as old; else it would live for ever.
     */
    if (age_ms >= -CLOCK_SLACK_MS && age_ms < limit_ms(age_max_ms, req->conn->id))
        return;
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);
    if (conn != NULL)
        h2o_http2_conn_goaway(conn);
    else
        req->http1_is_persistent = 0;
}
