#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "tests/support/cmocka_test.h"
#include "tests/support/tls_files.h"
#include "tls/reload.h"

#define DEADLINE_MS 10000

static const test_certificate_t plain = {0};
static const tw_tls_reload_options_t eager = {.poll_ms = 20, .settle_ms = 10};
/* So seldom that only a directory's event can be the reason. */
static const tw_tls_reload_options_t by_events = {.poll_ms = 3600000, .settle_ms = 10};

static char *directory;
static char chain[512], key[512];
static uv_loop_t loop;
static tw_tls_store_t *store;
static tw_tls_reload_t *reload;
static int successes, failures, closed;
static char message[TW_TLS_ERROR_BYTES];

static void on_reload(int status, const char *text, void *data)
{
    if (status == 0) {
        assert_string_equal(text, "");
        ++successes;
    } else {
        snprintf(message, sizeof(message), "%s", text);
        ++failures;
    }
}

static void on_closed(void *data)
{
    ++closed;
}

static int set_up(void **state)
{
    directory = test_directory_create();
    snprintf(chain, sizeof(chain), "%s/tls.crt", directory);
    snprintf(key, sizeof(key), "%s/tls.key", directory);
    successes = failures = closed = 0;
    message[0] = '\0';
    return uv_loop_init(&loop);
}

static void open_with(const tw_tls_reload_options_t *options)
{
    assert_int_equal(tw_tls_store_create(&store, chain, key, NULL), 0);
    reload = tw_tls_reload_open(&loop, store, options, on_reload, NULL);
}

static int tear_down(void **state)
{
    tw_tls_reload_close(reload, on_closed, NULL);
    assert_int_equal(closed, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
    tw_tls_store_destroy(store);
    test_directory_remove(directory);
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
}

/* Runs the loop until *counter reaches `value`; fails after the deadline. */
static void run_until(const int *counter, int value)
{
    uv_timer_t tick; /* keeps the loop alive, and its rounds short */
    uint64_t start = uv_now(&loop);

    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    while (*counter < value && uv_now(&loop) - start < DEADLINE_MS)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(*counter, value);
}

/* Runs the loop for so long that anything that polls or settles has had its turn a few times. */
static void run_a_while(void)
{
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_tick, 200, 0);
    while (uv_is_active((uv_handle_t *)&timer))
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void test_reload__on_demand_replaces_the_context(void **state)
{
    SSL_CTX *before;

    test_write_pair(&plain, chain, key);
    open_with(&by_events);
    run_a_while();
    before = tw_tls_store_context(store);
    tw_tls_reload_now(reload);
    assert_int_equal(successes, 0);
    run_until(&successes, 1);
    assert_ptr_not_equal(tw_tls_store_context(store), before);
    assert_int_equal(failures, 0);
}

static void test_reload__unchanged_files_are_no_news(void **state)
{
    test_write_pair(&plain, chain, key);
    open_with(&eager);
    run_a_while();
    assert_int_equal(successes, 0);
    assert_int_equal(failures, 0);
}

static void test_reload__files_written_in_place_are_noticed(void **state)
{
    test_write_pair(&plain, chain, key);
    open_with(&by_events);
    run_a_while();
    test_write_pair(&plain, chain, key);
    run_until(&successes, 1);
    assert_int_equal(failures, 0);
}

static void test_reload__poll_finds_what_no_event_tells(void **state)
{
    char *elsewhere = test_directory_create();
    char real_chain[512], real_key[512];

    /* The files are links into a directory that nobody watches. */
    snprintf(real_chain, sizeof(real_chain), "%s/a", elsewhere);
    snprintf(real_key, sizeof(real_key), "%s/b", elsewhere);
    test_write_pair(&plain, real_chain, real_key);
    assert_int_equal(symlink(real_chain, chain), 0);
    assert_int_equal(symlink(real_key, key), 0);
    open_with(&eager);
    run_a_while();
    test_write_pair(&plain, real_chain, real_key);
    run_until(&successes, 1);
    test_directory_remove(elsewhere);
}

static void test_reload__files_renamed_over_are_noticed(void **state)
{
    test_write_pair(&plain, chain, key);
    open_with(&by_events);
    run_a_while();
    test_write_pair(&plain, test_path(directory, "new.crt"), test_path(directory, "new.key"));
    assert_int_equal(rename(test_path(directory, "new.crt"), chain), 0);
    assert_int_equal(rename(test_path(directory, "new.key"), key), 0);
    run_until(&successes, 1);
    assert_int_equal(failures, 0);
}

/* As the kubelet does: tls.crt → ..data/tls.crt, ..data → ..1, and ..data is renamed over. */
static void make_version(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(mkdir(path, 0755), 0);
    test_write_pair(&plain, test_path(path, "tls.crt"), test_path(path, "tls.key"));
    assert_int_equal(symlink(name, test_path(directory, "..data_tmp")), 0);
    assert_int_equal(rename(test_path(directory, "..data_tmp"), test_path(directory, "..data")), 0);
}

static void test_reload__swapped_kubernetes_secret_is_noticed(void **state)
{
    SSL_CTX *before;

    make_version("..1");
    assert_int_equal(symlink("..data/tls.crt", chain), 0);
    assert_int_equal(symlink("..data/tls.key", key), 0);
    open_with(&by_events);
    run_a_while();
    before = tw_tls_store_context(store);
    make_version("..2");
    run_until(&successes, 1);
    assert_ptr_not_equal(tw_tls_store_context(store), before);
    assert_int_equal(failures, 0);
}

static void test_reload__bad_pair_keeps_the_old_one_and_is_told_once(void **state)
{
    SSL_CTX *before;

    test_write_pair(&plain, chain, key);
    open_with(&eager);
    run_a_while();
    before = tw_tls_store_context(store);
    test_write_pair(&plain, NULL, key);
    run_until(&failures, 1);
    assert_non_null(strstr(message, key));
    run_a_while();
    assert_int_equal(failures, 1);
    assert_int_equal(successes, 0);
    assert_ptr_equal(tw_tls_store_context(store), before);

    test_write_pair(&plain, chain, key);
    run_until(&successes, 1);
    assert_ptr_not_equal(tw_tls_store_context(store), before);
}

static void test_reload__missing_file_keeps_the_old_one(void **state)
{
    SSL_CTX *before;

    test_write_pair(&plain, chain, key);
    open_with(&eager);
    run_a_while();
    before = tw_tls_store_context(store);
    assert_int_equal(unlink(chain), 0);
    run_until(&failures, 1);
    assert_non_null(strstr(message, chain));
    assert_ptr_equal(tw_tls_store_context(store), before);
}

static void test_reload__bad_pair_on_demand_is_told_at_once(void **state)
{
    test_write_pair(&plain, chain, key);
    open_with(&by_events);
    run_a_while();
    test_write_file(chain, "");
    tw_tls_reload_now(reload);
    run_until(&failures, 1);
    assert_non_null(strstr(message, chain));
}

static void test_reload__ephemeral_certificate_has_nothing_to_reload(void **state)
{
    SSL_CTX *before;

    assert_int_equal(tw_tls_store_create(&store, NULL, NULL, NULL), 0);
    reload = tw_tls_reload_open(&loop, store, &eager, on_reload, NULL);
    before = tw_tls_store_context(store);
    tw_tls_reload_now(reload);
    run_until(&successes, 1);
    assert_ptr_equal(tw_tls_store_context(store), before);
}

static void test_reload__close_during_a_load_is_clean(void **state)
{
    test_write_pair(&plain, chain, key);
    open_with(&by_events);
    tw_tls_reload_now(reload);
    uv_run(&loop, UV_RUN_NOWAIT);
    /* tear_down closes it while a load is under way, and asserts that the loop ends. */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_reload__on_demand_replaces_the_context),
        TEST(test_reload__unchanged_files_are_no_news),
        TEST(test_reload__files_written_in_place_are_noticed),
        TEST(test_reload__poll_finds_what_no_event_tells),
        TEST(test_reload__files_renamed_over_are_noticed),
        TEST(test_reload__swapped_kubernetes_secret_is_noticed),
        TEST(test_reload__bad_pair_keeps_the_old_one_and_is_told_once),
        TEST(test_reload__missing_file_keeps_the_old_one),
        TEST(test_reload__bad_pair_on_demand_is_told_at_once),
        TEST(test_reload__ephemeral_certificate_has_nothing_to_reload),
        TEST(test_reload__close_during_a_load_is_clean),
    };

    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
