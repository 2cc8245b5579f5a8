#include "tests/support/redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/ports.h"

#define OPTIONS_MAX 16
#define TRIES 600
#define PAUSE_US 50000

static void start_node(tw_test_redis_t *node, const char *const *options)
{
    const char *all[OPTIONS_MAX] = {"--cluster-enabled",          "yes",
                                    "--cluster-node-timeout",     "1000",
                                    "--repl-diskless-sync-delay", "0"};
    size_t count = 6;

    for (; options != NULL && *options != NULL; ++options) {
        assert_true(count < OPTIONS_MAX - 1);
        all[count++] = *options;
    }
    node->port = tw_test_free_port();
    tw_test_redis_start(node, all);
}

/* Whether the node knows all the others, thinks that the cluster works and, as a replica, has its
 * master's data. */
static bool serves(const tw_test_redis_t *node)
{
    char *info = tw_test_redis_cli(node, (const char *[]){"CLUSTER", "INFO", NULL});
    bool is_ok =
        strstr(info, "cluster_state:ok") != NULL && strstr(info, "cluster_known_nodes:6") != NULL;
    free(info);
    char *nodes = tw_test_redis_cli(node, (const char *[]){"CLUSTER", "NODES", NULL});
    size_t replicas = 0;
    for (const char *at = nodes; (at = strstr(at, "slave")) != NULL; ++at)
        ++replicas;
    free(nodes);
    char *replication = tw_test_redis_cli(node, (const char *[]){"INFO", "replication", NULL});
    is_ok = is_ok && strstr(replication, "master_link_status:down") == NULL;
    free(replication);
    return is_ok && replicas == TW_TEST_CLUSTER_NODES / 2;
}

void tw_test_cluster_start(tw_test_cluster_t *cluster, const char *const *options,
                           const char *password)
{
    char addresses[TW_TEST_CLUSTER_NODES][24];
    const char *create[TW_TEST_CLUSTER_NODES + 6] = {"--cluster", "create"};
    size_t count = 2;

    if (password != NULL)
        setenv("REDISCLI_AUTH", password, 1);
    for (size_t i = 0; i < TW_TEST_CLUSTER_NODES; ++i) {
        start_node(&cluster->nodes[i], options);
        snprintf(addresses[i], sizeof(addresses[i]), "127.0.0.1:%u", cluster->nodes[i].port);
        create[count++] = addresses[i];
    }
    create[count++] = "--cluster-replicas";
    create[count++] = "1";
    create[count] = "--cluster-yes";
    free(tw_test_redis_cli(&cluster->nodes[0], create));
    for (size_t i = 0; i < TW_TEST_CLUSTER_NODES; ++i)
        for (unsigned tries = 0; !serves(&cluster->nodes[i]); ++tries) {
            if (tries == TRIES)
                fail_msg("the cluster does not come up; see %s/output",
                         cluster->nodes[i].directory);
            usleep(PAUSE_US);
        }
}

void tw_test_cluster_dispose(tw_test_cluster_t *cluster)
{
    for (size_t i = 0; i < TW_TEST_CLUSTER_NODES; ++i)
        tw_test_redis_dispose(&cluster->nodes[i]);
    unsetenv("REDISCLI_AUTH");
}

tw_test_redis_t *tw_test_cluster_node(tw_test_cluster_t *cluster, uint16_t port)
{
    for (size_t i = 0; i < TW_TEST_CLUSTER_NODES; ++i)
        if (cluster->nodes[i].port == port)
            return &cluster->nodes[i];
    fail_msg("no node listens on port %u", port);
    return NULL;
}

void tw_test_cluster_id(const tw_test_redis_t *node, char id[41])
{
    char *text = tw_test_redis_cli(node, (const char *[]){"CLUSTER", "MYID", NULL});
    snprintf(id, 41, "%s", text);
    free(text);
}
