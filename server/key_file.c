#include "server/key_file.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

#define LOOK_MS 1000
/* From a change to reading the file, which may still be being written. */
#define SETTLE_MS 250

struct tw_key_file {
    const tw_key_file_kind_t *kind;
    void *keys;       /* borrowed */
    const char *path; /* borrowed */
    uv_fs_poll_t poll;
    uv_timer_t settle;
    unsigned handles_open;
};

void tw_key_file_judge(const tw_auth_t *auth)
{
    size_t count = auth->short_of_option + auth->short_of_file;

    if (count > 0)
        tw_log(TW_LOG_WARN, "keys are too short: they can be guessed",
               tw_log_number("count", (int64_t)count),
               tw_log_text("change", "use 16 characters or more, such as openssl rand -hex 24"));
}

static const char *load_publishers(void *keys, const char *path)
{
    return tw_auth_load(keys, path);
}

static const char *load_tokens(void *keys, const char *path)
{
    return tw_tokens_load(keys, path);
}

const tw_key_file_kind_t tw_key_file_of_publishers = {
    .loaded = "keys reloaded",
    .kept = "keys not reloaded: the old ones stay in use",
    .load = load_publishers};

const tw_key_file_kind_t tw_key_file_of_tokens = {
    .loaded = "token keys reloaded",
    .kept = "token keys not reloaded: the old ones stay in use",
    .load = load_tokens};

void tw_key_file_load(tw_key_file_t *file)
{
    const char *problem;

    if (file == NULL)
        return;
    problem = file->kind->load(file->keys, file->path);
    if (problem == NULL)
        tw_log(TW_LOG_INFO, file->kind->loaded, tw_log_text("file", file->path));
    else
        tw_log(TW_LOG_ERROR, file->kind->kept, tw_log_text("file", file->path),
               tw_log_text("reason", problem));
}

static void on_settled(uv_timer_t *timer)
{
    tw_key_file_load(timer->data);
}

static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                      const uv_stat_t *after)
{
    tw_key_file_t *file = poll->data;
    uv_timer_start(&file->settle, on_settled, SETTLE_MS, 0);
}

/* The watcher's first look is soon after its start: a change between that and the first load is
 * found by loading the file once more. */
static void on_begun(uv_timer_t *timer)
{
    tw_key_file_t *file = timer->data;

    if (file->kind->load(file->keys, file->path) != NULL)
        tw_key_file_load(file); /* says why */
}

tw_key_file_t *tw_key_file_open(uv_loop_t *loop, const tw_key_file_kind_t *kind, void *keys,
                                const char *path)
{
    tw_key_file_t *file = tw_alloc(sizeof(*file));

    file->kind = kind;
    file->keys = keys;
    file->path = path;
    file->handles_open = 2;
    uv_fs_poll_init(loop, &file->poll);
    file->poll.data = file;
    uv_fs_poll_start(&file->poll, on_change, path, LOOK_MS);
    uv_unref((uv_handle_t *)&file->poll);
    uv_timer_init(loop, &file->settle);
    file->settle.data = file;
    uv_timer_start(&file->settle, on_begun, LOOK_MS, 0);
    uv_unref((uv_handle_t *)&file->settle);
    return file;
}

static void on_closed(uv_handle_t *handle)
{
    tw_key_file_t *file = handle->data;
    if (--file->handles_open == 0)
        free(file);
}

void tw_key_file_close(tw_key_file_t *file)
{
    if (file == NULL)
        return;
    uv_close((uv_handle_t *)&file->poll, on_closed);
    uv_close((uv_handle_t *)&file->settle, on_closed);
}
