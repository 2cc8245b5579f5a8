/**
 * How the conformance suite gets the adapter that it is to judge.
 *
 * An adapter's test file (test_<name>.c) is one factory and a main() that gives it to
 * tw_conformance_main(). The suite builds clusters with it: one or several nodes in this process,
 * each with its hub, its workers (threads with loops), a control thread, and an adapter from
 * `create`. Whatever the nodes of a cluster share (a Redis server, a key prefix) is made by `open`.
 */
#ifndef TW_CONFORMANCE_FACTORY_H
#define TW_CONFORMANCE_FACTORY_H

#include <stddef.h>

#include "runtime/adapter.h"
#include "runtime/hub.h"

typedef struct tw_adapter_factory {
    const char *name;

    /** How many nodes a cluster may have; tests that need more are left out. 1: state is local. */
    size_t nodes_max;

    /**
     * Before a cluster's first node: what its nodes share, empty of what earlier clusters left.
     * On the test's thread. NULL: there is nothing to share.
     */
    void *(*open)(void);

    /** The adapter of one node, not started; hub and info are borrowed and outlive it. On the
     * test's thread. */
    tw_adapter_t *(*create)(void *shared, tw_hub_t *hub, const tw_node_info_t *info);

    /** After the cluster's last node is destroyed; NULL with open. */
    void (*close)(void *shared);
} tw_adapter_factory_t;

/** Runs the whole suite; what main() returns. */
int tw_conformance_main(const tw_adapter_factory_t *factory);

#endif
