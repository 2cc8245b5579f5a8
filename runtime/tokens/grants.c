#include "runtime/tokens/grants.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"

/* The wall clock may be set: what it says is looked at this often while streams expire. */
#define LOOK_AGAIN_MS 1000
/* What it costs to end a stream, and to pass over one. */
#define END_NS 6000
#define PASS_OVER_NS 500

#define BY_EXPIRY(entry) TW_CONTAINER_OF(entry, tw_grant_t, by_expiry)
#define BY_SUBJECT(entry) TW_CONTAINER_OF(entry, tw_grant_t, by_subject)

/* --- order --- */

typedef struct tw_expiry_key {
    int64_t expires_at_ms;
    uint64_t number;
} tw_expiry_key_t;

typedef struct tw_subject_key {
    tw_text_t subject;
    uint64_t number;
} tw_subject_key_t;

static int compare_numbers(uint64_t number, const tw_grant_t *grant)
{
    return number < grant->number ? -1 : number > grant->number;
}

static int compare_expiry(const void *key, const tw_ranked_entry_t *entry)
{
    const tw_expiry_key_t *wanted = key;
    const tw_grant_t *grant = BY_EXPIRY(entry);

    if (wanted->expires_at_ms != grant->expires_at_ms)
        return wanted->expires_at_ms < grant->expires_at_ms ? -1 : 1;
    return compare_numbers(wanted->number, grant);
}

static int compare_subject(const void *key, const tw_ranked_entry_t *entry)
{
    const tw_subject_key_t *wanted = key;
    const tw_grant_t *grant = BY_SUBJECT(entry);

    if (wanted->subject.len != grant->subject_len)
        return wanted->subject.len < grant->subject_len ? -1 : 1;
    int order = memcmp(wanted->subject.base, grant->subject, grant->subject_len);
    return order != 0 ? order : compare_numbers(wanted->number, grant);
}

static tw_expiry_key_t expiry_key(const tw_grant_t *grant)
{
    return (tw_expiry_key_t){grant->expires_at_ms, grant->number};
}

static tw_subject_key_t subject_key(const tw_grant_t *grant)
{
    return (tw_subject_key_t){tw_text(grant->subject, grant->subject_len), grant->number};
}

static void end_stream(const tw_grants_t *grants, const tw_grant_t *grant, tw_close_reason_t reason)
{
    tw_loop_spend(grants->loop, END_NS);
    grants->end(grant->stream, reason);
}

/* --- expiry --- */

static void on_timer(uv_timer_t *timer);

static void set_timer(tw_grants_t *grants, int64_t at_ms)
{
    int64_t wait_ms = at_ms - tw_clock_wall_ms();

    grants->timer_ms = at_ms;
    if (wait_ms > LOOK_AGAIN_MS)
        wait_ms = LOOK_AGAIN_MS;
    uv_timer_start(&grants->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void on_time_to_expire(tw_slice_t *slice)
{
    tw_grants_t *grants = TW_CONTAINER_OF(slice, tw_grants_t, slice);
    int64_t now_ms = tw_clock_wall_ms();
    const tw_ranked_entry_t *first;

    while ((first = tw_ranked_at(&grants->by_expiry, 0)) != NULL) {
        const tw_grant_t *grant = BY_EXPIRY(first);
        if (grant->expires_at_ms > now_ms) {
            set_timer(grants, grant->expires_at_ms);
            return;
        }
        if (!tw_loop_has_time(grants->loop)) {
            tw_loop_defer(grants->loop, &grants->slice, on_time_to_expire);
            return;
        }
        end_stream(grants, grant, TW_CLOSE_TOKEN_EXPIRED);
    }
}

/* Slices have a budget for each turn, and timers do not. */
static void on_timer(uv_timer_t *timer)
{
    tw_grants_t *grants = timer->data;
    tw_loop_defer(grants->loop, &grants->slice, on_time_to_expire);
}

/* --- life --- */

tw_grant_t *tw_grant_create(void *stream, uint64_t number, const tw_claims_t *claims)
{
    tw_grant_t *grant = tw_alloc(sizeof(*grant) + claims->subject_len + 1);

    assert(claims->subject_len <= TW_SUBJECT_MAX);
    grant->stream = stream;
    grant->number = number;
    grant->issued_at_ms = claims->issued_at_ms;
    grant->expires_at_ms = claims->expires_at_ms;
    grant->subject_len = (uint32_t)claims->subject_len;
    if (claims->subject_len > 0)
        memcpy(grant->subject, claims->subject, claims->subject_len);
    return grant;
}

void tw_grants_init(tw_grants_t *grants, tw_loop_t *loop, tw_grant_end_fn end)
{
    *grants = (tw_grants_t){.loop = loop, .end = end};
    tw_ranked_tree_init(&grants->by_expiry, compare_expiry);
    tw_ranked_tree_init(&grants->by_subject, compare_subject);
    LIST_INIT(&grants->endings);
    uv_timer_init(loop->uv, &grants->timer);
    grants->timer.data = grants;
}

void tw_grants_add(tw_grants_t *grants, tw_grant_t *grant)
{
    if (grant->subject_len > 0) {
        const tw_subject_key_t key = subject_key(grant);
        tw_ranked_insert(&grants->by_subject, &key, &grant->by_subject);
    }
    if (grant->expires_at_ms != 0) {
        const tw_expiry_key_t key = expiry_key(grant);
        tw_ranked_insert(&grants->by_expiry, &key, &grant->by_expiry);
        if (grants->timer_ms == 0 || grant->expires_at_ms < grants->timer_ms)
            set_timer(grants, grant->expires_at_ms);
    }
}

void tw_grants_remove(tw_grants_t *grants, tw_grant_t *grant)
{
    if (grant->subject_len > 0) {
        const tw_subject_key_t key = subject_key(grant);
        tw_ranked_remove(&grants->by_subject, &key);
    }
    if (grant->expires_at_ms != 0) {
        const tw_expiry_key_t key = expiry_key(grant);
        tw_ranked_remove(&grants->by_expiry, &key);
        if (tw_ranked_count(&grants->by_expiry) == 0) {
            uv_timer_stop(&grants->timer);
            grants->timer_ms = 0;
        }
    }
}

size_t tw_grants_list(const tw_grants_t *grants, tw_text_t subject, size_t from, size_t count,
                      void (*visit)(void *stream, void *data), void *data)
{
    const tw_subject_key_t low = {subject, 0}, high = {subject, UINT64_MAX};
    size_t first = tw_ranked_before(&grants->by_subject, &low),
           total = tw_ranked_before(&grants->by_subject, &high) - first;

    for (; from < total && count > 0; ++from, --count)
        visit(BY_SUBJECT(tw_ranked_at(&grants->by_subject, first + from))->stream, data);
    return total;
}

/* --- ending the streams of a subject --- */

static const tw_grant_t *next_of(const tw_ending_t *ending)
{
    const tw_subject_key_t from = {ending->query.subject, ending->next};
    const tw_ranked_tree_t *tree = &ending->grants->by_subject;
    const tw_ranked_entry_t *entry = tw_ranked_at(tree, tw_ranked_before(tree, &from));
    const tw_grant_t *grant = entry != NULL ? BY_SUBJECT(entry) : NULL;

    if (grant == NULL || grant->number > ending->last || grant->subject_len != from.subject.len ||
        memcmp(grant->subject, from.subject.base, grant->subject_len) != 0)
        return NULL;
    return grant;
}

static void finish(tw_ending_t *ending)
{
    LIST_REMOVE(ending, link);
    ending->on_done(ending);
}

static void on_time_to_end(tw_slice_t *slice)
{
    tw_ending_t *ending = TW_CONTAINER_OF(slice, tw_ending_t, slice);
    tw_loop_t *loop = ending->grants->loop;
    const tw_grant_t *grant;

    while ((grant = next_of(ending)) != NULL) {
        if (!tw_loop_has_time(loop)) {
            tw_loop_defer(loop, &ending->slice, on_time_to_end);
            return;
        }
        ending->next = grant->number + 1;
        if (grant->issued_at_ms <= ending->query.issued_until_ms) {
            ++ending->count;
            end_stream(ending->grants, grant, ending->query.reason);
        } else {
            tw_loop_spend(loop, PASS_OVER_NS);
        }
    }
    finish(ending);
}

void tw_grants_end_subject(tw_grants_t *grants, tw_ending_t *ending, uint64_t last)
{
    ending->grants = grants;
    ending->last = last;
    LIST_INSERT_HEAD(&grants->endings, ending, link);
    on_time_to_end(&ending->slice);
}

void tw_grants_close(tw_grants_t *grants)
{
    tw_ending_t *ending;

    tw_loop_cancel(grants->loop, &grants->slice);
    while ((ending = LIST_FIRST(&grants->endings)) != NULL) {
        tw_loop_cancel(grants->loop, &ending->slice);
        finish(ending);
    }
    uv_close((uv_handle_t *)&grants->timer, NULL);
}
