#include "tests/conformance/cluster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/check.h"

tw_test_place_t tw_test_place(tw_test_cluster_t *cluster, size_t node, size_t worker)
{
    tw_check(node < cluster->node_count);
    tw_test_node_t *at = &cluster->nodes[node];
    tw_check(worker < at->hub->config.worker_count);
    return (tw_test_place_t){.node = at, .worker = &at->workers.items[worker]};
}

static void start_adapter(void *data)
{
    tw_test_node_t *node = data;
    node->start_error = node->adapter->ops->start(node->adapter, &node->control.loop);
}

static bool is_ready(void *data)
{
    const tw_test_node_t *node = data;
    const char *why_not = NULL;
    bool ready = node->adapter->ops->ready(node->adapter, &why_not);
    tw_check(ready == (why_not == NULL));
    return ready;
}

static void open_node(tw_test_cluster_t *cluster, tw_test_node_t *node, size_t index,
                      const tw_hub_config_t *config)
{
    snprintf(node->id, sizeof(node->id), "node-%zu", index);
    node->info = (tw_node_info_t){.node_id = node->id,
                                  .hostname = "host",
                                  .ip = "192.0.2.7",
                                  .version = "1.2.3",
                                  .started_at_ms = tw_clock_wall_ms()};
    node->hub = tw_hub_create(config);
    node->adapter = cluster->factory->create(cluster->shared, node->hub, &node->info);
    tw_check(node->adapter != NULL);
    tw_test_workers_init(&node->workers, node->hub);
    tw_test_thread_init(&node->control);
    tw_test_thread_start(&node->control);
    tw_test_thread_call(&node->control, start_adapter, node);
    tw_check(node->start_error == 0);
    tw_test_workers_start(&node->workers);
}

void tw_test_cluster_open(tw_test_cluster_t *cluster, const tw_adapter_factory_t *factory,
                          size_t nodes, const tw_hub_config_t *config)
{
    tw_check(nodes >= 1 && nodes <= factory->nodes_max);
    *cluster = (tw_test_cluster_t){.factory = factory, .node_count = nodes};
    cluster->shared = factory->open != NULL ? factory->open() : NULL;
    cluster->nodes = tw_alloc(nodes * sizeof(*cluster->nodes));
    for (size_t i = 0; i < nodes; ++i)
        open_node(cluster, &cluster->nodes[i], i, config);
    for (size_t i = 0; i < nodes; ++i)
        tw_test_until(is_ready, &cluster->nodes[i]);
}

/* --- the end --- */

typedef struct tw_stop {
    tw_test_node_t *node;
    tw_test_latch_t stopped;
} tw_stop_t;

static void on_stopped(void *data)
{
    tw_stop_t *stop = data;
    tw_test_latch_set(&stop->stopped);
}

static void stop_adapter(void *data)
{
    tw_stop_t *stop = data;
    stop->node->adapter->ops->stop(stop->node->adapter, on_stopped, stop);
}

static void close_node(tw_test_node_t *node)
{
    tw_stop_t stop = {.node = node};

    tw_test_latch_init(&stop.stopped);
    tw_test_thread_call(&node->control, stop_adapter, &stop);
    tw_test_latch_wait(&stop.stopped);
    tw_test_latch_dispose(&stop.stopped);
    tw_test_workers_stop(&node->workers);
    tw_test_thread_stop(&node->control);
    node->adapter->ops->destroy(node->adapter);
    tw_hub_destroy(node->hub);
}

void tw_test_cluster_close(tw_test_cluster_t *cluster)
{
    for (size_t i = 0; i < cluster->node_count; ++i)
        close_node(&cluster->nodes[i]);
    if (cluster->factory->close != NULL)
        cluster->factory->close(cluster->shared);
    free(cluster->nodes);
}

/* --- publishing --- */

typedef struct tw_publish_call {
    tw_test_place_t at;
    tw_event_t *event;
    tw_test_published_t result;
    tw_test_latch_t done;
} tw_publish_call_t;

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_publish_call_t *call = data;

    tw_check((result != NULL) == (status == TW_OK));
    call->result.status = status;
    if (result != NULL) {
        call->result.position = result->position;
        call->result.delivered = result->delivered;
        call->result.accepted_count = result->accepted_count;
        for (uint32_t i = 0; i < call->event->topic_count; ++i)
            call->result.accepted[i] = result->accepted[i] != 0;
    }
    tw_test_latch_set(&call->done);
}

static void do_publish(void *data)
{
    tw_publish_call_t *call = data;
    tw_adapter_t *adapter = call->at.node->adapter;
    adapter->ops->publish(adapter, &call->at.worker->fanout.shard.loop, call->event, on_published,
                          call);
}

tw_test_published_t tw_test_publish(tw_test_place_t at, const char *topics, const char *id,
                                    const char *payload)
{
    tw_publish_call_t call = {.at = at, .event = tw_test_event(topics, id, payload)};

    tw_test_latch_init(&call.done);
    tw_test_thread_call(&at.worker->thread, do_publish, &call);
    tw_test_latch_wait(&call.done);
    tw_test_latch_dispose(&call.done);
    tw_event_unref(call.event);
    return call.result;
}

void tw_test_eventually(char *(*ask)(void *data), void *data, const char *expected)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t deadline_ms = tw_clock_ms() + TW_TEST_DEADLINE_MS;

    for (;;) {
        char *text = ask(data);
        bool is = strcmp(text, expected) == 0;
        if (!is && tw_clock_ms() >= deadline_ms) {
            fprintf(stderr, "expected: %s\nfound:    %s\n", expected, text);
            abort();
        }
        free(text);
        if (is)
            return;
        nanosleep(&pause, NULL);
    }
}
