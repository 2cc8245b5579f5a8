#include "handlers/stream/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h2o/http2_lean.h>
#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/access.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/stream/head.h"
#include "handlers/stream/refusal.h"

#define CLIENT_ID_MAX 128

/* --- the opening block --- */

static json_t *gap_topics(const tw_opening_t *opening)
{
    json_t *topics = json_array();
    for (size_t i = 0; i < opening->topic_count; ++i)
        json_array_append_new(topics,
                              json_stringn(opening->topics[i].base, opening->topics[i].len));
    return topics;
}

/*
 * The first block of a stream. The gap event comes before the id line: a client whose connection is
 * cut between the two still has its old id, and is told again. The caller frees it.
 */
static char *opening_block(const tw_gateway_t *gateway, const char *stream_id,
                           const tw_opening_t *opening, size_t *len)
{
    char id[TW_POSITIONS_ID_SIZE], *block = NULL, *gap = NULL;

    tw_positions_id(opening->positions, opening->position_count, id);
    if (opening->gap != TW_GAP_NONE) {
        json_t *data = json_pack("{s:s,s:o}", "reason", tw_gap_label(opening->gap), "topics",
                                 gap_topics(opening));
        gap = json_dumps(data, JSON_COMPACT);
        json_decref(data);
    }
    int written = asprintf(&block, "retry: %u\n: %s\n\n%s%s%sid: %s\n\n", gateway->retry_ms,
                           stream_id, gap != NULL ? "event: tideway.gap\ndata: " : "",
                           gap != NULL ? gap : "", gap != NULL ? "\n\n" : "", id);
    free(gap);
    if (written < 0)
        abort();
    *len = (size_t)written;
    return block;
}

static void add_stream_id(h2o_req_t *req, const char *stream_id)
{
    h2o_iovec_t id = h2o_strdup(&req->pool, stream_id, SIZE_MAX);

    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-sse-connection-id"), 0, NULL,
                          id.base, id.len);
}

/* --- closing --- */

void tw_stream_closed(tw_gateway_t *gateway, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_limits_remove_stream(&gateway->limits, subscriber->client);
    if (tw_log_enabled(TW_LOG_DEBUG)) {
        char id[TW_STREAM_ID_SIZE];
        tw_subscriber_id(subscriber, id);
        tw_log(TW_LOG_DEBUG, "stream closed", tw_log_text("connectionId", id),
               tw_log_text("subject", tw_subscriber_subject(subscriber)),
               tw_log_text("reason", tw_close_reason_label(reason)),
               tw_log_number("delivered", (int64_t)subscriber->stream->delivered));
    }
    gateway->adapter->ops->close_stream(gateway->adapter, subscriber, reason);
}

size_t tw_stream_farewell(const tw_gateway_t *gateway, tw_close_reason_t reason, char out[32])
{
    uint32_t retry_ms = gateway->retry_ms;

    if (reason != TW_CLOSE_DRAIN && reason != TW_CLOSE_CONNECTION_AGE)
        return 0;
    /* Clients reconnect at a random time within the length of a drain. */
    if (reason == TW_CLOSE_DRAIN)
        retry_ms = 100 + (uint32_t)random() % (gateway->drain_ms > 100 ? gateway->drain_ms : 100);
    return (size_t)snprintf(out, 32, "retry: %u\n\n", retry_ms);
}

/* Once the doors are shut. */
static void reply_draining(h2o_req_t *req)
{
    if (h2o_http2_conn_of(req) != NULL)
        tw_transport_h2.connect(req);
    tw_stream_reply_draining(req);
}

void tw_stream_refuse(tw_stream_opening_t *opening, tw_close_reason_t reason)
{
    h2o_req_t *req = opening->req;
    tw_subscriber_t *subscriber = opening->subscriber;

    opening->subscriber = NULL;
    tw_stream_closed(tw_worker_of(req)->gateway, subscriber, reason);
    if (reason == TW_CLOSE_DRAIN)
        reply_draining(req);
    else
        tw_stream_reply_refusal(req, TW_ERROR_OVER_CAPACITY, NULL);
}

/* The request has gone before the stream was open. */
static void on_opening_gone(void *data)
{
    tw_stream_opening_t *opening = data;
    tw_subscriber_t *subscriber = opening->subscriber;

    if (subscriber == NULL)
        return;
    tw_connection_t *connection = subscriber->connection;
    opening->subscriber = NULL;
    tw_stream_closed(tw_worker_of(opening->req)->gateway, subscriber, TW_CLOSE_CLIENT_CLOSED);
    opening->transport->disconnect(connection);
}

/* --- opening --- */

void tw_stream_set_address(tw_connection_t *connection, h2o_req_t *req)
{
    tw_request_peer_text(req, connection->remote_address, sizeof(connection->remote_address));
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *how)
{
    tw_stream_opening_t *opening = data;
    h2o_req_t *req = opening->req;
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    tw_subscriber_t *subscriber = opening->subscriber;
    char id[TW_STREAM_ID_SIZE];
    size_t len;

    if (status != TW_OK) {
        tw_connection_t *connection = subscriber->connection;
        opening->subscriber = NULL;
        tw_limits_remove_stream(&gateway->limits, subscriber->client);
        tw_subscriber_destroy(subscriber);
        opening->transport->disconnect(connection);
        if (status == TW_REVOKED) {
            tw_count(&tw_worker_of(req)->shard->counters.tokens_revoked, 1);
            tw_request_refuse(req, TW_ERROR_TOKEN_INVALID, false);
            return;
        }
        tw_count(&tw_worker_of(req)->shard->counters.streams_refused, 1);
        tw_stream_reply_refusal(req, tw_error_of(status), NULL);
        return;
    }
    tw_subscriber_id(subscriber, id);
    if (tw_log_enabled(TW_LOG_DEBUG))
        tw_log(TW_LOG_DEBUG, "stream opened", tw_log_text("connectionId", id),
               tw_log_text("subject", tw_subscriber_subject(subscriber)),
               tw_log_text("remoteAddress", tw_subscriber_remote_address(subscriber)),
               tw_log_number("topics", subscriber->topic_count));
    tw_stream_add_head(req);
    add_stream_id(req, id);
    char *block = opening_block(gateway, id, how, &len);
    opening->transport->begin(opening, block, len);
    free(block);
}

static bool client_id_valid(h2o_iovec_t id)
{
    return id.len == 0 || tw_request_printable(id, CLIENT_ID_MAX);
}

/* Reads the id that the client may choose for itself, from header or query. False: the request has
 * been answered. */
static bool read_client_id(h2o_req_t *req, h2o_iovec_t *id)
{
    size_t at = 0;
    h2o_iovec_t header = tw_request_header(req, "x-sse-id");
    h2o_iovec_t query = tw_request_query(req, "id", &at);

    *id = header.len > 0 ? header : query;
    if (client_id_valid(header) && client_id_valid(query))
        return true;
    tw_reply_error(req, TW_ERROR_INVALID_ID);
    return false;
}

/* Browsers' replacements for EventSource cannot send the header, and choose their own spelling of
 * the parameter. They append it at each reconnect, so that the last one counts. */
static bool is_last_event_id(tw_text_t name)
{
    return h2o_lcstris(name.base, name.len, H2O_STRLIT("lasteventid")) ||
           h2o_lcstris(name.base, name.len, H2O_STRLIT("last-event-id"));
}

static tw_resume_t read_resume(h2o_req_t *req)
{
    h2o_iovec_t id = tw_request_header(req, "last-event-id");
    tw_text_t name, value, last = tw_text(NULL, 0);

    for (size_t at = 0; tw_request_next_parameter(req, &at, &name, &value);)
        if (is_last_event_id(name))
            last = value;
    if (id.len == 0)
        id = tw_request_decode(req, last.base, last.len, true);
    return (tw_resume_t){.last_event_id = id.base, .last_event_id_len = id.len};
}

/* Counts the stream for its client, which is the client behind a trusted proxy. *client is NULL
 * when nothing limits it. False: the request has been answered. */
static bool admit(h2o_req_t *req, tw_client_t **client)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    tw_client_key_t key;
    char message[80];

    *client = NULL;
    if (!tw_request_client(req, &key))
        return true;
    *client = tw_limits_add_stream(&gateway->limits, &key);
    if (*client != NULL)
        return true;
    tw_count(&tw_worker_of(req)->shard->counters.streams_refused, 1);
    snprintf(message, sizeof(message),
             "this address has %" PRIu64 " open streams, which is its limit",
             gateway->limits.config.streams_per_address);
    tw_stream_reply_refusal(req, TW_ERROR_OVER_CAPACITY, message);
    return false;
}

_Static_assert(TW_TOKEN_SUBJECT_MAX == TW_SUBJECT_MAX, "a stream has room for each subject");

/* A stream ends when its token expires, or with the leeway when that was before. */
static void set_claims(tw_subscriber_t *subscriber, const tw_gateway_t *gateway,
                       const tw_token_t *token)
{
    int64_t end_ms = token->expires_at_s * 1000;

    if (end_ms <= tw_clock_wall_ms())
        end_ms += gateway->tokens.rules.leeway_s * 1000;
    const tw_claims_t claims = {.subject = token->subject,
                                .subject_len = token->subject != NULL ? strlen(token->subject) : 0,
                                .issued_at_ms = token->issued_at_s * 1000,
                                .expires_at_ms = end_ms};
    tw_subscriber_set_claims(subscriber, &claims);
}

/* `token` is NULL for a stream on topics that are not private. */
static void open_stream(h2o_req_t *req, const tw_topic_list_t *topics, h2o_iovec_t client_id,
                        const tw_resume_t *resume, const tw_token_t *token)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    const tw_transport_t *transport =
        h2o_http2_conn_of(req) != NULL ? &tw_transport_h2 : &tw_transport_pull;
    tw_client_t *client;
    tw_text_t address;

    if (!admit(req, &client))
        return;
    tw_connection_t *connection = transport->connect(req);
    /* Allocated after the connection: the pool frees what was allocated last first, and the opening
     * needs the connection then. */
    tw_stream_opening_t *opening =
        h2o_mem_alloc_shared(&req->pool, sizeof(*opening), on_opening_gone);

    *opening = (tw_stream_opening_t){.req = req, .transport = transport};
    opening->subscriber = tw_subscriber_create(
        connection, topics, client_id.len > 0 ? client_id.base : NULL, client_id.len);
    if (opening->subscriber == NULL) {
        tw_limits_remove_stream(&gateway->limits, client);
        transport->disconnect(connection);
        tw_stream_reply_refusal(req, TW_ERROR_NO_MEMORY, NULL);
        return;
    }
    opening->subscriber->client = client;
    if (token != NULL)
        set_claims(opening->subscriber, gateway, token);
    if (tw_request_proxied(req, &address) && address.base != NULL)
        opening->subscriber->remote_address = tw_strndup(address.base, address.len);
    opening->subscriber->transport_data = opening;
    gateway->adapter->ops->open_stream(gateway->adapter, opening->subscriber, resume, on_open,
                                       opening);
}

void tw_handle_stream(h2o_req_t *req)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    tw_topic_list_t topics;
    tw_token_t *token;
    h2o_iovec_t client_id;

    /* Until then streams are taken: balancers need a moment to see that the gateway drains. */
    if (req->conn->ctx->shutdown_requested) {
        reply_draining(req);
        return;
    }
    tw_topic_list_init(&topics, gateway->topics_max);
    if (tw_request_topics(req, true, &topics) && read_client_id(req, &client_id) &&
        tw_access_may_follow(req, &topics, &token)) {
        const tw_resume_t resume = read_resume(req);
        if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
            tw_stream_reply_head(req);
        else
            open_stream(req, &topics, client_id, &resume, token);
    }
    tw_topic_list_dispose(&topics);
}
