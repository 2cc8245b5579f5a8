#include "tests/support/fake_transport.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model/sse.h"
#include "tests/support/check.h"

#define TOPICS_MAX 256

static tw_fake_stream_t *stream_of(const tw_stream_t *stream)
{
    return stream->subscriber->transport_data;
}

static void write_bytes(tw_stream_t *stream, const char *bytes, size_t len)
{
    tw_fake_stream_t *fake = stream_of(stream);
    tw_sse_reader_feed(&fake->reader, bytes, len);
    stream->written_tick = fake->connection->super.shard->tick;
}

static void tell_written(tw_fake_stream_t *stream)
{
    if (stream->on_written != NULL)
        stream->on_written(stream);
}

static size_t deliver(tw_connection_t *connection, tw_event_t *event, tw_stream_t *const *streams,
                      size_t n)
{
    tw_fake_connection_t *fake = (tw_fake_connection_t *)connection;
    size_t delivered = 0;

    ++fake->deliver_calls;
    for (size_t i = 0; i < n; ++i) {
        tw_stream_t *stream = streams[i];
        if (tw_stream_skips(stream, event))
            continue;
        if (fake->blocked || stream->flags != 0) {
            tw_subscriber_queue(stream->subscriber, event);
        } else {
            write_bytes(stream, event->frame, event->frame_len);
            tell_written(stream_of(stream));
        }
        ++stream->delivered;
        ++delivered;
    }
    return delivered;
}

static void heartbeat(tw_connection_t *connection, tw_stream_t *const *streams, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        tw_check(streams[i]->subscriber->state == TW_SUBSCRIBER_LIVE);
        write_bytes(streams[i], TW_SSE_HEARTBEAT, TW_SSE_HEARTBEAT_LEN);
        ++stream_of(streams[i])->heartbeats;
    }
}

static void close_stream(tw_connection_t *connection, tw_stream_t *stream, tw_close_reason_t reason)
{
    tw_fake_stream_close(stream_of(stream), reason);
}

static void retire(tw_connection_t *connection)
{
    ((tw_fake_connection_t *)connection)->retired = true;
}

static const tw_connection_ops_t ops = {
    .deliver = deliver, .heartbeat = heartbeat, .close = close_stream, .retire = retire};

void tw_fake_connection_init(tw_fake_connection_t *connection, tw_shard_t *shard,
                             tw_fake_let_go_fn let_go, void *owner)
{
    *connection = (tw_fake_connection_t){.let_go = let_go, .owner = owner};
    tw_connection_init(&connection->super, shard, &ops, "h2");
    strcpy(connection->super.remote_address, "192.0.2.1:1234");
}

void tw_fake_connection_dispose(tw_fake_connection_t *connection)
{
    tw_connection_dispose(&connection->super);
}

void tw_fake_stream_init(tw_fake_stream_t *stream, tw_fake_connection_t *connection,
                         const char *topics, const char *client_id)
{
    tw_topic_list_t list;

    *stream = (tw_fake_stream_t){.connection = connection};
    tw_sse_reader_init(&stream->reader);
    tw_topic_list_init(&list, TOPICS_MAX);
    tw_check(tw_topic_list_add(&list, topics, strlen(topics)) == TW_TOPIC_LIST_OK);
    stream->subscriber = tw_subscriber_create(&connection->super, &list, client_id,
                                              client_id != NULL ? strlen(client_id) : 0);
    tw_check(stream->subscriber != NULL);
    stream->subscriber->transport_data = stream;
    tw_topic_list_dispose(&list);
}

void tw_fake_stream_dispose(tw_fake_stream_t *stream)
{
    tw_check(stream->subscriber == NULL);
    tw_sse_reader_dispose(&stream->reader);
}

void tw_fake_stream_begin(tw_fake_stream_t *stream)
{
    stream->subscriber->stream->flags &= (uint8_t)~TW_STREAM_HELD;
    if (!stream->connection->blocked)
        tw_fake_stream_flush(stream, SIZE_MAX);
}

size_t tw_fake_stream_flush(tw_fake_stream_t *stream, size_t bytes)
{
    size_t written = 0, len;
    const char *rest;

    while (written < bytes && (rest = tw_subscriber_peek(stream->subscriber, &len)) != NULL) {
        bool whole = len <= bytes - written;
        if (!whole)
            len = bytes - written;
        write_bytes(stream->subscriber->stream, rest, len);
        tw_subscriber_advance(stream->subscriber, len);
        written += len;
        if (whole)
            tell_written(stream);
    }
    return written;
}

void tw_fake_stream_close(tw_fake_stream_t *stream, tw_close_reason_t reason)
{
    tw_subscriber_t *subscriber = stream->subscriber;

    tw_check(!stream->closed);
    stream->closed = true;
    stream->close_reason = reason;
    stream->subscriber = NULL;
    stream->connection->let_go(stream->connection->owner, subscriber, reason);
}

char *tw_fake_stream_ids(const tw_fake_stream_t *stream)
{
    tw_test_text_t ids = {0};

    tw_test_text_append(&ids, "", 0);
    for (size_t i = 0; i < stream->reader.message_count; ++i) {
        const tw_test_text_t *id = &stream->reader.messages[i].last_event_id;
        tw_test_text_append(&ids, " ", i > 0);
        tw_test_text_append(&ids, id->bytes, id->len);
    }
    return ids.bytes;
}

tw_event_t *tw_test_event(const char *topics, const char *id, const char *payload)
{
    return tw_test_typed_event(topics, id, "", payload);
}

tw_event_t *tw_test_typed_event(const char *topics, const char *id, const char *type,
                                const char *payload)
{
    tw_topic_list_t list;

    tw_topic_list_init(&list, TOPICS_MAX);
    tw_check(tw_topic_list_add(&list, topics, strlen(topics)) == TW_TOPIC_LIST_OK);
    const tw_event_spec_t spec = {.topics = &list,
                                  .id = id,
                                  .id_len = strlen(id),
                                  .type = type,
                                  .type_len = strlen(type),
                                  .payload = payload,
                                  .payload_len = strlen(payload),
                                  .published_at_ms = 1};
    tw_event_t *event = tw_event_create(&spec);
    tw_topic_list_dispose(&list);
    tw_check(event != NULL);
    return event;
}
