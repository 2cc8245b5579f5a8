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
#include "tests/support/loop.h"
#include "tests/support/ports.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"

#define DEADLINE_MS 30000

typedef struct fixture {
    uv_loop_t loop;
    tw_test_redis_t redis;
    tw_redis_access_t access;
    tw_redis_access_config_t with; /* beside the URL */
    char ca_path[128], cert_path[128], key_path[128];
    tw_redis_client_config_t config;
    tw_redis_client_t *client;
    bool up, down;
    unsigned ups, downs;
    char reason[TW_REDIS_ERROR_MAX];
    tw_redis_server_t server;
    char replies[4096]; /* of on_reply, one after the other */
    unsigned reply_count, lost_count;
} fixture_t;

static void on_up(const tw_redis_server_t *server, void *data)
{
    fixture_t *f = data;
    f->up = true;
    f->down = false;
    ++f->ups;
    f->server = *server;
}

static void on_down(const char *reason, bool was_up, void *data)
{
    fixture_t *f = data;
    assert_true(was_up == f->up);
    f->up = false;
    f->down = true;
    ++f->downs;
    snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static const tw_redis_client_callbacks_t callbacks = {on_up, on_down};

static void use_defaults(fixture_t *f)
{
    f->config = tw_test_redis_client_config(&f->access);
}

static void init_access(fixture_t *f, const char *url)
{
    tw_redis_access_dispose(&f->access);
    f->with.url = url;
    tw_test_redis_access_init(&f->access, &f->with);
}

static void connect_to(fixture_t *f, const char *url)
{
    init_access(f, url);
    use_defaults(f);
    f->client = tw_redis_client_create(&f->loop, &f->config, &callbacks, f);
    tw_redis_client_start(f->client);
}

/* Connects to the fixture's Redis: "<before>:<its port><after>". */
static void connect_to_port(fixture_t *f, const char *before, const char *after)
{
    char url[256];
    snprintf(url, sizeof(url), "%s:%u%s", before, f->redis.port, after);
    connect_to(f, url);
}

static void wait_up(fixture_t *f)
{
    tw_test_loop_until_set(&f->loop, &f->up, DEADLINE_MS);
}

static void wait_down(fixture_t *f, const char *reason)
{
    tw_test_loop_until_set(&f->loop, &f->down, DEADLINE_MS);
    if (strstr(f->reason, reason) == NULL)
        fail_msg("'%s' lacks '%s'", f->reason, reason);
    assert_null(strchr(f->reason, '\n'));
}

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof(*f));
    tw_test_loop_init(&f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_client_end(f->client, &f->loop, &f->access);
    tw_test_redis_dispose(&f->redis);
    free(f);
    return 0;
}

static void on_reply(const redisReply *reply, void *data)
{
    fixture_t *f = data;
    if (reply == NULL) {
        ++f->lost_count;
        return;
    }
    ++f->reply_count;
    size_t len = strlen(f->replies);
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(f->replies + len, sizeof(f->replies) - len, "%lld ", reply->integer);
    else
        snprintf(f->replies + len, sizeof(f->replies) - len, "%s ", reply->str);
}

#define SEND(f, ...)                                                                               \
    tw_test_redis_client_send((f)->client, (const char *const[]){__VA_ARGS__, NULL}, on_reply, f)

static bool has_one_reply(void *data)
{
    return ((fixture_t *)data)->reply_count >= 1;
}

static bool has_many_replies(void *data)
{
    return ((fixture_t *)data)->reply_count >= 500;
}

/* ---- connecting ---- */

static void test_client__authenticates_and_selects_its_database(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(
        &f->redis, (const char *[]){"--user", "bob", "on", ">s3cret", "~*", "&*", "+@all", NULL});
    connect_to_port(f, "redis://bob:s3cret@localhost", "/3");
    wait_up(f);
    assert_int_equal(strncmp(f->server.version, "7.", 2), 0);
    assert_int_equal(strlen(f->server.identity), 40 + 1 + 40);
    assert_int_equal(f->server.identity[40], ':');
    assert_int_equal(f->server.risks, 0);
    assert_int_equal(SEND(f, "SET", "here", "1"), 0);
    tw_test_loop_until(&f->loop, has_one_reply, f, DEADLINE_MS);
    char *value = tw_test_redis_cli(&f->redis, (const char *[]){"-n", "3", "GET", "here", NULL});
    assert_string_equal(value, "1");
    free(value);
}

static void test_client__takes_what_is_given_beside_the_url_as_it_is(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(
        &f->redis, (const char *[]){"--user", "b@b", "on", ">p%40:/?", "~*", "&*", "+@all", NULL});
    f->with.username = "b@b";
    f->with.password = "p%40:/?";
    connect_to_port(f, "redis://alice:wrong@127.0.0.1", "");
    wait_up(f);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_client__reads_the_password_file_at_each_connect(void **state)
{
    fixture_t *f = *state;
    char path[128];
    tw_test_redis_start(&f->redis, (const char *[]){"--requirepass", "second", NULL});
    snprintf(path, sizeof(path), "%s/password", f->redis.directory);
    f->with.password_file = path;
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "/password cannot be read: No such file or directory");
    write_file(path, "first\n");
    f->down = false;
    wait_down(f, "it refuses us: WRONGPASS");
    assert_null(strstr(f->reason, "first"));
    write_file(path, " second \t\r\n\n");
    wait_up(f);
}

static void test_client__white_space_around_a_password_is_no_part_of_it(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, (const char *[]){"--requirepass", "right", NULL});
    f->with.password = "\tright \r\n";
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
}

static void test_client__uses_a_unix_socket(void **state)
{
    fixture_t *f = *state;
    char url[128];
    tw_test_redis_start(&f->redis, (const char *[]){"--unixsocket", "redis.sock", NULL});
    snprintf(url, sizeof(url), "redis+unix://%s/redis.sock?db=3", f->redis.directory);
    connect_to(f, url);
    wait_up(f);
    assert_int_equal(SEND(f, "SET", "here", "1"), 0);
    tw_test_loop_until(&f->loop, has_one_reply, f, DEADLINE_MS);
    char *value = tw_test_redis_cli(&f->redis, (const char *[]){"-n", "3", "GET", "here", NULL});
    assert_string_equal(value, "1");
    free(value);
    tw_test_redis_kill(&f->redis);
    wait_down(f, "/redis.sock: ");
    f->down = false;
    wait_down(f, "/redis.sock: cannot connect: ");
}

static void test_client__names_a_wrong_password_and_retries(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, (const char *[]){"--requirepass", "right", NULL});
    connect_to_port(f, "redis://:wrong@127.0.0.1", "");
    wait_down(f, "it refuses us: WRONGPASS");
    assert_null(strstr(f->reason, ": wrong"));
    char *done =
        tw_test_redis_cli(&f->redis, (const char *[]){"--no-auth-warning", "-a", "right", "CONFIG",
                                                      "SET", "requirepass", "wrong", NULL});
    free(done);
    wait_up(f);
    assert_true(f->downs >= 1);
}

static void test_client__names_a_missing_password(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, (const char *[]){"--requirepass", "right", NULL});
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "it refuses us: NOAUTH");
}

static void test_client__reports_a_refused_connection_and_a_name_that_nobody_has(void **state)
{
    fixture_t *f = *state;
    f->redis.port = tw_test_free_port();
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "cannot connect: connection refused");
    tw_redis_client_destroy(f->client);
    f->down = false;
    connect_to(f, "redis://no-such-host.invalid");
    wait_down(f, "no-such-host.invalid:6379: the name cannot be looked up");
}

static void test_client__gives_up_on_a_server_that_is_silent(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    tw_test_redis_pause(&f->redis, true);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "no reply within 2000 ms");
    tw_test_redis_pause(&f->redis, false);
    wait_up(f);
}

static void test_client__refuses_a_replica(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, (const char *[]){"--replicaof", "127.0.0.1", "1", NULL});
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "this Redis is a replica; Tideway needs the master");
    free(tw_test_redis_cli(&f->redis, (const char *[]){"REPLICAOF", "NO", "ONE", NULL}));
    wait_up(f);
}

static void test_client__refuses_a_redis_without_hello(void **state)
{
    fixture_t *f = *state;
    /* What a Redis 5 answers to HELLO. */
    tw_test_redis_start(&f->redis, (const char *[]){"--rename-command", "HELLO", "", NULL});
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "this Redis is older than 6.2 (it does not know HELLO)");
}

static void test_client__refuses_a_server_without_the_commands_that_it_needs(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, (const char *[]){"--rename-command", "EVALSHA", "", NULL});
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "this server does not have the command EVALSHA, which Tideway needs");
}

static void test_client__refuses_cluster_mode(void **state)
{
    fixture_t *f = *state;
    /* The bus takes the port 10000 above. */
    do
        f->redis.port = tw_test_free_port();
    while (f->redis.port > 55000);
    tw_test_redis_start(&f->redis, (const char *[]){"--cluster-enabled", "yes", NULL});
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_down(f, "cluster mode");
}

static void test_client__refuses_a_database_that_is_not_there(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "/99");
    wait_down(f, "its database cannot be used: ERR");
}

static void test_client__sees_that_its_master_became_a_replica(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    free(tw_test_redis_cli(&f->redis, (const char *[]){"REPLICAOF", "127.0.0.1", "1", NULL}));
    SEND(f, "SET", "a", "1");
    wait_down(f, "READONLY");
}

/* ---- TLS ---- */

static void use_ca(fixture_t *f, const char *name)
{
    snprintf(f->ca_path, sizeof(f->ca_path), "%s/%s", f->redis.directory, name);
    f->with.ca_path = f->ca_path;
}

static void test_tls__talks_to_a_server_that_a_known_authority_vouches_for(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start_tls(&f->redis, NULL);
    use_ca(f, "ca.pem");
    char *large = calloc(1, 200000 + 1); /* many TLS records in one write */
    memset(large, 'x', 200000);
    connect_to_port(f, "rediss://localhost", "");
    wait_up(f);
    assert_int_equal(SEND(f, "SET", "k", large), 0);
    free(large);
    for (int i = 0; i < 500; ++i)
        assert_int_equal(SEND(f, "PING"), 0);
    tw_test_loop_until(&f->loop, has_many_replies, f, DEADLINE_MS);
}

static void test_tls__refuses_an_unknown_authority(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start_tls(&f->redis, NULL);
    connect_to_port(f, "rediss://localhost", "");
    wait_down(f, "its certificate is refused: ");
}

static void test_tls__refuses_another_hosts_certificate(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start_tls(&f->redis, NULL);
    use_ca(f, "ca.pem");
    connect_to_port(f, "rediss://127.0.0.1", "");
    wait_down(f, "its certificate is refused: ");
}

static void test_tls__expects_the_name_that_was_given(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start_tls(&f->redis, NULL);
    use_ca(f, "ca.pem");
    f->with.server_name = "localhost";
    connect_to_port(f, "rediss://127.0.0.1", "");
    wait_up(f);
    tw_redis_client_destroy(f->client);
    f->with.server_name = "other.example";
    f->up = f->down = false;
    connect_to_port(f, "rediss://localhost", "");
    wait_down(f, "its certificate is refused: ");
}

static void use_client_certificate(fixture_t *f)
{
    snprintf(f->cert_path, sizeof(f->cert_path), "%s/client.pem", f->redis.directory);
    snprintf(f->key_path, sizeof(f->key_path), "%s/client.key", f->redis.directory);
    f->with.cert_path = f->cert_path;
    f->with.key_path = f->key_path;
}

static void test_tls__shows_a_certificate_to_a_server_that_asks(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start_tls(&f->redis, (const char *[]){"--tls-auth-clients", "yes", NULL});
    use_ca(f, "ca.pem");
    connect_to_port(f, "rediss://localhost", "");
    wait_down(f, "certificate required");
    tw_redis_client_destroy(f->client);
    f->down = false;
    use_client_certificate(f);
    connect_to_port(f, "rediss://localhost", "");
    wait_up(f);
}

static void test_access__refuses_what_cannot_be(void **state)
{
    static const struct {
        tw_redis_access_config_t with;
        const char *error;
    } cases[] = {
        {{.url = "redis://u:secret@a,b"}, "TIDEWAY_REDIS_URL names several hosts"},
        {{.url = "redis://h", .password = "secret", .password_file = "/f"}, "give one of them"},
        {{.url = "redis://h", .sentinel_password = "secret"}, "names no sentinels"},
        {{.url = "rediss://h", .cert_path = "/c"}, "give both or neither"},
        {{.url = "redis://h", .cert_path = "/c", .key_path = "/k"}, "not begin with rediss"},
        {{.url = "redis://h", .server_name = "x"}, "not begin with rediss"},
        {{.url = "rediss://h", .cert_path = "/c", .key_path = "/k"}, "/c cannot be read"},
        {{.url = "rediss://h", .ca_path = "/a"}, "/a cannot be read"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); ++i) {
        tw_redis_access_t access;
        char error[512] = "";
        assert_int_equal(tw_redis_access_init(&access, &cases[i].with, error, sizeof(error)), -1);
        if (strstr(error, cases[i].error) == NULL)
            fail_msg("'%s' lacks '%s'", error, cases[i].error);
        assert_null(strstr(error, "secret"));
    }
}

static void test_tls__says_that_the_server_speaks_no_tls(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "rediss://localhost", "");
    tw_test_loop_until_set(&f->loop, &f->down, DEADLINE_MS);
    assert_non_null(strstr(f->reason, "localhost:"));
}

/* ---- commands ---- */

static void test_client__answers_pipelined_commands_in_order(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    char expected[4096] = "";
    for (int i = 1; i <= 500; ++i) {
        assert_int_equal(SEND(f, "INCR", "n"), 0);
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%d ", i);
    }
    tw_test_loop_until(&f->loop, has_many_replies, f, DEADLINE_MS);
    assert_string_equal(f->replies, expected);
}

static void test_client__refuses_commands_beyond_its_bounds(void **state)
{
    fixture_t *f = *state;
    char *large = calloc(1, (1 << 20) + 1);
    memset(large, 'x', 1 << 20);
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    assert_int_equal(SEND(f, "PING"), -1); /* not up yet */
    wait_up(f);
    assert_int_equal(SEND(f, "SET", "k", large), -1);
    for (unsigned i = 0; i < f->config.limits.pending_max; ++i)
        assert_int_equal(SEND(f, "PING"), 0);
    assert_int_equal(SEND(f, "PING"), -1);
    tw_test_loop_until(&f->loop, has_many_replies, f, DEADLINE_MS);
    free(large);
}

static void test_client__reports_commands_whose_reply_was_lost(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    tw_test_redis_pause(&f->redis, true);
    for (int i = 0; i < 10; ++i)
        SEND(f, "PING");
    wait_down(f, "no reply within 2000 ms");
    assert_int_equal(f->lost_count, 10);
    assert_int_equal(f->reply_count, 0);
    tw_test_redis_pause(&f->redis, false);
    wait_up(f);
}

static void test_client__comes_back_after_the_server_was_killed(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    tw_redis_server_t before = f->server;
    tw_test_redis_kill(&f->redis);
    wait_down(f, "127.0.0.1");
    tw_test_redis_start(&f->redis, NULL);
    wait_up(f);
    assert_string_not_equal(f->server.identity, before.identity);
}

static void test_client__tells_a_failover_and_its_failback_from_continuity(void **state)
{
    fixture_t *f = *state;
    tw_redis_server_t before;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    before = f->server;
    tw_redis_client_reset(f->client, "the test wants it");
    wait_up(f);
    assert_string_equal(f->server.identity, before.identity);

    /* The same process is a replica for a while and the master again: its run id is the same. */
    free(tw_test_redis_cli(&f->redis, (const char *[]){"REPLICAOF", "127.0.0.1", "1", NULL}));
    free(tw_test_redis_cli(&f->redis, (const char *[]){"REPLICAOF", "NO", "ONE", NULL}));
    tw_redis_client_reset(f->client, "the test wants it");
    wait_up(f);
    assert_string_not_equal(f->server.identity, before.identity);
    assert_memory_equal(f->server.identity, before.identity, 40);
}

static bool has_lost_five(void *data)
{
    return ((fixture_t *)data)->downs >= 5;
}

static void reset_at_once(const tw_redis_server_t *server, void *data)
{
    fixture_t *f = data;
    ++f->ups;
    tw_redis_client_reset(f->client, "what the caller does fails");
}

static void count_down(const char *reason, bool was_up, void *data)
{
    ++((fixture_t *)data)->downs;
}

static void test_client__pauses_grow_until_the_session_works(void **state)
{
    static const tw_redis_client_callbacks_t failing = {reset_at_once, count_down};
    fixture_t *f = *state;
    char url[64];

    tw_test_redis_start(&f->redis, NULL);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%u", f->redis.port);
    init_access(f, url);
    use_defaults(f);
    f->config.backoff_min_ms = 50;
    f->config.backoff_max_ms = 400;
    f->client = tw_redis_client_create(&f->loop, &f->config, &failing, f);
    uint64_t begun_ms = uv_now(&f->loop);
    tw_redis_client_start(f->client);
    tw_test_loop_until(&f->loop, has_lost_five, f, DEADLINE_MS);
    /* At least half of 50, 100, 200 and 400. */
    assert_true(uv_now(&f->loop) - begun_ms >= 375);
    assert_int_equal(f->ups, 5);
}

static void test_client__the_pause_is_short_again_after_a_session_that_worked(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    for (int i = 0; i < 10; ++i) {
        wait_up(f);
        tw_redis_client_reset(f->client, "the test wants it");
    }
    wait_up(f);
    tw_redis_client_settled(f->client);
    uint64_t begun_ms = uv_now(&f->loop);
    tw_redis_client_reset(f->client, "the test wants it");
    wait_up(f);
    assert_true(uv_now(&f->loop) - begun_ms < f->config.backoff_max_ms / 2);
}

static void test_client__destroy_reports_what_waits(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_start(&f->redis, NULL);
    connect_to_port(f, "redis://127.0.0.1", "");
    wait_up(f);
    SEND(f, "PING");
    tw_redis_client_destroy(f->client);
    f->client = NULL;
    assert_int_equal(f->lost_count, 1);
}

/* ---- Sentinel ---- */

static void test_sentinel__is_asked_again_at_each_reconnect(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_t second = {0}, sentinel = {0};
    char url[256];

    tw_test_redis_start(&f->redis, NULL);
    tw_test_redis_start(&second, NULL);
    tw_test_redis_start_sentinel(&sentinel, &f->redis, NULL);
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/main",
             tw_test_free_port(), sentinel.port);
    connect_to(f, url);
    wait_up(f);
    char port[16];
    snprintf(port, sizeof(port), "127.0.0.1:%u", f->redis.port);
    assert_string_equal(f->server.endpoint, port);

    /* The sentinel is told of another master; the client must not go back to the one it knew. */
    snprintf(port, sizeof(port), "%u", second.port);
    free(tw_test_redis_cli(&sentinel, (const char *[]){"SENTINEL", "REMOVE", "main", NULL}));
    free(tw_test_redis_cli(
        &sentinel, (const char *[]){"SENTINEL", "MONITOR", "main", "127.0.0.1", port, "1", NULL}));
    tw_redis_client_reset(f->client, "the test wants it");
    wait_up(f);
    snprintf(port, sizeof(port), "127.0.0.1:%u", second.port);
    assert_string_equal(f->server.endpoint, port);
    tw_test_redis_dispose(&sentinel);
    tw_test_redis_dispose(&second);
}

static void test_sentinel__says_when_none_knows_the_master(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_t sentinel = {0};
    char url[256];
    tw_test_redis_start(&f->redis, NULL);
    tw_test_redis_start_sentinel(&sentinel, &f->redis, NULL);
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u/other", sentinel.port);
    connect_to(f, url);
    wait_down(f, "no sentinel knows a master 'other'");
    tw_test_redis_dispose(&sentinel);
}

static void test_sentinel__is_told_who_we_are(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_t sentinel = {0};
    char url[256];

    tw_test_redis_start(&f->redis, (const char *[]){"--requirepass", "of redis", NULL});
    tw_test_redis_start_sentinel(&sentinel, &f->redis,
                                 "sentinel auth-pass main \"of redis\"\n"
                                 "requirepass \"of sentinel\"\n"
                                 "user bob on >bobs +@all\n");
    snprintf(url, sizeof(url), "redis+sentinel://:of%%20redis@127.0.0.1:%u/main", sentinel.port);
    connect_to(f, url);
    wait_down(f, "NOAUTH");
    tw_redis_client_destroy(f->client);

    f->with.sentinel_password = "wrong";
    f->down = false;
    connect_to(f, url);
    wait_down(f, "it refuses us: WRONGPASS");
    tw_redis_client_destroy(f->client);

    f->with.sentinel_password = "of sentinel";
    connect_to(f, url);
    wait_up(f);
    tw_redis_client_destroy(f->client);

    f->up = false;
    f->with.sentinel_username = "bob";
    f->with.sentinel_password = "bobs";
    connect_to(f, url);
    wait_up(f);
    tw_test_redis_dispose(&sentinel);
}

static void test_sentinel__speaks_tls_and_wants_a_certificate(void **state)
{
    fixture_t *f = *state;
    tw_test_redis_t sentinel = {0};
    char url[256], lines[1024];
    const char *in = f->redis.directory;

    tw_test_redis_start_tls(
        &f->redis, (const char *[]){"--tls-auth-clients", "yes", "--requirepass", "pw", NULL});
    use_ca(f, "ca.pem");
    use_client_certificate(f);
    sentinel.port = tw_test_free_port();
    snprintf(lines, sizeof(lines),
             "sentinel auth-pass main pw\nrequirepass spw\ntls-replication yes\nport 0\n"
             "tls-port %u\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\n"
             "tls-ca-cert-file %s/ca.pem\n",
             sentinel.port, in, in, in);
    tw_test_redis_start_sentinel(&sentinel, &f->redis, lines);
    f->with.sentinel_password = "spw";
    f->with.password = "pw";
    f->with.server_name = "localhost"; /* Sentinel gives addresses */
    snprintf(url, sizeof(url), "rediss+sentinel://localhost:%u/main", sentinel.port);
    connect_to(f, url);
    wait_up(f);
    tw_test_redis_dispose(&sentinel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client__authenticates_and_selects_its_database),
        TEST(test_client__takes_what_is_given_beside_the_url_as_it_is),
        TEST(test_client__reads_the_password_file_at_each_connect),
        TEST(test_client__white_space_around_a_password_is_no_part_of_it),
        TEST(test_client__uses_a_unix_socket),
        TEST(test_client__names_a_wrong_password_and_retries),
        TEST(test_client__names_a_missing_password),
        TEST(test_client__reports_a_refused_connection_and_a_name_that_nobody_has),
        TEST(test_client__gives_up_on_a_server_that_is_silent),
        TEST(test_client__refuses_a_replica),
        TEST(test_client__refuses_a_redis_without_hello),
        TEST(test_client__refuses_a_server_without_the_commands_that_it_needs),
        TEST(test_client__refuses_cluster_mode),
        TEST(test_client__refuses_a_database_that_is_not_there),
        TEST(test_client__sees_that_its_master_became_a_replica),
        TEST(test_tls__talks_to_a_server_that_a_known_authority_vouches_for),
        TEST(test_tls__refuses_an_unknown_authority),
        TEST(test_tls__refuses_another_hosts_certificate),
        TEST(test_tls__expects_the_name_that_was_given),
        TEST(test_tls__shows_a_certificate_to_a_server_that_asks),
        TEST(test_access__refuses_what_cannot_be),
        TEST(test_tls__says_that_the_server_speaks_no_tls),
        TEST(test_client__answers_pipelined_commands_in_order),
        TEST(test_client__refuses_commands_beyond_its_bounds),
        TEST(test_client__reports_commands_whose_reply_was_lost),
        TEST(test_client__comes_back_after_the_server_was_killed),
        TEST(test_client__tells_a_failover_and_its_failback_from_continuity),
        TEST(test_client__pauses_grow_until_the_session_works),
        TEST(test_client__the_pause_is_short_again_after_a_session_that_worked),
        TEST(test_client__destroy_reports_what_waits),
        TEST(test_sentinel__is_asked_again_at_each_reconnect),
        TEST(test_sentinel__says_when_none_knows_the_master),
        TEST(test_sentinel__is_told_who_we_are),
        TEST(test_sentinel__speaks_tls_and_wants_a_certificate),
    };
    signal(SIGPIPE, SIG_IGN); /* as the gateway does */
    tw_hash_seed();
    return cmocka_run_group_tests_name("redis_client", tests, NULL, NULL);
}
