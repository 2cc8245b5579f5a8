/**
 * Keeps the keys of a file up to date, those of publishers (SSE_PUBLISHER_API_KEYS_FILE) or those
 * of tokens (TIDEWAY_TOKEN_KEYS): reads the file again on demand and when it changes, however that
 * happens (written in place, renamed over, a symbolic link on the way to it replaced). When it
 * holds no keys, the old ones stay. Control-loop thread only.
 */
#ifndef TW_SERVER_KEY_FILE_H
#define TW_SERVER_KEY_FILE_H

#include <uv.h>

#include "handlers/clients/auth.h"
#include "handlers/tokens/tokens.h"

typedef struct tw_key_file tw_key_file_t;

/** What a file is for. */
typedef struct tw_key_file_kind {
    const char *loaded, *kept; /* what the log says when keys are loaded, and when they are not */
    /** Reads the file into `keys`. Returns NULL, or in a few words why nothing has changed. */
    const char *(*load)(void *keys, const char *path);
} tw_key_file_kind_t;

extern const tw_key_file_kind_t tw_key_file_of_publishers; /* into a tw_auth_t */
extern const tw_key_file_kind_t tw_key_file_of_tokens;     /* into a tw_tokens_t */

/** Watches the file, which has been loaded into `keys`; both are borrowed and outlive the watcher.
 * Its handles do not keep the loop alive. */
tw_key_file_t *tw_key_file_open(uv_loop_t *loop, const tw_key_file_kind_t *kind, void *keys,
                                const char *path);

/** Reads the file whether it has changed or not (SIGHUP). NULL is a no-op. */
void tw_key_file_load(tw_key_file_t *file);

/** Stops watching; the watcher is freed when the loop has closed its handles. NULL is a no-op. */
void tw_key_file_close(tw_key_file_t *file);

/** Logs a warning when keys can be guessed, because they are short. */
void tw_key_file_judge(const tw_auth_t *auth);

#endif
