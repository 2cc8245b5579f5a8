#include "runtime/join.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/hash.h"

/* What a join costs its loop, nanoseconds, without its request; for each of its topics; for finding
 * the event that the client has seen last; and for each event that it has missed, which is
 * taken from a tail and put into a queue. */
#define JOIN_NS 3000
#define JOIN_TOPIC_NS 1000
#define RESUME_NS 4000
#define MISSED_EVENT_NS 50

/* An event that the tail of one topic has dropped while the tail of another kept it. */
typedef struct tw_dropped {
    uint64_t seq;
    uint16_t topic; /* index among the subscriber's topics */
} tw_dropped_t;

/* A join that waits until its loop has time, or has been posted to it. */
typedef struct tw_join {
    tw_slice_t slice;
    tw_hub_t *hub;
    char *last_event_id; /* owned; NULL when it does not resume */
    size_t last_event_id_len;
    tw_subscriber_t *subscriber;
    tw_opened_fn on_open;
    void *data;
    tw_opening_t opening;
    tw_topic_name_t *gap_topics; /* owned; their bytes are those of subscriber->joining */
    bool *lost;            /* owned; for each topic, whether an event that was missed is lost */
    tw_dropped_t *dropped; /* owned; each is lost for its topic unless it is among `events` */
    size_t dropped_count;
    tw_event_t **events; /* owned, with references: the missed events, oldest first */
    size_t event_count, event_capacity;
} tw_join_t;

static void free_join(tw_join_t *join)
{
    for (size_t i = 0; i < join->event_count; ++i)
        tw_event_unref(join->events[i]);
    free(join->last_event_id);
    free(join->events);
    free(join->gap_topics);
    free(join->lost);
    free(join->dropped);
    free(join);
}

static void unfollow_all(tw_hub_t *hub, const tw_subscriber_t *subscriber)
{
    int64_t now_ms = tw_clock_ms();
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        tw_topic_name_t name = tw_subscriber_topic(subscriber, i);
        tw_topic_index_unfollow(&hub->index, &name, subscriber->connection->shard->index, now_ms);
    }
    tw_limit_give(&hub->streams);
}

static void on_join(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_join_t *join = data;
    tw_subscriber_t *subscriber = join->subscriber;

    if (subscriber->state == TW_SUBSCRIBER_LEFT) {
        free(subscriber->joining);
        free(subscriber);
    } else {
        tw_topic_name_t *names = subscriber->joining;
        subscriber->joining = NULL;
        tw_fanout_join(fanout, subscriber, names);
        tw_subscriber_replay(subscriber, join->events, join->event_count);
        join->event_count = 0; /* the subscriber has taken over the references */
        join->on_open(join->data, TW_OK, &join->opening);
        free(names); /* after on_open, since the gap's topics borrow its bytes */
    }
    free_join(join);
}

static int compare_events(const void *a, const void *b)
{
    uint64_t x = (*(tw_event_t *const *)a)->position.seq,
             y = (*(tw_event_t *const *)b)->position.seq;
    return x < y ? -1 : x > y;
}

static void collect(tw_join_t *join, const tw_tail_t *tail, uint64_t after_seq)
{
    for (uint32_t i = tw_tail_after(tail, after_seq); i < tail->count; ++i) {
        if (join->event_count == join->event_capacity) {
            join->event_capacity = join->event_capacity == 0 ? 16 : join->event_capacity * 2;
            join->events = tw_realloc(join->events, join->event_capacity * sizeof(*join->events));
        }
        join->events[join->event_count++] = tw_event_ref(tw_tail_at(tail, i));
    }
}

/* Takes note of what the tail of a topic has lost after a sequence number. */
static void note_lost(tw_join_t *join, uint16_t topic, const tw_tail_t *tail, uint64_t after_seq)
{
    size_t n = tw_tail_elsewhere(tail, after_seq, NULL);

    join->lost[topic] = tail->lost_seq > after_seq;
    if (join->lost[topic] || n == 0)
        return;
    uint64_t *seqs = tw_alloc(n * sizeof(*seqs));
    tw_tail_elsewhere(tail, after_seq, seqs);
    join->dropped = tw_realloc(join->dropped, (join->dropped_count + n) * sizeof(*join->dropped));
    for (size_t i = 0; i < n; ++i)
        join->dropped[join->dropped_count++] = (tw_dropped_t){.seq = seqs[i], .topic = topic};
    free(seqs);
}

/* Puts the events into order. An event that several topics kept stays once; restored events are
 * copies, one for each topic. */
static void sort_events(tw_join_t *join, uint16_t topic_count)
{
    size_t kept = 0;

    if (topic_count == 1 || join->event_count == 0)
        return; /* the events of one tail are in order */
    qsort(join->events, join->event_count, sizeof(*join->events), compare_events);
    for (size_t i = 0; i < join->event_count; ++i) {
        if (kept > 0 && join->events[kept - 1]->position.seq == join->events[i]->position.seq)
            tw_event_unref(join->events[i]);
        else
            join->events[kept++] = join->events[i];
    }
    join->event_count = kept;
}

static int compare_seq(const void *key, const void *element)
{
    uint64_t x = *(const uint64_t *)key, y = (*(tw_event_t *const *)element)->position.seq;
    return x < y ? -1 : x > y;
}

/* Finds the topics that the gap names: all of them when the gap has a reason already, else those of
 * which an event is lost. The events are in order by now. */
static void settle_gap(tw_join_t *join, const tw_subscriber_t *subscriber)
{
    tw_opening_t *opening = &join->opening;
    bool all = opening->gap != TW_GAP_NONE;

    for (size_t i = 0; i < join->dropped_count; ++i) {
        const tw_dropped_t *dropped = &join->dropped[i];
        if (join->event_count == 0 || bsearch(&dropped->seq, join->events, join->event_count,
                                              sizeof(*join->events), compare_seq) == NULL)
            join->lost[dropped->topic] = true;
    }
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        if (!all && !join->lost[i])
            continue;
        join->gap_topics[opening->topic_count++] = subscriber->joining[i];
        if (!all)
            opening->gap = TW_GAP_EVICTED;
    }
    opening->topics = join->gap_topics;
}

/* Finds the sequence number of the event that the client has seen last; returns the reason for a
 * gap when that cannot be known. */
static tw_gap_t find_position(tw_hub_t *hub, const tw_subscriber_t *subscriber, const char *id,
                              size_t len, uint64_t *seq)
{
    uint64_t hash = tw_hash(id, len);
    tw_position_t position;
    uint64_t epoch = 0; /* of the newest event that has the id */

    *seq = 0;
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, &subscriber->joining[i]);
        const tw_topic_t *topic = tw_topic_index_find(stripe, &subscriber->joining[i]);
        const tw_event_t *event =
            topic != NULL ? tw_tail_find_id(&topic->tail, id, len, hash) : NULL;
        if (event != NULL && event->position.seq > *seq) {
            *seq = event->position.seq;
            epoch = event->position.epoch;
        }
        tw_topic_index_unlock(stripe);
    }
    /* An event that is kept from another epoch does not tell what else was there after it. */
    if (*seq != 0)
        return epoch == hub->last.epoch ? TW_GAP_NONE : TW_GAP_OTHER_EPOCH;
    if (!tw_position_parse(id, len, &position))
        return TW_GAP_UNKNOWN_ID;
    if (position.epoch != hub->last.epoch)
        return TW_GAP_OTHER_EPOCH;
    if (position.seq > hub->last.seq)
        return TW_GAP_UNKNOWN_ID;
    *seq = position.seq;
    return TW_GAP_NONE;
}

/* Follows every topic. A resume also gathers what was missed, and notes what of it is lost. Called
 * under the order lock. */
static void follow_all(tw_hub_t *hub, tw_join_t *join)
{
    tw_subscriber_t *subscriber = join->subscriber;
    bool resumes = join->last_event_id != NULL;
    uint64_t seen = hub->last.seq;
    tw_opening_t *opening = &join->opening;

    if (resumes) {
        opening->gap =
            find_position(hub, subscriber, join->last_event_id, join->last_event_id_len, &seen);
        join->gap_topics = tw_alloc(subscriber->topic_count * sizeof(*join->gap_topics));
        join->lost = tw_alloc(subscriber->topic_count * sizeof(*join->lost));
    }
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        const tw_topic_name_t *name = &subscriber->joining[i];
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
        tw_topic_t *topic =
            tw_topic_index_follow(&hub->index, stripe, name, subscriber->connection->shard->index);
        if (resumes) {
            note_lost(join, i, &topic->tail, seen);
            collect(join, &topic->tail, seen);
        }
        tw_topic_index_unlock(stripe);
    }
    opening->position = hub->last;
}

/* The call that it posts runs on the same thread, after this function. */
static void start_join(tw_hub_t *hub, tw_join_t *join)
{
    tw_subscriber_t *subscriber = join->subscriber;
    tw_shard_t *shard = subscriber->connection->shard;
    tw_opening_t *opening = &join->opening;

    pthread_mutex_lock(&hub->order);
    follow_all(hub, join);
    tw_loop_post(&shard->loop, on_join, join);
    pthread_mutex_unlock(&hub->order);
    tw_loop_spend(&shard->loop, JOIN_NS + subscriber->topic_count * JOIN_TOPIC_NS);
    if (join->last_event_id == NULL)
        return;
    sort_events(join, subscriber->topic_count);
    settle_gap(join, subscriber);
    if (join->event_count > 0)
        opening->position.seq = join->events[0]->position.seq - 1;
    tw_count(opening->gap == TW_GAP_NONE ? &shard->counters.resumes_exact
                                         : &shard->counters.resumes_gap,
             1);
    tw_loop_spend(&shard->loop, RESUME_NS + join->event_count * MISSED_EVENT_NS);
}

static void on_time_to_join(tw_slice_t *slice)
{
    tw_join_t *join = TW_CONTAINER_OF(slice, tw_join_t, slice);
    join->subscriber->join = NULL;
    start_join(join->hub, join);
}

tw_status_t tw_hub_join(tw_hub_t *hub, tw_subscriber_t *subscriber, const tw_resume_t *resume,
                        tw_opened_fn on_open, void *data)
{
    tw_shard_t *shard = subscriber->connection->shard;

    bool resumes = resume != NULL && resume->last_event_id != NULL && resume->last_event_id_len > 0;

    assert(subscriber->state == TW_SUBSCRIBER_NEW);
    /* Open streams must not be closed because of what new ones have missed and do not read. */
    if (resumes && !tw_backlog_may_replay(&hub->backlog))
        return TW_OVER_CAPACITY;
    if (!tw_limit_take(&hub->streams))
        return TW_OVER_CAPACITY;
    tw_join_t *join = tw_alloc(sizeof(*join));
    *join = (tw_join_t){.hub = hub, .subscriber = subscriber, .on_open = on_open, .data = data};
    subscriber->state = TW_SUBSCRIBER_JOINING;
    if (resumes) {
        join->last_event_id = tw_strndup(resume->last_event_id, resume->last_event_id_len);
        join->last_event_id_len = resume->last_event_id_len;
        if (!tw_loop_has_time(&shard->loop)) {
            subscriber->join = join;
            tw_loop_defer(&shard->loop, &join->slice, on_time_to_join);
            return TW_OK;
        }
    }
    start_join(hub, join);
    return TW_OK;
}

/* Ends a join that has not begun; the subscriber follows no topic yet. */
static void cancel_join(tw_hub_t *hub, tw_subscriber_t *subscriber)
{
    tw_join_t *join = subscriber->join;

    tw_loop_cancel(&subscriber->connection->shard->loop, &join->slice);
    free_join(join);
    subscriber->join = NULL;
    subscriber->state = TW_SUBSCRIBER_NEW;
    tw_limit_give(&hub->streams);
    tw_subscriber_destroy(subscriber);
}

void tw_hub_leave(tw_hub_t *hub, tw_subscriber_t *subscriber)
{
    if (subscriber->join != NULL) {
        cancel_join(hub, subscriber);
        return;
    }
    unfollow_all(hub, subscriber);
    if (subscriber->state == TW_SUBSCRIBER_LIVE) {
        tw_fanout_leave(hub->fanouts[subscriber->connection->shard->index], subscriber);
        tw_subscriber_destroy(subscriber);
    } else {
        assert(subscriber->state == TW_SUBSCRIBER_JOINING);
        tw_subscriber_abandon(subscriber);
    }
}
