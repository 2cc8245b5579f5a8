/**
 * Keeps a store's certificate up to date: loads the files anew on demand and when they change.
 *
 * Files change in many ways: written in place, renamed over by an editor, or moved away under a
 * chain of symbolic links (Kubernetes swaps `..data`). So the directories' events only hasten a
 * look; what decides is whether the files that the paths lead to differ from those last tried, and
 * a poll finds what no event told of. A pair that does not load leaves the old one in use. When a
 * change was seen, it is tried a second time before it is called bad: its files are seldom written
 * at one instant.
 *
 * Threads: the loop's; loading itself runs on libuv's thread pool.
 */
#ifndef TW_TLS_RELOAD_H
#define TW_TLS_RELOAD_H

#include <uv.h>

#include "tls/server_context.h"

typedef struct tw_tls_reload tw_tls_reload_t;

/**
 * A load has ended: `status` 0 (new connections get the new certificate; `message` is "") or a
 * negative tw_tls_status_t (the old one stays; `message` says why, one line). Called on the loop,
 * never inside a function of this header; once for each tw_tls_reload_now() (calls while a load is
 * under way share the next one) and once for each change of the files.
 */
typedef void (*tw_tls_reload_cb)(int status, const char *message, void *data);

/** The watcher is closed and freed. */
typedef void (*tw_tls_reload_close_cb)(void *data);

typedef struct tw_tls_reload_options {
    unsigned poll_ms;   /* between two looks at the files, > 0 */
    unsigned settle_ms; /* from a directory's event to the look, and between the two tries, > 0 */
} tw_tls_reload_options_t;

extern const tw_tls_reload_options_t tw_tls_reload_defaults;

/**
 * Starts to watch the files of `store`, which must outlive the watcher. A store with an ephemeral
 * certificate has none: then tw_tls_reload_now() reports success and nothing else ever happens.
 * `options` may be NULL. The watcher's handles do not keep the loop alive.
 */
tw_tls_reload_t *tw_tls_reload_open(uv_loop_t *loop, tw_tls_store_t *store,
                                    const tw_tls_reload_options_t *options,
                                    tw_tls_reload_cb callback, void *data);

/** Loads the files whether they have changed or not (SIGHUP). */
void tw_tls_reload_now(tw_tls_reload_t *reload);

/**
 * Stops watching. No tw_tls_reload_cb comes any more; `callback` (may be NULL) is called on the
 * loop when the watcher is freed, never before this returns.
 */
void tw_tls_reload_close(tw_tls_reload_t *reload, tw_tls_reload_close_cb callback, void *data);

#endif
