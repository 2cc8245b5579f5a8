#include "tls/reload.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"

const tw_tls_reload_options_t tw_tls_reload_defaults = {.poll_ms = 10000, .settle_ms = 250};

enum { CHAIN, KEY, FILE_COUNT };

/* What a path led to, all zero when it led nowhere. Compared whole. */
typedef struct signature {
    struct {
        uint64_t device, inode, size, modified_s, modified_ns, changed_s, changed_ns;
    } files[FILE_COUNT];
} signature_t;

/* One look at the files, filled on the thread pool. Only one is under way at a time. */
typedef struct look {
    uv_work_t work;
    int forced;            /* load even when nothing has changed */
    int first;             /* the files are as the store knows them: success is no news */
    signature_t signature; /* of the files, from before they were loaded */
    int loaded;            /* a load was tried: the rest is its result */
    int status;
    SSL_CTX *context; /* owned; NULL unless status is 0 */
    time_t not_after;
    tw_tls_error_t error;
} look_t;

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
    uv_async_t wake; /* tw_tls_reload_now() answers from the loop */
    uv_fs_event_t directories[FILE_COUNT];
    signature_t tried; /* the files that were last loaded, or found bad twice */
    signature_t suspect;
    int has_suspect; /* `suspect` failed once */
    look_t look;
    int looking;      /* `look` is under way */
    int look_again;   /* something was asked for meanwhile */
    int forced_again; /* ... by tw_tls_reload_now() */
    int closing;
    unsigned handles_open;
};

static void start_look(tw_tls_reload_t *reload, int forced);

static signature_t take_signature(const tw_tls_store_t *store)
{
    const char *paths[FILE_COUNT] = {tw_tls_store_chain_path(store), tw_tls_store_key_path(store)};
    signature_t signature;
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

static int same(const signature_t *a, const signature_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* On the thread pool: reads only what does not change while a look is under way. */
static void on_look(uv_work_t *work)
{
    tw_tls_reload_t *reload = work->data;
    look_t *look = &reload->look;

    look->signature = take_signature(reload->store);
    if (!look->forced && same(&look->signature, &reload->tried))
        return;
    look->loaded = 1;
    look->status = tw_tls_store_load(reload->store, &look->context, &look->not_after, &look->error);
}

static void on_settled(uv_timer_t *timer)
{
    start_look(timer->data, 0);
}

/* A burst of events is one look, soon after the first of them: a stream of them postpones nothing.
 */
static void look_soon(tw_tls_reload_t *reload)
{
    if (!uv_is_active((uv_handle_t *)&reload->settle))
        uv_timer_start(&reload->settle, on_settled, reload->options.settle_ms, 0);
}

/* Whether this failure may be of a pair that is still being written: then it is tried again. */
static int may_be_half_written(tw_tls_reload_t *reload, const look_t *look)
{
    if (look->forced)
        return 0;
    if (reload->has_suspect && same(&look->signature, &reload->suspect))
        return 0;
    reload->suspect = look->signature;
    reload->has_suspect = 1;
    return 1;
}

static void finish_load(tw_tls_reload_t *reload, look_t *look)
{
    if (look->status == 0) {
        tw_tls_store_replace(reload->store, look->context, look->not_after);
        look->context = NULL;
    } else if (may_be_half_written(reload, look)) {
        look_soon(reload);
        return;
    }
    reload->tried = look->signature;
    reload->has_suspect = 0;
    if (look->status != 0 || !look->first)
        reload->callback(look->status, look->status == 0 ? "" : look->error.text, reload->data);
}

static void finish_close(tw_tls_reload_t *reload)
{
    tw_tls_reload_close_cb on_close = reload->on_close;
    void *data = reload->close_data;

    free(reload);
    if (on_close != NULL)
        on_close(data);
}

static void on_looked(uv_work_t *work, int status)
{
    tw_tls_reload_t *reload = work->data;
    look_t *look = &reload->look;

    assert(status == 0); /* never cancelled */
    reload->looking = 0;
    if (reload->closing) {
        SSL_CTX_free(look->context);
        if (reload->handles_open == 0)
            finish_close(reload);
        return;
    }
    if (look->loaded)
        finish_load(reload, look);
    if (reload->look_again && !reload->closing)
        start_look(reload, reload->forced_again);
}

static void start_look(tw_tls_reload_t *reload, int forced)
{
    if (reload->looking) {
        reload->look_again = 1;
        reload->forced_again |= forced;
        return;
    }
    reload->looking = 1;
    reload->look_again = 0;
    reload->forced_again = 0;
    memset(&reload->look, 0, sizeof(reload->look));
    reload->look.work.data = reload;
    reload->look.forced = forced;
    if (uv_queue_work(reload->loop, &reload->look.work, on_look, on_looked) != 0)
        abort();
}

static void on_poll(uv_timer_t *timer)
{
    start_look(timer->data, 0);
}

static void on_directory_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    look_soon(event->data);
}

static void on_wake(uv_async_t *wake)
{
    tw_tls_reload_t *reload = wake->data;

    if (reload->closing)
        return;
    if (tw_tls_store_chain_path(reload->store) == NULL)
        reload->callback(0, "", reload->data);
    else
        start_look(reload, 1);
}

/* The directory that holds `path`: its own name, not what links lead to. The caller frees it. */
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

    /* Where it cannot be watched (no inotify left, no such directory) the poll remains. */
    (void)uv_fs_event_start(event, on_directory_event, directory, 0);
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
        /* Files that changed since the store was made would be missed: so they are loaded again. */
        watch(reload, &reload->directories[CHAIN], tw_tls_store_chain_path(store));
        watch(reload, &reload->directories[KEY], tw_tls_store_key_path(store));
        start_look(reload, 0);
        reload->look.first = 1;
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

    if (--reload->handles_open == 0 && !reload->looking)
        finish_close(reload);
}

void tw_tls_reload_close(tw_tls_reload_t *reload, tw_tls_reload_close_cb callback, void *data)
{
    int i;

    assert(!reload->closing);
    reload->closing = 1;
    reload->on_close = callback;
    reload->close_data = data;
    for (i = 0; i < FILE_COUNT; ++i)
        uv_close((uv_handle_t *)&reload->directories[i], on_handle_closed);
    uv_close((uv_handle_t *)&reload->wake, on_handle_closed);
    uv_close((uv_handle_t *)&reload->poll, on_handle_closed);
    uv_close((uv_handle_t *)&reload->settle, on_handle_closed);
}
