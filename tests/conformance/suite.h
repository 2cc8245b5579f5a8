/** The parts of the suite. Each test gets the factory and how many nodes its clusters have, and
 * builds its own. */
#ifndef TW_CONFORMANCE_SUITE_H
#define TW_CONFORMANCE_SUITE_H

#include "tests/conformance/cluster.h"

/** One run of a test: cmocka's initial state. */
typedef struct tw_suite_run {
    const tw_adapter_factory_t *factory;
    size_t nodes;
} tw_suite_run_t;

typedef void (*tw_suite_fn)(const tw_suite_run_t *run);

typedef struct tw_suite_test {
    const char *name;
    tw_suite_fn test;
} tw_suite_test_t;

/** Each ends with a test without a name. */
extern const tw_suite_test_t tw_suite_streams[], tw_suite_publish[], tw_suite_listing[],
    tw_suite_resume[], tw_suite_tokens[], tw_suite_property[];

/** A cluster of the run's size. */
void tw_suite_open(tw_test_cluster_t *cluster, const tw_suite_run_t *run,
                   const tw_hub_config_t *config);

/** The places of a cluster, numbered through all workers of all nodes: tests spread themselves over
 * them. */
size_t tw_suite_place_count(const tw_test_cluster_t *cluster);
tw_test_place_t tw_suite_place(tw_test_cluster_t *cluster, size_t i);

/** For tw_test_eventually(): whether these topics are followed, as tw_test_followed() says it. */
typedef struct tw_suite_ask {
    tw_test_place_t at;
    const char *topics;
} tw_suite_ask_t;

char *tw_suite_followed(void *data);

#endif
