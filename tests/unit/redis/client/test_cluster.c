#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "runtime/redis/client/client.h"
#include "runtime/redis/client/slots.h"
#include "tests/support/loop.h"
#include "tests/support/ports.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_cluster.h"

#define DEADLINE_MS 60000
#define KEY "tw:{0}:k" /* any key; all tests are about its slot */

typedef struct fixture {
    uv_loop_t loop;
    tw_test_cluster_t cluster;
    tw_redis_access_t access;
    tw_redis_client_config_t config;
    tw_redis_client_t *client;
    bool up, down;
    unsigned downs;
    char reason[TW_REDIS_ERROR_MAX];
    tw_redis_server_t server;
    bool answered; /* the last command has had its callback */
    bool lost;     /* … with NULL */
    char reply[256];
} fixture_t;

static void on_up(const tw_redis_server_t *server, void *data)
{
    fixture_t *f = data;
    f->up = true;
    f->down = false;
    f->server = *server;
}

static void on_down(const char *reason, bool was_up, void *data)
{
    fixture_t *f = data;
    f->up = false;
    f->down = true;
    ++f->downs;
    snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static void on_reply(const redisReply *reply, void *data)
{
    fixture_t *f = data;
    f->answered = true;
    f->lost = reply == NULL;
    if (reply != NULL && reply->type != REDIS_REPLY_NIL)
        snprintf(f->reply, sizeof(f->reply), "%s", reply->str);
}

static void connect_with(fixture_t *f, const tw_redis_access_config_t *with, const char *slot_key)
{
    static const tw_redis_client_callbacks_t callbacks = {on_up, on_down};
    tw_test_redis_access_init(&f->access, with);
    f->config = tw_test_redis_client_config(&f->access);
    f->config.slot_key = slot_key;
    f->client = tw_redis_client_create(&f->loop, &f->config, &callbacks, f);
    tw_redis_client_start(f->client);
}

/* Connects to the cluster of which the URL names a port where nobody listens, and two nodes. */
static void connect_to(fixture_t *f, const char *slot_key)
{
    char url[256];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u",
             tw_test_free_port(), f->cluster.nodes[5].port, f->cluster.nodes[4].port);
    connect_with(f, &(tw_redis_access_config_t){.url = url}, slot_key);
}

static void wait_up(fixture_t *f)
{
    tw_test_loop_until_set(&f->loop, &f->up, DEADLINE_MS);
}

/* Sends the words of a command and waits for its callback. */
static void call(fixture_t *f, const char *const *words)
{
    f->answered = false;
    f->reply[0] = '\0';
    assert_int_equal(tw_test_redis_client_send(f->client, words, on_reply, f), 0);
    tw_test_loop_until_set(&f->loop, &f->answered, DEADLINE_MS);
}

#define CALL(f, ...) call(f, (const char *const[]){__VA_ARGS__, NULL})

static tw_test_redis_t *node_of(fixture_t *f)
{
    return tw_test_cluster_node(&f->cluster, (uint16_t)atoi(strrchr(f->server.endpoint, ':') + 1));
}

static void cli(const tw_test_redis_t *node, const char *const *words)
{
    char *answer = tw_test_redis_cli(node, words);
    if (strstr(answer, "OK") == NULL)
        fail_msg("%s %s: %s", words[0], words[1], answer);
    free(answer);
}

#define CLI(node, ...) cli(node, (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof(*f));
    tw_test_loop_init(&f->loop);
    *state = f;
    return 0;
}

static int setup_cluster(void **state)
{
    setup(state);
    tw_test_cluster_start(&((fixture_t *)*state)->cluster, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_client_end(f->client, &f->loop, &f->access);
    tw_test_cluster_dispose(&f->cluster);
    free(f);
    return 0;
}

/* ---- slots ---- */

static void test_slots__are_those_of_redis(void **state)
{
    /* As CLUSTER KEYSLOT says. */
    assert_int_equal(tw_redis_slot_of("123456789"), 12739);
    assert_int_equal(tw_redis_slot_of("foo"), 12182);
    assert_int_equal(tw_redis_slot_of("tw:{foo}:x{bar}"), 12182);
    assert_int_equal(tw_redis_slot_of("{}foo"), 9500);
    assert_int_equal(tw_redis_slot_of("foo{"), tw_redis_slot_of("foo{"));
    assert_int_equal(tw_redis_slot_of(""), 0);
}

static void test_slots__read_where_a_slot_has_moved(void **state)
{
    const tw_redis_endpoint_t asked = {"here", 7000};
    tw_redis_endpoint_t to;
    assert_true(tw_redis_slots_read_moved("MOVED 5 10.0.0.1:7001", &asked, &to));
    assert_string_equal(to.host, "10.0.0.1");
    assert_int_equal(to.port, 7001);
    assert_true(tw_redis_slots_read_moved("MOVED 5 2001:db8::1:7001", &asked, &to));
    assert_string_equal(to.host, "2001:db8::1");
    assert_true(tw_redis_slots_read_moved("MOVED 5 :7002", &asked, &to));
    assert_string_equal(to.host, "here");
    assert_int_equal(to.port, 7002);
    assert_false(tw_redis_slots_read_moved("ASK 5 10.0.0.1:7001", &asked, &to));
    assert_false(tw_redis_slots_read_moved("MOVED 5", &asked, &to));
    assert_false(tw_redis_slots_read_moved("MOVED 5 h:0", &asked, &to));
    assert_false(tw_redis_slots_read_moved("MOVED 5 h:65536", &asked, &to));
}

static void test_slots__take_any_answer(void **state)
{
    /* Ranges that are none, a node without a host, one with a port that cannot be. */
    static const char text[] =
        "*4\r\n:1\r\n*2\r\n:0\r\n:9\r\n"
        "*4\r\n:0\r\n:99\r\n*2\r\n$-1\r\n:7001\r\n*2\r\n$1\r\n?\r\n:7002\r\n"
        "*3\r\n:100\r\n:199\r\n*2\r\n$1\r\nh\r\n:99999\r\n";
    const tw_redis_endpoint_t asked = {"here", 7000};
    tw_redis_endpoint_t master;
    tw_redis_nodes_t nodes;
    redisReader *reader = redisReaderCreate();
    void *reply;
    redisReaderFeed(reader, text, sizeof(text) - 1);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_true(tw_redis_slots_read(reply, 99, &asked, &master, &nodes));
    assert_string_equal(master.host, "here");
    assert_int_equal(master.port, 7001);
    assert_int_equal(nodes.count, 2);
    assert_false(tw_redis_slots_read(reply, 100, &asked, &master, &nodes));
    assert_false(tw_redis_slots_read(reply, 200, &asked, &master, &nodes));
    freeReplyObject(reply);
    redisReaderFree(reader);
}

/* ---- a cluster ---- */

static void test_cluster__each_slot_is_found(void **state)
{
    static const char *const keys[] = {"tw:{0}:k", "tw:{1}:k", "tw:{2}:k", "tw:{3}:k"};
    fixture_t *f = *state;
    unsigned masters = 0;
    char seen[256] = "";

    for (size_t i = 0; i < 4; ++i) {
        f->up = false;
        connect_to(f, keys[i]);
        wait_up(f);
        CALL(f, "SET", keys[i], "v");
        assert_string_equal(f->reply, "OK");
        if (strstr(seen, f->server.endpoint) == NULL) {
            strcat(strcat(seen, f->server.endpoint), " ");
            ++masters;
        }
        tw_redis_client_destroy(f->client);
        f->client = NULL;
        tw_test_loop_until_set(&f->loop, &f->answered, DEADLINE_MS);
        tw_redis_access_dispose(&f->access);
    }
    assert_true(masters >= 2);
    assert_int_equal(f->downs, 0);
}

static void test_cluster__a_failover_is_followed(void **state)
{
    fixture_t *f = *state;
    tw_redis_server_t before;

    connect_to(f, KEY);
    wait_up(f);
    before = f->server;
    CALL(f, "SET", KEY, "kept");
    CALL(f, "WAIT", "1", "5000");
    tw_test_redis_kill(node_of(f));
    tw_test_loop_until_set(&f->loop, &f->down, DEADLINE_MS);
    wait_up(f);
    assert_string_not_equal(f->server.endpoint, before.endpoint);
    assert_string_not_equal(f->server.identity, before.identity);
    /* Until all nodes know of the failover, the new master may refuse with CLUSTERDOWN. */
    do {
        wait_up(f);
        CALL(f, "GET", KEY);
    } while (f->lost);
    assert_string_equal(f->reply, "kept");

    /* The seeds are not all that is asked: kill the nodes that the URL names. */
    for (size_t i = 4; i < 6; ++i)
        if (&f->cluster.nodes[i] != node_of(f))
            tw_test_redis_kill(&f->cluster.nodes[i]);
    f->up = false;
    tw_redis_client_reset(f->client, "the test wants it");
    wait_up(f);
}

static void test_cluster__a_slot_that_moves_is_followed(void **state)
{
    fixture_t *f = *state;
    char slot[8], source_id[41], target_id[41], port[8];

    connect_to(f, KEY);
    wait_up(f);
    CALL(f, "SET", KEY, "kept");
    tw_test_redis_t *source = node_of(f), *target = &f->cluster.nodes[0];
    if (target == source)
        target = &f->cluster.nodes[1]; /* the first three are masters */
    snprintf(slot, sizeof(slot), "%u", tw_redis_slot_of(KEY));
    snprintf(port, sizeof(port), "%u", target->port);
    tw_test_cluster_id(source, source_id);
    tw_test_cluster_id(target, target_id);
    CLI(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id);
    CLI(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id);
    CALL(f, "GET", KEY);
    assert_string_equal(f->reply, "kept");

    /* While keys are here and there nothing is exact: the session ends and comes back. */
    CLI(source, "MIGRATE", "127.0.0.1", port, KEY, "0", "5000");
    CALL(f, "GET", KEY);
    assert_true(f->lost);
    assert_non_null(strstr(f->reason, "ASK"));
    wait_up(f);

    CLI(target, "CLUSTER", "SETSLOT", slot, "NODE", target_id);
    CLI(source, "CLUSTER", "SETSLOT", slot, "NODE", target_id);
    CALL(f, "GET", KEY);
    assert_true(f->lost);
    assert_non_null(strstr(f->reason, "MOVED"));
    wait_up(f);
    assert_ptr_equal(node_of(f), target);
    CALL(f, "GET", KEY);
    assert_string_equal(f->reply, "kept");
}

static void test_cluster__nobody_who_knows_is_one_line(void **state)
{
    fixture_t *f = *state;
    char url[128];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u", tw_test_free_port(),
             tw_test_free_port());
    connect_with(f, &(tw_redis_access_config_t){.url = url}, KEY);
    tw_test_loop_until_set(&f->loop, &f->down, DEADLINE_MS);
    assert_non_null(strstr(f->reason, "no node of the cluster knows the master of slot 13907"));
    assert_null(strchr(f->reason, '\n'));
}

static void test_cluster__a_server_without_cluster_mode_says_so(void **state)
{
    fixture_t *f = *state;
    char url[128];
    tw_test_redis_start(&f->cluster.nodes[0], NULL);
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", f->cluster.nodes[0].port);
    connect_with(f, &(tw_redis_access_config_t){.url = url}, KEY);
    tw_test_loop_until_set(&f->loop, &f->down, DEADLINE_MS);
    assert_non_null(strstr(f->reason, "cluster support disabled"));
}

static void test_cluster__nodes_are_told_who_we_are(void **state)
{
    fixture_t *f = *state;
    char url[128];
    tw_test_cluster_start(
        &f->cluster, (const char *[]){"--requirepass", "pw", "--masterauth", "pw", NULL}, "pw");
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", f->cluster.nodes[3].port);
    connect_with(f, &(tw_redis_access_config_t){.url = url, .password = "pw"}, KEY);
    wait_up(f);
    CALL(f, "SET", KEY, "v");
    assert_string_equal(f->reply, "OK");
}

/* One node that serves all slots, over TLS only, is a cluster too. */
static void test_cluster__speaks_tls(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_t *node = &f->cluster.nodes[0];
    char url[128], ca[128];

    node->port = tw_test_free_port();
    tw_test_redis_start_tls(
        node, (const char *[]){"--cluster-enabled", "yes", "--tls-cluster", "yes", NULL});
    snprintf(ca, sizeof(ca), "%s/ca.pem", node->directory);
    free(tw_test_redis_cli(node, (const char *[]){"-h", "localhost", "--tls", "--cacert", ca,
                                                  "CLUSTER", "ADDSLOTSRANGE", "0", "16383", NULL}));
    snprintf(url, sizeof(url), "rediss+cluster://localhost:%u", node->port);
    connect_with(
        f, &(tw_redis_access_config_t){.url = url, .ca_path = ca, .server_name = "localhost"}, KEY);
    do {
        wait_up(f);
        CALL(f, "SET", KEY, "v");
    } while (f->lost); /* CLUSTERDOWN for a moment */
    assert_string_equal(f->reply, "OK");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CLUSTER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_cluster, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots__are_those_of_redis),
        cmocka_unit_test(test_slots__read_where_a_slot_has_moved),
        cmocka_unit_test(test_slots__take_any_answer),
        CLUSTER_TEST(test_cluster__each_slot_is_found),
        CLUSTER_TEST(test_cluster__a_failover_is_followed),
        CLUSTER_TEST(test_cluster__a_slot_that_moves_is_followed),
        TEST(test_cluster__nobody_who_knows_is_one_line),
        TEST(test_cluster__a_server_without_cluster_mode_says_so),
        TEST(test_cluster__nodes_are_told_who_we_are),
        TEST(test_cluster__speaks_tls),
    };
    signal(SIGPIPE, SIG_IGN); /* as the gateway does */
    tw_hash_seed();
    return cmocka_run_group_tests_name("redis_cluster", tests, NULL, NULL);
}
