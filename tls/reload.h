/**
 * Keeps the certificate of a store up to date: reloads the files on demand and when they change.
 *
 * Files change in many ways: they are written in place, an editor renames a new file over the old
 * one, or a symbolic link on the way to them is replaced (Kubernetes replaces `..data`). So events
 * of the directories only make a check come sooner. The check compares the files that the paths
 * lead to with those that were last tried, and it is also done at intervals, for changes without an
 * event. When a pair cannot be loaded, the old one stays in use. A changed pair that cannot be
 * loaded is tried a second time before that is reported, because its two files are seldom written
 * together.
 *
 * Loop thread only; files are loaded on libuv's thread pool.
 */
#ifndef TW_TLS_RELOAD_H
#define TW_TLS_RELOAD_H

#include <uv.h>

#include "tls/server_context.h"

typedef struct tw_tls_reload tw_tls_reload_t;

/**
 * A load has ended. `status` is 0 when new connections get the new certificate (`message` is ""),
 * or a negative tw_tls_status_t when the old one stays in use (`message` says in one line why).
 * Called on the loop, never inside a function of this header: once for each tw_tls_reload_now(),
 * where calls during a load share the next one, and once for each change of the files.
 */
typedef void (*tw_tls_reload_cb)(int status, const char *message, void *data);

/** The watcher has been closed and freed. */
typedef void (*tw_tls_reload_close_cb)(void *data);

typedef struct tw_tls_reload_options {
    unsigned poll_ms; /* between two checks of the files, > 0 */
    unsigned
        settle_ms; /* from an event of a directory to the check, and between the two tries, > 0 */
} tw_tls_reload_options_t;

extern const tw_tls_reload_options_t tw_tls_reload_defaults;

/**
 * Starts to watch the files of `store`, which must outlive the watcher. A store with an ephemeral
 * certificate has no files: then tw_tls_reload_now() only reports success. `options` may be NULL.
 * The watcher's handles do not keep the loop alive.
 */
tw_tls_reload_t *tw_tls_reload_open(uv_loop_t *loop, tw_tls_store_t *store,
                                    const tw_tls_reload_options_t *options,
                                    tw_tls_reload_cb callback, void *data);

/** Reloads the files whether they have changed or not (SIGHUP). */
void tw_tls_reload_now(tw_tls_reload_t *reload);

/**
 * Stops watching. tw_tls_reload_cb is not called any more. `callback` (may be NULL) is called on
 * the loop when the watcher has been freed, never before this returns.
 */
void tw_tls_reload_close(tw_tls_reload_t *reload, tw_tls_reload_close_cb callback, void *data);

#endif
