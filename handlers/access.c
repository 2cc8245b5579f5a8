#include "handlers/access.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "handlers/gateway.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/turns.h"

/* What the digest of a token and its look-up cost, and the match of a topic, nanoseconds. */
#define LOOK_UP_NS 2000
#define TOPIC_NS 100

static tw_counters_t *counters_of(const h2o_req_t *req)
{
    return &tw_worker_of(req)->shard->counters;
}

/* --- where a token comes from --- */

static tw_text_t bearer_of(const h2o_req_t *req)
{
    h2o_iovec_t header = tw_request_header(req, "authorization");
    return tw_auth_bearer(header.base, header.len);
}

static tw_text_t parameter_of(h2o_req_t *req)
{
    size_t at = 0;
    h2o_iovec_t value = tw_request_query(req, "access_token", &at);
    return tw_text(value.base, value.len);
}

/* The cookie's value in a Cookie header, `name=value; name=value` (RFC 6265 section 4.2.1). */
static tw_text_t find_cookie(tw_text_t header, tw_text_t name)
{
    while (header.len > 0) {
        const char *semicolon = memchr(header.base, ';', header.len);
        size_t len = semicolon != NULL ? (size_t)(semicolon - header.base) : header.len;
        tw_text_t pair = tw_text_trim(tw_text(header.base, len));

        if (pair.len > name.len && pair.base[name.len] == '=' &&
            memcmp(pair.base, name.base, name.len) == 0)
            return tw_text_from(pair, name.len + 1);
        header = tw_text_from(header, len + 1);
    }
    return tw_text(NULL, 0);
}

/* HTTP/2 may split the header into several (RFC 9113 section 8.2.3). */
static tw_text_t cookie_of(const h2o_req_t *req)
{
    tw_text_t name = tw_worker_of(req)->gateway->token_cookie, found = tw_text(NULL, 0);

    for (size_t i = 0; i < req->headers.size && found.len == 0; ++i) {
        const h2o_header_t *header = &req->headers.entries[i];
        if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("cookie")))
            found = find_cookie(tw_text(header->value.base, header->value.len), name);
    }
    return found;
}

/* --- what it is --- */

/* A wrong token counts as a wrong key does. Others have been signed, and are no guesses. Returns
 * the code of the error. */
static const char *refuse(h2o_req_t *req, tw_token_verdict_t verdict)
{
    tw_counters_t *counters = counters_of(req);

    switch (verdict) {
    case TW_TOKEN_TOO_LARGE:
        tw_count(&counters->tokens_too_large, 1);
        tw_reply_error(req, TW_ERROR_TOKEN_TOO_LARGE);
        return tw_error_code(TW_ERROR_TOKEN_TOO_LARGE);
    case TW_TOKEN_EXPIRED:
        tw_count(&counters->tokens_expired, 1);
        tw_request_refuse(req, TW_ERROR_TOKEN_EXPIRED, false);
        return tw_error_code(TW_ERROR_TOKEN_EXPIRED);
    default:
        tw_count(&counters->tokens_invalid, 1);
        tw_request_refuse(req, TW_ERROR_TOKEN_INVALID, true);
        return tw_error_code(TW_ERROR_TOKEN_INVALID);
    }
}

/* Returns the token, which is borrowed from the cache; or NULL, and *code is that of the error that
 * the request has been answered with. */
static tw_token_t *verify(h2o_req_t *req, tw_text_t text, const char **code)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_token_t *token = NULL;
    uint64_t cost_ns = 0;
    tw_token_verdict_t verdict = TW_TOKEN_INVALID;

    if (worker->tokens != NULL)
        verdict = tw_token_cache_verify(worker->tokens, text, tw_clock_wall_ms() / 1000, &token,
                                        &cost_ns);
    tw_turn_spend(req, LOOK_UP_NS + cost_ns);
    if (verdict != TW_TOKEN_VALID) {
        *code = refuse(req, verdict);
        return NULL;
    }
    tw_count(cost_ns == 0 ? &counters_of(req)->tokens_cached : &counters_of(req)->tokens_verified,
             1);
    return token;
}

/* Answers with the first topic that the token does not grant. */
static void forbid(h2o_req_t *req, const tw_topic_name_t *topic)
{
    tw_count(&counters_of(req)->tokens_forbidden, 1);
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("www-authenticate"), 0, NULL,
                          H2O_STRLIT("Bearer error=\"insufficient_scope\""));
    tw_reply_error_about(req, TW_ERROR_TOPIC_FORBIDDEN, topic->base, topic->len);
}

/* --- streams --- */

static bool is_private(const tw_gateway_t *gateway, const tw_topic_name_t *topic)
{
    return tw_patterns_match(&gateway->private_topics, topic->base, topic->len);
}

static bool any_is_private(h2o_req_t *req, const tw_topic_list_t *topics)
{
    const tw_gateway_t *gateway = tw_worker_of(req)->gateway;

    if (gateway->private_topics.count == 0)
        return false;
    tw_turn_spend(req, topics->count * TOPIC_NS);
    for (size_t i = 0; i < topics->count; ++i)
        if (is_private(gateway, &topics->items[i]))
            return true;
    return false;
}

/* Returns NULL when the request has been answered. */
static tw_token_t *follower_of(h2o_req_t *req)
{
    tw_text_t text = bearer_of(req);
    const char *code;

    if (text.len == 0)
        text = parameter_of(req);
    if (text.len == 0)
        text = cookie_of(req);
    if (text.len == 0) {
        tw_count(&counters_of(req)->tokens_missing, 1);
        tw_request_refuse(req, TW_ERROR_TOKEN_REQUIRED, false);
        return NULL;
    }
    return verify(req, text, &code);
}

bool tw_access_may_follow(h2o_req_t *req, const tw_topic_list_t *topics, tw_token_t **token)
{
    const tw_gateway_t *gateway = tw_worker_of(req)->gateway;

    *token = NULL;
    if (!any_is_private(req, topics))
        return true;
    *token = follower_of(req);
    if (*token == NULL)
        return false;
    for (size_t i = 0; i < topics->count; ++i) {
        const tw_topic_name_t *topic = &topics->items[i];
        if (is_private(gateway, topic) &&
            !tw_patterns_match(&(*token)->subscribe, topic->base, topic->len)) {
            forbid(req, topic);
            return false;
        }
    }
    return true;
}

/* --- publishes --- */

/* Keys have no form, but a token has two dots. */
static bool looks_like_token(tw_text_t text)
{
    const char *dot = text.len > 0 ? memchr(text.base, '.', text.len) : NULL;
    return dot != NULL && memchr(dot + 1, '.', text.len - (size_t)(dot + 1 - text.base)) != NULL;
}

/* Whoever has no subject is known by the token alone. */
static size_t rate_of(const tw_token_t *token, tw_text_t text)
{
    uint64_t hash = token->subject != NULL ? tw_hash(token->subject, strlen(token->subject))
                                           : tw_hash(text.base, text.len);
    return TW_KEYS_MAX + hash % TW_TOKEN_RATES;
}

/* Streams are checked by the runtime when they are opened. */
static const char *check_revocations(h2o_req_t *req, const tw_token_t *token)
{
    switch (tw_revocations_check(tw_worker_of(req)->gateway->revocations,
                                 tw_text_of(token->subject), token->issued_at_s * 1000)) {
    case TW_OK:
        return NULL;
    case TW_REVOKED:
        tw_count(&counters_of(req)->tokens_revoked, 1);
        tw_request_refuse(req, TW_ERROR_TOKEN_INVALID, false);
        return tw_error_code(TW_ERROR_TOKEN_INVALID);
    default:
        tw_reply_error(req, TW_ERROR_RUNTIME_UNAVAILABLE);
        return tw_error_code(TW_ERROR_RUNTIME_UNAVAILABLE);
    }
}

const char *tw_access_publisher(h2o_req_t *req, tw_publisher_t *publisher)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    h2o_iovec_t header = tw_request_header(req, "authorization");
    tw_text_t text = bearer_of(req);
    tw_token_t *token;
    const char *code = NULL;

    *publisher = (tw_publisher_t){.token = NULL};
    if (tw_auth_check(&worker->gateway->auth, header.base, header.len, &publisher->rate))
        return NULL;
    if (text.len == 0 && worker->tokens != NULL)
        text = parameter_of(req);
    if (worker->tokens == NULL || !looks_like_token(text)) {
        tw_request_refuse(req, TW_ERROR_UNAUTHORIZED, header.base != NULL || text.len > 0);
        return tw_error_code(TW_ERROR_UNAUTHORIZED);
    }
    token = verify(req, text, &code);
    if (token == NULL)
        return code;
    code = check_revocations(req, token);
    if (code != NULL)
        return code;
    publisher->token = tw_token_ref(token);
    publisher->rate = rate_of(token, text);
    return NULL;
}

bool tw_access_may_publish(h2o_req_t *req, const tw_publisher_t *publisher,
                           const tw_topic_list_t *topics)
{
    if (publisher->token == NULL)
        return true;
    for (size_t i = 0; i < topics->count; ++i) {
        const tw_topic_name_t *topic = &topics->items[i];
        if (!tw_patterns_match(&publisher->token->publish, topic->base, topic->len)) {
            forbid(req, topic);
            return false;
        }
    }
    return true;
}

void tw_publisher_dispose(tw_publisher_t *publisher)
{
    tw_token_unref(publisher->token);
    publisher->token = NULL;
}
