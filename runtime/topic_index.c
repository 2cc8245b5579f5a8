#include "runtime/topic_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"

#define TOPIC_OF(member, pointer) TW_CONTAINER_OF(pointer, tw_topic_t, member)

static bool has_name(const tw_table_entry_t *node, const void *key)
{
    const tw_topic_t *topic = TOPIC_OF(entry, node);
    const tw_topic_name_t *name = key;
    return topic->name_len == name->len && memcmp(topic->name, name->base, name->len) == 0;
}

static int compare_name(const void *key, const tw_ranked_entry_t *node)
{
    const tw_topic_t *topic = TOPIC_OF(listed, node);
    const tw_topic_name_t *name = key;
    return tw_topic_name_compare(name->base, name->len, topic->name, topic->name_len);
}

void tw_topic_index_init(tw_topic_index_t *index, uint32_t worker_count, int64_t resume_window_ms)
{
    memset(index, 0, sizeof(*index)); /* too large for a temporary on the stack */
    index->worker_count = worker_count;
    index->resume_window_ms = resume_window_ms;
    index->lingering_max = TW_INDEX_LINGERING_MAX;
    for (size_t i = 0; i < TW_INDEX_STRIPES; ++i) {
        pthread_mutex_init(&index->stripes[i].lock, NULL);
        tw_table_init(&index->stripes[i].topics);
    }
    pthread_mutex_init(&index->listing_lock, NULL);
    tw_ranked_tree_init(&index->listing, compare_name);
}

static uint64_t *forgotten_of(tw_index_stripe_t *stripe, uint64_t hash)
{
    return &stripe->forgotten[(hash >> 24) % TW_INDEX_FORGOTTEN];
}

uint64_t *tw_topic_index_erased(tw_index_stripe_t *stripe, const tw_topic_name_t *name)
{
    return &stripe->erased[(name->hash >> 24) % TW_INDEX_FORGOTTEN];
}

void tw_topic_index_clear_erased(tw_topic_index_t *index)
{
    for (size_t i = 0; i < TW_INDEX_STRIPES; ++i) {
        tw_index_stripe_t *stripe = &index->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        memset(stripe->erased, 0, sizeof(stripe->erased));
        pthread_mutex_unlock(&stripe->lock);
    }
}

static void destroy_topic(tw_index_stripe_t *stripe, tw_topic_t *topic)
{
    uint64_t *forgotten = forgotten_of(stripe, topic->entry.hash);
    if (*forgotten < topic->tail.lost_seq)
        *forgotten = topic->tail.lost_seq;
    tw_tail_dispose(&topic->tail);
    free(topic);
}

void tw_topic_index_dispose(tw_topic_index_t *index)
{
    for (size_t i = 0; i < TW_INDEX_STRIPES; ++i) {
        tw_index_stripe_t *stripe = &index->stripes[i];
        tw_table_entry_t *node;
        while ((node = tw_table_any(&stripe->topics)) != NULL) {
            tw_table_remove(&stripe->topics, node);
            destroy_topic(stripe, TOPIC_OF(entry, node));
        }
        tw_table_dispose(&stripe->topics);
        pthread_mutex_destroy(&stripe->lock);
    }
    pthread_mutex_destroy(&index->listing_lock);
}

/* The table of a stripe uses the low bits of the hash, so this uses high ones. */
static inline tw_index_stripe_t *stripe_of(tw_topic_index_t *index, uint64_t hash)
{
    return &index->stripes[(hash >> 48) % TW_INDEX_STRIPES];
}

tw_index_stripe_t *tw_topic_index_lock(tw_topic_index_t *index, const tw_topic_name_t *name)
{
    tw_index_stripe_t *stripe = stripe_of(index, name->hash);
    pthread_mutex_lock(&stripe->lock);
    return stripe;
}

void tw_topic_index_unlock(tw_index_stripe_t *stripe)
{
    pthread_mutex_unlock(&stripe->lock);
}

tw_topic_t *tw_topic_index_find(tw_index_stripe_t *stripe, const tw_topic_name_t *name)
{
    tw_table_entry_t *node = tw_table_find(&stripe->topics, name->hash, has_name, name);
    return node != NULL ? TOPIC_OF(entry, node) : NULL;
}

static tw_topic_t *create_topic(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                const tw_topic_name_t *name)
{
    size_t counts_at =
        (sizeof(tw_topic_t) + name->len + sizeof(uint32_t) - 1) & ~(sizeof(uint32_t) - 1);
    tw_topic_t *topic = tw_alloc(counts_at + index->worker_count * sizeof(uint32_t));

    topic->entry.hash = name->hash;
    topic->tail.lost_seq = *forgotten_of(stripe, name->hash);
    topic->name_len = (uint32_t)name->len;
    memcpy(topic->name, name->base, name->len);
    topic->by_worker = (uint32_t *)(void *)((char *)topic + counts_at);
    tw_table_insert(&stripe->topics, &topic->entry);
    return topic;
}

static void list_topic(tw_topic_index_t *index, tw_topic_t *topic, bool listed)
{
    const tw_topic_name_t name = {.base = topic->name, .len = topic->name_len};
    pthread_mutex_lock(&index->listing_lock);
    if (listed)
        tw_ranked_insert(&index->listing, &name, &topic->listed);
    else
        tw_ranked_remove(&index->listing, &name);
    atomic_store_explicit(&index->topic_count, tw_ranked_count(&index->listing),
                          memory_order_relaxed);
    pthread_mutex_unlock(&index->listing_lock);
}

static void linger(tw_index_stripe_t *stripe, tw_topic_t *topic)
{
    topic->lingers = true;
    ++stripe->lingering;
    topic->later = NULL;
    topic->earlier = stripe->last;
    *(stripe->last != NULL ? &stripe->last->later : &stripe->first) = topic;
    stripe->last = topic;
}

static void unlinger(tw_index_stripe_t *stripe, tw_topic_t *topic)
{
    *(topic->earlier != NULL ? &topic->earlier->later : &stripe->first) = topic->later;
    *(topic->later != NULL ? &topic->later->earlier : &stripe->last) = topic->earlier;
    topic->earlier = topic->later = NULL;
    topic->lingers = false;
    --stripe->lingering;
}

static void cut_oldest_window(tw_topic_index_t *index, tw_index_stripe_t *stripe, int64_t now_ms)
{
    tw_topic_t *oldest = stripe->first;

    unlinger(stripe, oldest);
    tw_topic_index_collect(index, stripe, oldest, now_ms);
    atomic_fetch_add_explicit(&index->windows_cut, 1, memory_order_relaxed);
}

tw_topic_t *tw_topic_index_obtain(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name)
{
    tw_topic_t *topic = tw_topic_index_find(stripe, name);
    return topic != NULL ? topic : create_topic(index, stripe, name);
}

tw_topic_t *tw_topic_index_follow(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name, uint32_t worker)
{
    tw_topic_t *topic = tw_topic_index_obtain(index, stripe, name);
    if (topic->lingers)
        unlinger(stripe, topic);
    ++topic->by_worker[worker];
    if (atomic_fetch_add_explicit(&topic->followers, 1, memory_order_relaxed) == 0)
        list_topic(index, topic, true);
    return topic;
}

void tw_topic_index_unfollow(tw_topic_index_t *index, const tw_topic_name_t *name, uint32_t worker,
                             int64_t now_ms)
{
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, name);
    tw_topic_t *topic = tw_topic_index_find(stripe, name);

    assert(topic != NULL && topic->by_worker[worker] > 0);
    --topic->by_worker[worker];
    uint32_t left = atomic_load_explicit(&topic->followers, memory_order_relaxed) - 1;
    if (left == 0) /* first, so that no listing shows it without followers */
        list_topic(index, topic, false);
    atomic_store_explicit(&topic->followers, left, memory_order_relaxed);
    if (left == 0) {
        topic->left_at_ms = now_ms;
        if (index->resume_window_ms > 0)
            linger(stripe, topic);
        else
            tw_topic_index_collect(index, stripe, topic, now_ms);
        if (stripe->lingering > index->lingering_max)
            cut_oldest_window(index, stripe, now_ms);
    }
    tw_topic_index_unlock(stripe);
}

static bool window_runs(const tw_topic_index_t *index, const tw_topic_t *topic, int64_t now_ms)
{
    return topic->lingers && now_ms - topic->left_at_ms < index->resume_window_ms;
}

bool tw_topic_index_accepts(const tw_topic_index_t *index, const tw_topic_t *topic, int64_t now_ms)
{
    return topic != NULL && (atomic_load_explicit(&topic->followers, memory_order_relaxed) > 0 ||
                             window_runs(index, topic, now_ms));
}

bool tw_topic_index_accepts_name(tw_topic_index_t *index, const tw_topic_name_t *name,
                                 int64_t now_ms)
{
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, name);
    bool accepts = tw_topic_index_accepts(index, tw_topic_index_find(stripe, name), now_ms);
    tw_topic_index_unlock(stripe);
    return accepts;
}

void tw_topic_index_collect(tw_topic_index_t *index, tw_index_stripe_t *stripe, tw_topic_t *topic,
                            int64_t now_ms)
{
    if (atomic_load_explicit(&topic->followers, memory_order_relaxed) > 0 ||
        topic->tail.count > 0 || topic->held || window_runs(index, topic, now_ms))
        return;
    if (topic->lingers)
        unlinger(stripe, topic);
    tw_table_remove(&stripe->topics, &topic->entry);
    destroy_topic(stripe, topic);
}

void tw_topic_index_sweep(tw_topic_index_t *index, int64_t now_ms)
{
    for (size_t i = 0; i < TW_INDEX_STRIPES; ++i) {
        tw_index_stripe_t *stripe = &index->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        while (stripe->first != NULL && !window_runs(index, stripe->first, now_ms)) {
            tw_topic_t *topic = stripe->first;
            unlinger(stripe, topic);
            tw_topic_index_collect(index, stripe, topic, now_ms);
        }
        pthread_mutex_unlock(&stripe->lock);
    }
}

typedef struct tw_list_visit {
    tw_topic_visit_fn visit;
    void *data;
} tw_list_visit_t;

static void visit_topic(tw_ranked_entry_t *node, void *data)
{
    const tw_topic_t *topic = TOPIC_OF(listed, node);
    tw_list_visit_t *list = data;
    list->visit(topic->name, topic->name_len,
                atomic_load_explicit(&topic->followers, memory_order_relaxed), list->data);
}

size_t tw_topic_index_list(tw_topic_index_t *index, const char *prefix, size_t prefix_len,
                           size_t from, size_t count, tw_topic_visit_fn visit, void *data)
{
    char beyond[TW_TOPIC_NAME_MAX + 2];
    const tw_topic_name_t low = {.base = prefix, .len = prefix_len},
                          high = {.base = beyond, .len = prefix_len + 1};
    tw_list_visit_t list = {.visit = visit, .data = data};

    if (prefix_len > TW_TOPIC_NAME_MAX)
        return 0;
    /* No name contains 0x7f, so this sorts behind the last name with the prefix. */
    if (prefix_len > 0)
        memcpy(beyond, prefix, prefix_len);
    beyond[prefix_len] = 0x7f;

    pthread_mutex_lock(&index->listing_lock);
    size_t first = tw_ranked_before(&index->listing, &low);
    size_t total = tw_ranked_before(&index->listing, &high) - first;
    if (from < total)
        tw_ranked_walk(&index->listing, first + from, count < total - from ? count : total - from,
                       visit_topic, &list);
    pthread_mutex_unlock(&index->listing_lock);
    return total;
}
