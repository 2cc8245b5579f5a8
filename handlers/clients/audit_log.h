/**
 * The last things that operators did on this node, for the admin UI: a ring under a lock.
 *
 * tw_audit_init() is called before the first request; after that any thread may keep and visit. The
 * gateway owns it. Callers: server/process.c (init, dispose), handlers/audit.c (keeps),
 * handlers/admin/listings.c (visits).
 */
#ifndef TW_HANDLERS_AUDIT_LOG_H
#define TW_HANDLERS_AUDIT_LOG_H

#include <pthread.h>
#include <stdint.h>

#include "base/text.h"
#include "handlers/clients/auth.h"

#define TW_AUDIT_KEPT 200
#define TW_AUDIT_ABOUT_MAX 256 /* longer names are cut */

typedef struct tw_audit_entry {
    int64_t at_ms;      /* wall clock */
    const char *action; /* a constant: the message of the log line */
    size_t about_len, address_len;
    char about[TW_AUDIT_ABOUT_MAX]; /* what it was done to; may not be UTF-8 */
    char address[56];
    char key[TW_KEY_FINGERPRINT_SIZE];
    uint64_t count; /* how many times, of refused keys; else 1 */
} tw_audit_entry_t;

typedef struct tw_audit {
    pthread_mutex_t lock;      /* of all below */
    tw_audit_entry_t *entries; /* owned; a ring of TW_AUDIT_KEPT */
    uint64_t written;          /* the next one goes to its remainder by TW_AUDIT_KEPT */
} tw_audit_t;

void tw_audit_init(tw_audit_t *audit);
void tw_audit_dispose(tw_audit_t *audit);

/** Keeps what operators did, or a refused key `count` times. All is copied, but for the action. */
void tw_audit_keep(tw_audit_t *audit, const char *action, tw_text_t about, tw_text_t address,
                   const char key[TW_KEY_FINGERPRINT_SIZE], uint64_t count);

/** Visits what is kept, the newest first, under the lock: `visit` borrows the entry and is quick.
 */
void tw_audit_visit(tw_audit_t *audit, void (*visit)(const tw_audit_entry_t *entry, void *data),
                    void *data);

#endif
