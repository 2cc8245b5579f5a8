#include "bench/load/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "bench/load/sse.h"

/* An event longer than this is not one of ours. */
#define CARRY_BYTES_MAX (4 * LOAD_PAYLOAD_BYTES_MAX)

/* Mixes in what came, so that two streams agree only when they saw the same in the same order. */
static uint32_t tally_order(uint32_t tally, const load_payload_t *payload)
{
    uint32_t event =
        payload->sequence ^ payload->lane << 24 ^ payload->topic * UINT32_C(0x85ebca6b);
    tally = (tally ^ event) * UINT32_C(0x9e3779b1);
    return tally << 13 | tally >> 19;
}

static void verify(load_subscriber_thread_t *thread, load_stream_t *stream,
                   load_checker_slot_t *slots, const load_payload_t *payload, uint64_t now_ns)
{
    const load_options_t *options = thread->run->options;
    uint32_t nth = payload->topic >= stream->topic
                       ? payload->topic - stream->topic
                       : payload->topic + options->topics - stream->topic;
    if (nth >= options->topics_per_stream || payload->lane >= options->lanes) {
        thread->counts.foreign++;
        return;
    }
    load_checker_observe(&slots[nth * options->lanes + payload->lane], payload->sequence,
                         &thread->counts.checks);
    stream->tally = options->churn ? stream->tally + 1 : tally_order(stream->tally, payload);
    if (stream->resumed) {
        if (payload->sequence == thread->resume_sequence) {
            thread->counts.caught_up++;
            load_histogram_record(&thread->catch_up, now_ns - thread->resume_ns);
        }
        return; /* live latency is that of the streams which were not cut */
    }
    if (payload->time_ns <
        atomic_load_explicit(&thread->run->measure_from_ns, memory_order_relaxed))
        return;
    thread->counts.measured++;
    load_histogram_record(&thread->latency,
                          now_ns > payload->time_ns ? now_ns - payload->time_ns : 0);
}

/* Finds our payload in an event's data: JSON may surround it. */
static int read_payload(const load_sse_item_t *item, size_t payload_bytes, load_payload_t *payload)
{
    static const char mark[] = LOAD_PAYLOAD_MARK;
    const char *text = item->data, *end = item->data + item->data_bytes;
    if (item->data_bytes != payload_bytes)
        text = memmem(text, item->data_bytes, mark, sizeof(mark) - 1);
    if (text == NULL || (size_t)(end - text) < payload_bytes)
        return -1;
    return load_payload_read(text, payload_bytes, payload);
}

/* Takes whole items; returns how many bytes they were. */
static size_t take_items(load_subscriber_thread_t *thread, load_stream_t *stream,
                         load_checker_slot_t *slots, const char *data, size_t bytes,
                         uint64_t now_ns)
{
    size_t payload_bytes = thread->run->options->payload_bytes;
    const char *p = data, *end = data + bytes;
    load_sse_item_t item;
    size_t used;
    while (p < end && (used = load_sse_next(p, (size_t)(end - p), &item)) > 0) {
        load_payload_t payload;
        p += used;
        if (item.kind == LOAD_SSE_COMMENT) {
            thread->counts.comments++;
        } else if (item.kind == LOAD_SSE_EVENT && item.data_bytes > 0) {
            if (read_payload(&item, payload_bytes, &payload) != 0) {
                /* A greeting of the server's own has no mark; what has one must be right. */
                if (memmem(item.data, item.data_bytes, LOAD_PAYLOAD_MARK, 4) != NULL)
                    thread->counts.corrupt++;
                continue;
            }
            verify(thread, stream, slots, &payload, now_ns);
            if (used == bytes && bytes <= sizeof(thread->last_frame)) {
                memcpy(thread->last_frame, data, bytes);
                thread->last_frame_bytes = bytes;
                thread->last_payload = payload;
            }
        }
    }
    return (size_t)(p - data);
}

/* The beginning of an event came in an earlier frame. */
static void take_carried(load_subscriber_thread_t *thread, load_stream_t *stream,
                         load_checker_slot_t *slots, const char *data, size_t bytes,
                         uint64_t now_ns)
{
    load_bytes_append(stream->carry, data, bytes);
    size_t used = take_items(thread, stream, slots, load_bytes_front(stream->carry),
                             load_bytes_left(stream->carry), now_ns);
    load_bytes_take(stream->carry, used);
    if (load_bytes_left(stream->carry) > CARRY_BYTES_MAX) {
        thread->counts.corrupt++;
        load_bytes_take(stream->carry, load_bytes_left(stream->carry));
    }
    if (load_bytes_left(stream->carry) == 0) {
        load_bytes_dispose(stream->carry);
        free(stream->carry);
        stream->carry = NULL;
    }
}

void load_delivery_take(load_subscriber_thread_t *thread, load_stream_t *stream,
                        load_checker_slot_t *slots, const char *data, size_t bytes, uint64_t now_ns)
{
    if (stream->carry != NULL) {
        take_carried(thread, stream, slots, data, bytes, now_ns);
        return;
    }
    if (bytes == thread->last_frame_bytes && memcmp(data, thread->last_frame, bytes) == 0) {
        if (bytes > 0)
            verify(thread, stream, slots, &thread->last_payload, now_ns);
        return;
    }
    size_t used = take_items(thread, stream, slots, data, bytes, now_ns);
    if (used < bytes) {
        stream->carry = calloc(1, sizeof(*stream->carry));
        if (stream->carry == NULL)
            abort();
        load_bytes_append(stream->carry, data + used, bytes - used);
    }
}
