/**
 * A cluster for one test: nodes with hubs, adapters and real worker threads, wired as the server
 * wires them, and clients and publishers that the test's thread can drive.
 *
 * Unless it says otherwise every function here is for the test's thread, does its work on the
 * worker's own and waits for it; what does not come within the deadline of check.h fails the test.
 */
#ifndef TW_CONFORMANCE_CLUSTER_H
#define TW_CONFORMANCE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/conformance/factory.h"
#include "tests/support/fake_transport.h"
#include "tests/support/thread.h"
#include "tests/support/workers.h"

#define TW_TEST_TOPICS_MAX 64

typedef struct tw_test_node {
    tw_node_info_t info;
    char id[32];
    tw_hub_t *hub;
    tw_adapter_t *adapter;
    tw_test_thread_t control;
    tw_test_workers_t workers;
    int start_error;
} tw_test_node_t;

typedef struct tw_test_cluster {
    const tw_adapter_factory_t *factory;
    void *shared;
    size_t node_count;
    tw_test_node_t *nodes;
} tw_test_cluster_t;

/** Starts so many nodes and returns when all are ready. */
void tw_test_cluster_open(tw_test_cluster_t *cluster, const tw_adapter_factory_t *factory,
                          size_t nodes, const tw_hub_config_t *config);

/** Stops all; every client is closed. Proves that each loop closes. */
void tw_test_cluster_close(tw_test_cluster_t *cluster);

/** Where something happens. */
typedef struct tw_test_place {
    tw_test_node_t *node;
    tw_test_worker_t *worker;
} tw_test_place_t;

tw_test_place_t tw_test_place(tw_test_cluster_t *cluster, size_t node, size_t worker);

/* --- clients --- */

/** A client with one stream on a connection of its own. */
typedef struct tw_test_client {
    tw_test_place_t at;
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    bool answered; /* on_open came */
    tw_status_t status;
    tw_position_t position; /* of the opening … */
    tw_gap_t gap;
    char *gap_topics; /* owned; the names, separated by commas */
    tw_test_latch_t open;
} tw_test_client_t;

/** Opens a stream and waits for its on_open; last_event_id NULL: a fresh one. The client's
 * `status` says how it ended. */
tw_test_client_t *tw_test_client_open(tw_test_place_t at, const char *topics,
                                      const char *last_event_id);

/** The same, but returns before on_open came; tw_test_client_wait_open() waits for it. */
tw_test_client_t *tw_test_client_begin(tw_test_place_t at, const char *topics,
                                       const char *client_id, const char *last_event_id);

/** The same two of a client with a token. */
tw_test_client_t *tw_test_client_open_as(tw_test_place_t at, const char *topics,
                                         const tw_claims_t *claims);
tw_test_client_t *tw_test_client_begin_as(tw_test_place_t at, const char *topics,
                                          const tw_claims_t *claims);

void tw_test_client_wait_open(tw_test_client_t *client);

/** The client goes away, if it is open, and is freed. */
void tw_test_client_free(tw_test_client_t *client);

/** Waits until the client has seen these ids, in this order: "1 2 3". Fails at once when it has
 * seen anything that is not the beginning of that. */
void tw_test_client_expect(tw_test_client_t *client, const char *ids);

/** Waits until the gateway closed the stream; returns why. */
tw_close_reason_t tw_test_client_wait_closed(tw_test_client_t *client);

/** The connection takes no bytes (true), or takes what waits and everything from now on. */
void tw_test_client_block(tw_test_client_t *client, bool blocked);

/** The server's id of its stream. */
void tw_test_client_id(tw_test_client_t *client, char out[TW_STREAM_ID_SIZE]);

/* --- publishing --- */

typedef struct tw_test_published {
    tw_status_t status;
    tw_position_t position;
    uint64_t delivered;
    size_t accepted_count;
    bool accepted[TW_TEST_TOPICS_MAX];
} tw_test_published_t;

/** Publishes and waits for the answer. */
tw_test_published_t tw_test_publish(tw_test_place_t at, const char *topics, const char *id,
                                    const char *payload);

/** has_subscribers for each of the topics, as a text of '0' and '1'; free() it. */
char *tw_test_followed(tw_test_place_t at, const char *topics);

/* --- listings, as texts that a test can compare; free() them --- */

typedef struct tw_test_page {
    uint64_t page, page_size;
    const char *prefix;  /* NULL: none */
    const char *topic;   /* connections only; NULL: all */
    const char *subject; /* connections only; NULL: all */
} tw_test_page_t;

/** "total|topic=count:node,count;node,count …": the shares of a topic sorted by node. */
char *tw_test_list_topics(tw_test_place_t at, const tw_test_page_t *page);

/** "total|id id id". */
char *tw_test_list_streams(tw_test_place_t at, const tw_test_page_t *page);

/** The row of one connection: "client-id topics node address protocol delivered queued", "-" where
 * there is no client id, and " subject" behind it if it has one; "" when it is not listed. */
char *tw_test_stream_row(tw_test_place_t at, const char *stream_id);

/** "node:count:state:counted streams,counted topics …", sorted. */
char *tw_test_list_nodes(tw_test_place_t at);

/** "id:payload id:payload", oldest first. */
char *tw_test_tail(tw_test_place_t at, const char *topic, const tw_position_t *after, size_t limit);

/** Has the topic's kept events forgotten. */
tw_status_t tw_test_forget(tw_test_place_t at, const char *topic);

/** Closes all streams of a subject. */
tw_status_t tw_test_close_subject(tw_test_place_t at, const char *subject, uint64_t *count);

tw_status_t tw_test_revoke(tw_test_place_t at, const char *subject, int64_t until_ms);

tw_status_t tw_test_close_by_id(tw_test_place_t at, const char *stream_id);

/** Asks until the text that `ask` makes is `expected`: adapters may list a little late. Says what
 * came instead when it never is. */
void tw_test_eventually(char *(*ask)(void *data), void *data, const char *expected);

#endif
