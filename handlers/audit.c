#include "handlers/audit.h"

#include "base/clock.h"
#include "handlers/gateway.h"
#include "handlers/request.h"
#include "runtime/connection.h"

/* What is logged of a path that anybody may send. */
#define PATH_LOGGED_MAX 80
#define REFUSED "admin key refused"

typedef struct tw_actor {
    char peer[sizeof(((tw_connection_t *)0)->remote_address)];
    char key[TW_KEY_FINGERPRINT_SIZE];
    tw_log_field_t address; /* borrows `peer`, or the request's header */
} tw_actor_t;

static void read_actor(tw_actor_t *actor, h2o_req_t *req)
{
    const h2o_iovec_t header = tw_request_header(req, "authorization");
    tw_text_t told;

    tw_auth_fingerprint(&tw_worker_of(req)->gateway->auth, header.base, header.len, actor->key);
    tw_request_peer_text(req, actor->peer, sizeof(actor->peer));
    actor->address = tw_request_proxied(req, &told) && told.base != NULL
                         ? tw_log_bytes("address", told.base, told.len)
                         : tw_log_text("address", actor->peer);
}

void tw_audit_action(h2o_req_t *req, const char *action, tw_log_field_t about)
{
    tw_actor_t actor;

    read_actor(&actor, req);
    tw_log(TW_LOG_INFO, action, about, actor.address, tw_log_text("key", actor.key));
    tw_audit_keep(&tw_worker_of(req)->gateway->audit, action, tw_text(about.text, about.text_len),
                  tw_text(actor.address.text, actor.address.text_len), actor.key, 1);
}

void tw_audit_refused_key(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    h2o_iovec_t path = tw_request_path(req);
    tw_actor_t actor;

    if (tw_request_header(req, "authorization").base == NULL)
        return;
    uint64_t count = tw_log_limit_count(&worker->key_refusals, tw_clock_ms());
    if (count == 0)
        return;
    read_actor(&actor, req);
    const tw_log_field_t about =
        tw_log_bytes("path", path.base, path.len < PATH_LOGGED_MAX ? path.len : PATH_LOGGED_MAX);
    tw_log(TW_LOG_WARN, REFUSED, about, actor.address, tw_log_text("key", actor.key),
           tw_log_number("count", (int64_t)count));
    tw_audit_keep(&worker->gateway->audit, REFUSED, tw_text(about.text, about.text_len),
                  tw_text(actor.address.text, actor.address.text_len), actor.key, count);
}
