/* What operators do about a subject of tokens: close its streams, and revoke its tokens. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/admin/subjects.h"
#include "handlers/audit.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/pending.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "runtime/model/claims.h"
#include "runtime/model/sse.h"

/* A time that is given in microseconds by mistake is further away. */
#define UNTIL_MAX_MS ((int64_t)10 * 366 * 24 * 3600 * 1000)

static bool is_valid(const char *subject, size_t len)
{
    return len >= 1 && len <= TW_SUBJECT_MAX && tw_sse_text_valid(subject, len);
}

bool tw_admin_read_subject(h2o_req_t *req, tw_text_t *subject)
{
    size_t at = 0;
    h2o_iovec_t text = tw_request_query(req, "subject", &at);

    *subject = tw_text(text.base, text.len);
    if (text.base == NULL || is_valid(text.base, text.len))
        return true;
    tw_reply_error(req, TW_ERROR_INVALID_SUBJECT);
    return false;
}

/* --- closing --- */

static void on_closed(void *data, tw_status_t status, uint64_t count)
{
    tw_pending_t *pending = data;
    h2o_req_t *req = tw_pending_take(pending);

    if (req != NULL && status == TW_OK)
        tw_reply_json(req, 200, json_pack("{s:I}", "closed", (json_int_t)count));
    else if (req != NULL)
        tw_reply_status(req, status);
    tw_pending_unref(pending);
}

void tw_handle_admin_close_subject(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_adapter_t *adapter = worker->gateway->adapter;
    tw_text_t subject;

    if (!tw_admin_read_subject(req, &subject))
        return;
    if (subject.len == 0) { /* all streams are more than anybody means */
        tw_reply_error(req, TW_ERROR_INVALID_SUBJECT);
        return;
    }
    tw_audit_action(req, "operator closes a subject's connections",
                    tw_log_bytes("subject", subject.base, subject.len));
    adapter->ops->close_subject(adapter, &worker->shard->loop, subject, TW_CLOSE_ADMIN, on_closed,
                                tw_pending_create(req));
}

/* --- revoking --- */

/* {"subject", "until"} and nothing else. */
static bool read_revocation(const json_t *body, tw_text_t *subject, int64_t *until_ms)
{
    const json_t *name = json_object_get(body, "subject"), *until = json_object_get(body, "until");
    int64_t now_ms = tw_clock_wall_ms();

    *subject = tw_text(json_string_value(name), json_string_length(name));
    *until_ms = json_integer_value(until);
    return json_object_size(body) == 2 && subject->base != NULL &&
           is_valid(subject->base, subject->len) && json_is_integer(until) && *until_ms > now_ms &&
           *until_ms <= now_ms + UNTIL_MAX_MS;
}

void tw_handle_admin_revoke(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_adapter_t *adapter = worker->gateway->adapter;
    json_t *body = json_loadb(req->entity.base != NULL ? req->entity.base : "", req->entity.len,
                              JSON_REJECT_DUPLICATES, NULL);
    tw_text_t subject;
    int64_t until_ms;

    if (read_revocation(body, &subject, &until_ms)) {
        tw_audit_action(req, "operator revokes a subject's tokens",
                        tw_log_bytes("subject", subject.base, subject.len));
        adapter->ops->revoke(adapter, &worker->shard->loop, subject, until_ms, tw_pending_done,
                             tw_pending_create(req));
    } else {
        tw_reply_error(req, TW_ERROR_INVALID_REVOCATION);
    }
    json_decref(body);
}
