/* Clients of the cluster: cluster.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/cluster.h"
#include "tests/support/check.h"

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_adapter_t *adapter = owner;
    adapter->ops->close_stream(adapter, subscriber, reason);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_test_client_t *client = data;

    tw_check(!client->answered);
    tw_check((opening != NULL) == (status == TW_OK));
    client->answered = true;
    client->status = status;
    if (opening != NULL) {
        tw_test_text_t names = {0};
        tw_check(client->stream.subscriber->state == TW_SUBSCRIBER_LIVE);
        tw_test_text_append(&names, "", 0);
        for (size_t i = 0; i < opening->topic_count; ++i) {
            tw_test_text_append(&names, ",", i > 0);
            tw_test_text_append(&names, opening->topics[i].base, opening->topics[i].len);
        }
        client->position = opening->position;
        client->gap = opening->gap;
        client->gap_topics = names.bytes;
        tw_fake_stream_begin(&client->stream);
    } else {
        tw_check(client->stream.subscriber->state == TW_SUBSCRIBER_NEW);
        tw_subscriber_destroy(client->stream.subscriber);
        client->stream.subscriber = NULL;
        client->stream.closed = true;
    }
    tw_test_latch_set(&client->open);
}

typedef struct tw_open_call {
    tw_test_client_t *client;
    const char *topics, *client_id, *last_event_id;
    const tw_claims_t *claims;
} tw_open_call_t;

static void do_open(void *data)
{
    const tw_open_call_t *call = data;
    tw_test_client_t *client = call->client;
    tw_adapter_t *adapter = client->at.node->adapter;
    tw_resume_t resume = {.last_event_id = call->last_event_id};

    if (call->last_event_id != NULL)
        resume.last_event_id_len = strlen(call->last_event_id);
    tw_fake_connection_init(&client->connection, &client->at.worker->fanout.shard, let_go, adapter);
    tw_fake_stream_init(&client->stream, &client->connection, call->topics, call->client_id);
    if (call->claims != NULL)
        tw_subscriber_set_claims(client->stream.subscriber, call->claims);
    adapter->ops->open_stream(adapter, client->stream.subscriber,
                              call->last_event_id != NULL ? &resume : NULL, on_open, client);
    /* Only a refusal may come before the call returns. */
    tw_check(!client->answered || client->status != TW_OK);
}

static tw_test_client_t *begin(tw_test_place_t at, tw_open_call_t call)
{
    tw_test_client_t *client = call.client = tw_alloc(sizeof(*client));

    client->at = at;
    tw_test_latch_init(&client->open);
    tw_test_thread_call(&at.worker->thread, do_open, &call);
    return client;
}

tw_test_client_t *tw_test_client_begin(tw_test_place_t at, const char *topics,
                                       const char *client_id, const char *last_event_id)
{
    return begin(at, (tw_open_call_t){
                         .topics = topics, .client_id = client_id, .last_event_id = last_event_id});
}

tw_test_client_t *tw_test_client_begin_as(tw_test_place_t at, const char *topics,
                                          const tw_claims_t *claims)
{
    return begin(at, (tw_open_call_t){.topics = topics, .claims = claims});
}

tw_test_client_t *tw_test_client_open_as(tw_test_place_t at, const char *topics,
                                         const tw_claims_t *claims)
{
    tw_test_client_t *client = tw_test_client_begin_as(at, topics, claims);
    tw_test_client_wait_open(client);
    return client;
}

void tw_test_client_wait_open(tw_test_client_t *client)
{
    tw_test_latch_wait(&client->open);
}

tw_test_client_t *tw_test_client_open(tw_test_place_t at, const char *topics,
                                      const char *last_event_id)
{
    tw_test_client_t *client = tw_test_client_begin(at, topics, NULL, last_event_id);
    tw_test_client_wait_open(client);
    return client;
}

static void do_free(void *data)
{
    tw_test_client_t *client = data;

    if (!client->stream.closed)
        tw_fake_stream_close(&client->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&client->stream);
    tw_fake_connection_dispose(&client->connection);
}

void tw_test_client_free(tw_test_client_t *client)
{
    tw_test_thread_call(&client->at.worker->thread, do_free, client);
    tw_test_latch_dispose(&client->open);
    free(client->gap_topics);
    free(client);
}

/* --- what it has seen --- */

typedef struct tw_ids_call {
    tw_test_client_t *client;
    const char *expected;
    char *ids;
} tw_ids_call_t;

static void do_read_ids(void *data)
{
    tw_ids_call_t *call = data;
    call->ids = tw_fake_stream_ids(&call->client->stream);
}

static char *ask_ids(void *data)
{
    tw_ids_call_t *call = data;

    tw_test_thread_call(&call->client->at.worker->thread, do_read_ids, call);
    if (strncmp(call->expected, call->ids, strlen(call->ids)) != 0) {
        fprintf(stderr, "the client was to see: %s\nand saw:               %s\n", call->expected,
                call->ids);
        abort();
    }
    return call->ids;
}

void tw_test_client_expect(tw_test_client_t *client, const char *ids)
{
    tw_ids_call_t call = {.client = client, .expected = ids};
    tw_test_eventually(ask_ids, &call, ids);
}

typedef struct tw_closed_call {
    tw_test_client_t *client;
    bool closed;
    tw_close_reason_t reason;
} tw_closed_call_t;

static void do_read_closed(void *data)
{
    tw_closed_call_t *call = data;
    call->closed = call->client->stream.closed;
    call->reason = call->client->stream.close_reason;
}

static bool is_closed(void *data)
{
    tw_closed_call_t *call = data;
    tw_test_thread_call(&call->client->at.worker->thread, do_read_closed, call);
    return call->closed;
}

tw_close_reason_t tw_test_client_wait_closed(tw_test_client_t *client)
{
    tw_closed_call_t call = {.client = client};
    tw_test_until(is_closed, &call);
    return call.reason;
}

typedef struct tw_block_call {
    tw_test_client_t *client;
    bool blocked;
} tw_block_call_t;

static void do_block(void *data)
{
    const tw_block_call_t *call = data;
    call->client->connection.blocked = call->blocked;
    if (!call->blocked && !call->client->stream.closed)
        tw_fake_stream_flush(&call->client->stream, SIZE_MAX);
}

void tw_test_client_block(tw_test_client_t *client, bool blocked)
{
    tw_block_call_t call = {.client = client, .blocked = blocked};
    tw_test_thread_call(&client->at.worker->thread, do_block, &call);
}

typedef struct tw_id_call {
    tw_test_client_t *client;
    char *out;
} tw_id_call_t;

static void do_read_id(void *data)
{
    const tw_id_call_t *call = data;
    tw_subscriber_id(call->client->stream.subscriber, call->out);
}

void tw_test_client_id(tw_test_client_t *client, char out[TW_STREAM_ID_SIZE])
{
    tw_id_call_t call = {.client = client, .out = out};
    tw_test_thread_call(&client->at.worker->thread, do_read_id, &call);
}
