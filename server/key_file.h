/**
 * Keeps the keys of SSE_PUBLISHER_API_KEYS_FILE up to date: reads the file again on demand and when
 * it changes, however that happens (written in place, renamed over, a symbolic link on the way to
 * it replaced). When it holds no key, the old ones stay. Control-loop thread only.
 */
#ifndef TW_SERVER_KEY_FILE_H
#define TW_SERVER_KEY_FILE_H

#include <uv.h>

#include "handlers/clients/auth.h"

typedef struct tw_key_file tw_key_file_t;

/** Watches the file, which has been loaded into `auth`; both are borrowed and outlive the watcher.
 * Its handles do not keep the loop alive. */
tw_key_file_t *tw_key_file_open(uv_loop_t *loop, tw_auth_t *auth, const char *path);

/** Reads the file whether it has changed or not (SIGHUP). */
void tw_key_file_load(tw_key_file_t *file);

/** Stops watching; the watcher is freed when the loop has closed its handles. NULL is a no-op. */
void tw_key_file_close(tw_key_file_t *file);

/** Logs a warning when keys can be guessed, because they are short. */
void tw_key_file_judge(const tw_auth_t *auth);

#endif
