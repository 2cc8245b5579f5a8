#include "runtime/tokens/revocations.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"

typedef struct tw_revoked {
    tw_table_entry_t entry;
    tw_ranked_entry_t ranked;
    int64_t revoked_at_ms, until_ms;
    size_t subject_len;
    char subject[];
} tw_revoked_t;

#define REVOKED_OF(pointer) TW_CONTAINER_OF(pointer, tw_revoked_t, entry)
#define RANKED_OF(pointer) TW_CONTAINER_OF(pointer, tw_revoked_t, ranked)

static bool is_of(const tw_table_entry_t *entry, const void *key)
{
    const tw_revoked_t *revoked = REVOKED_OF(entry);
    const tw_text_t *subject = key;
    return revoked->subject_len == subject->len &&
           memcmp(revoked->subject, subject->base, subject->len) == 0;
}

/* By the end, then by the address, since the order among those that end together is of no use. */
static int compare_end(const void *key, const tw_ranked_entry_t *entry)
{
    const tw_revoked_t *wanted = key, *other = RANKED_OF(entry);
    if (wanted->until_ms != other->until_ms)
        return wanted->until_ms < other->until_ms ? -1 : 1;
    return (uintptr_t)wanted < (uintptr_t)other ? -1 : wanted != other;
}

void tw_revocations_init(tw_revocations_t *list)
{
    *list = (tw_revocations_t){.is_incomplete = false};
    pthread_mutex_init(&list->lock, NULL);
    tw_table_init(&list->by_subject);
    tw_ranked_tree_init(&list->by_end, compare_end);
}

static void remove_one(tw_revocations_t *list, tw_revoked_t *revoked)
{
    tw_table_remove(&list->by_subject, &revoked->entry);
    tw_ranked_remove(&list->by_end, revoked);
    free(revoked);
}

void tw_revocations_dispose(tw_revocations_t *list)
{
    tw_table_entry_t *entry;
    while ((entry = tw_table_any(&list->by_subject)) != NULL)
        remove_one(list, REVOKED_OF(entry));
    tw_table_dispose(&list->by_subject);
    pthread_mutex_destroy(&list->lock);
}

static tw_revoked_t *find(const tw_revocations_t *list, tw_text_t subject)
{
    tw_table_entry_t *entry =
        tw_table_find(&list->by_subject, tw_hash(subject.base, subject.len), is_of, &subject);
    return entry != NULL ? REVOKED_OF(entry) : NULL;
}

static tw_revoked_t *at_rank(const tw_revocations_t *list, size_t rank)
{
    tw_ranked_entry_t *entry = tw_ranked_at(&list->by_end, rank);
    return entry != NULL ? RANKED_OF(entry) : NULL;
}

static void forget_ended(tw_revocations_t *list, int64_t now_ms)
{
    tw_revoked_t *first;
    while ((first = at_rank(list, 0)) != NULL && first->until_ms <= now_ms)
        remove_one(list, first);
}

static void add_new(tw_revocations_t *list, const tw_revocation_t *revocation)
{
    const tw_text_t subject = revocation->subject;
    tw_revoked_t *revoked = tw_alloc(sizeof(*revoked) + subject.len);

    revoked->revoked_at_ms = revocation->revoked_at_ms;
    revoked->until_ms = revocation->until_ms;
    revoked->subject_len = subject.len;
    memcpy(revoked->subject, subject.base, subject.len);
    revoked->entry.hash = tw_hash(subject.base, subject.len);
    tw_table_insert(&list->by_subject, &revoked->entry);
    tw_ranked_insert(&list->by_end, revoked, &revoked->ranked);
}

/* Whether there was anything to merge. */
static bool merge(tw_revocations_t *list, tw_revoked_t *revoked, const tw_revocation_t *with)
{
    bool changed = false;

    if (revoked->revoked_at_ms < with->revoked_at_ms) {
        revoked->revoked_at_ms = with->revoked_at_ms;
        changed = true;
    }
    if (revoked->until_ms < with->until_ms) {
        tw_ranked_remove(&list->by_end, revoked);
        revoked->until_ms = with->until_ms;
        tw_ranked_insert(&list->by_end, revoked, &revoked->ranked);
        changed = true;
    }
    return changed;
}

tw_status_t tw_revocations_add(tw_revocations_t *list, const tw_revocation_t *revocation,
                               bool *changed)
{
    int64_t now_ms = tw_clock_wall_ms();
    tw_status_t status = TW_OK;

    assert(revocation->subject.len >= 1 && revocation->subject.len <= TW_SUBJECT_MAX);
    *changed = false;
    if (revocation->until_ms <= now_ms)
        return TW_OK;
    pthread_mutex_lock(&list->lock);
    forget_ended(list, now_ms);
    tw_revoked_t *known = find(list, revocation->subject);
    if (known != NULL) {
        *changed = merge(list, known, revocation);
    } else if (list->by_subject.count >= TW_REVOCATIONS_MAX) {
        status = TW_FULL;
    } else {
        add_new(list, revocation);
        *changed = true;
    }
    pthread_mutex_unlock(&list->lock);
    return status;
}

tw_status_t tw_revocations_check(tw_revocations_t *list, tw_text_t subject, int64_t issued_at_ms)
{
    if (subject.len == 0)
        return TW_OK;
    if (list->is_incomplete)
        return TW_UNAVAILABLE;
    pthread_mutex_lock(&list->lock);
    const tw_revoked_t *revoked = find(list, subject);
    bool refused = revoked != NULL && issued_at_ms <= revoked->revoked_at_ms &&
                   tw_clock_wall_ms() < revoked->until_ms;
    pthread_mutex_unlock(&list->lock);
    return refused ? TW_REVOKED : TW_OK;
}

void tw_revocations_sweep(tw_revocations_t *list)
{
    pthread_mutex_lock(&list->lock);
    forget_ended(list, tw_clock_wall_ms());
    pthread_mutex_unlock(&list->lock);
}

size_t tw_revocations_count(tw_revocations_t *list)
{
    pthread_mutex_lock(&list->lock);
    size_t count = list->by_subject.count;
    pthread_mutex_unlock(&list->lock);
    return count;
}

size_t tw_revocations_read(tw_revocations_t *list, size_t from, size_t max,
                           tw_revocation_t *revocations, char (*texts)[TW_SUBJECT_MAX])
{
    const tw_revoked_t *revoked;
    size_t count = 0;

    pthread_mutex_lock(&list->lock);
    for (; count < max && (revoked = at_rank(list, from + count)) != NULL; ++count) {
        memcpy(texts[count], revoked->subject, revoked->subject_len);
        revocations[count] = (tw_revocation_t){tw_text(texts[count], revoked->subject_len),
                                               revoked->revoked_at_ms, revoked->until_ms};
    }
    pthread_mutex_unlock(&list->lock);
    return count;
}
