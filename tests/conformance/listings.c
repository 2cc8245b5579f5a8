/* What the cluster lists, as texts: cluster.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/model/sse.h"
#include "runtime/stats.h"
#include "tests/conformance/cluster.h"
#include "tests/support/check.h"

/* One question to an adapter, and its answer as text. */
typedef struct tw_ask {
    tw_test_place_t at;
    const tw_test_page_t *page;
    const char *text;           /* topics, topic or connection id */
    const tw_position_t *after; /* of a tail */
    size_t limit;               /* of a tail */
    int64_t until_ms;           /* of a revocation */
    uint64_t count;             /* of streams that were closed */
    tw_status_t status;
    tw_test_text_t answer;
    tw_test_latch_t done;
} tw_ask_t;

static void add(tw_ask_t *ask, const char *text)
{
    tw_test_text_append(&ask->answer, text, strlen(text));
}

static void add_number(tw_ask_t *ask, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    add(ask, text);
}

static void answered(tw_ask_t *ask, tw_status_t status)
{
    ask->status = status;
    tw_test_latch_set(&ask->done);
}

/* Runs the question on its worker and waits for the answer. */
static char *ask_and_wait(tw_ask_t *ask, void (*call)(void *data))
{
    tw_test_latch_init(&ask->done);
    tw_test_text_append(&ask->answer, "", 0);
    tw_test_thread_call(&ask->at.worker->thread, call, ask);
    tw_test_latch_wait(&ask->done);
    tw_test_latch_dispose(&ask->done);
    return ask->answer.bytes;
}

static tw_page_query_t query_of(const tw_test_page_t *page, tw_topic_name_t *topic)
{
    tw_page_query_t query = {.page = page->page, .page_size = page->page_size};

    if (page->prefix != NULL) {
        query.prefix = page->prefix;
        query.prefix_len = strlen(page->prefix);
    }
    if (page->topic != NULL) {
        *topic = tw_topic_name(page->topic, strlen(page->topic));
        query.topic = topic;
    }
    query.subject = tw_text_of(page->subject);
    return query;
}

/* --- topics --- */

static int compare_shares(const void *a, const void *b)
{
    return strcmp(((const tw_node_share_t *)a)->node_id, ((const tw_node_share_t *)b)->node_id);
}

static void add_topic(tw_ask_t *ask, const tw_topic_row_t *row)
{
    tw_node_share_t *shares = tw_alloc(row->node_count * sizeof(*shares));

    memcpy(shares, row->nodes, row->node_count * sizeof(*shares));
    qsort(shares, row->node_count, sizeof(*shares), compare_shares);
    tw_test_text_append(&ask->answer, row->topic, row->topic_len);
    add(ask, "=");
    add_number(ask, row->stream_count);
    for (size_t i = 0; i < row->node_count; ++i) {
        add(ask, i == 0 ? ":" : ";");
        add(ask, shares[i].node_id);
        add(ask, ",");
        add_number(ask, shares[i].stream_count);
    }
    free(shares);
}

static void on_topics(void *data, tw_status_t status, uint64_t total, const tw_topic_row_t *rows,
                      size_t count)
{
    tw_ask_t *ask = data;

    add_number(ask, total);
    add(ask, "|");
    for (size_t i = 0; i < count; ++i) {
        add(ask, i > 0 ? " " : "");
        add_topic(ask, &rows[i]);
    }
    answered(ask, status);
}

static void do_list_topics(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    tw_topic_name_t topic;
    tw_page_query_t query = query_of(ask->page, &topic);
    adapter->ops->list_topics(adapter, &ask->at.worker->fanout.shard.loop, &query, on_topics, ask);
}

char *tw_test_list_topics(tw_test_place_t at, const tw_test_page_t *page)
{
    tw_ask_t ask = {.at = at, .page = page};
    return ask_and_wait(&ask, do_list_topics);
}

/* --- connections --- */

static void on_connections(void *data, tw_status_t status, uint64_t total,
                           const tw_stream_row_t *rows, size_t count)
{
    tw_ask_t *ask = data;

    add_number(ask, total);
    add(ask, "|");
    for (size_t i = 0; i < count; ++i) {
        add(ask, i > 0 ? " " : "");
        add(ask, rows[i].stream_id);
    }
    answered(ask, status);
}

static void on_row(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                   size_t count)
{
    tw_ask_t *ask = data;

    if (count > 0) {
        tw_check(strcmp(rows->stream_id, ask->text) == 0);
        tw_check(rows->opened_at_ms > 0);
        add(ask, rows->client_id != NULL ? rows->client_id : "-");
        for (size_t i = 0; i < rows->topic_count; ++i) {
            add(ask, i == 0 ? " " : ",");
            tw_test_text_append(&ask->answer, rows->topics[i].base, rows->topics[i].len);
        }
        add(ask, " ");
        add(ask, rows->node_id);
        add(ask, " ");
        add(ask, rows->remote_address);
        add(ask, " ");
        add(ask, rows->protocol);
        add(ask, " ");
        add_number(ask, rows->delivered);
        add(ask, " ");
        add_number(ask, rows->queued_bytes);
        add(ask, rows->subject != NULL ? " " : "");
        add(ask, rows->subject != NULL ? rows->subject : "");
    }
    answered(ask, status);
}

static void do_list_connections(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    tw_topic_name_t topic;
    tw_page_query_t query = query_of(ask->page, &topic);
    adapter->ops->list_streams(adapter, &ask->at.worker->fanout.shard.loop, &query,
                               ask->text != NULL ? on_row : on_connections, ask);
}

char *tw_test_list_streams(tw_test_place_t at, const tw_test_page_t *page)
{
    tw_ask_t ask = {.at = at, .page = page};
    return ask_and_wait(&ask, do_list_connections);
}

char *tw_test_stream_row(tw_test_place_t at, const char *stream_id)
{
    const tw_test_page_t page = {.page = 1, .page_size = 2, .prefix = stream_id};
    tw_ask_t ask = {.at = at, .page = &page, .text = stream_id};
    return ask_and_wait(&ask, do_list_connections);
}

/* --- nodes --- */

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const tw_node_row_t *)a)->node_id, ((const tw_node_row_t *)b)->node_id);
}

static void on_nodes(void *data, tw_status_t status, const tw_node_row_t *rows, size_t count)
{
    tw_ask_t *ask = data;
    tw_node_row_t *sorted = tw_alloc((count + 1) * sizeof(*sorted));

    for (size_t i = 0; i < count; ++i)
        sorted[i] = rows[i];
    qsort(sorted, count, sizeof(*sorted), compare_nodes);
    for (size_t i = 0; i < count; ++i) {
        tw_check(strcmp(sorted[i].hostname, "host") == 0);
        tw_check(strcmp(sorted[i].ip, "192.0.2.7") == 0);
        tw_check(strcmp(sorted[i].version, "1.2.3") == 0);
        tw_check(sorted[i].started_at_ms > 0);
        add(ask, i > 0 ? " " : "");
        add(ask, sorted[i].node_id);
        add(ask, ":");
        add_number(ask, sorted[i].stream_count);
        add(ask, ":");
        add(ask, sorted[i].state);
        add(ask, ":");
        tw_check(sorted[i].stats != NULL && sorted[i].counted_at_ms >= sorted[i].started_at_ms);
        add_number(ask, sorted[i].stats->counters.streams);
        add(ask, ",");
        add_number(ask, sorted[i].stats->topics);
    }
    free(sorted);
    answered(ask, status);
}

static void do_list_nodes(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    adapter->ops->list_nodes(adapter, &ask->at.worker->fanout.shard.loop, on_nodes, ask);
}

char *tw_test_list_nodes(tw_test_place_t at)
{
    tw_ask_t ask = {.at = at};
    return ask_and_wait(&ask, do_list_nodes);
}

/* --- tails --- */

static void on_tail(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    tw_ask_t *ask = data;

    for (size_t i = 0; i < count; ++i) {
        char *payload = tw_alloc(events[i]->frame_len);
        size_t len = tw_sse_payload(events[i]->frame, events[i]->frame_len, payload);
        add(ask, i > 0 ? " " : "");
        tw_test_text_append(&ask->answer, tw_event_id(events[i]), events[i]->id_len);
        add(ask, ":");
        tw_test_text_append(&ask->answer, payload, len);
        free(payload);
    }
    answered(ask, status);
}

static void do_tail(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    tw_topic_name_t topic = tw_topic_name(ask->text, strlen(ask->text));
    adapter->ops->tail_events(adapter, &ask->at.worker->fanout.shard.loop, &topic, ask->after,
                              ask->limit, on_tail, ask);
}

char *tw_test_tail(tw_test_place_t at, const char *topic, const tw_position_t *after, size_t limit)
{
    tw_ask_t ask = {.at = at, .text = topic, .after = after, .limit = limit};
    return ask_and_wait(&ask, do_tail);
}

/* --- who follows, and closing --- */

static void on_followed(void *data, tw_status_t status, const uint8_t *followed)
{
    tw_ask_t *ask = data;
    for (size_t i = 0; status == TW_OK && i < ask->limit; ++i)
        add(ask, followed[i] ? "1" : "0");
    answered(ask, status);
}

static void do_ask_followed(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    tw_topic_list_t topics;

    tw_topic_list_init(&topics, TW_TEST_TOPICS_MAX);
    tw_check(tw_topic_list_add(&topics, ask->text, strlen(ask->text)) == TW_TOPIC_LIST_OK);
    ask->limit = topics.count;
    adapter->ops->has_subscribers(adapter, &ask->at.worker->fanout.shard.loop, &topics, on_followed,
                                  ask);
    tw_topic_list_dispose(&topics);
}

char *tw_test_followed(tw_test_place_t at, const char *topics)
{
    tw_ask_t ask = {.at = at, .text = topics};
    return ask_and_wait(&ask, do_ask_followed);
}

static void on_closed(void *data, tw_status_t status)
{
    answered(data, status);
}

static void do_forget(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    tw_topic_name_t topic = tw_topic_name(ask->text, strlen(ask->text));
    adapter->ops->forget_tail(adapter, &ask->at.worker->fanout.shard.loop, &topic, on_closed, ask);
}

tw_status_t tw_test_forget(tw_test_place_t at, const char *topic)
{
    tw_ask_t ask = {.at = at, .text = topic};
    free(ask_and_wait(&ask, do_forget));
    return ask.status;
}

static void do_close(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    adapter->ops->close_by_id(adapter, &ask->at.worker->fanout.shard.loop, ask->text,
                              TW_CLOSE_ADMIN, on_closed, ask);
}

tw_status_t tw_test_close_by_id(tw_test_place_t at, const char *stream_id)
{
    tw_ask_t ask = {.at = at, .text = stream_id};
    free(ask_and_wait(&ask, do_close));
    return ask.status;
}

/* --- subjects --- */

static void on_subject_closed(void *data, tw_status_t status, uint64_t count)
{
    tw_ask_t *ask = data;
    ask->count = count;
    answered(ask, status);
}

static void do_close_subject(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    adapter->ops->close_subject(adapter, &ask->at.worker->fanout.shard.loop, tw_text_of(ask->text),
                                TW_CLOSE_ADMIN, on_subject_closed, ask);
}

tw_status_t tw_test_close_subject(tw_test_place_t at, const char *subject, uint64_t *count)
{
    tw_ask_t ask = {.at = at, .text = subject};
    free(ask_and_wait(&ask, do_close_subject));
    *count = ask.count;
    return ask.status;
}

static void do_revoke(void *data)
{
    tw_ask_t *ask = data;
    tw_adapter_t *adapter = ask->at.node->adapter;
    adapter->ops->revoke(adapter, &ask->at.worker->fanout.shard.loop, tw_text_of(ask->text),
                         ask->until_ms, on_closed, ask);
}

tw_status_t tw_test_revoke(tw_test_place_t at, const char *subject, int64_t until_ms)
{
    tw_ask_t ask = {.at = at, .text = subject, .until_ms = until_ms};
    free(ask_and_wait(&ask, do_revoke));
    return ask.status;
}
