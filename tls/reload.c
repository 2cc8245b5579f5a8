#include "tls/reload.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

const tw_tls_reload_options_t tw_tls_reload_defaults = {.poll_ms = 10000, .settle_ms = 250};

enum { CHAIN, KEY, FILE_COUNT };

/* What identifies the files behind the paths; all zeros for a path that leads nowhere. Compared
 * byte by byte. */
typedef struct tw_tls_signature {
    struct {
        uint64_t device, inode, size, modified_s, modified_ns, changed_s, changed_ns;
    } files[FILE_COUNT];
} tw_tls_signature_t;

/* One check of the files, filled in on the thread pool. Only one is in progress at a time. */
typedef struct tw_tls_check {
    uv_work_t work;
    bool forced;                  /* load even when nothing has changed */
    bool first;                   /* the store has just loaded them, so success is not reported */
    tw_tls_signature_t signature; /* of the files before they were loaded */
    bool loaded;                  /* a load was tried; the fields below are its result */
    int status;
    SSL_CTX *context; /* owned; NULL unless status is 0 */
    time_t not_after;
    tw_tls_error_t error;
} tw_tls_check_t;

struct tw_tls_reload {
    uv_loop_t *loop;       /* borrowed: outlives this */
    tw_tls_store_t *store; /* borrowed: outlives this */
    tw_tls_reload_options_t options;
    tw_tls_reload_cb callback;
    tw_tls_reload_close_cb on_close;
    void *data;
    void *close_data;
    uv_timer_t poll;
    uv_timer_t settle;
    uv_async_t wake; /* for tw_tls_reload_now() to call back from the loop */
    uv_fs_event_t directories[FILE_COUNT];
    tw_tls_signature_t tried; /* the files that were last loaded, or failed twice */
    tw_tls_signature_t suspect;
    bool has_suspect; /* `suspect` failed once */
    tw_tls_check_t check;
    bool checking;     /* `check` is in progress */
    bool check_again;  /* another check was asked for meanwhile */
    bool forced_again; /* by tw_tls_reload_now() */
    bool closing;
    unsigned handles_open;
};

static void start_check(tw_tls_reload_t *reload, bool forced);

static tw_tls_signature_t take_signature(const tw_tls_store_t *store)
{
    const char *paths[FILE_COUNT] = {tw_tls_store_chain_path(store), tw_tls_store_key_path(store)};
    tw_tls_signature_t signature;
    int i;

    memset(&signature, 0, sizeof(signature));
    for (i = 0; i < FILE_COUNT; ++i) {
        struct stat status;
        if (stat(paths[i], &status) != 0)
            continue;
        signature.files[i].device = (uint64_t)status.st_dev;
        signature.files[i].inode = (uint64_t)status.st_ino;
        signature.files[i].size = (uint64_t)status.st_size;
        signature.files[i].modified_s = (uint64_t)status.st_mtim.tv_sec;
        signature.files[i].modified_ns = (uint64_t)status.st_mtim.tv_nsec;
        signature.files[i].changed_s = (uint64_t)status.st_ctim.tv_sec;
        signature.files[i].changed_ns = (uint64_t)status.st_ctim.tv_nsec;
    }
    return signature;
}

static bool same(const tw_tls_signature_t *a, const tw_tls_signature_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* On the thread pool. Reads only what does not change during a check. */
static void on_check(uv_work_t *work)
{
    tw_tls_reload_t *reload = work->data;
    tw_tls_check_t *check = &reload->check;

    check->signature = take_signature(reload->store);
    if (!check->forced && same(&check->signature, &reload->tried))
        return;
    check->loaded = true;
    check->status =
        tw_tls_store_load(reload->store, &check->context, &check->not_after, &check->error);
}

static void on_settled(uv_timer_t *timer)
{
    start_check(timer->data, false);
}

/* A burst of events causes one check, a fixed time after the first event, so that a series of
 * events does not postpone it. */
static void check_soon(tw_tls_reload_t *reload)
{
    if (!uv_is_active((uv_handle_t *)&reload->settle))
        uv_timer_start(&reload->settle, on_settled, reload->options.settle_ms, 0);
}

/* Whether the pair may still be being written; then it is tried again. */
static bool may_be_half_written(tw_tls_reload_t *reload, const tw_tls_check_t *check)
{
    if (check->forced)
        return false;
    if (reload->has_suspect && same(&check->signature, &reload->suspect))
        return false;
    reload->suspect = check->signature;
    reload->has_suspect = true;
    return true;
}

static void finish_load(tw_tls_reload_t *reload, tw_tls_check_t *check)
{
    if (check->status == 0) {
        tw_tls_store_replace(reload->store, check->context, check->not_after);
        check->context = NULL;
    } else if (may_be_half_written(reload, check)) {
        check_soon(reload);
        return;
    }
    reload->tried = check->signature;
    reload->has_suspect = false;
    if (check->status != 0 || !check->first)
        reload->callback(check->status, check->status == 0 ? "" : check->error.text, reload->data);
}

static void finish_close(tw_tls_reload_t *reload)
{
    tw_tls_reload_close_cb on_close = reload->on_close;
    void *data = reload->close_data;

    free(reload);
    if (on_close != NULL)
        on_close(data);
}

static void on_checked(uv_work_t *work, int status)
{
    tw_tls_reload_t *reload = work->data;
    tw_tls_check_t *check = &reload->check;

    assert(status == 0); /* never cancelled */
    reload->checking = false;
    if (reload->closing) {
        SSL_CTX_free(check->context);
        if (reload->handles_open == 0)
            finish_close(reload);
        return;
    }
    if (check->loaded)
        finish_load(reload, check);
    if (reload->check_again && !reload->closing)
        start_check(reload, reload->forced_again);
}

static void start_check(tw_tls_reload_t *reload, bool forced)
{
    if (reload->checking) {
        reload->check_again = true;
        reload->forced_again |= forced;
        return;
    }
    reload->checking = true;
    reload->check_again = false;
    reload->forced_again = false;
    memset(&reload->check, 0, sizeof(reload->check));
    reload->check.work.data = reload;
    reload->check.forced = forced;
    if (uv_queue_work(reload->loop, &reload->check.work, on_check, on_checked) != 0)
        abort();
}

static void on_poll(uv_timer_t *timer)
{
    start_check(timer->data, false);
}

static void on_directory_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    check_soon(event->data);
}

static void on_wake(uv_async_t *wake)
{
    tw_tls_reload_t *reload = wake->data;

    if (reload->closing)
        return;
    if (tw_tls_store_chain_path(reload->store) == NULL)
        reload->callback(0, "", reload->data);
    else
        start_check(reload, true);
}

/* The directory of `path`, with symbolic links not followed. The caller frees it. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return tw_strndup(".", 1);
    return tw_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static void watch(tw_tls_reload_t *reload, uv_fs_event_t *event, const char *path)
{
    char *directory = directory_of(path);

    /* When the directory cannot be watched (it does not exist, or the limit of inotify is reached),
     * the checks at intervals remain. */
    uv_fs_event_start(event, on_directory_event, directory, 0);
    free(directory);
}

static void add_handle(tw_tls_reload_t *reload, uv_handle_t *handle)
{
    handle->data = reload;
    uv_unref(handle);
    ++reload->handles_open;
}

tw_tls_reload_t *tw_tls_reload_open(uv_loop_t *loop, tw_tls_store_t *store,
                                    const tw_tls_reload_options_t *options,
                                    tw_tls_reload_cb callback, void *data)
{
    tw_tls_reload_t *reload = tw_alloc(sizeof(*reload));
    int i;

    reload->loop = loop;
    reload->store = store;
    reload->options = options != NULL ? *options : tw_tls_reload_defaults;
    reload->callback = callback;
    reload->data = data;
    assert(reload->options.poll_ms > 0 && reload->options.settle_ms > 0);

    if (uv_async_init(loop, &reload->wake, on_wake) != 0)
        abort();
    uv_timer_init(loop, &reload->poll);
    uv_timer_init(loop, &reload->settle);
    for (i = 0; i < FILE_COUNT; ++i) {
        uv_fs_event_init(loop, &reload->directories[i]);
        add_handle(reload, (uv_handle_t *)&reload->directories[i]);
    }
    add_handle(reload, (uv_handle_t *)&reload->wake);
    add_handle(reload, (uv_handle_t *)&reload->poll);
    add_handle(reload, (uv_handle_t *)&reload->settle);

    if (tw_tls_store_chain_path(store) != NULL) {
        /* The files may have changed since the store loaded them, so they are loaded again. */
        watch(reload, &reload->directories[CHAIN], tw_tls_store_chain_path(store));
        watch(reload, &reload->directories[KEY], tw_tls_store_key_path(store));
        start_check(reload, false);
        reload->check.first = true;
        uv_timer_start(&reload->poll, on_poll, reload->options.poll_ms, reload->options.poll_ms);
    }
    return reload;
}

void tw_tls_reload_now(tw_tls_reload_t *reload)
{
    assert(!reload->closing);
    uv_async_send(&reload->wake);
}

static void on_handle_closed(uv_handle_t *handle)
{
    tw_tls_reload_t *reload = handle->data;

    if (--reload->handles_open == 0 && !reload->checking)
        finish_close(reload);
}

void tw_tls_reload_close(tw_tls_reload_t *reload, tw_tls_reload_close_cb callback, void *data)
{
    int i;

    assert(!reload->closing);
    reload->closing = true;
    reload->on_close = callback;
    reload->close_data = data;
    for (i = 0; i < FILE_COUNT; ++i)
        uv_close((uv_handle_t *)&reload->directories[i], on_handle_closed);
    uv_close((uv_handle_t *)&reload->wake, on_handle_closed);
    uv_close((uv_handle_t *)&reload->poll, on_handle_closed);
    uv_close((uv_handle_t *)&reload->settle, on_handle_closed);
}
