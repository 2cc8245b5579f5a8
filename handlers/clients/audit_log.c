#include "handlers/clients/audit_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

void tw_audit_init(tw_audit_t *audit)
{
    pthread_mutex_init(&audit->lock, NULL);
    audit->entries = tw_alloc(TW_AUDIT_KEPT * sizeof(*audit->entries));
    audit->written = 0;
}

void tw_audit_dispose(tw_audit_t *audit)
{
    pthread_mutex_destroy(&audit->lock);
    free(audit->entries);
    audit->entries = NULL;
}

void tw_audit_visit(tw_audit_t *audit, void (*visit)(const tw_audit_entry_t *entry, void *data),
                    void *data)
{
    pthread_mutex_lock(&audit->lock);
    uint64_t oldest = audit->written > TW_AUDIT_KEPT ? audit->written - TW_AUDIT_KEPT : 0;
    for (uint64_t i = audit->written; i > oldest; --i)
        visit(&audit->entries[(i - 1) % TW_AUDIT_KEPT], data);
    pthread_mutex_unlock(&audit->lock);
}

static size_t copy_text(char *to, size_t size, tw_text_t from)
{
    size_t len = from.len < size ? from.len : size;
    memcpy(to, from.base, len);
    return len;
}

void tw_audit_keep(tw_audit_t *audit, const char *action, tw_text_t about, tw_text_t address,
                   const char key[TW_KEY_FINGERPRINT_SIZE], uint64_t count)
{
    pthread_mutex_lock(&audit->lock);
    tw_audit_entry_t *entry = &audit->entries[audit->written++ % TW_AUDIT_KEPT];
    *entry = (tw_audit_entry_t){.at_ms = tw_clock_wall_ms(), .action = action, .count = count};
    entry->about_len = copy_text(entry->about, sizeof(entry->about), about);
    entry->address_len = copy_text(entry->address, sizeof(entry->address), address);
    memcpy(entry->key, key, sizeof(entry->key));
    pthread_mutex_unlock(&audit->lock);
}
