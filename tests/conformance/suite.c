#include "tests/conformance/suite.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "tests/support/cmocka_test.h"

static const tw_suite_test_t *const parts[] = {tw_suite_streams, tw_suite_publish,
                                               tw_suite_listing, tw_suite_resume,
                                               tw_suite_tokens,  tw_suite_property};

#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))
#define NODES_MAX 3

void tw_suite_open(tw_test_cluster_t *cluster, const tw_suite_run_t *run,
                   const tw_hub_config_t *config)
{
    tw_test_cluster_open(cluster, run->factory, run->nodes, config);
}

size_t tw_suite_place_count(const tw_test_cluster_t *cluster)
{
    return cluster->node_count * cluster->nodes[0].hub->config.worker_count;
}

tw_test_place_t tw_suite_place(tw_test_cluster_t *cluster, size_t i)
{
    i %= tw_suite_place_count(cluster);
    return tw_test_place(cluster, i % cluster->node_count, i / cluster->node_count);
}

char *tw_suite_followed(void *data)
{
    const tw_suite_ask_t *ask = data;
    return tw_test_followed(ask->at, ask->topics);
}

typedef struct tw_suite_case {
    tw_suite_run_t run;
    tw_suite_fn test;
    char name[128];
} tw_suite_case_t;

static void run_case(void **state)
{
    const tw_suite_case_t *one = *state;
    one->test(&one->run);
}

static size_t add_cases(tw_suite_case_t *cases, const tw_adapter_factory_t *factory, size_t nodes)
{
    size_t count = 0;

    for (size_t p = 0; p < PART_COUNT; ++p) {
        for (const tw_suite_test_t *test = parts[p]; test->name != NULL; ++test, ++count) {
            if (cases == NULL)
                continue;
            cases[count].run = (tw_suite_run_t){.factory = factory, .nodes = nodes};
            cases[count].test = test->test;
            snprintf(cases[count].name, sizeof(cases[count].name), "%s (%s, nodes: %zu)",
                     test->name, factory->name, nodes);
        }
    }
    return count;
}

int tw_conformance_main(const tw_adapter_factory_t *factory)
{
    size_t nodes_max = factory->nodes_max < NODES_MAX ? factory->nodes_max : NODES_MAX;
    size_t per_size = add_cases(NULL, factory, 1), count = 0;
    tw_suite_case_t *cases = tw_alloc(nodes_max * per_size * sizeof(*cases));
    struct CMUnitTest *tests = tw_alloc(nodes_max * per_size * sizeof(*tests));

    tw_hash_seed();
    for (size_t nodes = 1; nodes <= nodes_max; nodes += nodes_max > 1 ? nodes_max - 1 : 1)
        count += add_cases(cases + count, factory, nodes);
    for (size_t i = 0; i < count; ++i)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = run_case, .initial_state = &cases[i]};
    int failed = _cmocka_run_group_tests(factory->name, tests, count, NULL, NULL);
    free(tests);
    free(cases);
    return failed;
}
