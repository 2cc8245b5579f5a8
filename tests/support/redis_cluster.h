/**
 * A real Redis Cluster for one test: three masters with a replica each, on loopback.
 */
#ifndef TW_TEST_REDIS_CLUSTER_H
#define TW_TEST_REDIS_CLUSTER_H

#include "tests/support/redis_server.h"

#define TW_TEST_CLUSTER_NODES 6

typedef struct tw_test_cluster {
    tw_test_redis_t nodes[TW_TEST_CLUSTER_NODES];
} tw_test_cluster_t;

/** Starts the nodes, each with `options` too (may be NULL), makes them a cluster (`password` may be
 * NULL) and waits until all of them serve it. */
void tw_test_cluster_start(tw_test_cluster_t *cluster, const char *const *options,
                           const char *password);

/** Kills the nodes and removes their directories. */
void tw_test_cluster_dispose(tw_test_cluster_t *cluster);

/** The node that listens on the port. */
tw_test_redis_t *tw_test_cluster_node(tw_test_cluster_t *cluster, uint16_t port);

/** The node's own id into `id`. */
void tw_test_cluster_id(const tw_test_redis_t *node, char id[41]);

#endif
